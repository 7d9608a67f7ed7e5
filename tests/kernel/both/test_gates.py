"""What readings mean. Runs on both interpreters."""

from ringback_kernel import gates
from tests.kernel.both import world as w


def reading(value=1, arg="config", at_ms=1000, code="", **values):
    found = {"up": value}
    found.update(values)
    return {"probe": "service_up", "arg": arg, "values": {} if value is None else found, "at_ms": at_ms, "code": code}


def verdict(rules, readings, memory=None, now_ms=1000):
    return gates.judge(rules, readings, now_ms, memory or gates.Memory(0))


def test_every_required_rule_must_pass():
    rules = [w.rule("config"), w.rule("app")]
    assert verdict(rules, [reading(), reading(arg="app")])[0] == "PASS"
    assert verdict(rules, [reading(), reading(0, arg="app")])[:2] == ("FAIL", rules[1])


def test_failure_is_named_before_what_is_waited_for():
    rules = [w.rule("config"), w.rule("app")]
    assert verdict(rules, [reading(0, arg="app")])[:2] == ("FAIL", rules[1])


def test_no_evidence_is_waiting_and_never_a_pass():
    rules = [w.rule("config")]
    for readings in (
        [],
        [reading(arg="app")],
        [reading(None)],
        [reading(at_ms=1001)],
        [dict(reading(), values={"other": 1})],
    ):
        assert verdict(rules, readings)[:2] == ("WAITING", rules[0]), readings
    assert verdict([], [reading()]) == ("WAITING", None, None)
    assert verdict([w.rule("config", level="wanted")], [reading()]) == ("WAITING", None, None)


def test_reading_from_before_the_change_does_not_count():
    assert verdict([w.rule("config")], [reading(at_ms=499)], gates.Memory(500))[0] == "WAITING"
    assert verdict([w.rule("config")], [reading(at_ms=500)], gates.Memory(500))[0] == "PASS"


def test_stale_reading_does_not_count():
    assert verdict([w.rule("config")], [reading(at_ms=1000)], None, 1000 + gates.MAX_AGE_MS)[0] == "PASS"
    assert verdict([w.rule("config")], [reading(at_ms=1000)], None, 1001 + gates.MAX_AGE_MS)[0] == "WAITING"


def test_reading_of_too_few_samples_does_not_count():
    rules = [w.rule("config", min_n=5)]
    assert verdict(rules, [reading(n=4)])[0] == "WAITING"
    assert verdict(rules, [reading(0, n=4)])[0] == "WAITING"
    assert verdict(rules, [reading()])[0] == "WAITING"
    assert verdict(rules, [reading(n=5)])[0] == "PASS"


def test_probe_that_failed_is_a_failing_reading_whatever_its_age():
    rules = [w.rule("config", min_n=5)]
    assert verdict(rules, [reading(None, code="RB-PROBE-001", at_ms=0)], gates.Memory(500))[0] == "FAIL"
    assert verdict(rules, [reading(1, code="RB-PROBE-001", n=9)])[0] == "FAIL"


def test_strikes_count_failing_readings_in_a_row():
    rules = [w.rule("config", strikes=3)]
    memory = gates.Memory(0)
    said = [verdict(rules, [reading(value)], memory)[0] for value in (0, 0, 1, 0, 0, 0)]
    assert said == ["WAITING", "WAITING", "PASS", "WAITING", "WAITING", "FAIL"]


def test_waiting_round_forgives_no_strike():
    rules = [w.rule("config", strikes=2)]
    memory = gates.Memory(0)
    assert verdict(rules, [reading(0)], memory)[0] == "WAITING"
    assert verdict(rules, [], memory)[0] == "WAITING"
    assert verdict(rules, [reading(0)], memory)[0] == "FAIL"


def test_copy_of_a_memory_counts_for_itself():
    memory = gates.Memory(0)
    other = memory.copy()
    verdict([w.rule("config", strikes=2)], [reading(0)], other)
    assert other.strikes == {"ok-config": 1} and memory.strikes == {}


def test_operators_include_their_limit():
    assert gates.holds(5, "<=", 5) and gates.holds(4, "<=", 5) and not gates.holds(6, "<=", 5)
    assert gates.holds(5, ">=", 5) and gates.holds(6, ">=", 5) and not gates.holds(4, ">=", 5)
    assert gates.holds(5, "==", 5) and not gates.holds(4, "==", 5)


def test_drill_makes_exactly_its_own_reading_fail():
    for operator in ("<=", ">=", "=="):
        rule = w.rule("config", op=operator, limit=7)
        readings = [reading(7), reading(7, arg="app")]
        changed = gates.drilled(rule, readings)
        assert gates.is_failing(rule, changed[0], 1000, 0) and changed[1] is readings[1]
        assert readings[0]["values"]["up"] == 7


def test_drill_needs_a_reading_to_replace():
    rule = w.rule("config")
    for readings in ([], [reading(arg="app")], [reading(None)], [reading(1, code="RB-PROBE-001")]):
        assert gates.drilled(rule, readings) is readings


def test_rules_belong_to_their_stages():
    rules = [w.rule("config", at=["preflight"]), w.rule("app", at=["trial", "preflight"])]
    assert gates.at_stage(rules, "trial") == [rules[1]] and gates.at_stage(rules, "preflight") == rules
