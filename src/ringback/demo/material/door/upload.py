"""The upload service: takes results through one interface, counts who was seen, and keeps a numbered log.

What it decides: whether results speak an interface it knows. What it never does: guess what unknown results mean.

Every accepted or refused batch gets the next log number, written or not; a reader that finds a number missing knows
that the log has a gap.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from typing import Any

from . import channel, edition, meter, service, settings

LOG_FILE = "upload.log"
LOG_LIMIT_BYTES = 256 * 1024
# What `GET /logs/after/<number>` can still answer.
KEPT_LINES = 256
RESULT_FIELDS = 7


class Upload(service.Service):
    """The far end of the inference path: only what arrives here was done."""

    name = "upload"

    def __init__(self, env: service.Environment) -> None:
        super().__init__(env)
        self.settings = settings.load(env.config)
        self._accepted = 0
        self._rejected = 0
        self._frames = 0
        self._log_seq = 0
        self._log_written = 0
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._models: object = None
        self._loop = meter.Loop()
        self._began_ns = time.monotonic_ns()
        self._accepted_ns = 0

    def metrics(self) -> dict[str, Any]:
        """Counts of this process; age_ms since results were last accepted, or since the start.

        log_seq: numbers given; log_written: lines on the disk. They differ when the log has a gap.
        """
        last_ns = self._accepted_ns or self._began_ns
        return {
            **self._loop.summary(),
            "accepted": self._accepted,
            "rejected": self._rejected,
            "seq": self._frames,
            "log_seq": self._log_seq,
            "log_written": self._log_written,
            "age_ms": (time.monotonic_ns() - last_ns) // 1_000_000,
        }

    def route(self, method: str, target: str, body: bytes) -> channel.Reply:
        """`POST /results` takes results; `GET /logs/after/<number>` gives the kept log lines newer than that."""
        if (method, target) == ("POST", "/results"):
            return self._take(body)
        if method == "GET" and target.startswith("/logs/after/"):
            after = int(target.rsplit("/", 1)[1])
            return channel.answer(
                {"log_seq": self._log_seq, "lines": [line for line in self._lines if line[0] > after]}
            )
        return super().route(method, target, body)

    def _take(self, body: bytes) -> channel.Reply:
        fault = self._fault_of(body)
        if fault:
            self._rejected += 1
            self._log(f"event=rejected reason={json.dumps(fault)}")
            return channel.refuse(409, "RB-DOOR-005", fault, "release inference and upload from the same build")
        message = json.loads(body)
        if message["models"] != self._models:
            self._models = message["models"]
            self._loop = meter.Loop()
        for _, place, people, sighted, _, windows, speech in message["results"]:
            self._loop.see(place, people, sighted)
            self._loop.hear(place, windows, speech)
        self._accepted += 1
        self._frames += len(message["results"])
        self._accepted_ns = time.monotonic_ns()
        seen = self._loop.summary()
        self._log(f"event=accepted frames={len(message['results'])} seen={seen['people_seen']}/{seen['people_total']}")
        return channel.answer({"seq": self._frames})

    def _fault_of(self, body: bytes) -> str:
        """Why these results can't be taken; empty when they can."""
        try:
            message = json.loads(body)
        except ValueError:
            return "results are no JSON"
        found = message.get("interface", 1) if isinstance(message, dict) else None
        if found != service.UPLOAD_ACCEPTS:
            return f"results speak interface {found}; upload {edition.VERSION} accepts {service.UPLOAD_ACCEPTS}"
        results = message.get("results")
        whole = isinstance(results, list) and isinstance(message.get("models"), dict)
        if not whole or any(
            not isinstance(result, list)
            or len(result) != RESULT_FIELDS
            or not all(isinstance(field, int) for field in result)
            for result in results
        ):
            return f"results are not lists of {RESULT_FIELDS} integers"
        return ""

    def _log(self, text: str) -> None:
        self._log_seq += 1
        if self._log_seq % self.settings.log_keep_one_in:
            return
        line = f"seq={self._log_seq} {text}"
        self._lines.append((self._log_seq, line))
        path = self.env.run / LOG_FILE
        try:
            if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
                os.replace(path, path.with_suffix(".log.1"))
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            self._log_written += 1
        except OSError:
            # A full disk must not stop the counting; the lines in memory still tell the story.
            return


def main() -> None:
    """Run the upload service."""
    upload = Upload(service.environment())
    service.run(upload, threading.Event().wait)
