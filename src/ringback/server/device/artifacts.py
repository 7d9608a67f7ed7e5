"""`GET /a/1/sha256/<hex>`: manifests and files of published artifacts, by hash.

Decides: which part of a blob is sent. Never: serves what is not part of a published artifact of the caller's tenant.

- What a hash names never changes: ETag is the hash, and a cache may keep it for ever.
- One range a request (RFC 9110 section 14); several are answered with the whole, as it allows.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ringback.errors import InputError, NotAllowedError, NotFoundError, RingbackError
from ringback.ports.blobs import Blobs
from ringback.server.device.http import Receive, Scope, Send, bearer, error_body, header, respond, respond_error
from ringback.usecases.checkin import authenticate
from ringback.usecases.fleet import Fleet

PREFIX = "/a/1/sha256/"
_HEX = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes [start, stop) of `size` bytes; `is_whole` where no range was asked for."""

    start: int
    stop: int
    size: int
    is_whole: bool


class UnsatisfiableError(InputError):
    """The range begins behind the end (RB-ARTIFACT-006)."""


class ArtifactEndpoint:
    """The raw ASGI endpoint.

    Args:
        is_operator: says whether a request comes from an operator; devices show their token.
    """

    def __init__(self, fleet: Fleet, blobs: Blobs, *, is_operator: Callable[[Scope], bool]) -> None:
        self._fleet = fleet
        self._blobs = blobs
        self._is_operator = is_operator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD."""
        sha256 = scope["path"][len(PREFIX) :]
        size: int | None = None
        try:
            self._check(scope, sha256)
            size = self._blobs.size_bytes(sha256)
            if size is None or not self._fleet.is_published(sha256):
                raise NotFoundError("RB-ARTIFACT-001", "no published artifact has this blob")
            headers = scope["headers"]
            etag = b'"%s"' % sha256.encode()
            if etag in header(headers, b"if-none-match"):
                await respond(send, 304, [(b"etag", etag)], b"")
                return
            part = wanted_part(header(headers, b"range"), header(headers, b"if-range"), etag=etag, size=size)
        except UnsatisfiableError as error:
            body = error_body(error)
            content_range = (b"content-range", b"bytes */%d" % (size or 0))
            await respond(send, 416, [content_range, (b"content-length", b"%d" % len(body))], body)
            return
        except RingbackError as error:
            await respond_error(send, error)
            return
        await self._send(send, sha256, part, is_head=scope["method"] == "HEAD")

    def _check(self, scope: Scope, sha256: str) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise InputError("RB-API-004", f"{scope['method']} is not possible here, only GET and HEAD")
        token = bearer(scope["headers"])
        if token:
            digest = hashlib.sha256(token).digest()
            if not self._is_operator(scope):
                authenticate(self._fleet, digest)
        elif not self._is_operator(scope):
            raise NotAllowedError("RB-ENROL-001", "artifacts are for enrolled devices", hint="send the device's token")
        if not _HEX.fullmatch(sha256):
            raise NotFoundError("RB-ARTIFACT-001", "a blob is named by 64 hexadecimal digits")

    async def _send(self, send: Send, sha256: str, part: Part, *, is_head: bool) -> None:
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % (part.stop - part.start)),
            (b"etag", b'"%s"' % sha256.encode()),
            (b"accept-ranges", b"bytes"),
            (b"cache-control", b"public, max-age=31536000, immutable"),
        ]
        if not part.is_whole:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, part.size)))
        await send({"type": "http.response.start", "status": 200 if part.is_whole else 206, "headers": headers})
        if not is_head:
            chunks = self._blobs.chunks(sha256, start=part.start, stop=part.stop)
            while (chunk := await asyncio.to_thread(_next, chunks)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def wanted_part(asked: bytes, if_range: bytes, *, etag: bytes, size: int) -> Part:
    """Return what a Range header asks for; the whole where there is none that can be served.

    Raises:
        UnsatisfiableError: the range begins at or behind the end (RB-ARTIFACT-006).
    """
    whole = Part(0, size, size, is_whole=True)
    found = _RANGE.fullmatch(asked)
    if found is None or (if_range and if_range != etag):
        return whole
    first, last = found.groups()
    if not first and not last:
        return whole
    if not first:  # the last so many bytes
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return whole
    if start >= size or start >= stop:
        raise UnsatisfiableError(
            "RB-ARTIFACT-006", f"the range begins at byte {start} of {size}", hint="the blob is complete already"
        )
    return Part(start, stop, size, is_whole=False)
