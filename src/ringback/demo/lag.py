"""How late this machine is: so that a slow machine is not taken for silent devices.

Decides: the factor by which heartbeats and deadlines grow. Never: touches the logic; a release's own fields carry the
result.

Two signs, and the worse one counts: timers that fire late, and more programs that want to run than there are
processors.
"""

import os
import threading
import time
from pathlib import Path

PROBE_S = 0.05
# Lateness that a quiet machine shows anyway; below it nothing is scaled.
QUIET_MS = 30
FACTOR_LIMIT = 4.0
# How much a new sample counts; a burst is forgotten within about three seconds.
SAMPLE_SHARE = 0.03
LOAD_FILE = Path("/proc/loadavg")


class LagMeter:
    """A thread that sleeps a little, again and again, and looks how late it wakes and how many others want to run."""

    def __init__(self) -> None:
        self._worst_ms = 0.0
        self._waiting = 1.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @property
    def worst_ms(self) -> int:
        """The worst lateness of a timer lately."""
        return int(self._worst_ms)

    def factor(self) -> float:
        """1.0 on a quiet machine, at most 4."""
        return factor(self._worst_ms, self._waiting, os.cpu_count() or 1)

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            self._stop.wait(PROBE_S)
            late_ms = (time.monotonic() - began_s - PROBE_S) * 1000
            self._worst_ms = max(late_ms, self._worst_ms * (1 - SAMPLE_SHARE))
            self._waiting += SAMPLE_SHARE * (runnable() - self._waiting)


def factor(late_ms: float, waiting: float, processors: int) -> float:
    """One more for each 250 ms of lateness, or half as many times as programs outnumber processors.

    Half, because a heartbeat is several check-ins long anyway.

    Args:
        late_ms: worst lateness of a timer.
        waiting: programs that want to run, on average.
        processors: 1 or more.
    """
    by_timer = 1.0 + max(0.0, late_ms - QUIET_MS) / 250
    return min(FACTOR_LIMIT, max(1.0, by_timer, waiting / processors / 2))


def runnable() -> float:
    """Programs that run or want to, right now; 1 where the system does not say."""
    try:
        return float(LOAD_FILE.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1.0
