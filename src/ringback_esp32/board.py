"""The board as the agent sees it: its partitions by name, time that does not wrap, the watchdog, and why it started.

- `note_start` counts starts that nobody planned in RTC memory, which outlives a reset and not a power cut: a crash
  loop is told from a power cut without wearing the flash. MicroPython reports `machine.reset()` and a panic alike, so
  a reset of our own leaves a mark first.
- Nothing here waits.
"""

import struct
import time

import machine
from esp32 import Partition

SECTOR = 4096
LOG = "rb_log"
IDENT = "rb_ident"
DATA = "rb_data"
# Crash-started this often in a row, the board comes up without user code.
CRASHES_MAX = 3
# After this long without a crash the count begins anew.
STEADY_MS = 60000
# From a reset to a working agent, and between two rounds of its loop.
WINDOW_MS = 30000
POWER_ON = 1
_MARK = "<4sBBH"
_MAGIC = b"RBK1"

_watchdog = None
_last = 0
_ms = 0


def partition(label):
    """Return a data partition. Raises OSError where the table has none."""
    found = Partition.find(Partition.TYPE_DATA, label=label) or Partition.find(0x40, label=label)
    if not found:
        raise OSError(19, label)
    return found[0]


def arm(window_ms=WINDOW_MS):
    """Start the watchdog, or give it another window; it can't be stopped."""
    global _watchdog
    _watchdog = machine.WDT(timeout=window_ms)


def feed():
    """Tell the watchdog that the agent lives."""
    if _watchdog is not None:
        _watchdog.feed()


def now_ms():
    """Return ms since the start of the agent; right across a wrap of the ticks, if asked every few days."""
    global _last, _ms
    ticks = time.ticks_ms()
    if _ms == 0 and _last == 0:
        _last = ticks
    _ms += time.ticks_diff(ticks, _last)
    _last = ticks
    return _ms


def note_start():
    """Return (crashes in a row including this start, whether it followed a power cut), and count this start."""
    cause = machine.reset_cause()
    memory = machine.RTC().memory()
    crashes, planned = 0, 0
    if len(memory) >= 8:
        magic, crashes, planned, check = struct.unpack(_MARK, memory[:8])
        if magic != _MAGIC or check != (crashes * 257 + planned) ^ 0xA55A:
            crashes, planned = 0, 0
    was_cut = cause == POWER_ON
    crashes = 0 if was_cut or planned else crashes + 1
    _keep(crashes, 0)
    return crashes, was_cut


def steady():
    """Forget the crashes: the agent has run for a while."""
    _keep(0, 0)


def reset():
    """Reset the board on purpose."""
    _keep(0, 1)
    machine.reset()


def crash():
    """Reset the board because it can't go on; counts as a crash."""
    machine.reset()


def _keep(crashes, planned):
    check = (crashes * 257 + planned) ^ 0xA55A
    machine.RTC().memory(struct.pack(_MARK, _MAGIC, min(crashes, 255), planned, check))
