"""Rollouts and evidence for the tests of control: a small release with four rings, and ways to bring it anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ringback.control import (
    Change,
    Decision,
    FirstRung,
    Ring,
    RingKind,
    Rollout,
    RolloutEvidence,
    Rung,
    State,
    StratumCut,
    Waiting,
    WaitKind,
    decide,
)
from ringback.control.table import GROWING
from ringback.health import Budget, Cause, GateParams, Prefix, RingEvidence, StratumEvidence

NOW = 1_700_000_000_000
OLD = NOW - 60_000
GATE = GateParams(p0_ppm=20_000, p1_ppm=100_000, budgets=(Budget(3_000, 16),), heartbeat_ms=5_000)


def cuts(*new_devices: int) -> tuple[StratumCut, ...]:
    return tuple(
        StratumCut(stratum, "8" + "0" * 15, count) for stratum, count in zip(("door", "gate"), new_devices, strict=True)
    )


RINGS = (
    Ring("lab", RingKind.INTERNAL, cuts=cuts(1, 1), bake_ms=2_000),
    Ring("canary", RingKind.CANARY, cuts=cuts(4, 4), drill=True, bake_ms=2_000),
    Ring("tenth", RingKind.RING, cuts=cuts(10, 10), bake_ms=2_000),
    Ring("everyone", RingKind.FULL, cuts=cuts(100, 100)),
)


def rollout(state: State = State.DRAFT, ring: int = -1, **changes: object) -> Rollout:
    """A rollout that has been in ``state`` for one second."""
    base = Rollout(
        rollout_id="r1",
        release_id="face-int8",
        rings=RINGS,
        gate=GATE,
        changes=(Change("config", "sha256:c0"), Change("model/face", "sha256:f1")),
        ladder=(Rung(("config",)), Rung(("model/face",)), Rung(("config", "model/face"))),
        first=(FirstRung("config", 0), FirstRung("model/face", 1)),
        stability_ms=3_000,
        rollback_ms=10_000,
        patience_ms=3_600_000,
        state=state,
        since_at_ms=NOW - 1_000,
        timer_at_ms=NOW - 1_000,
        ring=ring,
        started=True,
    )
    return replace(base, **changes)


def family(
    stratum: str, good: int = 0, failed: int = 0, *, at_ms: int = OLD, rule: str = "latency-face", **more: object
):
    """A family whose devices all entered at ``at_ms``; ``open_=`` adds unresolved ones, ``offered=`` not entered."""
    open_ = int(str(more.get("open_", 0)))
    entered = good + failed + open_
    prefixes = (Prefix(at_ms, entered, good, failed, 0),) if entered else ()
    causes = (Cause(rule, "model/face", "<=", 8_000, ("model/face",), 16_500, failed),) if failed else ()
    return StratumEvidence(
        stratum, int(str(more.get("offered", 0))), prefixes, causes if rule else (), at_ms + 500 if failed else None
    )


def evidence(
    door: StratumEvidence | None = None,
    gate: StratumEvidence | None = None,
    *,
    rings: Sequence[RingEvidence] = (),
    **more: object,
) -> RolloutEvidence:
    """Evidence of two families; rings not given are empty."""
    given = {ring.ring: ring for ring in rings}
    return replace(
        RolloutEvidence(
            strata=(door or StratumEvidence("door"), gate or StratumEvidence("gate")),
            rings=tuple(given.get(index, RingEvidence(index)) for index in range(len(RINGS))),
        ),
        **more,
    )


CLEAN = evidence(family("door", 40), family("gate", 40))
"""Eighty matured devices without a failure: enough for everything."""


def clean_with(*rings: RingEvidence, **more: object) -> RolloutEvidence:
    return replace(evidence(family("door", 40), family("gate", 40), rings=rings), **more)


BAD = evidence(family("door", 5, 5), family("gate", 5, 5))
"""Half of them failed by a rule that indicts the model: far beyond any doubt."""


def settled(start: Rollout, seen: RolloutEvidence, now_ms: int) -> list[Decision]:
    """Decide until there is nothing more to do at ``now_ms``."""
    decisions = [decide(start, seen, now_ms)]
    while decisions[-1].event is not None:
        assert len(decisions) < 20, "the controller goes round in circles"
        decisions.append(decide(decisions[-1].rollout, seen, now_ms))
    return decisions


def ring_of_state(state: State) -> int:
    """The ring that is open in a state, for the rollouts of these tests."""
    return {
        State.DRAFT: -1,
        State.VALIDATING: 0,
        State.CANARY: 1,
        State.DRILL: 1,
        State.STABILITY: 2,
        State.FULL: 3,
    }.get(state, 2 if state in GROWING else 3 if state is State.ROLLBACK_WINDOW else 2)


ALARMING = evidence(family("door", 15, 4), family("gate", 15))
"""Beyond 20, below 100: a person has to look."""


def waits(start: Rollout, seen: RolloutEvidence = CLEAN, now_ms: int = NOW) -> tuple[Waiting, ...]:
    decision = decide(start, seen, now_ms)
    assert decision.event is None, decision.reasons
    assert decision.rollout == start
    assert decision.effects == ()
    return decision.waiting_on


def wait_texts(start: Rollout, seen: RolloutEvidence = CLEAN, now_ms: int = NOW) -> list[tuple[WaitKind, str]]:
    return [(each.kind, each.text) for each in waits(start, seen, now_ms)]
