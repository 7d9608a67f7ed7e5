"""The box's clocks: elapsed time that nobody can set, the id of this boot, and a watch on the wall clock's jumps.

Invariant: no decision reads the wall clock; a jump of it is only reported. CLOCK_BOOTTIME also counts while the box
sleeps.
"""

import hashlib
import time
from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")

BORN_MS = 1_735_689_600_000
"""2025-01-01: before this program existed no clock was right."""

JUMP_MS = 60_000
"""A difference between wall clock and elapsed time that grows by more than this is a jump; time servers slew less."""


def now_ms() -> int:
    """Returns milliseconds since the box was started."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id(file: Path = BOOT_ID_FILE) -> str:
    """Returns 16 hex digits that change with every boot. Raises OSError."""
    text = file.read_text(encoding="ascii").strip().replace("-", "").lower()
    if len(text) >= 16 and all(digit in "0123456789abcdef" for digit in text):
        return text[:16]
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def soft_boot_id(real: str, count: int) -> str:
    """Returns the id of a boot in which the agent was started anew `count` times in place of a reboot."""
    return real if not count else hashlib.sha256(f"{real} {count}".encode()).hexdigest()[:16]


def utc_ms() -> int:
    """Returns the time of day in ms since 1970, or 0 when the box plainly has none (no battery, time not yet set)."""
    wall_ms = time.time_ns() // 1_000_000
    return wall_ms if wall_ms >= BORN_MS else 0


class JumpWatch:
    """Notices when the wall clock and elapsed time part."""

    def __init__(self, wall_ms: int, elapsed_ms: int) -> None:
        self._offset_ms = wall_ms - elapsed_ms

    def jumped_ms(self, wall_ms: int, elapsed_ms: int) -> int:
        """Returns by how many ms the wall clock jumped since the last call; 0 when it did not."""
        moved_ms = wall_ms - elapsed_ms - self._offset_ms
        self._offset_ms += moved_ms
        return moved_ms if abs(moved_ms) > JUMP_MS else 0
