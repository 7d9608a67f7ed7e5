"""Virtual time: what happens next, and in which order.

Decides: the order of everything in a simulated world. Never: reads a real clock, sleeps.

Invariants:

- Time never runs backwards.
- Two things due at the same instant happen in the order in which they were put on the agenda, so that the same seed
  gives the same run.
- The agenda is bounded: a world that schedules without end is a bug and says so.
"""

import heapq
from collections.abc import Callable

# A world of 10,000 devices keeps about three things per device on the agenda; ten times that is a runaway.
AGENDA_LIMIT = 1_000_000

Action = Callable[[], None]


class Agenda:
    """The event heap and the virtual clock of one world."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._order = 0
        self._heap: list[tuple[int, int, Action]] = []

    @property
    def now_ms(self) -> int:
        """UTC milliseconds of the virtual world."""
        return self._now_ms

    def at(self, at_ms: int, action: Action) -> None:
        """Puts an action on the agenda; an instant in the past means now."""
        if len(self._heap) >= AGENDA_LIMIT:
            raise RuntimeError(f"the agenda holds {AGENDA_LIMIT} things to do: something schedules itself without end")
        self._order += 1
        heapq.heappush(self._heap, (max(at_ms, self._now_ms), self._order, action))

    def after(self, delay_ms: int, action: Action) -> None:
        """Puts an action on the agenda, `delay_ms` (0 or more) from now."""
        self.at(self._now_ms + delay_ms, action)

    def run_until(self, end_ms: int, *, stop: Callable[[], bool] | None = None) -> bool:
        """Runs everything due until `end_ms`, or until `stop` is true after an action. Returns whether `stop` was."""
        while self._heap and self._heap[0][0] <= end_ms:
            at_ms, _, action = heapq.heappop(self._heap)
            self._now_ms = at_ms
            action()
            if stop is not None and stop():
                return True
        self._now_ms = max(self._now_ms, end_ms)
        return stop is not None and stop()
