"""The table of all operations, and the Starlette application that serves it."""

from __future__ import annotations

import sys
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringback.errors import BugError, InputError, NotFoundError
from ringback.server.api import audit, blobs, brakes, catalog, claims, devices, health, rollouts
from ringback.server.api.calls import Operation
from ringback.server.api.gateway import endpoint, error_response
from ringback.server.api.openapi import describe
from ringback.server.context import Context

log = structlog.get_logger("api")

OPERATIONS: Final[tuple[Operation, ...]] = (
    *health.OPERATIONS,
    *claims.OPERATIONS,
    *devices.OPERATIONS,
    *catalog.OPERATIONS,
    *rollouts.OPERATIONS,
    *brakes.OPERATIONS,
    *audit.OPERATIONS,
)

DESCRIBED: Final = (*OPERATIONS, *blobs.OPERATIONS)
"""All that is described: uploads are streams and have an endpoint of their own."""


def application(context: Context) -> Starlette:
    """Return the operator API."""
    description = describe(DESCRIBED)

    async def openapi(_request: Request) -> Response:
        return Response(description, media_type="application/json")

    routes = [Route(each.path, endpoint(context, each), methods=[each.method]) for each in OPERATIONS]
    routes.append(Route(blobs.PATH, blobs.endpoint(context), methods=["HEAD", "PUT"]))
    routes.append(Route("/openapi.json", openapi, methods=["GET"]))
    return Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _broken})


async def _refused(request: Request, error: Exception) -> Response:
    """Give the framework's own refusals the one shape."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return error_response(InputError("RB-API-004", f"{request.method} is not possible on this path"))
    return error_response(NotFoundError("RB-API-003", "no such path", hint="GET /openapi.json lists all of them"))


async def _broken(request: Request, error: Exception) -> Response:
    """Tell a bug of ours to the log with its trace, and to the caller that it is ours."""
    log.error("failed", method=request.method, path=request.url.path, exc_info=error)
    hint = "report it with the trace that the server has logged"
    return error_response(BugError("RB-API-011", f"{request.method} {request.url.path} failed: our fault", hint=hint))


if __name__ == "__main__":
    sys.stdout.buffer.write(describe(DESCRIBED))
