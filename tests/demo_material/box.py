"""One box for tests: the door app's three services as real processes on a real slot layout, supervised by the test."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ringback.demo.material.door import channel

SERVICES = ("camera", "inference", "upload")
# A loaded machine starts a service in a second or two; ten mean that it never will.
PATIENCE_S = 10.0


class Box:
    def __init__(self, folder: Path, app: Path, **models: Path) -> None:
        self.app = app
        self.run = folder / "run"
        self.models = folder / "models"
        self.config = folder / "config.json"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.run.mkdir(parents=True)
        self.models.mkdir()
        for slot, model in models.items():
            self.point(slot, model)
        self.configure({"camera": {"source": "door", "frame_interval_ms": 50}})

    def point(self, slot: str, model: Path) -> None:
        fresh = self.models / "fresh"
        fresh.symlink_to(model)
        fresh.rename(self.models / slot)

    def configure(self, document: object) -> None:
        self.config.write_text(json.dumps(document))

    def start(self, service: str, *, wait: bool = True) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "RINGBACK_DIR": str(self.app),
            "RINGBACK_RUN": str(self.run),
            "RINGBACK_CONFIG": str(self.config),
            "RINGBACK_MODELS": str(self.models),
            "RINGBACK_DEVICE": "box-1",
        }
        command = [sys.executable, str(self.app / "run.py"), service]
        self.processes[service] = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        if wait:
            self.until(lambda: self.ask(service, "/health").get("ready") is True, f"{service} is ready")

    def start_all(self) -> "Box":
        for service in SERVICES:
            self.start(service)
        return self

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def call(self, service: str, method: str, target: str) -> tuple[int, dict[str, Any]]:
        try:
            status, body = channel.call(str(self.run / f"{service}.sock"), method, target)
        except channel.ChannelError:
            return 0, {}
        return status, json.loads(body)

    def ask(self, service: str, target: str = "/metrics.json") -> dict[str, Any]:
        return self.call(service, "GET", target)[1]

    def reload(self, service: str) -> tuple[int, dict[str, Any]]:
        return self.call(service, "POST", "/reload")

    def until(self, is_true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_true():
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
            time.sleep(0.01)

    def until_looked_at(self, service: str = "upload") -> dict[str, Any]:
        """The metrics once every step of the camera's loop was decided by the model now in use."""
        self.until(lambda: self.ask(service).get("looked_at", 0) == 45, f"{service} has the whole loop")
        return self.ask(service)
