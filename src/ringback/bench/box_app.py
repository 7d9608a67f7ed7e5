"""The app on the box of `bench revert`: camera and inference, standard library only. Ships as one file of an artifact.

`box_app.py camera | inference`, started by the agent's supervisor. Nothing pretends: a reload reads and hashes the
whole model file, a slow model sleeps for each frame, a config without a source stops the frames.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path

RUN = Path(os.environ.get("RINGBACK_RUN", ""))
CONFIG = Path(os.environ.get("RINGBACK_CONFIG", ""))
MODEL = Path(os.environ.get("RINGBACK_MODELS", "")) / "face"
VERSION = "1.0.0"
INTERFACE = 1
FRAME_S = 0.02
STARTED_MS = time.monotonic_ns() // 1_000_000
KEPT_RUNS = 64


class Service:
    """What both services answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reload()

    def reload(self) -> None:
        """Takes config and model into use."""

    def metrics(self) -> dict[str, object]:
        """Readings, integers only."""
        return {}

    def work(self) -> None:
        """One frame's worth of work."""

    def health(self) -> dict[str, object]:
        """Who this is."""
        return {
            "service": self.name,
            "version": VERSION,
            "interface": INTERFACE,
            "ready": True,
            "pid": os.getpid(),
            "started_ms": STARTED_MS,
        }


class Camera(Service):
    """Counts frames while the config names a source."""

    def reload(self) -> None:
        self.has_source = not CONFIG.exists() or json.loads(CONFIG.read_text())["source"] == "door"
        self.frames = getattr(self, "frames", 0)
        self.newest_ns = getattr(self, "newest_ns", time.monotonic_ns())

    def work(self) -> None:
        if self.has_source:
            self.frames += 1
            self.newest_ns = time.monotonic_ns()

    def metrics(self) -> dict[str, object]:
        return {"frames": self.frames, "age_ms": (time.monotonic_ns() - self.newest_ns) // 1_000_000}


class Inference(Service):
    """Runs its model for each frame."""

    def reload(self) -> None:
        self.runs: deque[int] = deque(maxlen=KEPT_RUNS)
        self.latency_us = 0
        self.digest = ""
        if MODEL.exists():
            hashlib.sha256((MODEL / "weights.bin").read_bytes()).digest()
            self.latency_us = json.loads((MODEL / "model.json").read_text())["latency_us"]
            self.digest = "sha256:" + hashlib.sha256((MODEL / "manifest.json").read_bytes()).hexdigest()

    def work(self) -> None:
        runs, latency_us = self.runs, self.latency_us
        began_ns = time.monotonic_ns()
        time.sleep(latency_us / 1_000_000)
        runs.append((time.monotonic_ns() - began_ns) // 1000)

    def metrics(self) -> dict[str, object]:
        ranked = sorted(self.runs)
        p50, p95 = (ranked[len(ranked) * part // 100] if ranked else 0 for part in (50, 95))
        return {"latency": {"face": {"p50_us": p50, "p95_us": p95, "n": len(ranked)}}, "model": {"face": self.digest}}


def answer(service: Service, method: str, target: str) -> tuple[int, object]:
    """Returns status and body."""
    if (method, target) == ("GET", "/health"):
        return 200, service.health()
    if (method, target) == ("GET", "/metrics.json"):
        return 200, service.metrics()
    if (method, target) == ("POST", "/reload"):
        try:
            service.reload()
        except (OSError, ValueError, KeyError) as error:
            return 422, {"code": "RB-BENCH-001", "message": str(error)}
        return 200, {}
    return 404, {}


def address(path: Path) -> str:
    """Returns an address for a socket that is short enough however deep its folder lies."""
    return f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY)}/{path.name}"


def serve(service: Service) -> None:
    """Answers requests, one at a time, for ever."""
    path = RUN / f"{service.name}.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address(path))
    listener.listen(16)
    while True:
        peer, _ = listener.accept()
        with peer:
            try:
                peer.settimeout(1)
                method, target, _ = peer.recv(65536).decode().split(" ", 2)
                status, body = answer(service, method, target)
                data = json.dumps(body).encode()
                peer.sendall(f"HTTP/1.1 {status} -\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            except (OSError, ValueError):
                continue


def main() -> None:
    """Runs one service."""
    service = {"camera": Camera, "inference": Inference}[sys.argv[1]](sys.argv[1])
    threading.Thread(target=serve, args=(service,), daemon=True).start()
    while True:
        service.work()
        time.sleep(FRAME_S)


if __name__ == "__main__":
    main()
