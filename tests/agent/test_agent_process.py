"""`ringback agent` as a process: enrolment, memory, kill -9 at bad moments, two agents on one folder, both ends."""

import signal
import subprocess
import time

import pytest

from ringback.agent import processes
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.agent_process import AgentProcess
from tests.agent.fixtures.box import until
from tests.agent.fixtures.director import OneBoxServer
from tests.agent.test_signals import RULES

RSS_LIMIT_KB = 35 * 1024


class Box(AgentProcess):
    """Agents of the one box of a small server."""

    def __init__(self, folder, server):
        super().__init__(folder, server.url)
        self.server = server

    def deploy(self, *built, **desire):
        generation = self.server.desire(*built, **desire)
        outcome = until(lambda: self.server.outcome(generation), timeout_s=25)
        if outcome["kind"] == "confirmed":
            self.server.accept(generation)
        return outcome


@pytest.fixture
def box(tmp_path):
    with OneBoxServer(tmp_path / "keys") as server:
        agent = Box(tmp_path, server)
        yield agent
        agent.end()
        for _, identity, _ in processes.marked(agent.state / "run"):
            processes.end_group(identity, grace_ms=100)


def first_set(box):
    box.start()
    outcome = box.deploy(
        artifacts.app(), artifacts.model("1.0.0"), artifacts.config("1.0.0", source="door"), rules=RULES
    )
    assert outcome["kind"] == "confirmed", outcome


def test_agent_enrols_runs_its_first_set_and_stays_small(box):
    first_set(box)

    status = until(lambda: (found := box.status()) and found["agent"]["rss_kb"] and found)
    assert status["agent"]["rss_kb"] <= RSS_LIMIT_KB, status
    assert set(box.services()) == {"camera", "inference", "upload"}
    assert box.server.enrolments[0]["serial"] == "box-1"
    assert box.server.token not in box.log()


def test_sigterm_leaves_the_services_and_the_next_agent_adopts_them(box):
    first_set(box)
    before = box.services()

    assert box.end(signal.SIGTERM) == 0
    kept = box.services()
    box.start()
    outcome = box.deploy(artifacts.model("1.1.0", latency_us=900), rules=RULES)

    assert kept == before
    assert outcome["kind"] == "confirmed"
    assert box.services() == before
    assert len(box.server.enrolments) == 1


def test_sigint_ends_the_services_too(box):
    first_set(box)

    assert box.end(signal.SIGINT) == 0

    assert box.services() == {}


def test_second_agent_on_the_folder_is_refused_with_a_hint(box):
    first_set(box)

    second = subprocess.run(box.command("run"), capture_output=True, text=True, env=box.environment(), timeout=20)

    assert second.returncode == 1
    assert "RB-AGENT-002" in second.stderr
    assert "hint: " in second.stderr


def test_box_without_identity_says_what_is_missing(box):
    bare = subprocess.run(
        box.command("run", "--server", "http://127.0.0.1:9"), capture_output=True, text=True, env=box.environment()
    )

    assert bare.returncode == 1
    assert "--claim, --serial, --class to enrol with are missing" in bare.stderr


@pytest.mark.parametrize("moment", ["service_stopped", "service_started", "activating", "trial"])
def test_agent_killed_in_the_middle_of_an_activation_ends_confirmed_with_one_set_of_services(box, moment):
    first_set(box)
    generation = box.server.desire(artifacts.app("1.1.0"), rules=RULES, trial_ms=8000, hold_ms=600)

    wait_for(box, moment)
    box.kill()
    box.start()
    outcome = until(lambda: box.server.outcome(generation), timeout_s=30)

    assert outcome["kind"] == "confirmed", (outcome, box.log()[-3000:])
    names = [name for name, _, _ in processes.marked(box.state / "run")]
    assert sorted(names) == ["service:camera", "service:inference", "service:upload"]
    assert box.server.reports[-1]["planes"]["app"][1] == "1.1.0"


def test_agent_killed_while_it_reverts_ends_reverted(box):
    first_set(box)
    generation = box.server.desire(artifacts.app("1.1.0", interfaces={"inference": 1}), rules=RULES, trial_ms=8000)

    wait_for(box, "reverting")
    box.kill()
    box.start()
    outcome = until(lambda: box.server.outcome(generation), timeout_s=30)

    assert (outcome["kind"], outcome["healthy"]) == ("reverted", True), outcome
    assert box.server.reports[-1]["planes"]["app"][1] == "1.0.0"


def wait_for(box, moment):
    """Waits for a word in the log that was not there before; fine-grained, so that the kill lands in the middle."""
    skip = len(box.log())
    end_s = time.monotonic() + 15
    while moment not in box.log()[skip:]:
        assert time.monotonic() < end_s, (moment, box.log()[skip:])
        time.sleep(0.002)
