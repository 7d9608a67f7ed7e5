"""Rules of a class as a release changes them, and the table of codes."""

from __future__ import annotations

import re
from pathlib import Path

from ringback.spec import codes
from ringback.spec.nodes import from_yaml
from ringback.spec.rules import PROBES, HealthRule, RuleChange, merge, parse_changes, standard_rules

BASE = (
    HealthRule("latency-face", "latency", "face", "p95_us", "<=", 8_000, plane="model/face", strikes=2, min_n=5),
    HealthRule("uplink", "uplink", "", "ok", ">=", 1),
)


def changes(text: str) -> tuple[RuleChange, ...]:
    return parse_changes(from_yaml(text, "r.yaml"), "health.rules")


def test_a_release_changes_one_field_of_a_rule_and_keeps_the_others() -> None:
    merged = merge(BASE, changes("[{id: latency-face, limit: 9000}]"))

    assert merged.problems == ()
    assert merged.rules[0] == HealthRule(
        "latency-face", "latency", "face", "p95_us", "<=", 9_000, plane="model/face", strikes=2, min_n=5
    )
    assert merged.rules[1] == BASE[1]


def test_a_complete_new_rule_goes_behind_those_of_the_class() -> None:
    merged = merge(
        BASE, changes("[{id: hot, probe: temperature, field: max_mdegc, op: '<=', limit: 85 °C, level: wanted}]")
    )

    assert merged.rules[2] == HealthRule("hot", "temperature", "", "max_mdegc", "<=", 85_000, level="wanted")


def test_a_limit_with_a_unit_is_read_in_the_unit_of_the_rule_that_it_changes() -> None:
    assert merge(BASE, changes("[{id: latency-face, limit: 9 ms}]")).rules[0].limit == 9_000

    merged = merge(BASE, changes("[{id: latency-face, limit: 9 MiB}]"))

    assert merged.rules == BASE
    assert merged.problems[0].found == "'9 MiB' for p95_us"
    assert merged.problems[0].hint == "write it like 8 ms"


def test_an_incomplete_new_rule_is_a_problem_that_names_the_rule_that_was_meant() -> None:
    merged = merge(BASE, changes("[{id: latency-fac, limit: 9000}]"))

    assert merged.rules == BASE
    assert merged.problems[0].found == "a new rule without probe, field, op"
    assert merged.problems[0].hint == "did you mean 'latency-face'?"


def test_a_field_that_the_probe_of_the_rule_does_not_have_is_a_problem() -> None:
    merged = merge(BASE, changes("[{id: uplink, field: age_ms}]"))

    assert merged.rules == BASE
    assert merged.problems[0].expected == "one of ok (probe uplink)"


def test_a_rule_goes_to_the_wire_with_all_its_fields() -> None:
    assert BASE[0].to_json() == {
        "id": "latency-face",
        "probe": "latency",
        "arg": "face",
        "field": "p95_us",
        "op": "<=",
        "limit": 8000,
        "level": "required",
        "plane": "model/face",
        "at": ["trial"],
        "strikes": 2,
        "min_n": 5,
    }


def test_standard_rules_read_only_what_their_probes_have_and_never_two_of_one_name() -> None:
    rules = standard_rules([("app", "firmware"), ("model/face", "model"), ("config", "config")])

    assert all(rule.field in PROBES[rule.probe].fields for rule in rules)
    assert len({rule.id for rule in rules}) == len(rules)
    assert standard_rules([("firmware", "firmware")]) == rules[-4:]


def test_every_code_has_one_meaning_and_is_used() -> None:
    named = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    source = "".join(path.read_text() for path in Path("src/ringback").rglob("*.py") if path.name != "codes.py")

    assert named == set(codes.MEANINGS)
    assert len(set(codes.MEANINGS.values())) == len(named)
    for name, value in vars(codes).items():
        if isinstance(value, str) and value in named:
            assert re.search(rf"\b{name}\b", source), f"{name} is never used"
