"""`/v1/stops`, `/v1/freezes`: what may not be newly activated."""

from __future__ import annotations

from typing import Any

from ringback.client import models
from ringback.errors import InputError
from ringback.ports.rows import StopRow
from ringback.server.api import shown
from ringback.server.api.calls import PAGING, Call, Operation
from ringback.server.api.catalog import artifact_named
from ringback.server.api.paging import page
from ringback.usecases import brakes
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome, UseCase


def _stop(call: Call) -> UseCase[Any]:
    asked = call.body(models.StopRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Stop]:
        made = brakes.stop(
            fleet,
            where=asked.where,
            reason=asked.reason,
            is_dry_run=asked.dry_run,
            ids=call.context.ids,
            now_ms=call.now_ms,
        )
        found = made.answer
        row = found.row or StopRow(fleet.tenant_id, "", asked.where, asked.reason, call.now_ms)
        answer = shown.stop(
            row,
            devices=found.reached.devices,
            withdrawn=found.reached.withdrawn,
            beyond_recall=found.reached.beyond_recall,
        )
        return Outcome(made.changes, answer)

    return carry_out


async def _stops(call: Call) -> models.Page[models.Stop]:
    fleet = call.context.fleet
    rows = sorted(fleet.stops.values(), key=lambda row: row.stop_id)

    def one(row: StopRow) -> models.Stop:
        return shown.stop(row, devices=len(brakes.selected(fleet, brakes.selector(row.where))))

    return page(call, rows, key=lambda row: row.stop_id, shown=one)


def _lift_stop(call: Call) -> UseCase[Any]:
    def carry_out(fleet: Fleet) -> Outcome[models.Stop]:
        made = brakes.lift_stop(fleet, call.path["stop_id"])
        return Outcome(made.changes, shown.stop(made.answer, devices=0))

    return carry_out


def _freeze(call: Call) -> UseCase[Any]:
    asked = call.body(models.FreezeRequest)

    def carry_out(fleet: Fleet) -> Outcome[models.Freeze]:
        if bool(asked.artifact) == bool(asked.digest):
            raise InputError("RB-API-005", "name what to freeze: `artifact`, or `plane` and `digest`")
        found = artifact_named(fleet, asked.artifact or asked.digest)
        made = brakes.freeze(
            fleet,
            plane=asked.plane or found.plane,
            digest=found.digest,
            reason=asked.reason,
            is_dry_run=asked.dry_run,
            ids=call.context.ids,
            now_ms=call.now_ms,
        )
        answer = shown.freeze(fleet, made.answer.row, beyond_recall=made.answer.beyond_recall)
        return Outcome(made.changes, answer)

    return carry_out


async def _freezes(call: Call) -> models.Page[models.Freeze]:
    fleet = call.context.fleet
    rows = sorted(fleet.freezes.values(), key=lambda row: row.freeze_id)
    return page(call, rows, key=lambda row: row.freeze_id, shown=lambda row: shown.freeze(fleet, row))


def _unfreeze(call: Call) -> UseCase[Any]:
    def carry_out(fleet: Fleet) -> Outcome[models.Freeze]:
        made = brakes.unfreeze(fleet, call.path["freeze_id"])
        return Outcome(made.changes, shown.freeze(fleet, made.answer))

    return carry_out


OPERATIONS = (
    Operation(
        "POST",
        "/v1/stops",
        "Let nothing newly activate where a selector holds",
        models.Stop,
        change=_stop,
        request=models.StopRequest,
        status=201,
        role="operator",
    ),
    Operation("GET", "/v1/stops", "List stops", models.Page[models.Stop], ask=_stops, query=PAGING),
    Operation("DELETE", "/v1/stops/{stop_id}", "Lift a stop", models.Stop, change=_lift_stop, role="releaser"),
    Operation(
        "POST",
        "/v1/freezes",
        "Let nobody newly activate an artifact",
        models.Freeze,
        change=_freeze,
        request=models.FreezeRequest,
        status=201,
        role="operator",
    ),
    Operation("GET", "/v1/freezes", "List freezes", models.Page[models.Freeze], ask=_freezes, query=PAGING),
    Operation("DELETE", "/v1/freezes/{freeze_id}", "Lift a freeze", models.Freeze, change=_unfreeze, role="releaser"),
)
