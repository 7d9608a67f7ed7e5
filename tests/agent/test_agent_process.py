"""`ringback agent` as a process: enrolment, memory, kill -9 at bad moments, two agents on one folder, both ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ringback.agent import processes
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.box import until
from tests.agent.fixtures.director import OneBoxServer
from tests.agent.test_signals import RULES

RUN = "from ringback.agent.command import command; command()"
RSS_LIMIT_KB = 35 * 1024


class AgentProcess:
    """Real agents, one after the other, on one folder."""

    def __init__(self, folder, server):
        self.state = folder / "a box"
        self.server = server
        self.log_path = folder / "agent.log"
        self.process = None

    def command(self, *words):
        return [sys.executable, "-c", RUN, *words, "--state", str(self.state)]

    def environment(self):
        return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self):
        words = ["--server", self.server.url, "--claim", "claim", "--serial", "s-1", "--class", "test-door"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("run", *words), stderr=log, env=self.environment())

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def end(self, number=signal.SIGINT):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)
        return self.process.returncode if self.process is not None else None

    def status(self):
        answer = subprocess.run(
            self.command("status", "--json"), capture_output=True, env=self.environment(), timeout=20
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def services(self):
        return {name.partition(":")[2]: identity for name, identity, _ in processes.marked(self.state / "run")}

    def deploy(self, *built, **desire):
        generation = self.server.desire(*built, **desire)
        outcome = until(lambda: self.server.outcome(generation), timeout_s=25)
        if outcome["kind"] == "confirmed":
            self.server.accept(generation)
        return outcome

    def log(self):
        return self.log_path.read_text()


@pytest.fixture
def box(tmp_path):
    with OneBoxServer(tmp_path / "keys") as server:
        agent = AgentProcess(tmp_path, server)
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
    assert box.server.enrolments[0]["serial"] == "s-1"
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
