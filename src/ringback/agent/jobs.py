"""Lanes: one daemon thread each, so that slow work of one kind never holds up another kind.

Invariants:

- Jobs of one lane run one after the other, in the order in which they were started.
- Answers wait in one queue; `wait` returns as soon as there is one, or at the time given.
"""

import queue
import threading
from collections.abc import Callable

from ringback.agent.ports import LANES, Event

LANE_BACKLOG = 64
"""Jobs that may wait in one lane. The kernel has at most one effect of a kind in hand, plus answers it gave up on."""


class Lanes:
    """The real `Jobs`. Work may be queued at once; it runs from `open` on."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lanes: dict[str, queue.Queue[Callable[[], Event | None]]] = {}
        self._kept: list[Event] = []
        for lane in LANES:
            self._lanes[lane] = queue.Queue(LANE_BACKLOG)

    def open(self) -> None:
        """Starts the lanes. Once."""
        for name, lane in self._lanes.items():
            threading.Thread(target=self._run, args=(lane,), name=name, daemon=True).start()

    def start(self, lane: str, work: Callable[[], Event | None]) -> None:
        """Queues work on a lane. `work` must not raise."""
        self._lanes[lane].put_nowait(work)

    def finished(self) -> list[Event]:
        """Returns the answers that came since the last call, oldest first."""
        events, self._kept = self._kept, []
        while True:
            try:
                event = self._answers.get_nowait()
            except queue.Empty:
                return events
            if event is not None:
                events.append(event)

    def wait(self, timeout_ms: int | None) -> None:
        """Waits for an answer or a `wake`, at most `timeout_ms` (None: for ever)."""
        if self._kept:
            return
        try:
            event = self._answers.get(timeout=None if timeout_ms is None else max(timeout_ms, 0) / 1000)
        except queue.Empty:
            return
        if event is not None:
            self._kept.append(event)

    def wake(self) -> None:
        """Makes `wait` return now. Safe in a signal handler: a SimpleQueue is reentrant."""
        self._answers.put(None)

    def _run(self, lane: "queue.Queue[Callable[[], Event | None]]") -> None:
        while True:
            self._answers.put(lane.get()())
