"""`/v1/devices`, `/v1/push`, `/v1/recover`, `/v1/status`: devices one by one, and the whole at a glance."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

from ringback import __version__
from ringback.client import models
from ringback.errors import NotFoundError
from ringback.ports.rows import DeviceRow
from ringback.server.api import shown
from ringback.server.api.calls import PAGING, WHERE, Call, Operation
from ringback.server.api.catalog import artifact_named
from ringback.server.api.paging import page
from ringback.usecases import enrol, single
from ringback.usecases.brakes import selected, selector
from ringback.usecases.device import ACCEPTED, IN_SAFE_MODE, PENDING, REVOKED, Device
from ringback.usecases.fleet import Fleet
from ringback.usecases.matching import Matcher
from ringback.usecases.work import Outcome, UseCase

# --- devices ----------------------------------------------------------------------------------------------------------


def _silent(call: Call, device: Device) -> bool:
    poll_ms = call.context.settings.poll_ms
    return shown.is_silent(call.context.fleet, device, default_poll_ms=poll_ms, now_ms=call.now_ms)


async def _list(call: Call) -> models.Page[models.DeviceBrief]:
    fleet, where, status = call.context.fleet, call.query.get("where", ""), call.query.get("status", ACCEPTED)
    if status == ACCEPTED:
        found = selected(fleet, selector(where))
    else:
        matches = Matcher(selector(where), fleet.labels_of)
        found = [
            device for device in fleet.devices.values() if status in ("all", device.row.status) and matches(device)
        ]
    found.sort(key=lambda device: device.row.device_id)
    return page(
        call,
        found,
        key=lambda device: device.row.device_id,
        shown=lambda device: shown.device_brief(fleet, device, silent=_silent(call, device)),
    )


async def _show(call: Call) -> models.Device:
    device = single.device_named(call.context.fleet, call.path["device_id"])
    return shown.device_whole(call.context.fleet, device, silent=_silent(call, device))


def _status_change(deed: Callable[[Fleet, str], Outcome[DeviceRow]]) -> Callable[[Call], UseCase[Any]]:
    def change(call: Call) -> UseCase[Any]:
        device_id = call.path["device_id"]

        def carry_out(fleet: Fleet) -> Outcome[models.DeviceStatus]:
            device = single.device_named(fleet, device_id)
            call.check_generation(device.row.generation)
            made = deed(fleet, device_id)
            row = made.answer
            return Outcome(made.changes, models.DeviceStatus(row.device_id, row.status, row.generation))

        return carry_out

    return change


def _command(call: Call) -> UseCase[Any]:
    asked = call.body(models.CommandRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Command]:
        made = single.command(fleet, call.path["device_id"], kind=asked.kind, arg=asked.arg, now_ms=call.now_ms)
        return Outcome(made.changes, shown.command(made.answer))

    return carry_out


# --- push and recover -------------------------------------------------------------------------------------------------


def _push(call: Call) -> UseCase[Any]:
    asked = call.body(models.PushRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Push]:
        made = single.push(
            fleet,
            digest=artifact_named(fleet, asked.artifact).digest,
            device_id=asked.device,
            reason=asked.reason,
            is_dry_run=asked.dry_run,
            ids=call.context.ids,
            now_ms=call.now_ms,
        )
        return Outcome(made.changes, shown.push(fleet, made.answer))

    return carry_out


async def _pushes(call: Call) -> models.Page[models.Push]:
    fleet, device_id = call.context.fleet, call.query.get("device")
    rows = sorted(
        (row for row in fleet.orders.values() if device_id is None or row.device_id == device_id),
        key=lambda row: row.order_id,
    )
    return page(call, rows, key=lambda row: row.order_id, shown=lambda row: shown.push(fleet, row))


async def _push_state(call: Call) -> models.Push:
    fleet, push_id = call.context.fleet, call.path["push_id"]
    row = fleet.orders.get(push_id)
    if row is None:
        raise NotFoundError("RB-PUSH-001", f"no push {push_id[:64]!r} here", hint="see: ringback status")
    return shown.push(fleet, row)


def _push_back(call: Call) -> UseCase[Any]:
    asked = call.body(models.PushBackRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Push]:
        made = single.push_back(
            fleet,
            call.path["push_id"],
            reason=asked.reason,
            is_dry_run=asked.dry_run,
            ids=call.context.ids,
            now_ms=call.now_ms,
        )
        return Outcome(made.changes, shown.push(fleet, made.answer))

    return carry_out


def _recover(call: Call) -> UseCase[Any]:
    asked = call.body(models.RecoverRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Recovery]:
        made = single.recover(
            fleet,
            to=asked.to,
            planes=asked.planes or (),
            where=asked.where,
            reason=asked.reason,
            is_dry_run=asked.dry_run,
            ids=call.context.ids,
            now_ms=call.now_ms,
        )
        found = made.answer
        answer = models.Recovery(
            to=asked.to,
            devices=found.devices,
            changed=list(found.changed),
            planes=list(found.planes),
            orders=[] if asked.dry_run else list(found.orders),
            dry_run=asked.dry_run,
        )
        return Outcome(made.changes, answer)

    return carry_out


# --- status -----------------------------------------------------------------------------------------------------------


async def _status(call: Call) -> models.Status:
    context, fleet = call.context, call.context.fleet
    statuses: Counter[str] = Counter()
    states: Counter[str] = Counter()
    silent = busy = safe_mode = 0
    for device in fleet.devices.values():
        statuses[device.row.status] += 1
        if device.row.status == ACCEPTED:
            states[device.state or "never heard"] += 1
            silent += _silent(call, device)
            busy += bool(device.busy_with)
            safe_mode += IN_SAFE_MODE in (device.state, *device.flags)
    disk = shutil.disk_usage(context.settings.data)
    return models.Status(
        version=__version__,
        now_at_ms=call.now_ms,
        listening_since_at_ms=fleet.listening_since_ms,
        tenant=fleet.tenant_id,
        devices=models.DeviceCounts(
            total=len(fleet.devices),
            accepted=statuses[ACCEPTED],
            pending=statuses[PENDING],
            revoked=statuses[REVOKED],
            silent=silent,
            busy=busy,
            safe_mode=safe_mode,
            stopped=len(fleet.stopped),
        ),
        states=dict(sorted(states.items())),
        rollouts=[shown.rollout_brief(fleet, fleet.rollout_rows[rollout_id]) for rollout_id in sorted(fleet.courses)],
        stops=[shown.stop(row, devices=0) for row in fleet.stops.values()],
        freezes=[shown.freeze(fleet, row) for row in fleet.freezes.values()],
        warnings=_warnings(call, statuses[PENDING]),
        disk=models.Disk(free_bytes=disk.free, used_ppm=disk.used * 1_000_000 // disk.total),
    )


def _warnings(call: Call, pending: int) -> list[str]:
    context = call.context
    found = [f"{name}: {text}" for name, text in sorted(context.problems.items())]
    if context.signer.is_demo:
        found.append("demo keys: this server listens on this machine only, and its keys end after 30 days")
    if pending:
        found.append(f"{pending} devices wait to be accepted: ringback device list --status pending")
    return found


OPERATIONS = (
    Operation("GET", "/v1/status", "The whole at a glance", models.Status, ask=_status),
    Operation(
        "GET",
        "/v1/devices",
        "List devices",
        models.Page[models.DeviceBrief],
        ask=_list,
        query=(*WHERE, ("status", "accepted (default), pending, revoked or all"), *PAGING),
    ),
    Operation("GET", "/v1/devices/{device_id}", "Show a device", models.Device, ask=_show),
    Operation(
        "POST",
        "/v1/devices/{device_id}/accept",
        "Accept a device that enrolled",
        models.DeviceStatus,
        change=_status_change(enrol.accept),
        role="admin",
    ),
    Operation(
        "POST",
        "/v1/devices/{device_id}/revoke",
        "Refuse everything the device's token asks from now on",
        models.DeviceStatus,
        change=_status_change(enrol.revoke),
        role="operator",
    ),
    Operation(
        "POST",
        "/v1/devices/{device_id}/commands",
        "Queue a command of the closed list",
        models.Command,
        change=_command,
        request=models.CommandRequest,
        status=201,
        role="operator",
    ),
    Operation(
        "POST",
        "/v1/push",
        "Bring one artifact to one device",
        models.Push,
        change=_push,
        request=models.PushRequest,
        status=201,
        role="releaser",
    ),
    Operation(
        "GET",
        "/v1/push",
        "List orders to single devices, oldest first",
        models.Page[models.Push],
        ask=_pushes,
        query=(("device", "only this device"), *PAGING),
    ),
    Operation("GET", "/v1/push/{push_id}", "Show an order to one device", models.Push, ask=_push_state),
    Operation(
        "POST",
        "/v1/push/{push_id}/rollback",
        "Bring the device back to what it ran before the push",
        models.Push,
        change=_push_back,
        request=models.PushBackRequest,
        status=201,
        role="operator",
    ),
    Operation(
        "POST",
        "/v1/recover",
        "Bring devices back to stable, into safe mode, or out of it",
        models.Recovery,
        change=_recover,
        request=models.RecoverRequest,
        role="operator",
    ),
)
