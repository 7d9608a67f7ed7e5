"""Constraints, golden comparison and the bounds of the report. Runs on both interpreters."""

import json

from ringback_kernel import constraints, replay, report, wire
from ringback_kernel.errors import KernelError
from tests.kernel.both import world as w


def refused(code, call, *given):
    try:
        call(*given)
    except KernelError as error:
        assert error.code == code, (error.code, error.text)
        return error.text
    raise AssertionError("accepted " + repr(given))


# --- constraints ------------------------------------------------------------------------------------------------------


def test_versions_sort_as_semver_says():
    rising = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1", "1.0.1", "1.2", "1.10", "2"]  # fmt: skip
    for index in range(len(rising) - 1):
        assert constraints.compare_versions(rising[index], rising[index + 1]) == -1, rising[index]
        assert constraints.compare_versions(rising[index + 1], rising[index]) == 1
    assert constraints.compare_versions("1.0", "1.0.0+build.7") == 0


def test_constraints_hold_when_every_part_does():
    for text, value, holds in (
        (">=1.0", "1.0.0", True), (">=1.0", "1.0.0-rc.1", False), (">1", "1.0.1", True), ("<2,>=1.1", "1.1.0", True),
        ("<2,>=1.1", "2.0.0", False), ("!=1.5.0", "1.5", False), ("==1.5", "1.5.0", True), ("<=1.5", "1.5.1", False),
        (">=256", 512, True), (">=1024", 512, False), ("==512", 512, True), ("rk3566|rk3568", "rk3568", True),
        ("rk3566|rk3568", "rk3588", False), ("rk3566", "rk3566", True), (">=1.0", None, False), ("a|b", None, False),
        (">=1.0.0-01", "1.0.0-1", True), ("512|1024", 512, True), ("!=512", 512, False),
        ("<0", -1, True), (">=-5", -5, True),
    ):  # fmt: skip
        assert constraints.satisfies(text, value) is holds, (text, value)


def test_unmet_constraints_name_key_text_and_what_was_found():
    requires = {"app": ">=1.1", "cap:ram_mb": ">=1024", "config": ">=1", "cap:npu": "rk3566|rk3568"}
    missing = constraints.unmet(requires, {"app": "1.0.0"}, {"ram_mb": 512, "npu": "rk3566"})
    assert missing == [("app", ">=1.1", "1.0.0"), ("cap:ram_mb", ">=1024", 512), ("config", ">=1", None)]


def test_text_that_is_no_version_or_constraint_is_quoted():
    for text in ("", "x", "1.2.3.4", "1..2", "1.2-", "v1", "1" * 200, None, 5):
        refused("RB-CONSTRAINT-001", constraints.parse_version, text)
    for value in (512, -1):
        assert "compares to a number, not" in refused("RB-CONSTRAINT-002", constraints.satisfies, ">=many", value)
    for text in ("", ">=", "=>1", "~1", "^1", ">=1,,<2", "!1", None, ">=a b", "x" * 200):
        refused("RB-CONSTRAINT-002", constraints.parse, text)


# --- golden replay ----------------------------------------------------------------------------------------------------


def golden(**fidelity):
    found = {
        "decisions": [1, 0, 1, 1],
        "values": [[900000], [0], [800000], [700000]],
        "min_agree_ppm": 900000,
        "max_mean_abs_ppm": 50000,
    }
    found.update(fidelity)
    return {"v": 1, "fidelity": found, "quality": {"decisions": [1, 0, 1, 0], "min_agree_ppm": 700000}}


def test_replay_counts_agreement_with_build_host_and_with_labels():
    same = {"decisions": [1, 0, 1, 1], "values": golden()["fidelity"]["values"]}
    assert replay.compare(golden(), same) == {"fidelity_ppm": 1000000, "quality_ppm": 750000, "n": 4}
    other = {"decisions": [1, 0, 1, 0], "values": golden()["fidelity"]["values"]}
    assert replay.compare(golden(), other) == {"fidelity_ppm": 750000, "quality_ppm": 1000000, "n": 4}


def test_values_beyond_the_tolerance_fail_the_fidelity():
    far = {"decisions": [1, 0, 1, 1], "values": [[600000], [0], [800000], [700000]]}
    assert replay.compare(golden(), far)["fidelity_ppm"] == 899999
    near = {"decisions": [1, 0, 1, 1], "values": [[700001], [0], [800000], [700000]]}
    assert replay.compare(golden(), near)["fidelity_ppm"] == 1000000


def test_short_absent_or_odd_output_is_disagreement():
    for output in (
        {},
        {"decisions": []},
        {"decisions": None},
        {"decisions": "1011"},
        {"decisions": [[1], 2, None, "1"]},
    ):
        found = replay.compare(golden(values=[]), output)
        assert found["quality_ppm"] == 0 and found["fidelity_ppm"] == 0, output
    assert replay.compare(golden(values=[]), {"decisions": [1, 0]})["fidelity_ppm"] == 500000
    for values in ([[1]], None, [[900000], [0], [800000], []], [[900000], [0], [800000], ["x"]], [5, 5, 5, 5]):
        found = replay.compare(golden(), {"decisions": [1, 0, 1, 1], "values": values})
        assert found["fidelity_ppm"] == 899999 and found["quality_ppm"] == 750000, values


def test_golden_set_that_can_not_be_read_is_refused():
    for found in (
        {},
        {"fidelity": {}, "quality": {}},
        golden(decisions=[]),
        golden(decisions=[1]),
        golden(decisions=["1"] * 4),
    ):
        refused("RB-GOLDEN-001", replay.compare, found, {"decisions": []})


# --- report -----------------------------------------------------------------------------------------------------------


def test_report_fits_its_limit_whatever_happened():
    facts = {
        "v": 1, "device": "box-1", "state": "trial", "outcome": {"text": "x" * 200},
        "read": {"probe/arg.field_%d" % number: number for number in range(500)},
        "bad": {"probe/%d" % number: "RB-PROBE-001" for number in range(100)},
        "trans": [[number, "trial", "probe_done", "confirmed", 10**9] for number in range(16)],
        "cmds": [[number, "done"] for number in range(8)],
    }  # fmt: skip
    body = report.build(dict(facts), 4096)
    assert len(body) <= 4096
    found = json.loads(body)
    assert found["outcome"] == facts["outcome"] and found["trans"][-1] == facts["trans"][-1]
    assert json.loads(report.build(dict(facts), 65536))["read"] == facts["read"]


def test_readings_are_named_flat_and_bounded():
    found = [
        {"probe": "latency", "arg": "face", "values": {"p95_us": 1300, "n": 5, "odd": "text"}, "at_ms": 1, "code": ""}
    ]
    found += [{"probe": "disk", "arg": "", "values": {"free_kb": 7}, "at_ms": 1, "code": "RB-PROBE-002"}]
    values, bad = report.readings(found)
    assert values == {"latency/face.p95_us": 1300, "latency/face.n": 5, "disk.free_kb": 7}
    assert bad == {"disk": "RB-PROBE-002"}
    many = [
        {"probe": "p%d" % number, "arg": "\x1b", "values": {"f": number}, "at_ms": 1, "code": ""}
        for number in range(999)
    ]
    assert len(report.readings(many)[0]) == report.MAX_READINGS


def test_report_of_a_small_class_stays_within_4_kib():
    from ringback_kernel import limits

    world = w.world(limits=limits.small())
    for generation in range(1, 6):
        commands = [{"id": generation, "kind": "restart", "arg": "x"}]
        sets = [w.OLD, w.NEW]
        world.server.offer(w.release(generation, sets[(generation + 1) % 2], sets[generation % 2], commands=commands))
        world.run(30000)
    assert world.core.tx.gen == 5
    for each in world.server.reports:
        assert len(wire.dumps(each)) <= 4096 and len(each["trans"]) <= 8
