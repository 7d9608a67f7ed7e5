"""The agent's own page on this box: `GET /status` on a Unix socket that only its owner may open.

It answers in every state (invariant I8 holds for the local path, too), from a snapshot that the main loop publishes; it
never calls into the kernel.
"""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

from ringback.agent import unix_http
from ringback.agent.errors import ProbeError, SetupError
from ringback.agent.ports import Json

SOCKET_NAME = "agent.sock"
REQUEST_LIMIT_BYTES = 4096
TIMEOUT_S = 2.0
PAUSE_S = 0.2


class StatusPage:
    """Serves the newest snapshot.

    Args:
        run_dir: where the socket is made.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / SOCKET_NAME
        self._snapshot = b"{}"

    def publish(self, status: dict[str, Json]) -> None:
        """Replaces the snapshot."""
        self._snapshot = json.dumps(status, sort_keys=True).encode()

    def start(self) -> None:
        """Listens and answers in a thread of its own. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with unix_http.address(self._path) as short:
            listener.bind(short)
        os.chmod(self._path, 0o600)
        listener.listen(8)
        threading.Thread(target=self._serve, args=(listener,), name="status", daemon=True).start()

    def close(self) -> None:
        """Removes the socket, so that nobody takes a dead agent for a slow one."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                # Out of descriptors: somebody asks too often; what is in hand is answered first.
                time.sleep(PAUSE_S)
                continue
            with peer, contextlib.suppress(OSError):
                peer.settimeout(TIMEOUT_S)
                request = peer.recv(REQUEST_LIMIT_BYTES)
                known = request.startswith(b"GET /status ")
                body = self._snapshot if known else b'{"code": "RB-AGENT-050", "message": "known: GET /status"}'
                head = f"HTTP/1.1 {200 if known else 404} -\r\nContent-Type: application/json\r\n"
                peer.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def read_status(run_dir: Path) -> dict[str, Json]:
    """Returns what the agent of this run folder says of itself. Raises SetupError RB-AGENT-006 when none answers."""
    try:
        return unix_http.get_object(run_dir / SOCKET_NAME, "/status", timeout_ms=2000)
    except ProbeError as error:
        hint = "start it with: ringback agent run --state DIR"
        raise SetupError("RB-AGENT-006", f"no agent answers in {run_dir}: {error.message}", hint=hint) from error
