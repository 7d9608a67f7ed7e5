"""What operators order for single devices: push, its way back, recovery, commands.

Decides: whether an order can be carried out, and what it changes. Never: touches a device; its next check-in does.

- A push uses the same planner, transaction and health rules as a rollout; it only has no rings.
- Recovery knows three words: *stable* (back to the last-known-good set), *safe-mode* (the agent alone), *normal*.
- *Stable* of a plane is what the device ran before the rollout that is not through its windows yet, else the
  last-known-good version: what has not stayed healthy through its window is not stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ringback.errors import ConflictError, InputError, NotFoundError
from ringback.plan.planner import track_for
from ringback.plan.refusal import Refusal
from ringback.plan.route import Blocked, Wanted
from ringback.ports.changes import Advance, Change, Insert, Put
from ringback.ports.ids import Ids
from ringback.ports.rows import CommandRow, DeviceOrderRow
from ringback.usecases import order as orders
from ringback.usecases.brakes import selected, selector
from ringback.usecases.desire import COMMANDS_MAX, ROLLBACK_ORDER
from ringback.usecases.device import IN_SAFE_MODE, NORMAL, SAFE_MODE, Device
from ringback.usecases.fleet import Fleet
from ringback.usecases.tick import withdrawals
from ringback.usecases.work import Outcome

STABLE: Final = "stable"
RECOVERIES: Final = (STABLE, SAFE_MODE, NORMAL)
COMMAND_KINDS: Final = ("reboot", "restart", "bundle")
ARG_CHARS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery comes to: devices selected, devices for which something changes, and the planes that go back."""

    devices: int
    changed: tuple[str, ...]
    planes: tuple[str, ...]
    orders: tuple[str, ...]


def device_named(fleet: Fleet, device_id: str) -> Device:
    """Return a device.

    Raises:
        NotFoundError: there is none of this id (RB-DEVICE-001).
    """
    device = fleet.devices.get(device_id)
    if device is None:
        raise NotFoundError("RB-DEVICE-001", f"no device {device_id[:63]!r} here", hint="ringback device list")
    return device


# --- push -------------------------------------------------------------------------------------------------------------


def push(
    fleet: Fleet, *, digest: str, device_id: str, reason: str, is_dry_run: bool, ids: Ids, now_ms: int
) -> Outcome[DeviceOrderRow]:
    """Bring one artifact to one device.

    Raises:
        NotFoundError: no such device or artifact (RB-DEVICE-001, RB-ARTIFACT-001).
        ConflictError: it is frozen (RB-CONTROL-021), or the device has an order already (RB-PUSH-003).
        PlanRefused: there is no safe way there (RB-PLAN-NNN).
    """
    device = device_named(fleet, device_id)
    artifact = fleet.catalog.artifacts.get(digest)
    if artifact is None:
        raise NotFoundError("RB-ARTIFACT-001", f"nobody published {digest[:80]!r}", hint="ringback artifact list")
    frozen = fleet.frozen.get((artifact.plane, digest))
    if frozen is not None:
        raise ConflictError(
            "RB-CONTROL-021",
            f"{artifact.ref} is frozen ({frozen.reason})",
            hint="lift the freeze if its reason is gone",
        )
    found = track_for(
        device.row.class_id,
        device.running.pairs,
        Wanted((artifact,), (), (), ROLLBACK_ORDER, one_way=False),
        fleet.catalog,
        kept=device.confirmed.pairs,
    )
    if isinstance(found, Blocked):
        causes = tuple(cause.on(1, (device_id,)) for cause in found.causes)
        raise Refusal(f"push of {artifact.ref}", causes).to_error()
    row = _order(fleet, device, "push", ((artifact.plane, digest),), reason=reason, undoes="", ids=ids, now_ms=now_ms)
    if not found.hops:
        row = replace(row, state=orders.DONE)
    return Outcome(() if is_dry_run else (Insert(row),), row)


def push_back(
    fleet: Fleet, push_id: str, *, reason: str, is_dry_run: bool, ids: Ids, now_ms: int
) -> Outcome[DeviceOrderRow]:
    """Bring a device back to what it ran before a push; a push that was not offered yet is withdrawn.

    Raises:
        NotFoundError: no such push (RB-PUSH-001).
        ConflictError: the plane was empty before (RB-PUSH-002).
    """
    pushed = fleet.orders.get(push_id)
    if pushed is None or pushed.kind != "push":
        raise NotFoundError("RB-PUSH-001", f"no push {push_id[:64]!r} here", hint="see: ringback status")
    device = device_named(fleet, pushed.device_id)
    if len(pushed.before) < len(pushed.goal):
        raise ConflictError(
            "RB-PUSH-002",
            f"{device.row.device_id} had nothing on {pushed.goal[0][0]} before; there is nothing to go back to",
        )
    changes: list[Change] = []
    if pushed.state in orders.ACTIVE:
        changes.append(Put(replace(pushed, state=orders.WITHDRAWN)))
    row = _order(fleet, device, "push-back", pushed.before, reason=reason, undoes=push_id, ids=ids, now_ms=now_ms)
    changes.append(Insert(row))
    return Outcome(() if is_dry_run else tuple(changes), row)


def _order(
    fleet: Fleet,
    device: Device,
    kind: str,
    goal: tuple[tuple[str, str], ...],
    *,
    reason: str,
    undoes: str,
    ids: Ids,
    now_ms: int,
) -> DeviceOrderRow:
    device_id, digests = device.row.device_id, device.running.digests
    earlier = [each.attempt for each in fleet.orders.values() if each.device_id == device_id and each.goal == goal]
    return DeviceOrderRow(
        tenant_id=fleet.tenant_id,
        order_id=ids.uuid7(now_ms),
        device_id=device_id,
        kind=kind,
        goal=goal,
        before=tuple((plane, digests[plane]) for plane, _digest in goal if plane in digests),
        state=orders.WAITING,
        attempt=max(earlier, default=0) + 1,
        first_generation=0,
        document=b"",
        reason=reason,
        undoes=undoes,
        created_at_ms=now_ms,
    )


# --- recovery ---------------------------------------------------------------------------------------------------------


def recover(
    fleet: Fleet,
    *,
    to: str,
    planes: Sequence[str],
    where: str,
    reason: str,
    is_dry_run: bool,
    ids: Ids,
    now_ms: int,
) -> Outcome[Recovered]:
    """Bring devices back: to their stable set, into safe mode, or out of it.

    Args:
        planes: planes to take back to stable; empty = all.

    Raises:
        InputError: an unknown word (RB-RECOVER-001), no selector (RB-SPEC-013), planes where they mean nothing
            (RB-RECOVER-002).
    """
    if to not in RECOVERIES:
        raise InputError("RB-RECOVER-001", f"recover to {to[:40]!r}? There is {', '.join(RECOVERIES)}")
    if planes and to != STABLE:
        raise InputError("RB-RECOVER-002", f"planes mean nothing for {to}: it holds for the whole device")
    found = selected(fleet, selector(where))
    if to == STABLE:
        return _to_stable(fleet, found, planes, reason=reason, is_dry_run=is_dry_run, ids=ids, now_ms=now_ms)
    changes: list[Change] = []
    changed: list[str] = []
    for device in found:
        row = device.row
        if (row.mode, row.updates_paused) != (to, to == SAFE_MODE):
            after = replace(row, mode=to, updates_paused=to == SAFE_MODE, generation=row.generation + 1)
            changes.append(Advance(after, row.generation))
            changed.append(row.device_id)
        if to == NORMAL and IN_SAFE_MODE in (device.state, *device.flags):
            # The device went there by itself, at the end of its ladder: it has to be told to try again.
            changes += _leave_safe_mode(fleet, device, now_ms=now_ms)
            changed.append(row.device_id)
    return Outcome(() if is_dry_run else tuple(changes), Recovered(len(found), tuple(dict.fromkeys(changed)), (), ()))


def _leave_safe_mode(fleet: Fleet, device: Device, *, now_ms: int) -> list[Change]:
    known = fleet.commands.get(device.row.device_id, {})
    if any(each.kind == "normal" and each.state == "queued" for each in known.values()):
        return []
    number = max(known, default=0) + 1
    return [Insert(CommandRow(fleet.tenant_id, device.row.device_id, number, "normal", "", "queued", now_ms))]


def _to_stable(
    fleet: Fleet,
    found: Sequence[Device],
    planes: Sequence[str],
    *,
    reason: str,
    is_dry_run: bool,
    ids: Ids,
    now_ms: int,
) -> Outcome[Recovered]:
    changes: list[Change] = []
    changed: list[str] = []
    made: list[str] = []
    touched: set[str] = set()
    for device in found:
        stable = stable_set(fleet, device)
        digests = device.running.digests
        goal = tuple(
            (plane, digest)
            for plane, digest in sorted(stable.items())
            if (not planes or plane in planes) and digests.get(plane) != digest and digest in fleet.catalog.artifacts
        )
        if not goal:
            continue
        row = _order(fleet, device, "recover", goal, reason=reason, undoes="", ids=ids, now_ms=now_ms)
        changes.append(Insert(row))
        changed.append(device.row.device_id)
        made.append(row.order_id)
        touched.update(plane for plane, _digest in goal)
    names = set(changed)
    for course in fleet.courses.values():
        changes += withdrawals(fleet, course, now_ms=now_ms, among=names)
    answer = Recovered(len(found), tuple(changed), tuple(sorted(touched)), tuple(made))
    return Outcome(() if is_dry_run else tuple(changes), answer)


def stable_set(fleet: Fleet, device: Device) -> dict[str, str]:
    """Return the plane to digest that counts as stable for a device."""
    stable = dict(device.confirmed.digests)
    for course in fleet.courses.values():
        trial = course.trials.get(device.row.device_id)
        if trial is None or trial.deployment.entered_at_ms is None:
            continue
        before = dict(trial.before)
        for plane in course.rollout.changed_planes:
            if plane in before and stable.get(plane) == course.goal.get(plane):
                stable[plane] = before[plane]
    return stable


# --- commands ---------------------------------------------------------------------------------------------------------


def command(fleet: Fleet, device_id: str, *, kind: str, arg: str, now_ms: int) -> Outcome[CommandRow]:
    """Queue one command of the closed list for a device.

    Raises:
        NotFoundError: no such device (RB-DEVICE-001).
        InputError: no such command, or an argument that is none (RB-DEVICE-002).
        ConflictError: too many are queued (RB-DEVICE-003).
    """
    device = device_named(fleet, device_id)
    known = fleet.commands.get(device_id, {})
    if kind not in COMMAND_KINDS:
        raise InputError("RB-DEVICE-002", f"command {kind[:40]!r}? There is {', '.join(COMMAND_KINDS)}")
    if len(arg) > ARG_CHARS_MAX or (arg and not arg.replace("-", "").replace("_", "").isalnum()) or not arg.isascii():
        raise InputError("RB-DEVICE-002", "the argument of a command is a service's name")
    if sum(each.state == "queued" for each in known.values()) >= COMMANDS_MAX:
        raise ConflictError("RB-DEVICE-003", f"{COMMANDS_MAX} commands are queued for {device_id} already")
    row = CommandRow(
        tenant_id=fleet.tenant_id,
        device_id=device.row.device_id,
        command_id=max(known, default=0) + 1,
        kind=kind,
        arg=arg,
        state="queued",
        created_at_ms=now_ms,
    )
    return Outcome((Insert(row),), row)
