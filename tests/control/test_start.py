"""From a release as written to a rollout that can begin."""

from __future__ import annotations

from ringback.control import (
    Change,
    FirstRung,
    RingKind,
    Rollout,
    RolloutEvidence,
    Rung,
    Targeted,
    WayBack,
    decide,
    gate_of,
    new_rollout,
    rollout_bytes,
    rollout_from,
)
from ringback.health import BadGate, Budget, GateParams, Ledger
from ringback.spec.release import Gate, parse_release
from tests.control.scenes import NOW

RELEASE = """
release: face-int8
targets: {classes: [rk3566-door]}
versions: {model/face: blazeface@1.1.0}
rings:
  - {name: internal, where: "ring=lab", bake: 2s}
  - {name: canary, count: 12, drill: true, bake: 3s}
  - {name: tenth, percent: 10, bake: 4s, approve: true}
gate: {p0: 2%, p1: 10%, budget: [{horizon: 3s, devices: 16}], heartbeat: 5s}
windows: {stability: 3s, rollback: 10s}
"""
BACK = WayBack((Change("model/face", "sha256:f1"),), (Rung(("model/face",)),), (FirstRung("model/face", 0),))


def fleet(count: int = 300) -> list[Targeted]:
    return [
        Targeted(f"d{number}", ("door", "gate", "mast")[number % 3], {"ring": "lab" if number < 3 else "field"})
        for number in range(count)
    ]


def started(text: str = RELEASE) -> Rollout:
    made = new_rollout("r1", parse_release(text), fleet(), BACK, slowest_poll_ms=1_000, now_ms=NOW)
    assert isinstance(made, Rollout)
    return made


def test_rings_follow_the_release_and_full_comes_by_itself_at_the_end() -> None:
    rings = started().rings

    assert [(ring.name, ring.kind) for ring in rings] == [
        ("internal", RingKind.INTERNAL),
        ("canary", RingKind.CANARY),
        ("tenth", RingKind.RING),
        ("full", RingKind.FULL),
    ]
    assert rings[0].new_devices == 3
    assert sum(ring.new_devices for ring in rings) == 300
    assert [(ring.bake_ms, ring.drill, ring.needs_approval) for ring in rings[:3]] == [
        (2_000, False, False),
        (3_000, True, False),
        (4_000, False, True),
    ]
    assert rings[0].where == "ring=lab"


def test_the_gate_and_the_windows_are_those_of_the_release() -> None:
    rollout = started()

    assert rollout.gate == GateParams(p0_ppm=20_000, p1_ppm=100_000, budgets=(Budget(3_000, 16),), heartbeat_ms=5_000)
    assert (rollout.stability_ms, rollout.rollback_ms) == (3_000, 10_000)
    assert rollout_from(rollout_bytes(rollout)) == rollout


def test_a_draft_waits_until_a_person_starts_it() -> None:
    rollout = started()
    ledger = Ledger(rollout.gate, strata=("door", "gate", "mast"), rings_count=len(rollout.rings))

    decision = decide(rollout, RolloutEvidence(ledger.strata(), ledger.rings()), NOW)

    assert decision.event is None
    assert decision.waiting_on[0].text == "The rollout is a draft; start it."


def test_named_budgets_are_capped_on_small_fleets_and_stated_numbers_are_not() -> None:
    small = gate_of(Gate(), slowest_poll_ms=1_000, devices=60)
    tiny = gate_of(Gate(), slowest_poll_ms=1_000, devices=3)
    large = gate_of(Gate(), slowest_poll_ms=1_000, devices=10_000)

    assert isinstance(small, GateParams) and isinstance(tiny, GateParams) and isinstance(large, GateParams)
    assert [each.devices for each in small.budgets] == [3, 3]
    assert [each.devices for each in tiny.budgets] == [1, 1]
    assert [each.devices for each in large.budgets] == [4, 40]


def test_without_a_heartbeat_three_of_the_slowest_polls_count_as_silence() -> None:
    gate = gate_of(Gate(), slowest_poll_ms=60_000, devices=1_000)

    assert isinstance(gate, GateParams)
    assert gate.heartbeat_ms == 180_000


def test_a_gate_that_does_not_fit_makes_no_rollout() -> None:
    release = parse_release(RELEASE.replace("p0: 2%, p1: 10%", "p0: 40%, p1: 50%"))

    refused = new_rollout("r1", release, fleet(), BACK, slowest_poll_ms=1_000, now_ms=NOW)

    assert isinstance(refused, BadGate)
    assert refused.field == "p0"
