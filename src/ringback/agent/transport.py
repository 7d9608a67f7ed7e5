"""HTTP to the server: check-in over one kept connection, enrolment, and byte ranges of artifacts.

It decides nothing about when to speak or what an answer means; back-off and verification are the kernel's.

Invariants:

- Every answer is read up to a limit, every wait has a timeout; redirects are not followed.
- A request is sent again only on a connection that the server had closed meanwhile, once (RFC 9110, section 9.2.2:
  a check-in is keyed by boot id and sequence number, so a second copy changes nothing).
- The token goes to the server of the identity and to nobody else, and never into a log.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from ringback.agent.errors import PortError
from ringback.agent.ports import CheckinAnswer, Json

TIMEOUT_S = 10.0
"""Longest silence of the server within one answer. A gate that waits for a check-in waits at least as long."""

ANSWER_LIMIT_BYTES = 512 * 1024
"""Largest desired state or error. A desired state of a class with 16 planes and 64 rules has about 40 KiB."""

NEXT_LIMIT_MS = 24 * 3600 * 1000
"""A server that sends a device away for longer than a day is broken or hostile."""

LOST = (http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is. Parsed from `http[s]://host[:port][/prefix]`."""

    scheme: str
    host: str
    port: int
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Server":
        """Raises PortError RB-AGENT-010 when the address is none."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
            raise PortError("RB-AGENT-010", f"{url!r} is not the address of a server; expected http(s)://host[:port]")
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


class Connection:
    """One connection that is opened when needed and kept for as long as the server keeps it."""

    def __init__(self, server: Server, *, ca_file: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._server = server
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._live: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, *, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        """Sends one request and returns the answer with its body still to read. Raises PortError (retry)."""
        used_before = self._live is not None
        try:
            return self._send(method, path, headers, body)
        except LOST as error:
            self.close()
            if not used_before or isinstance(error, TimeoutError):
                raise self._unreachable(error) from error
        try:
            return self._send(method, path, headers, body)
        except LOST as error:
            self.close()
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Drops the connection; the next request opens another."""
        if self._live is not None:
            self._live.close()
            self._live = None

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        if self._live is None:
            self._live = self._open()
        self._live.request(method, self._server.prefix + path, body=body or None, headers=headers)
        return self._live.getresponse()

    def _open(self) -> http.client.HTTPConnection:
        server = self._server
        if server.scheme == "http":
            return http.client.HTTPConnection(server.host, server.port, timeout=self._timeout_s)
        import ssl

        context = ssl.create_default_context(cafile=self._ca_file or None)
        return http.client.HTTPSConnection(server.host, server.port, timeout=self._timeout_s, context=context)

    def _unreachable(self, error: BaseException) -> PortError:
        where = f"{self._server.scheme}://{self._server.host}:{self._server.port}"
        return PortError("RB-AGENT-010", f"{where} does not answer: {error!r}", retry=True)


class Blob:
    """The bytes of one artifact file from `start` on, as they come in."""

    def __init__(self, connection: Connection, answer: http.client.HTTPResponse, start: int) -> None:
        self._connection = connection
        self._answer = answer
        self.start = start

    def read(self, limit_bytes: int) -> bytes:
        """Returns up to `limit_bytes`, empty at the end. Raises PortError (retry)."""
        try:
            return self._answer.read(limit_bytes)
        except LOST as error:
            raise PortError("RB-AGENT-020", f"the download broke off: {error!r}", retry=True) from error

    def __enter__(self) -> "Blob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or not self._answer.isclosed():
            self._answer.close()
            self._connection.close()


class HttpTransport:
    """The real `Transport`, and the source of `fetch`.

    Args:
        server: address of the server.
        token: what the device proves itself with; empty before enrolment.
        ca_file: PEM file of the authority that signed the server's certificate; empty for the system's.
        now_ms: elapsed time, for `uplink`.
        utc_ms: the time of day, 0 where it cannot be believed.
    """

    def __init__(
        self, server: Server, token: str, *, ca_file: str = "", now_ms: Callable[[], int], utc_ms: Callable[[], int]
    ) -> None:
        self._utc_ms = utc_ms
        self._checkins = Connection(server, ca_file=ca_file)
        self._downloads = Connection(server, ca_file=ca_file)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._last: tuple[bool, int] = (False, 0)

    def uplink(self) -> tuple[bool, int]:
        """Returns whether the newest check-in was answered, and when that was (elapsed ms; 0 = none yet)."""
        with self._lock:
            return self._last

    def checkin(self, body: bytes) -> CheckinAnswer:
        """Sends a report. Any HTTP status is an answer. Raises PortError when there is none."""
        try:
            answer = self._checkin(body)
        except PortError:
            self._note(False)
            raise
        self._note(answer.status < 500)
        return answer

    def _checkin(self, body: bytes) -> CheckinAnswer:
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = self._checkins.request("POST", "/d/1/checkin", headers=headers, body=body)
        data = read_limited(self._checkins, answer)
        return CheckinAnswer(answer.status, data, next_ms(answer), self._utc_ms())

    def _note(self, answered: bool) -> None:
        with self._lock:
            self._last = (answered, self._now_ms())

    def enrol(self, request: dict[str, Json]) -> tuple[int, dict[str, Json]]:
        """Asks for an identity; returns the HTTP status and the answer's object (empty if it holds none)."""
        body = json.dumps(request).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._checkins.request("POST", "/d/1/enrol", headers=headers, body=body)
        data = read_limited(self._checkins, answer)
        try:
            parsed = json.loads(data)
        except ValueError:
            parsed = None
        return answer.status, parsed if isinstance(parsed, dict) else {}

    def blob(self, sha256_hex: str, start: int) -> Blob:
        """Opens the file with this hash at byte `start`.

        Returns:
            The bytes from `Blob.start` on, which is `start`, or 0 when the server does not serve ranges.

        Raises:
            PortError: RB-AGENT-021 the server does not have it; RB-AGENT-020 it broke off or answered nonsense.
        """
        headers = dict(self._headers)
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": f'"{sha256_hex}"'}
        answer = self._downloads.request("GET", f"/a/1/sha256/{sha256_hex}", headers=headers, body=b"")
        if answer.status == 200:
            return Blob(self._downloads, answer, 0)
        if answer.status == 206 and (answer.getheader("Content-Range") or "").startswith(f"bytes {start}-"):
            return Blob(self._downloads, answer, start)
        answer.close()
        self._downloads.close()
        if answer.status == 416 and start:
            return self.blob(sha256_hex, 0)
        if answer.status in {403, 404, 410}:
            raise PortError("RB-AGENT-021", f"the server has no {sha256_hex[:16]} (HTTP {answer.status})", retry=True)
        raise PortError("RB-AGENT-020", f"HTTP {answer.status} for {sha256_hex[:16]} from {start}", retry=True)

    def close(self) -> None:
        """Drops both connections."""
        self._checkins.close()
        self._downloads.close()


def read_limited(connection: Connection, answer: http.client.HTTPResponse) -> bytes:
    """Returns the whole body. Raises PortError when it is larger than the limit or breaks off."""
    try:
        data = answer.read(ANSWER_LIMIT_BYTES + 1)
    except LOST as error:
        connection.close()
        raise PortError("RB-AGENT-010", f"the answer broke off: {error!r}", retry=True) from error
    # `read` with a size gives what there is; only the length that is left tells that there should be more.
    is_short = bool(answer.length)
    if not answer.isclosed():
        answer.close()
        connection.close()
    if len(data) > ANSWER_LIMIT_BYTES:
        text = f"the server's answer has more than {ANSWER_LIMIT_BYTES} bytes"
        raise PortError("RB-AGENT-011", text, retry=True)
    if is_short:
        raise PortError("RB-AGENT-010", f"the answer broke off after {len(data)} bytes", retry=True)
    return data


def next_ms(answer: http.client.HTTPResponse) -> int:
    """Returns how long the server wants the device to wait, in ms; 0 when it does not say."""
    text = answer.getheader("Ringback-Next-S") or answer.getheader("Retry-After") or "0"
    try:
        wait_ms = int(float(text) * 1000)
    except (ValueError, OverflowError):
        return 0
    return min(max(wait_ms, 0), NEXT_LIMIT_MS)


def elapsed_s() -> float:
    """Returns elapsed seconds for timeouts of transfers."""
    return time.monotonic()
