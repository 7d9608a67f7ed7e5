"""`/v1/claims`: tokens that let devices enrol."""

from __future__ import annotations

from typing import Any

from ringback.client import models
from ringback.errors import InputError
from ringback.ports.rows import ClaimRow
from ringback.server.api.calls import PAGING, Call, Operation
from ringback.server.api.paging import page
from ringback.usecases.enrol import create_claim
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome, UseCase

TTL_MAX_MS = 366 * 86_400_000


def _create(call: Call) -> UseCase[Any]:
    asked = call.body(models.ClaimRequest)
    settings = call.context.settings
    if not 1 <= asked.ttl_ms <= TTL_MAX_MS:
        raise InputError("RB-ENROL-010", f"ttl_ms={asked.ttl_ms} is no number from 1 to {TTL_MAX_MS}")
    by_policy = settings.auto_accept or settings.demo

    def carry_out(fleet: Fleet) -> Outcome[models.Claim]:
        made = create_claim(
            fleet,
            ids=call.context.ids,
            uses_count=asked.uses,
            expires_at_ms=call.now_ms + asked.ttl_ms,
            auto_accept=by_policy if asked.auto_accept is None else asked.auto_accept,
            now_ms=call.now_ms,
        )
        return Outcome(made.changes, _shown(made.answer.claim, made.answer.token))

    return carry_out


async def _list(call: Call) -> models.Page[models.Claim]:
    claims = sorted(call.context.fleet.claims.values(), key=lambda claim: claim.claim_id)
    return page(call, claims, key=lambda claim: claim.claim_id, shown=_shown)


def _shown(claim: ClaimRow, token: str = "") -> models.Claim:
    return models.Claim(
        id=claim.claim_id,
        uses_left=claim.uses_left,
        expires_at_ms=claim.expires_at_ms,
        auto_accept=claim.auto_accept,
        created_at_ms=claim.created_at_ms,
        token=token,
    )


OPERATIONS = (
    Operation(
        "POST",
        "/v1/claims",
        "Make a claim token; it is shown once",
        models.Claim,
        change=_create,
        request=models.ClaimRequest,
        status=201,
        role="admin",
    ),
    Operation("GET", "/v1/claims", "List claims", models.Page[models.Claim], ask=_list, query=PAGING, role="admin"),
)
