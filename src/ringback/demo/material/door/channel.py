"""HTTP/1.1 over a Unix socket: as little of it as the services of one box need, so that they start in milliseconds.

What it decides: how a request and an answer are framed, and how large they may be.
What it never does: keep a connection open, follow anything, or speak to another machine.

Invariants:
- one request per connection, answered or closed within TIMEOUT_S, so a stuck client can't hold the service;
- a request larger than its limit is refused before it is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

# A head is a request line and a few headers of our own client or the agent's; 8 KiB is what common servers allow.
HEAD_LIMIT_BYTES = 8 * 1024
# The largest body is one pass of the camera, 45 frames of 54 KB.
BODY_LIMIT_BYTES = 8 * 1024 * 1024
# Everything is on one machine and answered from memory: a second without a byte means the peer is gone or stopped.
TIMEOUT_S = 1.0
# Linux allows 107 bytes in the address of a Unix socket; longer paths go through the folder's descriptor.
SOCKET_PATH_LIMIT_BYTES = 100

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Content"}


class Reply(NamedTuple):
    """What a service answers: HTTP status, body and its media type."""

    status: int
    body: bytes
    media_type: str = "application/json"


Handler = Callable[[str, str, bytes], Reply]


class ChannelError(OSError):
    """The peer did not answer, or not in HTTP. The next action is to try again later."""


def answer(obj: object, status: int = 200) -> Reply:
    """One JSON object as an answer."""
    return Reply(status, json.dumps(obj).encode())


def refuse(status: int, code: str, message: str, hint: str = "") -> Reply:
    """An answer in Ringback's one error shape."""
    return answer({"code": code, "message": message, "fields": {}, "hint": hint}, status)


@contextlib.contextmanager
def _socket_address(path: str) -> Iterator[str]:
    """The address of the socket at `path`, short enough for the kernel however deep the folder lies."""
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT_BYTES:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def call(path: str, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send one request to the service whose socket is at `path`.

    Returns: the HTTP status and the body.
    Raises ChannelError: nobody listens, no answer within TIMEOUT_S, or the answer is not HTTP.
    """
    head = f"{method} {target} HTTP/1.1\r\nHost: box\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    try:
        with _socket_address(path) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(TIMEOUT_S)
            peer.connect(address)
            peer.sendall(head.encode() + body)
            first, length, rest = _read_head(peer)
            status = int(first.split(" ", 2)[1])
            return status, _read_body(peer, rest, length)
    except (OSError, ValueError, IndexError) as cause:
        raise ChannelError(f"no answer from {os.path.basename(path)} to {method} {target}: {cause}") from cause


def serve_in_thread(path: str, handler: Handler) -> None:
    """Answer requests on the socket at `path`, one at a time, beside the caller; ends with the process.

    Listens already when it returns. A socket left by a former run is replaced.
    """
    threading.Thread(target=_serve, args=(_listen(path), handler), name="http", daemon=True).start()


def _serve(listener: socket.socket, handler: Handler) -> None:
    while True:
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError, ValueError):
            peer.settimeout(TIMEOUT_S)
            _serve_one(peer, handler)


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _socket_address(path) as address:
        listener.bind(address)
    listener.listen(16)
    return listener


def _serve_one(peer: socket.socket, handler: Handler) -> None:
    first, length, rest = _read_head(peer)
    method, target, _ = first.split(" ", 2)
    reply = handler(method, target, _read_body(peer, rest, length))
    head = (
        f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}\r\nContent-Type: {reply.media_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nConnection: close\r\n\r\n"
    )
    peer.sendall(head.encode() + reply.body)


def _read_head(peer: socket.socket) -> tuple[str, int, bytes]:
    """The first line, the announced body length, and what came after the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        data += part
        if not part or (len(data) > HEAD_LIMIT_BYTES and b"\r\n\r\n" not in data):
            raise ValueError(f"the head is cut off or longer than {HEAD_LIMIT_BYTES} bytes")
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    length = 0
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            length = int(value)
    if not 0 <= length <= BODY_LIMIT_BYTES:
        raise ValueError(f"a body of {length} bytes; at most {BODY_LIMIT_BYTES} are read")
    return lines[0], length, rest


def _read_body(peer: socket.socket, start: bytes, length: int) -> bytes:
    body = bytearray(start)
    while len(body) < length:
        part = peer.recv(min(1 << 20, length - len(body)))
        if not part:
            raise ValueError(f"the body ended after {len(body)} of {length} bytes")
        body += part
    return bytes(body[:length])
