"""`/v1/audit`: who did what, when and why."""

from __future__ import annotations

from typing import cast

from ringback.client import models
from ringback.ports.rows import AuditRow
from ringback.server.api.calls import PAGING, Call, Operation
from ringback.server.api.paging import number_of, written


async def _list(call: Call) -> models.Page[models.Audit]:
    tenant_id, after, limit = call.context.fleet.tenant_id, number_of(call), call.limit
    found = await call.context.desk.ask(
        lambda store: store.history(AuditRow, (tenant_id,), after=after, limit=limit + 1)
    )
    rows = cast(list[AuditRow], found)
    following = written(str(rows[limit - 1].seq)) if len(rows) > limit else None
    items = [models.Audit(row.seq, row.at_ms, row.actor, row.action, row.object_id, row.reason) for row in rows[:limit]]
    return models.Page(items=items, next=following)


OPERATIONS = (
    Operation(
        "GET",
        "/v1/audit",
        "Who did what, when and why, oldest first",
        models.Page[models.Audit],
        ask=_list,
        query=PAGING,
        role="admin",
    ),
)
