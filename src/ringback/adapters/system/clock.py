"""UTC that never runs backwards and never leaps while the server runs.

The wall clock is read once; from then on the monotonic clock counts. A leap of the wall clock (someone sets the date, a
board without a battery meets its time server) would otherwise age every device by a year in one moment. Small
differences are caught up slowly, so that the server keeps UTC over months.
"""

from __future__ import annotations

import time
from collections.abc import Callable

DRIFT_PPM = 500
"""Fastest catching up: 0.05 %, NTP's own limit of slewing."""

LEAP_MS = 60_000
"""A difference above one minute is a leap, not drift: it is never followed, and `leap_ms` tells."""


class SteadyClock:
    """Implements `ringback.ports.clock.Clock`.

    Args:
        not_before_ms: newest instant in the store: after a restart time goes on from there, not before.
        wall_ms, monotonic_ms: the machine's clocks.
    """

    def __init__(
        self,
        *,
        not_before_ms: int = 0,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._wall_ms = wall_ms
        self._monotonic_ms = monotonic_ms
        self._base_ms = max(wall_ms(), not_before_ms)
        self._started_ms = monotonic_ms()
        self._slewed_ms = 0
        self._newest_ms = self._base_ms
        self._slewed_at_ms = self._started_ms

    def now_ms(self) -> int:
        """Return the present instant, UTC ms, never less than before."""
        self._newest_ms = max(
            self._newest_ms, self._base_ms + self._slewed_ms + self._monotonic_ms() - self._started_ms
        )
        return self._newest_ms

    def leap_ms(self) -> int:
        """Return how far the wall clock is ahead of this one (negative: behind); catch up a little if it is drift."""
        monotonic_ms = self._monotonic_ms()
        ahead_ms = self._wall_ms() - self.now_ms()
        if abs(ahead_ms) < LEAP_MS:
            allowed_ms = (monotonic_ms - self._slewed_at_ms) * DRIFT_PPM // 1_000_000
            if allowed_ms > 0:
                self._slewed_ms += max(-allowed_ms, min(allowed_ms, ahead_ms))
                self._slewed_at_ms = monotonic_ms
        return ahead_ms
