"""One test per signal that takes a release back: real services, real files, the kernel, a real server.

Each starts from a confirmed set, releases something that breaks one thing, and looks at what the box reports and runs.
"""

import pytest

from ringback.agent import processes
from ringback.agent.device_file import DeviceFile
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.director import OneBoxServer
from tests.agent.fixtures.live import LiveAgent

APP = artifacts.app("1.0.0")
FACE = artifacts.model("1.0.0")
DOOR = artifacts.config("1.0.0", source="door")


def rule(probe, field, op, limit, **more):
    base = {"id": f"{probe}-{field}", "probe": probe, "arg": "", "field": field, "op": op, "limit": limit}
    fields = {"level": "required", "plane": None, "at": ["trial"], "strikes": 2, "min_n": 0}
    return {**base, **fields, **more}


UP = rule("service_up", "up", ">=", 1, plane="app")
RULES = (
    UP,
    rule("service_up", "restarts", "<=", 0, plane="app", strikes=1),
    rule("service_speaks", "ok", ">=", 1, plane="app"),
)


@pytest.fixture
def box(tmp_path):
    """A box that confirmed its first set."""
    agents = []
    with OneBoxServer(tmp_path / "keys") as server:

        def start(*, device_file=None, rules=RULES):
            (tmp_path / "state").mkdir()
            agent = LiveAgent(tmp_path / "state", server, device_file)
            agents.append(agent)
            first = agent.deploy(APP, FACE, DOOR, rules=rules)
            assert first["kind"] == "confirmed", first
            return agent

        yield start
        for agent in agents:
            agent.end()
    assert list(processes.marked(tmp_path / "state" / "run")) == []


def versions(agent):
    return {plane: running.version for plane, running in agent.box.running().items()}


OLD = {"app": "1.0.0", "model/face": "1.0.0", "config": "1.0.0"}


def assert_reverted(agent, outcome, *, rule_id, plane, rung):
    assert outcome["kind"] == "reverted", outcome
    assert outcome["rule"] == rule_id
    assert outcome["plane"] == plane
    assert outcome["rung"] == rung
    assert outcome["healthy"] is True
    assert versions(agent) == OLD


def test_good_set_is_confirmed_and_reported(box):
    agent = box()

    outcome = agent.deploy(artifacts.model("1.1.0", latency_us=900), rules=RULES)

    assert (outcome["kind"], outcome["entered"]) == ("confirmed", True)
    assert versions(agent) == {**OLD, "model/face": "1.1.0"}
    assert agent.server.reports[-1]["confirmed"]["model/face"] == artifacts.model("1.1.0", latency_us=900).digest


def test_service_that_does_not_start_takes_the_app_back(box):
    agent = box()

    outcome = agent.deploy(artifacts.app("1.1.0", does_not_start="inference"), rules=RULES)

    assert outcome["kind"] == "reverted"
    assert outcome["code"] == "RB-AGENT-033"
    assert outcome["healthy"] is True
    assert versions(agent) == OLD


def test_app_that_crashes_after_it_got_ready_takes_the_app_back(box):
    agent = box()

    outcome = agent.deploy(artifacts.app("1.1.0", crashes="upload"), rules=RULES, hold_ms=1000)

    assert outcome["rule"] in {"service_up-restarts", "service_up-up"}
    assert_reverted(agent, outcome, rule_id=outcome["rule"], plane="app", rung=["app"])


def test_app_that_speaks_the_old_interface_takes_the_app_back(box):
    agent = box()

    outcome = agent.deploy(artifacts.app("1.1.0", interfaces={"inference": 1}), rules=RULES)

    assert_reverted(agent, outcome, rule_id="service_speaks-ok", plane="app", rung=["app"])


def test_slow_model_takes_the_model_back_and_restarts_nothing(box):
    agent = box()
    before = agent.pids()
    latency = rule("latency", "p95_us", "<=", 15_000, arg="face", plane="model/face", min_n=5)

    outcome = agent.deploy(artifacts.model("1.1.0", latency_us=30_000), rules=(*RULES, latency))

    assert_reverted(agent, outcome, rule_id="latency-p95_us", plane="model/face", rung=["model/face"])
    assert outcome["reading"] >= 30_000
    assert outcome["limit"] == 15_000
    assert agent.pids() == before


def test_leaking_app_is_taken_back(box):
    agent = box()
    memory = rule("memory", "growth_kb", "<=", 3000)

    outcome = agent.deploy(artifacts.app("1.1.0", leak_kb=64), rules=(*RULES, memory), hold_ms=2000, trial_ms=6000)

    assert_reverted(agent, outcome, rule_id="memory-growth_kb", plane="", rung=["app"])


def test_disk_that_fills_takes_the_config_back(box, tmp_path):
    quota = DeviceFile(disk_path=str(tmp_path / "state" / "run"), disk_quota_bytes=24 << 20)
    agent = box(device_file=quota)
    disk = rule("disk", "used_ppm", "<=", 800_000, plane="config", strikes=1)
    filled = tmp_path / "state" / "run" / "filling"

    outcome = agent.deploy(artifacts.config("1.1.0", fill=True), rules=(*RULES, disk), hold_ms=3000, trial_ms=4000)

    assert outcome["rule"] == "disk-used_ppm"
    assert outcome["plane"] == "config"
    assert versions(agent) == OLD
    # What was written stays; taking the config back stopped the writing, so room can be made again.
    assert filled.stat().st_size > 0


def test_heat_takes_the_set_back(box, tmp_path):
    sensor = tmp_path / "temp"
    sensor.write_text("45000")
    agent = box(device_file=DeviceFile(temperature_file=str(sensor)))
    heat = rule("temperature", "max_mdegc", "<=", 80_000)
    generation = agent.server.desire(artifacts.model("1.1.0"), rules=(*RULES, heat), hold_ms=3000, trial_ms=4000)
    agent.run_until(lambda: agent.server.reports[-1]["state"] == "trial")

    sensor.write_text("91000")
    agent.run_until(lambda: agent.server.reports[-1]["state"] != "trial")
    sensor.write_text("50000")
    outcome = agent.run_until(lambda: agent.server.outcome(generation))

    assert_reverted(agent, outcome, rule_id="temperature-max_mdegc", plane="", rung=["model/face"])
    assert outcome["reading"] == 91_000


def test_closed_camera_stream_takes_the_config_back(box):
    agent = box()
    before = agent.pids()
    stream = rule("input", "age_ms", "<=", 300, plane="config")

    outcome = agent.deploy(artifacts.config("1.1.0", source="none"), rules=(*RULES, stream), hold_ms=1500)

    assert_reverted(agent, outcome, rule_id="input-age_ms", plane="config", rung=["config"])
    assert agent.pids() == before


def test_mute_reporter_takes_the_app_back(box):
    agent = box()
    telemetry = rule("telemetry", "age_ms", "<=", 400, plane="app")

    outcome = agent.deploy(artifacts.app("1.1.0", mute_upload=True), rules=(*RULES, telemetry), hold_ms=1500)

    assert_reverted(agent, outcome, rule_id="telemetry-age_ms", plane="app", rung=["app"])


def test_reporter_whose_counts_do_not_add_up_takes_the_app_back(box):
    agent = box()
    consistency = rule("consistency", "ok", ">=", 1, plane="app", strikes=3)

    outcome = agent.deploy(artifacts.app("1.1.0", upload_counts=3), rules=(*RULES, consistency), hold_ms=1500)

    assert_reverted(agent, outcome, rule_id="consistency-ok", plane="app", rung=["app"])


def test_reporter_that_names_another_model_takes_the_app_back(box):
    agent = box()
    consistency = rule("consistency", "versions_ok", ">=", 1, plane="app", strikes=3)

    outcome = agent.deploy(artifacts.app("1.1.0", wrong_model_name=True), rules=(*RULES, consistency), hold_ms=1500)

    assert_reverted(agent, outcome, rule_id="consistency-versions_ok", plane="app", rung=["app"])


def test_gap_in_the_log_takes_the_config_back(box):
    agent = box()
    logs = rule("logs", "gap", "<=", 2, plane="config")

    outcome = agent.deploy(artifacts.config("1.1.0", log_keep_one_in=3), rules=(*RULES, logs), hold_ms=1500)

    assert_reverted(agent, outcome, rule_id="logs-gap", plane="config", rung=["config"])


def test_failed_replay_refuses_the_model_before_anything_is_activated(box):
    agent = box()
    golden = rule("golden", "quality_ppm", ">=", 900_000, arg="face", plane="model/face", at=["preflight"], strikes=1)

    outcome = agent.deploy(artifacts.model("1.1.0", decisions=[0] * 6), rules=(*RULES, golden))

    assert (outcome["kind"], outcome["entered"]) == ("refused", False), outcome
    assert outcome["rule"] == "golden-quality_ppm"
    assert outcome["reading"] == 333_333
    assert versions(agent) == OLD
    started = [fields for event, fields in agent.events if event == "service_started"]
    assert len(started) == 3


def test_config_that_breaks_the_schema_is_refused_before_anything_is_activated(box):
    agent = box()

    outcome = agent.deploy(artifacts.config("1.1.0", log_keep_one_in=0), rules=RULES)

    assert (outcome["kind"], outcome["entered"], outcome["code"]) == ("refused", False, "RB-AGENT-040")
    assert "config.log_keep_one_in" in outcome["text"]
    assert versions(agent) == OLD


def test_trial_without_enough_evidence_is_taken_back_when_its_time_is_over(box):
    agent = box()
    latency = rule("latency", "p95_us", "<=", 500_000, arg="face", plane="model/face", min_n=250)

    outcome = agent.deploy(artifacts.model("1.1.0", latency_us=900), rules=(*RULES, latency), trial_ms=700)

    assert outcome["kind"] == "reverted", outcome
    assert outcome["code"] == "RB-TX-011"
    assert versions(agent) == OLD


def test_failed_digest_is_not_tried_again_until_it_is_asked_for_anew(box):
    agent = box()
    bad = artifacts.app("1.1.0", does_not_start="inference")
    agent.deploy(bad, rules=RULES)
    started = len([1 for event, _ in agent.events if event == "service_started"])

    again = agent.deploy(bad, rules=RULES)

    assert again["kind"] == "refused"
    assert again["code"] == "RB-TX-018"
    assert len([1 for event, _ in agent.events if event == "service_started"]) == started


def test_full_disk_is_reported_and_over_when_there_is_room(box, tmp_path):
    agent = box(device_file=DeviceFile(quota_bytes=40 << 20))
    ballast = tmp_path / "state" / "ballast"
    ballast.write_bytes(bytes(36 << 20))
    generation = agent.server.desire(artifacts.model("1.1.0", latency_us=900), rules=RULES)

    agent.run_until(lambda: "disk_full" in agent.server.reports[-1]["flags"])
    healthy = agent.values("service_up")
    ballast.unlink()
    outcome = agent.run_until(lambda: agent.server.outcome(generation), timeout_s=30)

    assert healthy == {"up": 1, "restarts": 0}
    assert outcome["kind"] == "confirmed"
    agent.run_until(lambda: "disk_full" not in agent.server.reports[-1]["flags"])
