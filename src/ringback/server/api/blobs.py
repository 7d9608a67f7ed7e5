"""`/v1/blobs/sha256/<hex>`: uploads. Streamed, hashed on the way, kept only when whole.

Not in the table of operations, because its body is a stream and not a value; it is in the API's description.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ringback.client import models
from ringback.errors import InputError, NotFoundError, RingbackError
from ringback.ports.blobs import BlobError, Upload
from ringback.server.api.access import check_role, operator_of
from ringback.server.api.calls import Operation
from ringback.server.api.gateway import error_response
from ringback.server.context import Context
from ringback.usecases.publish import note_blob

PATH = "/v1/blobs/sha256/{sha256}"

OPERATIONS = (
    Operation("HEAD", PATH, "Whether a file is uploaded, and its size", models.Blob),
    Operation(
        "PUT",
        PATH,
        "Upload a file; 201 when it is new, 200 when it was there",
        models.Blob,
        raw_type="application/octet-stream",
        status=201,
        role="releaser",
    ),
)
_HEX = re.compile(r"[0-9a-f]{64}")

log = structlog.get_logger("blobs")


def endpoint(context: Context) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint for HEAD and PUT."""

    async def answer(request: Request) -> Response:
        try:
            operator = operator_of(context, request.scope)
            check_role(operator, "viewer" if request.method == "HEAD" else "releaser")
            sha256 = request.path_params["sha256"]
            if not _HEX.fullmatch(sha256):
                raise InputError("RB-API-005", "a blob is named by 64 lower-case hexadecimal digits")
            if request.method == "HEAD":
                return _head(context, sha256)
            return await _put(context, sha256, request)
        except RingbackError as error:
            log.info("refused", method=request.method, path=PATH, code=error.code)
            return error_response(error)

    return answer


def _head(context: Context, sha256: str) -> Response:
    size = context.fleet.published.blobs.get(sha256)
    if size is None:
        raise NotFoundError("RB-BLOB-001", f"no blob sha256:{sha256} here")
    return Response(status_code=200, headers={"content-length": str(size), "etag": f'"{sha256}"'})


async def _put(context: Context, sha256: str, request: Request) -> Response:
    size = context.blobs.size_bytes(sha256)
    status = 200
    if size is None:
        size = await _receive(context, sha256, request)
        status = 201
    known = size
    await context.desk.run(lambda fleet: note_blob(fleet, sha256, size_bytes=known, now_ms=context.clock.now_ms()))
    body = msgspec.json.encode(models.Blob(sha256=sha256, size_bytes=size))
    return Response(body, status, media_type="application/json")


async def _receive(context: Context, sha256: str, request: Request) -> int:
    announced = request.headers.get("content-length", "")
    upload: Upload = context.blobs.upload(
        sha256,
        announced_bytes=int(announced) if announced.isascii() and announced.isdigit() else None,
        limit_bytes=context.settings.max_blob_bytes,
    )
    try:
        async for chunk in request.stream():
            if chunk:
                upload.write(chunk)
        return await asyncio.to_thread(upload.finish)
    except ClientDisconnect as gone:
        raise BlobError(
            "RB-BLOB-003", f"the upload of sha256:{sha256} was cut off", hint="send it again; nothing was kept"
        ) from gone
    finally:
        upload.abort()
