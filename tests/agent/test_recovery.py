"""Remote recovery and its words: safe mode, commands, freeze, drill, reboot, and a ladder that ends."""

import pytest

from ringback.agent.device_file import DeviceFile
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.box import until
from tests.agent.fixtures.director import OneBoxServer
from tests.agent.fixtures.live import LiveAgent
from tests.agent.test_agent_process import Box, first_set
from tests.agent.test_signals import APP, DOOR, FACE, RULES, rule, versions

BETTER = artifacts.model("1.1.0", latency_us=900)


@pytest.fixture
def box(tmp_path):
    (tmp_path / "state").mkdir()
    sensor = tmp_path / "temp"
    sensor.write_text("45000")
    with OneBoxServer(tmp_path / "keys") as server:
        agent = LiveAgent(tmp_path / "state", server, DeviceFile(temperature_file=str(sensor)))
        heat = rule("temperature", "max_mdegc", "<=", 80_000)
        assert agent.deploy(APP, FACE, DOOR, rules=(*RULES, heat))["kind"] == "confirmed"
        yield agent
        agent.end()


def report(agent):
    return agent.server.reports[-1]


def test_safe_mode_stops_the_workload_answers_and_leaves_again(box):
    box.server.desire(rules=RULES, safe_mode=True)
    box.run_until(lambda: "safe_mode" in report(box)["flags"])
    box.run_until(lambda: box.supervisor.states() == {})
    heard = len(box.server.reports)
    box.run_until(lambda: len(box.server.reports) > heard + 2)

    box.server.desire(rules=RULES)
    box.run_until(lambda: report(box)["state"] != "safe_mode" and len(box.supervisor.states()) == 3)

    assert box.values("service_up") == {"up": 1, "restarts": 0}
    assert versions(box) == {"app": "1.0.0", "model/face": "1.0.0", "config": "1.0.0"}


def test_ladder_that_cures_nothing_ends_in_safe_mode_and_says_why(box, tmp_path):
    (tmp_path / "temp").write_text("95000")
    heat = rule("temperature", "max_mdegc", "<=", 80_000)

    outcome = box.deploy(BETTER, rules=(*RULES, heat))

    assert (outcome["kind"], outcome["healthy"]) == ("failed", False)
    assert outcome["rule"] == "temperature-max_mdegc"
    box.run_until(lambda: "safe_mode" in report(box)["flags"])
    box.run_until(lambda: box.supervisor.states() == {})
    assert versions(box)["model/face"] == "1.0.0"


def test_drill_goes_back_by_itself_and_then_forward_to_the_end(box):
    generation = box.server.desire(BETTER, rules=RULES, drill={"rule": "service_speaks-ok"})

    box.run_until(lambda: (outcome := box.server.outcome(generation)) and outcome["kind"] == "confirmed")

    drills = [one["outcome"] for one in box.server.reports if one["outcome"] and one["outcome"]["drill"]]
    assert drills[0]["kind"] == "reverted"
    assert drills[0]["healthy"]
    assert versions(box)["model/face"] == "1.1.0"


def test_frozen_digest_is_refused_and_never_activated(box):
    outcome = box.deploy(BETTER, rules=RULES, frozen=[["model/face", BETTER.digest]])

    assert (outcome["kind"], outcome["code"], outcome["entered"]) == ("refused", "RB-TX-017", False)
    assert versions(box)["model/face"] == "1.0.0"


def test_command_restarts_one_service_and_is_reported_once(box):
    before = box.pids()

    box.server.desire(rules=RULES, commands=[{"id": 1, "kind": "restart", "arg": "upload"}])
    box.run_until(lambda: report(box)["cmds"] == [[1, "done"]])

    after = box.pids()
    assert {name for name in before if before[name] != after[name]} == {"upload"}


def test_command_that_fails_or_is_unknown_is_reported_as_that(box):
    commands = [{"id": 1, "kind": "restart", "arg": "nobody"}, {"id": 2, "kind": "format-disk", "arg": ""}]

    box.server.desire(rules=RULES, commands=commands)

    box.run_until(lambda: report(box)["cmds"] == [[1, "failed"], [2, "unknown"]])
    assert box.values("service_up")["up"] == 1


def test_reboot_of_a_box_without_a_command_ends_all_and_counts_as_a_boot_when_started_again(tmp_path):
    with OneBoxServer(tmp_path / "keys") as server:
        agent = Box(tmp_path, server)
        try:
            first_set(agent)
            first_boot = server.reports[-1]["boot_id"]
            server.desire(rules=RULES, commands=[{"id": 1, "kind": "reboot", "arg": ""}])

            assert agent.process.wait(20) == 75
            gone = agent.services()
            agent.start()
            until(lambda: server.reports[-1]["cmds"] == [[1, "done"]])
            until(lambda: set(agent.services()) == {"camera", "inference", "upload"})
        finally:
            agent.end()

    assert gone == {}
    assert server.reports[-1]["boot_id"] != first_boot
