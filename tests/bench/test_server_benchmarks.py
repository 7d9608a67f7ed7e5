"""The server's benchmarks run, count honestly, and print the promised keys. Their figures are not judged here."""

import json

from click.testing import CliRunner

from ringback.bench import checkin, control
from ringback.bench.command import command
from ringback.bench.load import Load, requests_of


def test_check_in_benchmark_measures_both_servers_in_one_run():
    found = checkin.measure(devices=300, rounds=1, seconds=0.4)

    assert found.per_core_per_s > 0
    assert 0 < found.ratio_to_bare < 2
    assert found.p99_ms >= found.p50_ms > 0
    assert found.memory_mb > 20
    assert found.tls_connections_per_s > 0


def test_controller_benchmarks_show_the_promised_keys(monkeypatch):
    monkeypatch.setattr(control, "SIZES", (50, 200))
    ring = control.measure_ring((50, 200))
    tick = control.measure_tick(200, ticks=2)
    plan = control.measure_plan(200)

    assert set(ring.open_ms) == {"50", "200"}
    assert (tick.devices, tick.changed) == (200, 2)
    assert tick.tick_max_ms >= tick.tick_p50_ms > 0
    assert plan.plan_s > 0


def test_json_output_is_one_object_and_nothing_else():
    done = CliRunner().invoke(command, ["plan", "--devices", "50", "--json"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["devices"] == 50


def test_every_part_is_a_command():
    assert set(command.commands) >= {"checkin", "ring", "tick", "plan", "revert"}


def test_each_request_of_a_device_has_the_length_it_announces():
    load = Load(host="127.0.0.1", port=1, path="/d/1/checkin", connections=1, seconds=1, devices=1, boot=7)
    head, tail = requests_of(load, 3)
    request = head + b"1000000001" + tail
    headers, body = request.split(b"\r\n\r\n", 1)

    assert f"Content-Length: {len(body)}".encode() in headers
    assert json.loads(body)["device"] == "bench-0000003"
