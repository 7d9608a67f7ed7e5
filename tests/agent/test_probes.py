"""Each probe on real services, in health and in the failure it is there for. None hangs, none makes evidence up."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ringback.agent import processes
from ringback.agent.device_file import DeviceFile, ExecProbe
from ringback.agent.errors import PortError, ProbeError
from ringback.agent.ports import Measure
from ringback.agent.probes import memory, temperature
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.box import BoxBench, until

FACE = artifacts.model("1.0.0")
DOOR = artifacts.config("1.0.0", source="door")


@pytest.fixture
def start(tmp_path):
    """Starts a box with an app of this edition."""
    benches = []

    def start_box(*, device_file=None, model=FACE, config=DOOR, **edition):
        bench = BoxBench(tmp_path, device_file)
        benches.append(bench)
        bench.install(artifacts.app(**edition), model, config)
        return bench

    yield start_box
    for bench in benches:
        bench.end()
    assert list(processes.marked(tmp_path / "run")) == []


def test_healthy_box_reads_healthy_everywhere(start, tmp_path):
    (tmp_path / "temp").write_text("48000\n")
    bench = start(device_file=DeviceFile(temperature_file=str(tmp_path / "temp")))
    until(lambda: bench.values("latency", "face")["n"] >= 5)

    assert bench.values("service_up") == {"up": 1, "restarts": 0}
    assert bench.values("service_speaks", "upload") == {"ok": 1, "interface": 2}
    assert 1500 <= bench.values("latency", "face")["p95_us"] < 100_000
    assert bench.values("golden", "face") == {"fidelity_ppm": 1_000_000, "quality_ppm": 1_000_000, "n": 6}
    assert 4_000 < bench.values("memory", "inference")["rss_kb"] < 100_000
    assert bench.values("disk")["free_kb"] > 0
    assert bench.values("temperature") == {"max_mdegc": 48_000}
    assert bench.values("input")["age_ms"] < 500
    assert bench.values("output", "face")["positive_ppm"] == 666_666
    assert bench.values("telemetry")["rejected"] == 0
    assert bench.values("consistency") == {"ok": 1, "versions_ok": 1}
    assert bench.values("uplink") == {}


def test_reading_says_when_it_was_taken(start):
    bench = start()
    before_ms = bench.lab.now_ms()

    assert bench.read("service_up").at_ms >= before_ms


def test_service_that_crashes_is_not_up_or_was_restarted(start):
    bench = start(crashes="upload")

    values = until(lambda: (bench.values("service_up", "upload")["restarts"] >= 1) and bench.values("service_up"))

    assert values["restarts"] >= 1


def test_unknown_service_slot_or_probe_fails_with_its_name(start):
    bench = start()

    assert bench.read("service_up", "nobody").code == "RB-PROBE-009"
    assert bench.read("golden", "nothing").code == "RB-PROBE-009"
    assert bench.read("latency", "nothing").code == "RB-PROBE-002"
    assert bench.read("shell", "rm -rf /").code == "RB-PROBE-008"


def test_service_that_speaks_the_old_interface_is_found_though_all_are_up(start):
    bench = start(interfaces={"inference": 1})

    assert bench.values("service_up")["up"] == 1
    assert bench.values("service_speaks", "inference") == {"ok": 0, "interface": 1}
    assert bench.values("service_speaks")["ok"] == 0
    assert bench.values("consistency")["versions_ok"] == 0


def test_mute_service_costs_its_timeout_once(start):
    bench = start()
    stopped = bench.supervisor.states()["inference"].pid
    os.kill(stopped, signal.SIGSTOP)
    until(lambda: ") T " in Path(f"/proc/{stopped}/stat").read_text())
    began_s = time.monotonic()
    measures = [Measure("service_speaks", "inference"), Measure("latency", "face"), Measure("output", "face")]
    readings = bench.probes.read(measures)
    took_s = time.monotonic() - began_s
    os.kill(stopped, signal.SIGCONT)

    assert {reading.code for reading in readings} == {"RB-PROBE-001"}
    assert took_s < 2


def test_slow_model_is_seen_in_its_latency(start):
    bench = start(model=artifacts.model("1.1.0", latency_us=30_000))

    until(lambda: bench.values("latency", "face")["n"] >= 5)

    assert bench.values("latency", "face")["p95_us"] >= 30_000


def test_latency_after_a_switch_counts_the_new_model_only(start):
    bench = start(model=artifacts.model("1.1.0", latency_us=30_000))
    until(lambda: bench.values("latency", "face")["n"] >= 5)

    bench.install(FACE)

    values = until(lambda: bench.values("latency", "face").get("p95_us"))
    assert values < 30_000


def test_blind_model_fails_its_replay_on_quality_not_on_fidelity(start):
    bench = start(model=artifacts.model("1.1.0", decisions=[0] * 6))

    assert bench.values("golden", "face") == {"fidelity_ppm": 1_000_000, "quality_ppm": 333_333, "n": 6}


def test_replay_that_crashes_agrees_with_nothing(start):
    bench = start(model=artifacts.model("1.1.0", replay_crashes=True))

    assert bench.values("golden", "face") == {"fidelity_ppm": 0, "quality_ppm": 0, "n": 6}


def test_replay_that_hangs_is_killed_in_time(start, monkeypatch):
    monkeypatch.setattr("ringback.agent.probes.golden.TIMEOUT_MS", 400)
    bench = start(model=artifacts.model("1.1.0", replay_hangs=True))

    began_s = time.monotonic()
    reading = bench.read("golden", "face")

    assert reading.code == "RB-PROBE-003"
    assert time.monotonic() - began_s < 3


def test_leak_shows_as_growth(start):
    bench = start(leak_kb=64)
    for _ in range(12):
        bench.read("memory", "inference")
        time.sleep(0.04)

    assert bench.values("memory", "inference")["growth_kb"] > 100


def test_memory_needs_some_readings_before_it_speaks_of_growth(start):
    bench = start()

    assert "growth_kb" not in bench.values("memory")


@pytest.mark.parametrize(
    ("readings", "growth"),
    [
        ([10, 10, 10, 10, 10, 10], 0),
        ([10, 90, 10, 10, 90, 10], 0),
        ([90, 80, 70, 60, 50, 40], 0),
        ([10, 20, 30, 40, 50, 60], 40),
        ([10, 11, 10, 50, 51, 50], 40),
    ],
)
def test_growth_is_what_lasts_not_what_comes_and_goes(readings, growth):
    assert memory.growth_kb(readings) == growth


def test_disk_that_fills_is_seen_against_its_quota(start, tmp_path):
    bench = start(device_file=DeviceFile(disk_path=str(tmp_path / "run"), disk_quota_bytes=8 << 20))
    before = bench.values("disk")

    bench.install(artifacts.config("1.1.0", fill=True))
    until(lambda: bench.values("disk")["used_ppm"] > 900_000)

    assert before["free_kb"] > 7000
    assert bench.values("disk")["free_kb"] < 1000


def test_temperature_comes_from_the_zone_of_the_named_type(tmp_path):
    for number, (kind, value) in enumerate([("gpu-thermal", "50000"), ("soc-thermal", "61000")]):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{value}\n")

    assert [temperature.read_mdegc(file) for file in temperature.zone_files(tmp_path, "soc-thermal")] == [61_000]
    assert len(temperature.zone_files(tmp_path, "")) == 2
    assert temperature.zone_files(tmp_path, "npu-thermal") == []


@pytest.mark.parametrize("text", ["", "warm", "999999999", "-300000"])
def test_sensor_that_holds_no_temperature_is_no_evidence(tmp_path, text):
    (tmp_path / "temp").write_text(text)

    with pytest.raises(ProbeError) as caught:
        temperature.read_mdegc(tmp_path / "temp")

    assert caught.value.code == "RB-PROBE-004"


def test_closed_camera_stream_ages(start):
    bench = start(config=artifacts.config("1.1.0", source="none"))

    until(lambda: bench.values("input")["age_ms"] > 300)


def test_mute_reporter_ages_and_does_not_add_up(start):
    bench = start(mute_upload=True)
    bench.read("consistency")

    until(lambda: bench.values("telemetry")["age_ms"] > 300)

    assert bench.values("consistency")["ok"] == 0


def test_reporter_that_invents_results_does_not_add_up(start):
    bench = start(upload_counts=3)

    until(lambda: bench.values("consistency").get("ok") == 0)


def test_inference_that_names_another_model_is_inconsistent(start):
    bench = start(wrong_model_name=True)

    assert bench.values("consistency")["versions_ok"] == 0


def test_log_without_gaps_counts_its_lines(start):
    bench = start()
    first = bench.values("logs")

    values = until(lambda: (values := bench.values("logs")).get("n", 0) > 5 and values)

    assert "gap" not in first
    assert values["gap"] == 0


def test_gap_in_the_log_is_found_and_forgotten_after_the_way_back(start):
    bench = start(config=artifacts.config("1.1.0", log_keep_one_in=5))
    until(lambda: bench.values("logs").get("gap", 0) > 3)

    bench.install(DOOR)

    until(lambda: bench.values("logs").get("n", 0) > 3)
    assert bench.values("logs")["gap"] == 0


def test_uplink_says_whether_and_when(start):
    bench = start()
    bench.uplink = (True, bench.lab.now_ms() - 50)

    values = bench.values("uplink")

    assert values["ok"] == 1
    assert 50 <= values["age_ms"] < 5000


def exec_box(start, script, timeout_ms=2000):
    argv = (sys.executable, "-S", "-c", script)
    return start(device_file=DeviceFile(exec_probes={"check": ExecProbe(argv, timeout_ms)}))


def test_command_of_the_device_file_gives_its_exit_code(start):
    assert exec_box(start, "raise SystemExit(7)").values("exec", "check") == {"code": 7}


def test_command_that_is_not_in_the_device_file_is_not_run(start):
    assert start().read("exec", "rm -rf /").code == "RB-PROBE-005"


def test_command_that_forks_and_hangs_is_killed_with_all_it_forked(start, tmp_path):
    script = "import os,time\nif os.fork() == 0:\n  pass\ntime.sleep(60)"
    bench = exec_box(start, script, timeout_ms=300)

    reading = bench.read("exec", "check")

    assert reading.code == "RB-PROBE-003"
    assert [name for name, _, _ in processes.marked(tmp_path / "run") if name.startswith("probe:")] == []


def test_command_whose_child_keeps_the_pipe_open_does_not_hang(start):
    script = "import os,time\nif os.fork() == 0:\n  time.sleep(60)\nos._exit(0)"

    began_s = time.monotonic()
    values = exec_box(start, script, timeout_ms=5000).values("exec", "check")

    assert values == {"code": 0}
    assert time.monotonic() - began_s < 3


def test_preflight_refuses_a_config_that_breaks_the_schema_of_the_app(start):
    bench = start()
    bad = bench.give(artifacts.config("2.0.0", log_keep_one_in=0))
    bench.box.stage(bad)

    with pytest.raises(PortError) as caught:
        bench.probes.preflight(bad, [])

    assert caught.value.code == "RB-AGENT-040"
    assert "config.log_keep_one_in: 0 is below 1" in caught.value.message


def test_preflight_replays_the_candidate_while_the_old_model_runs(start):
    bench = start()
    before = bench.pids()
    blind = bench.give(artifacts.model("2.0.0", decisions=[0] * 6))
    bench.box.stage(blind)

    readings = bench.probes.preflight(blind, [Measure("golden", "face")])

    assert readings[0].values["quality_ppm"] == 333_333
    assert bench.values("golden", "face")["quality_ppm"] == 1_000_000
    assert bench.pids() == before
    assert bench.box.running()["model/face"].digest == FACE.digest
