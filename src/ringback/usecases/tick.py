"""The controller's look at every rollout: evidence in, one decision out, saved with everything it causes.

Decides: nothing itself; `ringback.control.decide` does. Never: acts on a rollout whose lease another controller holds,
or on one that has changed since it was read.

- Level-triggered: kill it anywhere, start another; what was saved is what was decided, and the rest is decided again.
- One unit of work a decision: the rollout's new memory (guarded by its generation), the lease (guarded too), the
  decision with its reasons and inputs, and what follows: rings, freezes, offers taken back.
- Time in which nobody reported (silence, proof) is a unit of work of its own, saved before anything is decided on it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import structlog

from ringback import control
from ringback.control import Command, CommandKind, Decision, Effect, EffectKind, State
from ringback.control.table import GROWING
from ringback.health.deployment import withdrawn
from ringback.ports.changes import Advance, Change, Insert, Put
from ringback.ports.ids import Ids
from ringback.ports.rows import DecisionRow, FreezeRow, LeaseRow, RingRow
from ringback.usecases.course import Course, Memory, memory_bytes
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome

CONTROLLER: Final = "controller"

ALWAYS: Final = (State.DRAFT, *GROWING, State.STOPPED, State.ROLLING_BACK)
"""States in which something elsewhere changes what is left to do: a device that checks in, or another rollout's end."""

log = structlog.get_logger("controller")


class Recorded(msgspec.Struct, frozen=True):
    """The document of a `DecisionRow`: who decided, what, and on what; inputs are null where a person decided."""

    actor: str
    decision: msgspec.Raw
    inputs: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Lease:
    """This controller's hold on one rollout.

    Attributes:
        row: as it is stored; None if nobody ever held one.
        holder: this controller.
        until_ms: until when it wants to hold it.
    """

    row: LeaseRow | None
    holder: str
    until_ms: int

    def is_free(self, now_ms: int) -> bool:
        """Say whether this controller may act: it holds the lease, or nobody does."""
        return self.row is None or self.row.holder == self.holder or self.row.until_at_ms <= now_ms

    def taken(self, tenant_id: str, rollout_id: str) -> Change:
        """Return the change that takes or renews it; it fails when another controller was faster."""
        if self.row is None:
            return Insert(LeaseRow(tenant_id, rollout_id, self.holder, self.until_ms, 1))
        generation = self.row.generation
        row = LeaseRow(tenant_id, rollout_id, self.holder, self.until_ms, generation + 1)
        return Advance(row, generation)


def is_due(course: Course, now_ms: int) -> bool:
    """Say whether a look at a rollout could change anything."""
    if course.is_changed or course.last is None or course.last.event is not None:
        return True
    if course.rollout.state in ALWAYS:
        return True
    wakeup_ms = course.last.next_wakeup_ms
    return wakeup_ms is not None and wakeup_ms <= now_ms


def count_time(fleet: Fleet, course: Course, now_ms: int) -> Outcome[int]:
    """Count what only time has changed on a rollout's devices: silence and proof; answers how many.

    A caller that cannot save it calls `course.rewatch()`, or it would never be counted.
    """
    changed = course.overdue(fleet.devices.get, listening_since_ms=fleet.listening_since_ms, now_ms=now_ms)
    return Outcome(tuple(Put(fleet.trial_row(course, trial)) for trial in changed), len(changed))


def look(fleet: Fleet, course: Course, *, lease: Lease, ids: Ids, now_ms: int) -> Outcome[Decision | None]:
    """Make one decision about a rollout; a decision without event only says what it waits for.

    Returns:
        the changes (none without an event), and the decision; None where another controller holds the rollout.
    """
    if not lease.is_free(now_ms):
        return Outcome((), None)
    decision = _start_of_queued(fleet, course, now_ms)
    inputs: bytes | None = None
    if decision is None:
        frozen = {digest for _plane, digest in fleet.frozen}
        evidence = course.evidence(fleet.devices.get, stopped=fleet.stopped, frozen=frozen, now_ms=now_ms)
        decision = control.decide(course.rollout, evidence, now_ms)
        if decision.event is None:
            return Outcome((), decision)
        inputs = control.inputs_bytes(course.rollout, evidence, now_ms)
    changes = decision_changes(fleet, course, decision, actor=CONTROLLER, inputs=inputs, ids=ids)
    return Outcome((lease.taken(fleet.tenant_id, course.rollout_id), *changes), decision)


def looked(course: Course, decision: Decision) -> None:
    """Take what a saved decision allows until the next one.

    Grants that check-ins on their way to the disk have taken already are not handed out twice.
    """
    course.last = decision
    course.is_changed = False
    course.grants = replace(decision.grants, left=max(0, decision.grants.left - course.in_flight))
    course.rollback_grants = decision.rollback_grants


def decision_changes(
    fleet: Fleet, course: Course, decision: Decision, *, actor: str, ids: Ids, inputs: bytes | None = None
) -> list[Change]:
    """Return everything that a decision changes, to be saved in one transaction.

    Args:
        actor: who decided: the controller, or an operator.
        inputs: what it rests on; None where a person decided.
    """
    memory = course.memory
    after = msgspec.structs.replace(memory, rollout=decision.rollout, decisions=memory.decisions + 1)
    document = msgspec.json.encode(
        Recorded(
            actor=actor,
            decision=msgspec.Raw(control.decision_bytes(decision)),
            inputs=msgspec.Raw(b"null" if inputs is None else inputs),
        )
    )
    history = DecisionRow(fleet.tenant_id, course.rollout_id, after.decisions, decision.at_ms, document)
    effects = [
        change
        for effect in decision.effects
        for change in _effect(fleet, course, effect, ids=ids, now_ms=decision.at_ms)
    ]
    return [rollout_change(course, after), Insert(history), *effects]


def rollout_change(course: Course, memory: Memory) -> Change:
    """Return the change that saves a rollout's new memory, if nobody has changed it since it was read."""
    row = course.row
    changed = replace(
        row, state=memory.rollout.state.value, document=memory_bytes(memory), generation=row.generation + 1
    )
    return Advance(changed, row.generation)


def _start_of_queued(fleet: Fleet, course: Course, now_ms: int) -> Decision | None:
    """Start a queued rollout when nothing is before it any more."""
    rollout, behind = course.rollout, course.memory.queued_behind
    if rollout.state is not State.DRAFT or rollout.started or not behind:
        return None
    if any(rollout_id in fleet.courses for rollout_id in behind):
        return None
    start = Command(CommandKind.START, CONTROLLER, "nothing is queued before it any more")
    found = control.command(rollout, start, now_ms)
    return found if isinstance(found, Decision) else None


def _effect(fleet: Fleet, course: Course, effect: Effect, *, ids: Ids, now_ms: int) -> list[Change]:
    """Return the changes that carry out one effect.

    Going back needs none: check-ins read the rollout's rung. Closing needs none: the state says it.
    """
    tenant_id, rollout_id = fleet.tenant_id, course.rollout_id
    if effect.kind is EffectKind.OPEN_RING:
        ring = course.rollout.rings[effect.ring]
        return [Put(RingRow(tenant_id, rollout_id, effect.ring, ring.name, now_ms, msgspec.json.encode(ring), 1))]
    if effect.kind is EffectKind.WITHDRAW_OFFERS:
        return withdrawals(fleet, course, now_ms=now_ms)
    if effect.kind is EffectKind.FREEZE and (effect.plane, effect.digest) not in fleet.frozen:
        reason = f"rollout {rollout_id} of {course.rollout.release_id} failed"
        freeze_id = f"freeze-{ids.short()}"
        return [Insert(FreezeRow(tenant_id, freeze_id, effect.plane, effect.digest, reason, rollout_id, now_ms))]
    if effect.kind is EffectKind.PAGE:
        log.warning("page", rollout=rollout_id, release=course.rollout.release_id, text=effect.text)
    return []


def withdrawals(fleet: Fleet, course: Course, *, now_ms: int, among: Container[str] | None = None) -> list[Change]:
    """Return the changes that take back every offer that has not entered (of these devices, if any are named)."""
    changes: list[Change] = []
    for device_id, trial in course.trials.items():
        if among is None or device_id in among:
            deployment = withdrawn(trial.deployment, now_ms)
            if deployment is not trial.deployment:
                changes.append(Put(fleet.trial_row(course, replace(trial, deployment=deployment))))
    return changes
