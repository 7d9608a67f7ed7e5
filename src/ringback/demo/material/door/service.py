"""What the three services share: their environment, `/health`, and how they start.

What it decides: the answer to `/health`, and which error a refused reload gives.
What it never does: supervise; that is the agent's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import channel, edition, settings

UPLOAD_ACCEPTS = 2
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class Environment(NamedTuple):
    """Where a service finds its things; given by the agent's supervisor."""

    slot: Path
    run: Path
    config: str
    models: Path
    device: str

    def socket_of(self, service: str) -> str:
        """The path of a service's socket."""
        return str(self.run / f"{service}.sock")


def environment() -> Environment:
    """Read RINGBACK_DIR, RINGBACK_RUN, RINGBACK_CONFIG, RINGBACK_MODELS and RINGBACK_DEVICE."""
    return Environment(
        slot=Path(os.environ["RINGBACK_DIR"]),
        run=Path(os.environ["RINGBACK_RUN"]),
        config=os.environ.get("RINGBACK_CONFIG", ""),
        models=Path(os.environ.get("RINGBACK_MODELS", os.devnull)),
        device=os.environ.get("RINGBACK_DEVICE", ""),
    )


class Service:
    """One service: answers /health and /metrics.json, and reloads its settings when told to."""

    name = ""
    interface = UPLOAD_ACCEPTS

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.settings = settings.load("")
        self._started_ms = time.monotonic_ns() // 1_000_000

    def is_ready(self) -> bool:
        """Whether the service does its work; processes that depend on it start only then."""
        return True

    def metrics(self) -> dict[str, Any]:
        """Readings, integers only."""
        return {}

    def reload(self) -> dict[str, Any]:
        """Take the newest settings into use. Raises ConfigRefused: nothing was changed."""
        self.settings = settings.load(self.env.config)
        return {"config": True}

    def route(self, method: str, target: str, body: bytes) -> channel.Reply:
        """Answer what this service answers beyond the common targets."""
        return channel.refuse(404, "RB-DOOR-004", f"{self.name} has no {method} {target}")

    def handle(self, method: str, target: str, body: bytes) -> channel.Reply:
        """Answer one request."""
        if (method, target) == ("GET", "/health"):
            return channel.answer(self.health())
        if (method, target) == ("GET", "/metrics.json"):
            return channel.answer({**self.metrics(), "rss_kb": rss_kb()})
        if (method, target) == ("POST", "/reload"):
            return self._answer_reload()
        return self.route(method, target, body)

    def health(self) -> dict[str, Any]:
        """Who this is, and whether it is ready."""
        return {
            "service": self.name,
            "version": edition.VERSION,
            "interface": self.interface,
            "ready": self.is_ready(),
            "pid": os.getpid(),
            "started_ms": self._started_ms,
        }

    def _answer_reload(self) -> channel.Reply:
        try:
            return channel.answer(self.reload())
        except settings.ConfigRefused as refusal:
            return channel.refuse(
                422, "RB-DOOR-001", f"{self.name} keeps its old settings: {refusal}", "fix the config"
            )


def run(service: Service, work: Callable[[], object]) -> None:
    """Serve in the background and work in the foreground until told to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel.serve_in_thread(service.env.socket_of(service.name), service.handle)
    work()


def rss_kb() -> int:
    """Resident memory of this process, in KiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE_KB
