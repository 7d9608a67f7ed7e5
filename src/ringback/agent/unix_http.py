"""HTTP to the services of this box, over their Unix sockets: one request per connection, short timeouts, small answers.

Invariants:

- An answer that does not come within the timeout, is too large or is no HTTP is a `ProbeError`, never a hang.
- The timeout bounds the whole request, not each read: a service that drips bytes is as mute as one that sends none.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ringback.agent.errors import ProbeError
from ringback.agent.ports import Json

ANSWER_LIMIT_BYTES = 256 * 1024
ADDRESS_LIMIT_BYTES = 100
"""Linux allows 107 bytes in the address of a Unix socket; deeper folders are reached through a descriptor."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of one answer."""

    status: int
    body: bytes


def request(path: Path, method: str, target: str, *, timeout_ms: int) -> Answer:
    """Sends one request without a body to the socket at `path`.

    Raises:
        ProbeError: RB-PROBE-001 nobody answers in time, RB-PROBE-002 the answer is no HTTP or too large.
    """
    deadline_s = time.monotonic() + timeout_ms / 1000
    what = f"{path.stem} {method} {target}"
    try:
        with address(path) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(max(deadline_s - time.monotonic(), 0.001))
            peer.connect(short)
            head = f"{method} {target} HTTP/1.1\r\nHost: box\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            peer.sendall(head.encode("ascii"))
            data = _read_all(peer, deadline_s)
    except TimeoutError as error:
        raise ProbeError("RB-PROBE-001", f"{what}: no answer within {timeout_ms} ms", retry=True) from error
    except OSError as error:
        raise ProbeError("RB-PROBE-001", f"{what}: {error.strerror or error}", retry=True) from error
    return _parse(data, what)


def get_object(path: Path, target: str, *, timeout_ms: int) -> dict[str, Json]:
    """Returns the JSON object at `target`. Raises ProbeError like `request`, and RB-PROBE-002 for anything else."""
    answer = request(path, "GET", target, timeout_ms=timeout_ms)
    if answer.status != 200:
        raise ProbeError("RB-PROBE-002", f"{path.stem} GET {target}: HTTP {answer.status}, expected 200")
    return object_in(answer, f"{path.stem} GET {target}")


def object_in(answer: Answer, what: str) -> dict[str, Json]:
    """Returns the JSON object an answer holds. Raises ProbeError RB-PROBE-002."""
    try:
        obj = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProbeError("RB-PROBE-002", f"{what}: the answer is not JSON") from error
    if not isinstance(obj, dict):
        raise ProbeError("RB-PROBE-002", f"{what}: the answer is not an object")
    return obj


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Yields an address for the socket at `path` that is short enough for Linux."""
    if len(os.fsencode(path)) <= ADDRESS_LIMIT_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _read_all(peer: socket.socket, deadline_s: float) -> bytes:
    """Reads until the announced length is there or the peer closes."""
    data = bytearray()
    wanted_bytes: int | None = None
    while wanted_bytes is None or len(data) < wanted_bytes:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        peer.settimeout(left_s)
        chunk = peer.recv(65536)
        if not chunk:
            break
        data += chunk
        if len(data) > ANSWER_LIMIT_BYTES:
            break
        if wanted_bytes is None:
            wanted_bytes = _length_of(data)
    return bytes(data)


def _length_of(data: bytearray) -> int | None:
    """Returns how many bytes the answer has in all, or None while that is not known."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    for line in data[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return end + 4 + int(value)
    return None


def _parse(data: bytes, what: str) -> Answer:
    head, found, body = data.partition(b"\r\n\r\n")
    parts = head.split(b" ", 2)
    if len(data) > ANSWER_LIMIT_BYTES:
        raise ProbeError("RB-PROBE-002", f"{what}: more than {ANSWER_LIMIT_BYTES} bytes")
    if not found or len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise ProbeError("RB-PROBE-002", f"{what}: the answer is no HTTP")
    wanted_bytes = _length_of(bytearray(data))
    if wanted_bytes is not None and len(data) < wanted_bytes:
        raise ProbeError("RB-PROBE-001", f"{what}: the answer broke off", retry=True)
    return Answer(int(parts[1]), body)
