"""The network between a board and its server, with the faults that a fault plan names: requests are numbered from 0.

It decides when bytes arrive, and which of them. It never knows what they mean beyond the end of an HTTP request.

Faults of one request: lost (no answer, the device times out), refused (no connection), duplicated (the server sees it
twice), delayed, truncated (half of the answer, then the end), cut (no answer after the server has acted), range (a 206
for another range than was asked for), garbage (bytes that are no HTTP), down (the server answers 503 for a while), old
(it was restored from a backup made before the newest order).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

LATENCY_MS: Final = 20
CONNECT_MS: Final = 30
DELAY_MS: Final = 7000
DOWN_REQUESTS: Final = 5
REQUEST_MAX: Final = 70_000
FAULTS: Final = ("lost", "refused", "duplicated", "delayed", "truncated", "cut", "range", "garbage", "down", "old")

ETIMEDOUT: Final = 110
ECONNREFUSED: Final = 111
ENETUNREACH: Final = 101
ECONNRESET: Final = 104


class Handler(Protocol):
    """What answers: whole requests in, whole answers out."""

    down_for: int

    def answer(self, request: Request) -> bytes: ...

    def restore(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    now_ms: int


@dataclass(slots=True)
class _Stream:
    incoming: bytes = b""
    outgoing: bytes = b""
    ready_at_ms: int = 0
    is_ended: bool = False
    is_mute: bool = False


@dataclass(slots=True)
class Network:
    """Wi-Fi, and streams to one server.

    Attributes:
        handler: answers requests; None for a network without a server.
        faults: request number to fault.
        flapping_ms: the Wi-Fi is up and down in turns of this length; 0 for always up.
        is_down: no Wi-Fi at all.
        epoch_s: what a time server answers, seconds since 2000; None where there is none.
        requests: how many requests were completed or faulted so far.
        carried_bytes: in both directions.
    """

    handler: Handler | None
    faults: Mapping[int, str] = field(default_factory=dict)
    flapping_ms: int = 0
    is_down: bool = False
    epoch_s: int | None = None
    requests: int = 0
    carried_bytes: int = 0
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _last: int = 0

    def power_off(self) -> None:
        """Forget every stream: the board lost power or was reset."""
        self._streams.clear()

    def is_up(self, now_ms: int) -> bool:
        """Whether the Wi-Fi has an address now."""
        if self.is_down:
            return False
        return not self.flapping_ms or now_ms // self.flapping_ms % 2 == 0

    def dial(self, now_ms: int) -> int:
        """Return the handle of a new stream, or an errno as a negative number."""
        if not self.is_up(now_ms) or self.handler is None:
            return -ENETUNREACH
        if self.faults.get(self.requests) == "refused":
            self.requests += 1
            return -ECONNREFUSED
        self._last += 1
        self._streams[self._last] = _Stream()
        return self._last

    def send(self, handle: int, data: bytes, now_ms: int) -> int:
        """Take bytes from the board; a whole request is answered. Returns 0 or an errno as a negative number."""
        stream = self._streams.get(handle)
        if stream is None or not self.is_up(now_ms):
            return -ECONNRESET
        self.carried_bytes += len(data)
        stream.incoming += data
        if len(stream.incoming) > REQUEST_MAX:
            return -ECONNRESET
        request = parse(stream.incoming, now_ms)
        if request is not None:
            stream.incoming = b""
            self._answer(stream, request)
        return 0

    def receive(self, handle: int, size_bytes: int, now_ms: int) -> tuple[bytes | None, int]:
        """Return (bytes, instant they are there); no bytes at the end of the stream, None where nothing will come."""
        stream = self._streams.get(handle)
        if stream is None or not self.is_up(now_ms):
            return b"", now_ms
        if stream.is_mute:
            return None, now_ms
        if not stream.outgoing:
            return (b"", now_ms) if stream.is_ended else (None, now_ms)
        piece, stream.outgoing = stream.outgoing[:size_bytes], stream.outgoing[size_bytes:]
        self.carried_bytes += len(piece)
        return piece, max(now_ms, stream.ready_at_ms)

    def hang_up(self, handle: int) -> None:
        self._streams.pop(handle, None)

    def _answer(self, stream: _Stream, request: Request) -> None:
        assert self.handler is not None
        fault = self.faults.get(self.requests, "")
        self.requests += 1
        stream.ready_at_ms = request.now_ms + LATENCY_MS
        if fault == "lost":
            stream.is_mute = True
            return
        if fault == "down":
            self.handler.down_for = DOWN_REQUESTS
        if fault == "old":
            self.handler.restore()
        if fault == "range":
            request = _other_range(request)
        answer = self.handler.answer(request)
        if fault == "duplicated":
            answer = self.handler.answer(request)
        if fault == "cut":
            stream.is_ended = True
            return
        if fault == "truncated":
            answer, stream.is_ended = answer[: len(answer) // 2], True
        if fault == "garbage":
            answer, stream.is_ended = b"\x00\xff" * 200, True
        if fault == "delayed":
            stream.ready_at_ms += DELAY_MS
        stream.outgoing += answer


def parse(data: bytes, now_ms: int) -> Request | None:
    """Return the request when it is complete."""
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers.get("content-length", "0"))
    if len(body) < size:
        return None
    method, path, *_ = [*first.split(" "), "", ""]
    return Request(method, path, headers, body[:size], now_ms)


def _other_range(request: Request) -> Request:
    """The same request, but for a range that begins 512 bytes later than was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "bytes=0-"))
    start = int(found[1]) if found else 0
    headers = {**request.headers, "range": f"bytes={start + 512}-"}
    return Request(request.method, request.path, headers, request.body, request.now_ms)
