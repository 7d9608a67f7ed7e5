"""Decides the next step of a rollout from its memory, the evidence and the clock; the same inputs, the same decision.

Decides: one transition at a time, with its effects, its reasons and what it waits for. Never: touches a device or a
database, reads a clock, or needs to have seen the decision before; it is level-triggered, so a controller may die
anywhere and another one goes on.

- The caller saves ``Decision.rollout`` and performs ``Decision.effects`` in one transaction guarded by the generation
  of the rollout it read; nothing is then done twice.
- A decision whose ``next_wakeup_ms`` is its own instant has more to do: decide again.
- ``Decision.grants`` are the offers allowed until the next decision. Only the caller's check-in hands them out, also
  to members of rings that opened long ago. A device whose drill passed already has its place: it is offered the
  release again at once, without a new grant.
- Rollbacks are bounded by ``rollback_grants`` in the same way.

Source: the reconciliation loop of Kubernetes controllers; the plan of omicron's reconfigurator, which says what it
waits for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ringback.control.exposure import NO_GRANTS, Exposure, Grants, exposure
from ringback.control.questions import (
    Answer,
    Moment,
    Waiting,
    first_rung,
    growth_hold,
    next_rung,
    patience_ends_at_ms,
    pending,
)
from ringback.control.rollout import Rollout, RolloutEvidence
from ringback.control.table import GROWING, TERMINAL, EffectKind, Event, State, row
from ringback.control.windows import opening
from ringback.health.blame import BlameBasis
from ringback.health.evidence import StratumEvidence
from ringback.health.params import GateParams
from ringback.health.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do. Which fields are set follows from ``kind``; the others stay empty.

    open_ring: ``ring`` (also all rings below stay open). withdraw_offers: nothing. freeze: ``plane``, ``digest``.
    roll_back: ``planes`` (every device that entered). page, close: ``text``.
    """

    kind: EffectKind
    ring: int = -1
    plane: str = ""
    digest: str = ""
    planes: tuple[str, ...] = ()
    text: str = ""


NO_EFFECTS: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows at one moment. Appended to the rollout's history if ``event`` is not None.

    Attributes:
        before, rollout: state left, and the rollout's new memory (its ``state`` is the state entered).
        event: what happened; None where the rollout goes on waiting.
        effects: to be performed with saving the rollout.
        verdict, exposure: what it rests on; None where an operator's command decided.
        grants: further offers until the next decision.
        rollback_grants: further devices that may be told to go back until the next decision.
        reasons: sentences for people, most important first.
        waiting_on: what would let it go on.
        next_wakeup_ms: when time alone may change the decision, UTC ms; None = only new evidence or a person.
    """

    rollout_id: str
    at_ms: int
    before: State
    event: Event | None
    rollout: Rollout
    effects: tuple[Effect, ...]
    verdict: Verdict | None
    exposure: Exposure | None
    grants: Grants
    rollback_grants: int
    reasons: tuple[str, ...]
    waiting_on: tuple[Waiting, ...]
    next_wakeup_ms: int | None


def decide(rollout: Rollout, evidence: RolloutEvidence, now_ms: int) -> Decision:
    """Return the next decision about ``rollout``.

    Args:
        rollout: its memory, as the last decision left it.
        evidence: everything observed up to now.
        now_ms: UTC ms by the server's clock.
    """
    verdict = judge(
        rollout.gate,
        evidence.strata,
        now_ms,
        changed=rollout.changed_planes,
        signals=rollout.signals,
        seen=evidence.signals,
    )
    limits = exposure(rollout.gate, evidence.strata, now_ms)
    moment = Moment(rollout, evidence, verdict, limits, now_ms)
    answer = pending(moment)
    if answer.event is None:
        after, effects = rollout, NO_EFFECTS
        wakeup_ms = _wakeup(moment, answer)
    else:
        after, effects = moved(rollout, answer, now_ms, verdict)
        wakeup_ms = now_ms
    return Decision(
        rollout_id=rollout.rollout_id,
        at_ms=now_ms,
        before=rollout.state,
        event=answer.event,
        rollout=after,
        effects=effects,
        verdict=verdict,
        exposure=limits,
        grants=_grants(replace(moment, rollout=after)),
        rollback_grants=_rollback_grants(after, evidence),
        reasons=answer.reasons or verdict.reasons,
        waiting_on=answer.waiting,
        next_wakeup_ms=wakeup_ms,
    )


def moved(
    rollout: Rollout, answer: Answer, now_ms: int, verdict: Verdict | None = None
) -> tuple[Rollout, tuple[Effect, ...]]:
    """Return the rollout after ``answer.event`` by the table, and the effects of that row.

    Raises:
        TransitionError: the table has no row; a bug of the caller.
    """
    assert answer.event is not None
    found = row(rollout.state, answer.event)
    state = found.next_state if found.next_state is not None else rollout.remembered
    assert state is not None
    cause = answer.reasons[0] if answer.reasons else ""
    after = replace(rollout, state=state, since_at_ms=now_ms, timer_at_ms=now_ms)
    if state is rollout.state and answer.event is Event.TIMED_OUT:
        after = replace(after, since_at_ms=rollout.since_at_ms)
    if found.next_state is None:
        after = replace(
            after, since_at_ms=rollout.remembered_since_at_ms, remembered=None, remembered_since_at_ms=0, awaiting=""
        )
    if answer.event in _LEAVING_FOR_A_WHILE and state is not rollout.state:
        after = _remembering(after, rollout, answer, cause)
    if answer.event in (Event.EVIDENCE_ALARMED, Event.PAUSE_REQUESTED) and verdict is not None:
        after = replace(after, paused_e_milli=verdict.e_milli)
    if state is State.STOPPED:
        after = _stopping(after, answer, verdict, cause)
    if EffectKind.ROLL_BACK in found.effects:
        wider = next_rung(after) if after.rung >= 0 and answer.event is Event.ROLLBACK_ESCALATED else None
        after = replace(after, rung=first_rung(after) if wider is None else wider)
    if answer.ring >= 0:
        after = replace(after, ring=answer.ring)
    if state is State.INVESTIGATING and rollout.state is State.ROLLING_BACK:
        after = replace(after, cause=cause)
    return after, tuple(effect for kind in found.effects for effect in _effects(kind, after, answer))


_LEAVING_FOR_A_WHILE = frozenset(
    {Event.PAUSE_REQUESTED, Event.EVIDENCE_ALARMED, Event.APPROVAL_NEEDED, Event.TIMED_OUT}
)


def _remembering(after: Rollout, before: Rollout, answer: Answer, cause: str) -> Rollout:
    """Remember where to return to; pausing while waiting for approval returns to what waited, and asks again."""
    if before.state is State.WAITING_APPROVAL:
        return replace(after, cause=cause, awaiting="")
    return replace(
        after,
        remembered=before.state,
        remembered_since_at_ms=before.since_at_ms,
        awaiting=answer.awaiting,
        cause=cause,
    )


def _stopping(after: Rollout, answer: Answer, verdict: Verdict | None, cause: str) -> Rollout:
    """Name the plane to take back first and what to freeze.

    A blamed plane alone is frozen; a guess freezes all that changed. A drill
    that failed without any failure of the release blames the way back, and freezes nothing.
    """
    blamed, family = "", ""
    frozen: tuple[str, ...] = after.changed_planes
    if answer.event in (Event.VERDICT_FAILED, Event.DRILL_FAILED) and verdict is not None and verdict.blame is not None:
        blamed, family = verdict.blame.plane, verdict.family
        if verdict.blame.basis in (BlameBasis.RULE, BlameBasis.SIGNAL, BlameBasis.RUNG):
            frozen = (blamed,)
    elif answer.event is Event.ROLLBACK_REQUESTED and after.wanted_rung >= 0:
        frozen = after.ladder[after.wanted_rung].planes
    elif answer.event is Event.DRILL_FAILED:
        frozen = ()
    return replace(
        after,
        blamed=blamed,
        family=family,
        frozen=frozen,
        remembered=None,
        remembered_since_at_ms=0,
        awaiting="",
        cause=cause,
        rollback_wanted=after.rollback_wanted or answer.event is Event.ROLLBACK_REQUESTED,
    )


def _effects(kind: EffectKind, after: Rollout, answer: Answer) -> tuple[Effect, ...]:
    if kind is EffectKind.OPEN_RING:
        return (Effect(kind, ring=answer.ring),)
    if kind is EffectKind.FREEZE:
        return tuple(
            Effect(kind, plane=change.plane, digest=change.digest)
            for change in after.changes
            if change.plane in after.frozen
        )
    if kind is EffectKind.ROLL_BACK:
        return (Effect(kind, planes=after.ladder[after.rung].planes),)
    if kind is EffectKind.WITHDRAW_OFFERS:
        return (Effect(kind),)
    return (Effect(kind, text=" ".join(answer.reasons)),)


def _grants(moment: Moment) -> Grants:
    if moment.rollout.state not in (*GROWING, State.ROLLBACK_WINDOW) or growth_hold(moment) is not None:
        return NO_GRANTS
    return moment.exposure.grants


def _rollback_grants(rollout: Rollout, evidence: RolloutEvidence) -> int:
    if rollout.state is not State.ROLLING_BACK or evidence.rollback is None:
        return 0
    return max(0, rollout.rollback_parallel - evidence.rollback.moving)


def _wakeup(moment: Moment, answer: Answer) -> int | None:
    """The next instant at which time alone may change the decision: a window, patience, or a cohort that matures."""
    if moment.rollout.state in TERMINAL:
        return None
    instants = [each.until_ms for each in answer.waiting if each.until_ms is not None]
    instants.append(patience_ends_at_ms(moment.rollout) or 0)
    instants.extend(_maturities(moment.rollout.gate, moment.evidence.strata, moment.now_ms))
    instants.append(opening(moment.rollout.maintenance, moment.now_ms).changes_at_ms or 0)
    return min((instant for instant in instants if instant > moment.now_ms), default=None)


def _maturities(gate: GateParams, strata: tuple[StratumEvidence, ...], now_ms: int) -> Iterator[int]:
    """When the next devices reach the ages at which ``judge`` and ``exposure`` look."""
    ages_ms = [gate.shortest_horizon_ms // 2]
    for budget in gate.budgets:
        ages_ms += [budget.horizon_ms, budget.horizon_ms + gate.heartbeat_ms]
    for stratum in strata:
        for age_ms in ages_ms:
            instant_ms = stratum.next_matures_at_ms(age_ms, now_ms)
            if instant_ms is not None:
                yield instant_ms
