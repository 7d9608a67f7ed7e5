"""How late this machine is: so that a slow machine is not taken for silent devices.

Decides: the factor by which heartbeats and deadlines grow. Never: touches the logic; a release's own fields carry the
result.
"""

import threading
import time

PROBE_S = 0.02
# Lateness that a quiet machine shows anyway; below it nothing is scaled.
QUIET_MS = 30
FACTOR_LIMIT = 4.0


class LagMeter:
    """A thread that sleeps a little, again and again, and keeps the worst lateness of the last while."""

    def __init__(self) -> None:
        self._worst_ms = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @property
    def worst_ms(self) -> int:
        """The worst lateness lately; it fades within about ten seconds."""
        return int(self._worst_ms)

    def factor(self) -> float:
        """1.0 on a quiet machine, at most 4: one more for each 250 ms of lateness."""
        return min(FACTOR_LIMIT, 1.0 + max(0, self.worst_ms - QUIET_MS) / 250)

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            self._stop.wait(PROBE_S)
            late_ms = (time.monotonic() - began_s - PROBE_S) * 1000
            self._worst_ms = max(late_ms, self._worst_ms * 0.995)
