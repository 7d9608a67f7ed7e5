"""A load generator: many kept connections, one process of its own, as little work per request as Python allows.

Decides: which device sends next and when. Two ways to drive:

- closed: each connection sends again when it was answered: how much can the server do?
- open: requests are due at fixed instants, whether or not the server keeps up; latency counts from the instant a
  request was *due*, so a stall is charged to every request that had to wait for it.

Run as a program: reads one JSON line of `Load` from standard input, writes one JSON line of `Measured`.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

SEQ_FIRST = 1_000_000_000
"""Ten digits from the start, so that every request of a device has the same length."""

REPORT = (
    '{"v":1,"device":"%s","boot_id":"%016x","seq":%%d,"up_ms":123456789,"have":0,"root":1,"agent":"0.1.0",'
    '"class":"bench-box","state":"idle","deploy":null,"planes":{"app":["sha256:%s","1.4.0"],"config":["sha256:%s",'
    '"1.2.0"],"model/face":["sha256:%s","3.0.1"]},"confirmed":{"app":"sha256:%s","config":"sha256:%s","model/face":'
    '"sha256:%s"},"outcome":null,"trans":[],"read":{"latency/face.p50_us":1200,"latency/face.p95_us":1640,'
    '"memory.rss_kb":48200,"disk.free_kb":912000,"temperature.max_mdegc":51200},"log_seq":912,"flags":[],"cmds":[]}'
)


class Load(msgspec.Struct):
    """What to send.

    Attributes:
        first, devices: devices `first` to `first + devices - 1` of the seeded fleet.
        rate_per_s: open loop at this rate; 0 = closed loop.
        boot: number of the devices' boot: a new one for each load, so that no report looks like a repetition.
        reconnect: a new connection for every request.
        ack_file: where the numbers of answered requests go, as they are answered; "" = nowhere.
        ca_file: trust this certificate and use TLS; "" = plain.
    """

    host: str
    port: int
    path: str
    connections: int
    seconds: float
    first: int = 0
    devices: int = 0
    rate_per_s: int = 0
    reconnect: bool = False
    boot: int = 0
    ack_file: str = ""
    ca_file: str = ""


class Measured(msgspec.Struct):
    """What came back. Latencies in ms; in a closed loop they are queueing and say little."""

    requests: int
    seconds: float
    by_status: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    late: int


def token_of(number: int) -> str:
    """Return the token of a seeded device."""
    return hashlib.sha256(b"bench device %d" % number).hexdigest()


def device_of(number: int) -> str:
    """Return the id of a seeded device."""
    return f"bench-{number:07d}"


def requests_of(load: Load, number: int) -> tuple[bytes, bytes]:
    """Return a device's request in two parts, to be joined by its seq."""
    digests = [hashlib.sha256(name).hexdigest() for name in (b"app", b"config", b"face")] * 2
    head, tail = (REPORT % (device_of(number), load.boot, *digests)).split("%d")
    length = len(head) + len(str(SEQ_FIRST)) + len(tail)
    lines = (
        f"POST {load.path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\nAuthorization: Bearer {token_of(number)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n"
        f"{'Connection: close' + chr(13) + chr(10) if load.reconnect else ''}\r\n"
    )
    return (lines + head).encode(), tail.encode()


class Driver:
    """Keeps all connections busy, or on time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.requests = [requests_of(load, load.first + number) for number in range(load.devices)]
        self.seqs = [SEQ_FIRST] * load.devices
        self.next_device = 0
        self.by_status: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.free: list[Connection] = []
        self.due: list[float] = []
        self.stop_at = 0.0
        self.acks = Path(load.ack_file).open("ab", buffering=0) if load.ack_file else None  # noqa: SIM115

    def take(self) -> tuple[int, bytes]:
        """Return the next device's number and its request."""
        number = self.next_device
        self.next_device = (number + 1) % self.load.devices
        self.seqs[number] += 1
        head, tail = self.requests[number]
        return number, b"%s%d%s" % (head, self.seqs[number], tail)

    def answered(self, connection: Connection, status: str, latency_ms: float) -> None:
        """Count one answer and give its connection the next request."""
        self.by_status[status] += 1
        self.latencies_ms.append(latency_ms)
        if self.acks is not None and status in ("200", "204"):
            self.acks.write(b"%d %d\n" % (self.load.first + connection.number, self.seqs[connection.number]))
        if time.perf_counter() >= self.stop_at:
            return
        if self.load.rate_per_s:
            if self.due:
                connection.send(self.due.pop(0))
            else:
                self.free.append(connection)
        elif not self.load.reconnect:
            connection.send(time.perf_counter())

    async def run(self) -> Measured:
        """Send until the time is over."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self.stop_at = started + self.load.seconds
        if self.load.reconnect:
            await asyncio.gather(*(self._reconnecting(loop) for _ in range(self.load.connections)))
        else:
            for _ in range(self.load.connections):
                await self._connect(loop)
            started = time.perf_counter()
            self.stop_at = started + self.load.seconds
            if self.load.rate_per_s:
                await self._on_time()
            else:
                for connection in self.free:
                    connection.send(time.perf_counter())
                await asyncio.sleep(self.load.seconds)
        seconds = time.perf_counter() - started
        ordered = sorted(self.latencies_ms) or [0.0]
        return Measured(
            requests=sum(self.by_status.values()),
            seconds=seconds,
            by_status=dict(self.by_status),
            p50_ms=ordered[len(ordered) // 2],
            p99_ms=ordered[int(len(ordered) * 0.99)],
            max_ms=ordered[-1],
            late=len(self.due),
        )

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        context = ssl.create_default_context(cafile=self.load.ca_file) if self.load.ca_file else None
        _transport, connection = await loop.create_connection(
            lambda: Connection(self), self.load.host, self.load.port, ssl=context
        )
        self.free.append(connection)
        return connection

    async def _reconnecting(self, loop: asyncio.AbstractEventLoop) -> None:
        while time.perf_counter() < self.stop_at:
            began = time.perf_counter()
            connection = await self._connect(loop)
            connection.send(began)
            await connection.closed.wait()

    async def _on_time(self) -> None:
        step_s = 0.001
        began = time.perf_counter()
        sent = 0
        while (now := time.perf_counter()) < self.stop_at:
            wanted = int((now - began) * self.load.rate_per_s)
            while sent < wanted:
                due = began + sent / self.load.rate_per_s
                sent += 1
                if self.free:
                    self.free.pop().send(due)
                else:
                    self.due.append(due)
            await asyncio.sleep(step_s)


class Connection(asyncio.Protocol):
    """One kept connection with one request in flight."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.began = 0.0
        self.number = 0
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self.closed.set()

    def send(self, began: float) -> None:
        """Send the next device's request; latency counts from `began`."""
        self.began = began
        self.number, request = self.driver.take()
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count a whole answer."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        status = head[9:12].decode()
        length_at = head.find(b"content-length: ")
        length = 0 if length_at < 0 else int(head[length_at + 16 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.buffer = self.buffer[end + 4 + length :]
        self.driver.answered(self, status, (time.perf_counter() - self.began) * 1000)


def main() -> None:
    """Run one load."""
    import uvloop

    load = msgspec.json.decode(sys.stdin.buffer.readline(), type=Load)
    measured = uvloop.run(Driver(load).run())
    sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")


if __name__ == "__main__":
    main()
