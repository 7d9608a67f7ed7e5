"""The rollout table: its shape, and every single row walked by the code that is meant to use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ringback.control import (
    TABLE,
    TERMINAL,
    Command,
    CommandKind,
    Decision,
    EffectKind,
    Event,
    Ring,
    RingKind,
    RollbackEvidence,
    Rollout,
    RolloutEvidence,
    State,
    TransitionError,
    command,
    decide,
)
from ringback.control.questions import QUESTIONS
from ringback.control.table import ACTIVE, row, states_with
from ringback.health import RingEvidence
from tests.control.scenes import (
    ALARMING,
    BAD,
    CLEAN,
    NOW,
    RINGS,
    clean_with,
    cuts,
    evidence,
    family,
    ring_of_state,
    rollout,
)

DUE = 10_000_000
"""Long enough for every window of these rollouts to have passed, and for their patience to have run out."""


def test_every_state_is_reachable_from_draft() -> None:
    reached, waiting = {State.DRAFT}, [State.DRAFT]
    while waiting:
        state = waiting.pop()
        for (before, _event), found in TABLE.items():
            if before is state and found.next_state is not None and found.next_state not in reached:
                reached.add(found.next_state)
                waiting.append(found.next_state)

    assert reached == set(State)


def test_every_state_that_is_not_terminal_has_a_row_for_running_out_of_time() -> None:
    for state in State:
        timed = {(state, Event.TIMED_OUT), (state, Event.WINDOW_ELAPSED)} & set(TABLE)
        assert bool(timed) is (state not in TERMINAL), state


def test_terminal_states_have_no_rows() -> None:
    assert not [key for key in TABLE if key[0] in TERMINAL]


def test_every_state_has_a_question_and_every_event_a_row() -> None:
    assert set(QUESTIONS) == set(State)
    assert {event for _state, event in TABLE} == set(Event)


def test_a_failed_verdict_stops_the_rollout_in_every_state_in_which_devices_run_it() -> None:
    for state in ACTIVE:
        assert TABLE[state, Event.VERDICT_FAILED].next_state is State.STOPPED
        assert EffectKind.WITHDRAW_OFFERS in TABLE[state, Event.VERDICT_FAILED].effects


def test_only_paused_and_waiting_for_approval_return_to_a_remembered_state() -> None:
    assert {state for (state, _event), found in TABLE.items() if found.next_state is None} == {
        State.PAUSED,
        State.WAITING_APPROVAL,
    }


def test_an_event_without_a_row_names_event_and_state() -> None:
    with pytest.raises(TransitionError) as raised:
        row(State.CLOSED, Event.CANARY_EARNED)

    assert raised.value.code == "RB-CONTROL-001"
    assert str(raised.value) == (
        "RB-CONTROL-001: event canary_earned came in state closed, which has no row for it "
        "Hint: report this with the rollout's decisions"
    )


def test_states_with_lists_the_states_that_know_an_event() -> None:
    assert states_with(Event.CASE_CLOSED) == (State.INVESTIGATING,)


# --- every row, walked ---

Scene = tuple[Rollout, RolloutEvidence, int]


def _before_ring(state: State, kind: RingKind, *, drill: bool = False) -> Scene:
    """A draft or a baked ring whose next ring has this kind."""
    following = Ring("next", kind, cuts=cuts(2, 2), drill=drill)
    rest = () if kind is RingKind.FULL else (Ring("more", RingKind.RING), Ring("all", RingKind.FULL))
    seen = evidence(family("door", 40), family("gate", 40), rings=(RingEvidence(0, good=2),))
    if state is State.DRAFT:
        start = rollout(state, rings=(following, *rest))
    elif state is State.STABILITY:
        start = rollout(state, 0, rings=(RINGS[0], following, *rest))
    else:
        start = rollout(state, 0, rings=(RINGS[0], following, *rest))
    return start, seen, NOW + 10_000


def _drilled(kind: RingKind) -> Scene:
    rings = [replace(ring, drill=True) for ring in RINGS]
    index = next(number for number, ring in enumerate(rings) if ring.kind is kind)
    seen = evidence(rings=(RingEvidence(index, moving=2, drills_passed=2, slowest_recovery_ms=80),))
    return rollout(State.DRILL, index, rings=tuple(rings)), seen, NOW


def _remembering(state: State) -> dict[str, object]:
    if state in (State.PAUSED, State.WAITING_APPROVAL):
        return {"remembered": State.BAKE, "remembered_since_at_ms": NOW - 500, "awaiting": "ring:3"}
    return {}


def _anywhere(state: State, seen: RolloutEvidence, at_ms: int = NOW, **changes: object) -> Scene:
    return rollout(state, ring_of_state(state), **{**_remembering(state), **changes}), seen, at_ms


def _approval(state: State) -> Scene:
    start = _anywhere(state, clean_with(RingEvidence(0, good=2), RingEvidence(1, good=8)), NOW + 10_000)[0]
    asking = tuple(replace(ring, needs_approval=True) for ring in RINGS)
    ring = 0 if state is State.BAKE else start.ring
    return replace(start, rings=asking, ring=ring), clean_with(RingEvidence(0, good=2)), NOW + 10_000


def _stuck(state: State) -> Scene:
    """A state that has waited longer than its patience for something that does not come."""
    moving = tuple(RingEvidence(index, moving=1, drills_pending=1, good=1) for index in range(4))
    unfinished = evidence(family("door", 1, open_=30), rings=moving)
    changes: dict[str, object] = {"auto_roll_back": False} if state is State.STOPPED else {}
    changes |= {"frozen": ("config",)} if state is State.ROLLED_BACK else {}
    changes |= {"rung": 1} if state is State.ROLLING_BACK else {}
    back = RollbackEvidence(left=1, moving=1)
    if state is State.FROZEN:  # its own event comes first, so that its reminder is only a safety net in the table
        unfinished = BAD
    changes |= {"ring": 0} if state is State.BAKE else {}
    start = replace(_anywhere(state, unfinished)[0], **changes)
    return start, replace(unfinished, rollback=back), NOW + DUE


SCENES: dict[Event, Callable[[State], Scene]] = {
    Event.INTERNAL_EARNED: lambda state: _before_ring(state, RingKind.INTERNAL),
    Event.CANARY_EARNED: lambda state: _before_ring(state, RingKind.CANARY),
    Event.RING_EARNED: lambda state: _before_ring(state, RingKind.RING),
    Event.FULL_EARNED: lambda state: _before_ring(state, RingKind.FULL),
    Event.DRILL_EARNED: lambda state: _before_ring(state, RingKind.CANARY, drill=True),
    Event.INTERNAL_DRILLED: lambda _state: _drilled(RingKind.INTERNAL),
    Event.CANARY_DRILLED: lambda _state: _drilled(RingKind.CANARY),
    Event.RING_DRILLED: lambda _state: _drilled(RingKind.RING),
    Event.FULL_DRILLED: lambda _state: _drilled(RingKind.FULL),
    Event.RING_COVERED: lambda state: _anywhere(state, clean_with(*(RingEvidence(i, good=2) for i in range(4)))),
    Event.FLEET_COVERED: lambda state: _anywhere(state, clean_with(RingEvidence(3, good=100))),
    Event.STABILITY_DUE: lambda state: _anywhere(state, clean_with(RingEvidence(2, good=20)), NOW + 10_000),
    Event.WINDOW_ELAPSED: lambda state: _anywhere(state, CLEAN, NOW + 10_000),
    Event.APPROVAL_NEEDED: _approval,
    Event.APPROVED: lambda state: _anywhere(state, CLEAN, approvals=("ring:3",)),
    Event.VERDICT_FAILED: lambda state: _anywhere(state, BAD),
    Event.DRILL_FAILED: lambda state: _anywhere(state, clean_with(RingEvidence(1, drills_failed=1))),
    Event.EVIDENCE_ALARMED: lambda state: _anywhere(state, ALARMING),
    Event.TIMED_OUT: _stuck,
    Event.ROLLBACK_STARTED: lambda state: _anywhere(state, replace(BAD, rollback=RollbackEvidence(left=9))),
    Event.ROLLBACK_ESCALATED: lambda state: _anywhere(
        state, replace(BAD, rollback=RollbackEvidence(reverted=9, unhealthy=1)), rung=1
    ),
    Event.ROLLBACK_DONE: lambda state: _anywhere(
        state, replace(BAD, rollback=RollbackEvidence(reverted=9)), rung=-1 if state is State.STOPPED else 1
    ),
    Event.ROLLBACK_FAILED: lambda state: _anywhere(
        state, replace(BAD, rollback=RollbackEvidence(reverted=5, unhealthy=5, left=90)), rung=2
    ),
    Event.FREEZE_RECORDED: lambda state: _anywhere(
        state, replace(BAD, frozen_digests=("sha256:f1",)), frozen=("model/face",)
    ),
    Event.CASE_OPENED: lambda state: _anywhere(state, BAD),
}

ORDERS = {
    Event.PAUSE_REQUESTED: CommandKind.PAUSE,
    Event.RESUME_REQUESTED: CommandKind.RESUME,
    Event.ROLLBACK_REQUESTED: CommandKind.ROLLBACK,
    Event.CANCEL_REQUESTED: CommandKind.CANCEL,
    Event.SUPERSEDED_BY: CommandKind.SUPERSEDE,
    Event.CASE_CLOSED: CommandKind.CLOSE_CASE,
}

UNREACHED_BY_DECIDE = {(State.FROZEN, Event.TIMED_OUT)}
"""Its own event is always due at once; the row is what keeps a stuck caller visible."""


def walked(state: State, event: Event) -> Decision:
    if event in ORDERS:
        decision = command(_anywhere(state, CLEAN)[0], Command(ORDERS[event], "kim", "because", by="face-int9"), NOW)
        assert isinstance(decision, Decision), decision
        return decision
    start, seen, at_ms = SCENES[event](state)
    assert start.state is state
    return decide(start, seen, at_ms)


@pytest.mark.parametrize(("state", "event"), sorted(set(TABLE) - UNREACHED_BY_DECIDE))
def test_every_row_is_walked_by_a_decision_with_its_next_state_effects_and_reasons(state: State, event: Event) -> None:
    expected = TABLE[state, event]

    decision = walked(state, event)

    assert (decision.before, decision.event) == (state, event)
    assert decision.rollout.state is (expected.next_state or State.BAKE)
    kinds = list(dict.fromkeys(effect.kind for effect in decision.effects))
    frozen = [kind for kind in expected.effects if kind is not EffectKind.FREEZE or decision.rollout.frozen]
    assert kinds == frozen
    assert decision.reasons and all(reason.endswith(".") for reason in decision.reasons)
    assert decision.next_wakeup_ms == decision.at_ms


def test_the_scenes_cover_every_event() -> None:
    assert set(SCENES) | set(ORDERS) == set(Event)
