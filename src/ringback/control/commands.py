"""What people may tell a rollout to do, and what they are told when it cannot.

Decides: whether a command fits the rollout's state, and what follows by the same table as for evidence. Never: does
less than it says: a refusal names the code, what was found, what was expected and what to do.

- Every command has an actor and a reason; both are kept with the decision.
- Stopping is never refused for lack of evidence; going on is a person's word only where the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ringback.control.decide import Decision, moved
from ringback.control.exposure import NO_GRANTS
from ringback.control.questions import Answer
from ringback.control.rollout import Rollout
from ringback.control.table import TABLE, Event, State, states_with


class CommandKind(StrEnum):
    """The verbs of an operator on one rollout."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    CLOSE_CASE = "close_case"


EVENTS = {
    CommandKind.PAUSE: Event.PAUSE_REQUESTED,
    CommandKind.RESUME: Event.RESUME_REQUESTED,
    CommandKind.ROLLBACK: Event.ROLLBACK_REQUESTED,
    CommandKind.CANCEL: Event.CANCEL_REQUESTED,
    CommandKind.SUPERSEDE: Event.SUPERSEDED_BY,
    CommandKind.CLOSE_CASE: Event.CASE_CLOSED,
}
"""Commands that are events of the table. START and APPROVE only leave a mark that a question finds."""

REASON_MAX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``planes``: only for rollback, empty = as the ladder says. ``by``: only for supersede, a release."""

    kind: CommandKind
    actor: str
    reason: str
    planes: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """A command that does not fit. The state is unchanged."""

    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}. Hint: {self.hint}"


def command(rollout: Rollout, given: Command, now_ms: int) -> Decision | CommandRefused:
    """Return what follows from a command, to be saved and performed like any decision, or why it does not fit.

    Args:
        rollout: as it is now.
        given: the command, its actor and reason.
        now_ms: UTC ms.
    """
    refused = _bad_reason(given) or _misplaced(rollout, given)
    if refused is not None:
        return refused
    text = f"{given.actor}: {given.kind}" + (f" ({given.reason})" if given.reason else "") + "."
    if given.kind is CommandKind.START:
        return _marked(rollout, replace(rollout, started=True, timer_at_ms=now_ms, since_at_ms=now_ms), text, now_ms)
    if given.kind is CommandKind.APPROVE:
        approvals = (*rollout.approvals, rollout.awaiting)
        return _marked(rollout, replace(rollout, approvals=approvals), text, now_ms)
    prepared = rollout
    if given.kind is CommandKind.RESUME:
        prepared = replace(rollout, accepted_e_milli=max(rollout.accepted_e_milli, rollout.paused_e_milli))
    elif given.kind is CommandKind.ROLLBACK and given.planes:
        rung = _rung_of(rollout, given.planes)
        if rung is None:
            return _no_rung(rollout, given.planes)
        prepared = replace(rollout, wanted_rung=rung)
    answer = Answer(EVENTS[given.kind], (text if not given.by else f"{text[:-1]}; superseded by {given.by}.",))
    after, effects = moved(prepared, answer, now_ms)
    return replace(_marked(rollout, after, answer.reasons[0], now_ms), event=answer.event, effects=effects)


def _marked(before: Rollout, after: Rollout, text: str, now_ms: int) -> Decision:
    return Decision(
        rollout_id=before.rollout_id,
        at_ms=now_ms,
        before=before.state,
        event=None,
        rollout=after,
        effects=(),
        verdict=None,
        exposure=None,
        grants=NO_GRANTS,
        rollback_grants=0,
        reasons=(text,),
        waiting_on=(),
        next_wakeup_ms=now_ms,
    )


def _bad_reason(given: Command) -> CommandRefused | None:
    if not given.actor:
        return CommandRefused("RB-CONTROL-002", f"{given.kind} names no actor", "say who asks for it")
    if len(given.reason) > REASON_MAX_CHARS:
        found = f"the reason has {len(given.reason)} characters, at most {REASON_MAX_CHARS} are kept"
        return CommandRefused("RB-CONTROL-003", found, "say it shorter")
    if not given.reason.strip() and given.kind in NEEDS_REASON:
        return CommandRefused("RB-CONTROL-003", f"{given.kind} has no reason", "say why; it is kept on record")
    return None


NEEDS_REASON = frozenset(
    {CommandKind.APPROVE, CommandKind.ROLLBACK, CommandKind.CANCEL, CommandKind.SUPERSEDE, CommandKind.CLOSE_CASE}
)


def _misplaced(rollout: Rollout, given: Command) -> CommandRefused | None:
    name, state = rollout.rollout_id, rollout.state
    if given.kind is CommandKind.START:
        if state is State.DRAFT and not rollout.started:
            return None
        found = f"rollout {name} was started already and is in state {state}"
        return CommandRefused("RB-CONTROL-004", found, "make a new rollout of the release to run it again")
    if given.kind is CommandKind.APPROVE:
        if state is State.WAITING_APPROVAL and rollout.awaiting not in rollout.approvals:
            return None
        found = f"rollout {name} is in state {state} and waits for no approval"
        return CommandRefused("RB-CONTROL-005", found, "see what it waits for with: ringback rollout explain")
    if (state, EVENTS[given.kind]) in TABLE:
        return None
    possible = ", ".join(states_with(EVENTS[given.kind]))
    found = f"rollout {name} is in state {state}; {given.kind} is possible in {possible}"
    return CommandRefused("RB-CONTROL-006", found, "see what it waits for with: ringback rollout explain")


def _rung_of(rollout: Rollout, planes: tuple[str, ...]) -> int | None:
    """The narrowest rung that takes all of ``planes`` back; ladders are ordered from narrow to wide."""
    for index, rung in enumerate(rollout.ladder):
        if set(planes) <= set(rung.planes):
            return index
    return None


def _no_rung(rollout: Rollout, planes: tuple[str, ...]) -> CommandRefused:
    unknown = [plane for plane in planes if plane not in rollout.changed_planes]
    changed = ", ".join(rollout.changed_planes) or "none"
    found = (
        f"rollout {rollout.rollout_id} did not change {', '.join(unknown) or ', '.join(planes)}; it changed {changed}"
    )
    return CommandRefused(
        "RB-CONTROL-007", found, "name planes that this rollout changed, or none for the whole ladder"
    )
