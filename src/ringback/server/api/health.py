"""`/v1/healthz`, `/v1/readyz`: for those who keep the server running."""

from __future__ import annotations

from ringback.client import models
from ringback.server.api.calls import Call, Operation


async def _alive(call: Call) -> models.Health:
    return models.Health(ok=True, checks={"process": "ok"})


async def _ready(call: Call) -> models.Health:
    """Say whether check-ins can be made durable now."""
    checks = {"journal": "ok", "store": "ok", "controller": "ok", **call.context.problems}
    return models.Health(ok=not call.context.problems, checks=checks)


OPERATIONS = (
    Operation("GET", "/v1/healthz", "Whether the process lives", models.Health, ask=_alive, is_open=True),
    Operation("GET", "/v1/readyz", "Whether it can take work", models.Health, ask=_ready, is_open=True),
)
