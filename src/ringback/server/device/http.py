"""The little HTTP that raw ASGI endpoints need: headers, bodies, answers, and errors in their one shape.

Decides: which error has which status. Never: shows more of an error than code, message, fields and hint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from ringback.errors import (
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    RetryLaterError,
    RingbackError,
)
from ringback.ports.store import NoRoomError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")

STATUS_BY_CODE: dict[str, int] = {
    "RB-ENROL-001": 401,
    "RB-API-001": 401,
    "RB-REPORT-001": 413,
    "RB-REPORT-006": 429,
    "RB-BLOB-001": 404,
    "RB-BLOB-002": 413,
    "RB-API-004": 405,
    "RB-API-006": 413,
    "RB-API-007": 415,
    "RB-STORE-002": 412,
    "RB-DEVICE-010": 429,
}
"""Codes whose status is not that of their class."""

STATUS_BY_CLASS: tuple[tuple[type[RingbackError], int], ...] = (
    (NoRoomError, 507),
    (RetryLaterError, 503),
    (NotFoundError, 404),
    (ConflictError, 409),
    (NotAllowedError, 403),
    (InputError, 400),
)


class ClientGoneError(Exception):
    """The client hung up in the middle of its request: there is nobody to answer."""


class ErrorShape(msgspec.Struct, frozen=True):
    """Every error, everywhere."""

    code: str
    message: str
    fields: dict[str, str]
    hint: str


def status_of(error: RingbackError) -> int:
    """Return the HTTP status of an error; 500 is our fault or needs a person at the server."""
    by_code = STATUS_BY_CODE.get(error.code)
    if by_code is not None:
        return by_code
    return next((status for kind, status in STATUS_BY_CLASS if isinstance(error, kind)), 500)


def error_body(error: RingbackError) -> bytes:
    """Return an error as JSON."""
    return msgspec.json.encode(ErrorShape(error.code, error.message, error.fields, error.hint))


def error_headers(error: RingbackError) -> Headers:
    """Return the headers that go with an error."""
    headers = [JSON_TYPE]
    if isinstance(error, RetryLaterError):
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if status_of(error) == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_error(send: Send, error: RingbackError) -> None:
    """Send an error in its one shape."""
    body = error_body(error)
    headers = [*error_headers(error), (b"content-length", b"%d" % len(body))]
    await respond(send, status_of(error), headers, body)


async def read_body(receive: Receive, limit_bytes: int, *, too_long: Callable[[], RingbackError]) -> bytes:
    """Return a request's whole body.

    Raises:
        the error of `too_long`: there is more than `limit_bytes`; the rest is not read.
        ClientGoneError: the client hung up first.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        pieces = [body]
        size = len(body)
        while message.get("more_body", False) and size <= limit_bytes:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
        body = b"".join(pieces)
    if len(body) > limit_bytes:
        raise too_long()
    return body


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """Return a header's value, or nothing; `name` is in lower case."""
    for key, value in headers:
        if key == name:
            return value
    return b""


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the bearer token, or nothing."""
    value = header(headers, b"authorization")
    return value[7:] if value[:7].lower() == b"bearer " else b""
