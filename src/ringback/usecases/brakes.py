"""Stop and freeze, as operators order them.

Decides: what a brake still reaches. Never: takes anything back that has been activated (rolling back does).
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.control import StopAnswer, reached
from ringback.errors import ConflictError, InputError, NotFoundError
from ringback.ports.changes import Change, Delete, Insert
from ringback.ports.ids import Ids
from ringback.ports.rows import FreezeRow, StopRow
from ringback.spec.selector import BadSelector, Selector, parse_selector
from ringback.usecases.device import Device
from ringback.usecases.fleet import Fleet
from ringback.usecases.matching import Matcher
from ringback.usecases.tick import withdrawals
from ringback.usecases.work import Outcome

REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stop and what it reached; `row` is None where nothing was done (a dry run)."""

    row: StopRow | None
    reached: StopAnswer


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze: how many devices run the digest, and how many are activating it beyond recall."""

    row: FreezeRow
    devices: int
    beyond_recall: int


def selector(text: str) -> Selector:
    """Return a label selector.

    Raises:
        InputError: it is none (RB-SPEC-013).
    """
    try:
        return parse_selector(text)
    except BadSelector as error:
        raise InputError(
            "RB-SPEC-013", f"where: {error}", hint=error.hint or "region in (eu,us),customer=acme"
        ) from error


def selected(fleet: Fleet, where: Selector) -> list[Device]:
    """Return the accepted devices that a selector matches."""
    matches = Matcher(where, fleet.labels_of)
    return [device for device in fleet.accepted() if matches(device)]


def check_reason(reason: str) -> None:
    """Refuse a brake without a reason: it is kept on record.

    Raises:
        InputError: none, or too long (RB-CONTROL-003).
    """
    if not reason.strip() or len(reason) > REASON_CHARS_MAX:
        raise InputError("RB-CONTROL-003", f"a reason of 1 to {REASON_CHARS_MAX} characters is needed", hint="say why")


def stop(fleet: Fleet, *, where: str, reason: str, is_dry_run: bool, ids: Ids, now_ms: int) -> Outcome[Stopped]:
    """Let nothing newly activate where a selector holds; offers that have not entered are withdrawn.

    Raises:
        InputError: no selector (RB-SPEC-013), no reason (RB-CONTROL-003).
    """
    check_reason(reason)
    found = selected(fleet, selector(where))
    names = {device.row.device_id for device in found}
    deployments = [
        trial.deployment
        for course in fleet.courses.values()
        for device_id, trial in course.trials.items()
        if device_id in names
    ]
    answer = reached(deployments, len(found))
    if is_dry_run:
        return Outcome((), Stopped(None, answer))
    row = StopRow(fleet.tenant_id, f"stop-{ids.short()}", where, reason, now_ms)
    changes: list[Change] = [Insert(row)]
    for course in fleet.courses.values():
        changes += withdrawals(fleet, course, now_ms=now_ms, among=names)
    return Outcome(tuple(changes), Stopped(row, answer))


def lift_stop(fleet: Fleet, stop_id: str) -> Outcome[StopRow]:
    """Lift a stop: rollouts go on where it held.

    Raises:
        NotFoundError: there is none of this id (RB-STOP-001).
    """
    row = fleet.stops.get(stop_id)
    if row is None:
        raise NotFoundError("RB-STOP-001", f"no stop {stop_id[:64]!r} here", hint="see: ringback status")
    return Outcome((Delete(row),), row)


def freeze(
    fleet: Fleet, *, plane: str, digest: str, reason: str, is_dry_run: bool, ids: Ids, now_ms: int
) -> Outcome[Frozen]:
    """Let nobody newly activate an artifact, wherever a device is and whenever it comes back.

    Raises:
        InputError: no reason (RB-CONTROL-003), or the artifact is for another plane (RB-FREEZE-003).
        NotFoundError: nobody published the artifact (RB-ARTIFACT-001).
        ConflictError: it is frozen already (RB-FREEZE-002).
    """
    check_reason(reason)
    artifact = fleet.catalog.artifacts.get(digest)
    if artifact is None:
        raise NotFoundError("RB-ARTIFACT-001", f"nobody published {digest[:80]!r}", hint="ringback artifact list")
    if artifact.plane != plane:
        raise InputError("RB-FREEZE-003", f"{artifact.ref} is for the plane {artifact.plane}, not {plane}")
    known = fleet.frozen.get((plane, digest))
    if known is not None:
        raise ConflictError("RB-FREEZE-002", f"{artifact.ref} is frozen already ({known.reason})")
    row = FreezeRow(fleet.tenant_id, f"freeze-{ids.short()}", plane, digest, reason, "", now_ms)
    changes: list[Change] = [Insert(row)]
    beyond = 0
    for course in fleet.courses.values():
        if course.goal.get(plane) != digest:
            continue
        changes += withdrawals(fleet, course, now_ms=now_ms)
        beyond += sum(
            trial.deployment.is_moving and trial.deployment.entered_at_ms is not None
            for trial in course.trials.values()
        )
    return Outcome(() if is_dry_run else tuple(changes), Frozen(row, fleet.running_count(digest), beyond))


def unfreeze(fleet: Fleet, freeze_id: str) -> Outcome[FreezeRow]:
    """Lift a freeze.

    Raises:
        NotFoundError: there is none of this id (RB-FREEZE-001).
    """
    row = fleet.freezes.get(freeze_id)
    if row is None:
        raise NotFoundError("RB-FREEZE-001", f"no freeze {freeze_id[:64]!r} here", hint="see: ringback status")
    return Outcome((Delete(row),), row)
