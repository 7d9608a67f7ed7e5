"""Health rules: which reading must stay on which side of which limit, when, and which plane it indicts.

Decides: the closed list of probes and their fields, what a rule may say, the standard rules of a device class, and how
a release changes them. Never: judges a reading; that is the kernel's `gates`, on the device.

- A rule never carries a command: probes come from a closed list, limits are integers.
- A limit may be written with a unit (``8 ms``, ``256 MiB``, ``90 %``); the field's name says which unit it is kept in.
- A release changes a rule by its id, field by field, or adds one that is complete.
- ``service_up`` and ``service_speaks`` with an empty ``arg`` are about every service of the app that is running, and
  read the worst of them; so a rule stays true when the app goes back to an older set of services.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from ringback.spec import read, units
from ringback.spec.codes import BAD_NAME, BAD_UNIT, CONTRADICTION, OUT_OF_RANGE, UNKNOWN_WORD
from ringback.spec.nodes import Node
from ringback.spec.problem import Place, Problem, did_you_mean, refuse, shown


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe can read. ``arg`` says what its argument is: service, slot, command, or nothing."""

    fields: tuple[str, ...]
    arg: str = ""
    is_arg_optional: bool = False


PROBES: Final[dict[str, Probe]] = {
    "service_up": Probe(("up", "restarts"), "service", is_arg_optional=True),
    "service_speaks": Probe(("ok", "interface"), "service", is_arg_optional=True),
    "latency": Probe(("p50_us", "p95_us", "n"), "slot"),
    "golden": Probe(("fidelity_ppm", "quality_ppm", "n"), "slot"),
    "memory": Probe(("rss_kb", "growth_kb")),
    "disk": Probe(("free_kb", "used_ppm")),
    "temperature": Probe(("max_mdegc",)),
    "input": Probe(("age_ms", "frames"), "source", is_arg_optional=True),
    "output": Probe(("positive_ppm", "n"), "slot"),
    "consistency": Probe(("ok", "versions_ok")),
    "logs": Probe(("gap", "seq")),
    "telemetry": Probe(("age_ms", "rejected")),
    "uplink": Probe(("ok",)),
    "exec": Probe(("code",), "command"),
}
OPERATORS: Final = ("<=", ">=", "==")
LEVELS: Final = ("required", "wanted")
STAGES: Final = ("preflight", "trial")
STRIKES_MAX: Final = 100
SAMPLES_MAX: Final = 1_000_000
ARG: Final = re.compile(r"[A-Za-z0-9._-]+")
RULES_MAX: Final = 64
"""Rules of one device. Each is probed every few seconds and travels in every desired state."""


@dataclass(frozen=True, slots=True)
class HealthRule:
    """One rule as the device gets it.

    Attributes:
        id: its name in reports and verdicts.
        probe, arg, field: what is read; ``arg`` is empty where the probe has none, or for every service.
        op, limit: the reading passes when ``reading op limit``; the limit is in the unit of the field.
        level: required (a failure reverts) or wanted (a failure is reported).
        plane: the plane a failure indicts, or None when it indicts none.
        at: stages at which it is judged.
        strikes: failing readings in a row that make a failure.
        min_n: samples a reading needs to count.
    """

    id: str
    probe: str
    arg: str
    field: str
    op: str
    limit: int
    level: str = "required"
    plane: str | None = None
    at: tuple[str, ...] = ("trial",)
    strikes: int = 1
    min_n: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the rule as the wire carries it."""
        return {
            "id": self.id,
            "probe": self.probe,
            "arg": self.arg,
            "field": self.field,
            "op": self.op,
            "limit": self.limit,
            "level": self.level,
            "plane": self.plane,
            "at": list(self.at),
            "strikes": self.strikes,
            "min_n": self.min_n,
        }


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a document says about one rule; None means that it does not say.

    ``limit_text`` is a limit with a unit whose field only the class knows; it becomes a number when merged.
    """

    id: str
    place: Place
    path: str
    probe: str | None = None
    arg: str | None = None
    field: str | None = None
    op: str | None = None
    limit: int | None = None
    limit_text: str | None = None
    level: str | None = None
    plane: str | None = None
    at: tuple[str, ...] | None = None
    strikes: int | None = None
    min_n: int | None = None

    def problem(self) -> Problem | None:
        """Return what keeps the change from being a complete rule, or None."""
        missing = [name for name in ("probe", "field", "op", "limit") if getattr(self, name) is None]
        if missing:
            said = f"a new rule without {', '.join(missing)}"
            hint = "only a rule that the device class has can be changed in part"
            return Problem(CONTRADICTION, self.place, self.path, said, "a complete rule or a known id", hint)
        return None


def parse_changes(node: Node, path: str) -> tuple[RuleChange, ...]:
    """Return the rules or partial rules of a list, each id once."""
    problems = read.Problems()
    found: list[RuleChange] = []
    for item, where in read.items(node, path):
        with problems.kept():
            change = _change(item, where)
            if any(change.id == other.id for other in found):
                said = f"a second rule {shown(change.id)}"
                raise refuse(CONTRADICTION, change.place, where, found=said, expected="every id once")
            found.append(change)
    problems.raise_any()
    if len(found) > RULES_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(found)} rules", expected=f"at most {RULES_MAX}")
    return tuple(found)


def parse_rules(node: Node, path: str) -> tuple[HealthRule, ...]:
    """Return the complete rules of a list."""
    changes = parse_changes(node, path)
    problems = read.Problems()
    for change in changes:
        problem = change.problem()
        if problem is not None:
            problems.found.append(problem)
    problems.raise_any()
    return tuple(_complete(change) for change in changes)


_KEYS = ("probe", "arg", "field", "op", "limit", "level", "plane", "at", "strikes", "min_n")


def _change(node: Node, path: str) -> RuleChange:
    found = read.keys(node, path, required=["id"], optional=_KEYS)
    identity = read.ident(read.need(found, "id"), read.under(path, "id"), "a rule")
    change = RuleChange(identity, found.place, path)
    problems = read.Problems()
    for key in _KEYS:
        value = found.get(key)
        if value is not None:
            with problems.kept():
                change = _with(change, key, value, read.under(path, key))
    problems.raise_any()
    _check_probe(change, found)
    return change


def _with(change: RuleChange, key: str, node: Node, path: str) -> RuleChange:
    """Return the change with one more field. ``limit`` comes after ``field``, whose name gives its unit."""
    match key:
        case "probe":
            return replace(change, probe=read.word(node, path, PROBES))
        case "arg":
            return replace(change, arg=_arg(node, path))
        case "field":
            known = PROBES[change.probe].fields if change.probe else _all_fields()
            return replace(change, field=read.word(node, path, known))
        case "op":
            return replace(change, op=read.word(node, path, OPERATORS))
        case "limit":
            if change.field is None and read.scalar(node, path, "a number").kind != "integer":
                return replace(change, limit_text=read.text(node, path))
            return replace(change, limit=_limit(node, path, change.field or ""))
        case "level":
            return replace(change, level=read.word(node, path, LEVELS))
        case "plane":
            return replace(change, plane=_plane_or_none(node, path))
        case "at":
            stages = tuple(read.word(item, where, STAGES) for item, where in read.items(node, path, least=1))
            return replace(change, at=stages)
        case "strikes":
            return replace(change, strikes=read.integer(node, path, least=1, most=STRIKES_MAX))
        case _:
            return replace(change, min_n=read.integer(node, path, most=SAMPLES_MAX))


def _arg(node: Node, path: str) -> str:
    value = read.text(node, path, most=63)
    if value and not ARG.fullmatch(value):
        expected = "letters, digits, dots, dashes and underscores"
        raise refuse(BAD_NAME, node.place, path, found=shown(value), expected=expected)
    return value


def _all_fields() -> list[str]:
    return sorted({name for probe in PROBES.values() for name in probe.fields})


def _plane_or_none(node: Node, path: str) -> str | None:
    """Return a plane; null says that a failure indicts none, which is also what silence says."""
    if getattr(node, "kind", "") == "null":
        return None
    return read.plane(node, path)


def _limit(node: Node, path: str, field: str) -> int:
    """Return a limit: a bare number is in the unit of the field, another one says its unit."""
    value = read.scalar(node, path, "a number")
    if value.kind == "integer":
        return read.integer(node, path, least=-(10**12), most=10**12)
    return read.measured(node, path, lambda text: units.in_unit_of(field, text))


def _check_probe(change: RuleChange, node: Node) -> None:
    if change.probe is None:
        return
    probe = PROBES[change.probe]
    if change.arg and not probe.arg:
        said = f"arg {shown(change.arg)}"
        raise refuse(CONTRADICTION, node.place, read.under(change.path, "arg"), found=said, expected="no arg here")
    if probe.arg and not change.arg and not probe.is_arg_optional:
        expected = f"the {probe.arg} that the probe {change.probe} reads"
        raise refuse(CONTRADICTION, node.place, read.under(change.path, "arg"), found="no arg", expected=expected)


def _complete(change: RuleChange) -> HealthRule:
    assert change.probe is not None and change.field is not None  # parse_rules has refused the others
    assert change.op is not None and change.limit is not None
    base = HealthRule(change.id, change.probe, change.arg or "", change.field, change.op, change.limit)
    return _changed(base, change)


def _changed(rule: HealthRule, change: RuleChange) -> HealthRule:
    said = {
        item.name: getattr(change, item.name)
        for item in fields(HealthRule)
        if item.name != "id" and getattr(change, item.name) is not None
    }
    return replace(rule, **said)


def _changed_in_unit(rule: HealthRule, change: RuleChange) -> HealthRule | Problem:
    """Return the changed rule, with a limit in text read in the unit of the rule's own field."""
    if change.limit_text is None:
        return _changed(rule, change)
    try:
        return replace(_changed(rule, change), limit=units.in_unit_of(rule.field, change.limit_text))
    except units.BadQuantity as error:
        path = read.under(change.path, "limit")
        found = f"{shown(change.limit_text)} for {rule.field}"
        return Problem(BAD_UNIT, change.place, path, found, error.expected, error.hint)


@dataclass(frozen=True, slots=True)
class MergedRules:
    """Rules of a class as a release changes them, and what could not be merged."""

    rules: tuple[HealthRule, ...]
    problems: tuple[Problem, ...] = ()


def merge(base: Sequence[HealthRule], changes: Iterable[RuleChange]) -> MergedRules:
    """Return the rules of a class with the changes of a release applied, in the order of the class, new ones last.

    A change that would break the rule (a field that the probe does not have, a new rule that is incomplete) becomes a
    problem and is not applied.
    """
    merged = {rule.id: rule for rule in base}
    problems: list[Problem] = []
    for change in changes:
        if change.id not in merged:
            problem = change.problem()
            if problem is None:
                merged[change.id] = _complete(change)
            else:
                hint = did_you_mean(change.id, merged) or problem.hint
                problems.append(replace(problem, hint=hint))
            continue
        changed = _changed_in_unit(merged[change.id], change)
        if isinstance(changed, Problem):
            problems.append(changed)
            continue
        rule = changed
        known = PROBES[rule.probe].fields
        if rule.field not in known:
            said = f"the field {shown(rule.field)}"
            expected = f"one of {', '.join(known)} (probe {rule.probe})"
            problems.append(Problem(UNKNOWN_WORD, change.place, change.path, said, expected))
            continue
        merged[change.id] = rule
    return MergedRules(tuple(merged.values()), tuple(problems))


def can_prove(rules: Iterable[HealthRule]) -> bool:
    """Say whether any rule could prove a deployment: one that is required and judged in the trial."""
    return any(rule.level == "required" and "trial" in rule.at for rule in rules)


def standard_rules(planes: Sequence[tuple[str, str]]) -> tuple[HealthRule, ...]:
    """Return the rules of a class document that states none.

    Args:
        planes: (name, kind) of each plane of the class.

    Services up and speaking indict the app; a golden set that fails, or a stale output, indicts its model slot; a dead
    input indicts the config, which names the input; memory, disk, temperature and uplink indict nobody: the rung at
    which the device gets well does.
    """
    known = dict(planes)
    app = "app" if "app" in known else None
    config = "config" if "config" in known else None
    found: list[HealthRule] = []
    if app:
        found += [
            HealthRule("services-up", "service_up", "", "up", ">=", 1, plane=app, strikes=2),
            HealthRule("services-steady", "service_up", "", "restarts", "<=", 2, plane=app),
            HealthRule("services-speak", "service_speaks", "", "ok", ">=", 1, plane=app, strikes=2),
            HealthRule("input-alive", "input", "", "age_ms", "<=", 5_000, plane=config, strikes=2),
            HealthRule("telemetry-taken", "telemetry", "", "rejected", "<=", 0, plane=app, strikes=2),
        ]
    for name, kind in planes:
        if kind == "model":
            slot = name.rpartition("/")[2]
            found += [
                HealthRule(f"golden-quality-{slot}", "golden", slot, "quality_ppm", ">=", 900_000, plane=name,
                           at=("preflight",)),
                HealthRule(f"golden-fidelity-{slot}", "golden", slot, "fidelity_ppm", ">=", 930_000, plane=name,
                           at=("preflight",)),
            ]  # fmt: skip
    return (
        *found,
        HealthRule("consistent", "consistency", "", "ok", ">=", 1, strikes=3),
        HealthRule("log-gapless", "logs", "", "gap", "<=", 0, level="wanted"),
        HealthRule("disk-free", "disk", "", "used_ppm", "<=", 950_000, at=("preflight", "trial")),
        HealthRule("not-too-hot", "temperature", "", "max_mdegc", "<=", 95_000, level="wanted", strikes=3),
    )
