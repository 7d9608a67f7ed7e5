"""A small HTTP/1.1 client for hundreds of simulated devices in one process: keep-alive, pooled, bounded.

Decides: nothing. It knows only what the device wire uses: one request at a time per connection, answers with a
Content-Length or without a body. A connection that breaks fails its request; the device's own back-off tries again.
"""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import cast

# Connections to the server for the whole fleet. A request waits for a free one; the server answers within milliseconds.
CONNECTIONS_LIMIT = 24
HEAD_LIMIT_BYTES = 16_384
# Models are a few megabytes; anything larger than this in the demo is a mistake.
BODY_LIMIT_BYTES = 64 * 1024 * 1024
TIMEOUT_S = 10.0


class WireError(Exception):
    """The request got no answer, or one that is not HTTP as agreed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one request in flight."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None
        self._head: tuple[int, dict[str, str], int] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> "asyncio.Future[Answer]":
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._take()
        except ValueError as error:
            self._fail(WireError(f"the server sent what is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(WireError("the server closed the connection"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _take(self) -> None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT_BYTES:
                    raise ValueError(f"a head of more than {HEAD_LIMIT_BYTES} bytes")
                return
            self._head = _parse_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        status, headers, length = self._head
        if len(self._buffer) < length:
            return
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(Answer(status, headers, body))
        if headers.get("connection", "") == "close":
            self.close()

    def _fail(self, error: WireError) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.close()


def _parse_head(head: bytes) -> tuple[int, dict[str, str], int]:
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = 0 if status in (204, 304) else int(headers.get("content-length", "0"))
    if not 0 <= length <= BODY_LIMIT_BYTES:
        raise ValueError(f"a body of {length} bytes")
    return status, headers, length


class HttpPool:
    """A few connections shared by many devices."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._free: deque[_Connection] = deque()
        self._slots = asyncio.Semaphore(CONNECTIONS_LIMIT)

    async def request(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Sends one request and returns its answer.

        Raises:
            WireError: no answer within the time limit, no connection, or not HTTP.
        """
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        async with self._slots:
            connection = await self._connection()
            try:
                answer = await asyncio.wait_for(connection.send(request), TIMEOUT_S)
            except TimeoutError as error:
                connection.close()
                raise WireError(f"no answer within {TIMEOUT_S:.0f} s") from error
            except asyncio.CancelledError:
                connection.close()
                raise
            if connection.is_open:
                self._free.append(connection)
            return answer

    async def close(self) -> None:
        while self._free:
            self._free.pop().close()

    async def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            try:
                _, connection = await asyncio.wait_for(
                    loop.create_connection(_Connection, self._host, self._port), TIMEOUT_S
                )
            except OSError as error:
                raise WireError(f"no connection to {self._host}:{self._port}: {error}") from error
            return connection
        raise WireError(f"no connection to {self._host}:{self._port} within {TIMEOUT_S:.0f} s")
