"""The rollout table: every state, every event, and what follows. All of it is here.

Decides: which state follows an event in a state, and which kinds of effects go with it. Never: whether an event has
happened (``ringback.control.questions``) and never performs an effect.

- (state, event) without a row is a ``TransitionError`` that names both.
- A row whose next state is None returns to the state remembered when the rollout was paused or sent for approval.
- Every state is reachable from ``draft``; every state that is not terminal has a row for running out of time.
- A failed verdict stops the rollout from every state in which devices run the release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ringback.errors import BugError


class State(StrEnum):
    """Where a rollout stands; the same words on every screen."""

    DRAFT = "draft"
    VALIDATING = "validating"
    CANARY = "canary"
    RING = "ring"
    DRILL = "drill"
    BAKE = "bake"
    STABILITY = "stability"
    FULL = "full"
    ROLLBACK_WINDOW = "rollback_window"
    CLOSED = "closed"
    PAUSED = "paused"
    WAITING_APPROVAL = "waiting_approval"
    STOPPED = "stopped"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FROZEN = "frozen"
    INVESTIGATING = "investigating"
    SUPERSEDED = "superseded"


class Event(StrEnum):
    """What has happened. ``*_earned``: the evidence and the frame allow to open a ring of that kind."""

    INTERNAL_EARNED = "internal_earned"
    CANARY_EARNED = "canary_earned"
    RING_EARNED = "ring_earned"
    FULL_EARNED = "full_earned"
    DRILL_EARNED = "drill_earned"
    INTERNAL_DRILLED = "internal_drilled"
    CANARY_DRILLED = "canary_drilled"
    RING_DRILLED = "ring_drilled"
    FULL_DRILLED = "full_drilled"
    RING_COVERED = "ring_covered"
    STABILITY_DUE = "stability_due"
    FLEET_COVERED = "fleet_covered"
    WINDOW_ELAPSED = "window_elapsed"
    APPROVAL_NEEDED = "approval_needed"
    APPROVED = "approved"
    VERDICT_FAILED = "verdict_failed"
    DRILL_FAILED = "drill_failed"
    EVIDENCE_ALARMED = "evidence_alarmed"
    TIMED_OUT = "timed_out"
    PAUSE_REQUESTED = "pause_requested"
    RESUME_REQUESTED = "resume_requested"
    ROLLBACK_REQUESTED = "rollback_requested"
    CANCEL_REQUESTED = "cancel_requested"
    SUPERSEDED_BY = "superseded_by"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_ESCALATED = "rollback_escalated"
    ROLLBACK_DONE = "rollback_done"
    ROLLBACK_FAILED = "rollback_failed"
    FREEZE_RECORDED = "freeze_recorded"
    CASE_OPENED = "case_opened"
    CASE_CLOSED = "case_closed"


class EffectKind(StrEnum):
    """What the caller does in the same transaction that saves the decision."""

    OPEN_RING = "open_ring"
    WITHDRAW_OFFERS = "withdraw_offers"
    FREEZE = "freeze"
    ROLL_BACK = "roll_back"
    PAGE = "page"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Row:
    """What follows: the next state (None = the remembered one) and the kinds of effects."""

    next_state: State | None
    effects: tuple[EffectKind, ...] = ()


class TransitionError(BugError):
    """An event came in a state that has no row for it."""


OPENING = (State.VALIDATING, State.CANARY, State.RING)
"""States in which the devices of one ring, not the last, receive the release."""

GROWING = (*OPENING, State.DRILL, State.BAKE, State.STABILITY, State.FULL)
"""States in which the release may reach more devices."""

ACTIVE = (*GROWING, State.ROLLBACK_WINDOW, State.PAUSED, State.WAITING_APPROVAL)
"""States in which devices run the release on trust: a failed verdict stops every one of them."""

TERMINAL = (State.CLOSED, State.SUPERSEDED)

_OPEN = (EffectKind.OPEN_RING,)
_PAGE = (EffectKind.PAGE,)
_STOP = (EffectKind.WITHDRAW_OFFERS, EffectKind.FREEZE, EffectKind.PAGE)
_END = (EffectKind.WITHDRAW_OFFERS, EffectKind.CLOSE)


def _rows(states: Iterable[State], event: Event, row: Row) -> dict[tuple[State, Event], Row]:
    return {(state, event): row for state in states}


TABLE: dict[tuple[State, Event], Row] = {
    # Opening rings. A drill comes before the ring that holds it.
    **_rows((State.DRAFT, State.BAKE), Event.INTERNAL_EARNED, Row(State.VALIDATING, _OPEN)),
    **_rows((State.DRAFT, State.BAKE), Event.CANARY_EARNED, Row(State.CANARY, _OPEN)),
    **_rows((State.DRAFT, State.BAKE), Event.RING_EARNED, Row(State.RING, _OPEN)),
    **_rows((State.DRAFT, State.BAKE), Event.DRILL_EARNED, Row(State.DRILL, _OPEN)),
    **_rows((State.DRAFT, State.STABILITY), Event.FULL_EARNED, Row(State.FULL, _OPEN)),
    (State.DRILL, Event.INTERNAL_DRILLED): Row(State.VALIDATING),
    (State.DRILL, Event.CANARY_DRILLED): Row(State.CANARY),
    (State.DRILL, Event.RING_DRILLED): Row(State.RING),
    (State.DRILL, Event.FULL_DRILLED): Row(State.FULL),
    # Through a ring, then the stability window once, then full and its rollback window.
    **_rows(OPENING, Event.RING_COVERED, Row(State.BAKE)),
    (State.BAKE, Event.STABILITY_DUE): Row(State.STABILITY),
    (State.FULL, Event.FLEET_COVERED): Row(State.ROLLBACK_WINDOW),
    (State.ROLLBACK_WINDOW, Event.WINDOW_ELAPSED): Row(State.CLOSED, (EffectKind.CLOSE,)),
    # People.
    **_rows((State.DRAFT, State.BAKE, State.STABILITY), Event.APPROVAL_NEEDED, Row(State.WAITING_APPROVAL, _PAGE)),
    (State.WAITING_APPROVAL, Event.APPROVED): Row(None),
    **_rows((*GROWING, State.WAITING_APPROVAL), Event.PAUSE_REQUESTED, Row(State.PAUSED)),
    (State.PAUSED, Event.RESUME_REQUESTED): Row(None),
    **_rows(
        (State.DRAFT, *GROWING, State.PAUSED, State.WAITING_APPROVAL), Event.CANCEL_REQUESTED, Row(State.CLOSED, _END)
    ),
    **_rows((State.DRAFT, *ACTIVE), Event.SUPERSEDED_BY, Row(State.SUPERSEDED, _END)),
    **_rows(ACTIVE, Event.ROLLBACK_REQUESTED, Row(State.STOPPED, _STOP)),
    **_rows(
        (State.STOPPED, State.INVESTIGATING), Event.ROLLBACK_REQUESTED, Row(State.ROLLING_BACK, (EffectKind.ROLL_BACK,))
    ),
    # Evidence against the release.
    **_rows(ACTIVE, Event.VERDICT_FAILED, Row(State.STOPPED, _STOP)),
    **_rows(GROWING, Event.DRILL_FAILED, Row(State.STOPPED, _STOP)),
    **_rows(GROWING, Event.EVIDENCE_ALARMED, Row(State.PAUSED, _PAGE)),
    # The way back.
    (State.STOPPED, Event.ROLLBACK_STARTED): Row(State.ROLLING_BACK, (EffectKind.ROLL_BACK,)),
    (State.STOPPED, Event.ROLLBACK_DONE): Row(State.ROLLED_BACK),
    (State.ROLLING_BACK, Event.ROLLBACK_ESCALATED): Row(State.ROLLING_BACK, (EffectKind.ROLL_BACK, EffectKind.PAGE)),
    (State.ROLLING_BACK, Event.ROLLBACK_DONE): Row(State.ROLLED_BACK),
    (State.ROLLING_BACK, Event.ROLLBACK_FAILED): Row(State.INVESTIGATING, _PAGE),
    (State.ROLLED_BACK, Event.FREEZE_RECORDED): Row(State.FROZEN),
    (State.FROZEN, Event.CASE_OPENED): Row(State.INVESTIGATING, _PAGE),
    (State.INVESTIGATING, Event.CASE_CLOSED): Row(State.CLOSED, (EffectKind.CLOSE,)),
    # Running out of time: growth stops and a person is told; a rollback that does not end is a failed rollback.
    **_rows((*OPENING, State.DRILL, State.BAKE, State.STABILITY), Event.TIMED_OUT, Row(State.PAUSED, _PAGE)),
    (State.DRAFT, Event.TIMED_OUT): Row(State.DRAFT, _PAGE),
    (State.FULL, Event.TIMED_OUT): Row(State.FULL, _PAGE),
    (State.PAUSED, Event.TIMED_OUT): Row(State.PAUSED, _PAGE),
    (State.WAITING_APPROVAL, Event.TIMED_OUT): Row(State.WAITING_APPROVAL, _PAGE),
    (State.STOPPED, Event.TIMED_OUT): Row(State.STOPPED, _PAGE),
    (State.ROLLING_BACK, Event.TIMED_OUT): Row(State.INVESTIGATING, _PAGE),
    (State.ROLLED_BACK, Event.TIMED_OUT): Row(State.ROLLED_BACK, _PAGE),
    (State.FROZEN, Event.TIMED_OUT): Row(State.FROZEN, _PAGE),
    (State.INVESTIGATING, Event.TIMED_OUT): Row(State.INVESTIGATING, _PAGE),
}


def row(state: State, event: Event) -> Row:
    """Return the row for ``event`` in ``state``.

    Raises:
        TransitionError: there is none; asking was a bug of the caller.
    """
    found = TABLE.get((state, event))
    if found is None:
        raise TransitionError(
            "RB-CONTROL-001",
            f"event {event} came in state {state}, which has no row for it",
            hint="report this with the rollout's decisions",
            fields={"state": state, "event": event},
        )
    return found


def states_with(event: Event) -> tuple[State, ...]:
    """Return the states that have a row for ``event``, in the order of ``State``."""
    return tuple(state for state in State if (state, event) in TABLE)
