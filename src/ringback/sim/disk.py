"""A strict disk in memory: what was not synced may be lost, in part or whole.

Implements the kernel's storage port (read, append, sync, replace, size). Decides what survives a power cut. Never:
keeps bytes that a real disk would be free to lose just because keeping them is convenient.

Invariants:

- `append` is visible to `read` at once, and durable only after `sync`.
- `replace` is atomic and durable when it returns: the old bytes or the new ones, never a mixture (the driver writes a
  temporary file, syncs it, renames it and syncs the directory).
- A power cut inside `append` leaves any prefix of what was not synced; the caller chooses which.
"""

import errno
from collections.abc import Callable


class PowerCut(Exception):
    """The power goes at this durable write; the device stops here and boots again later."""


class StrictDisk:
    """The files of one device. `capacity_bytes` bounds them all together; None means as large as wanted."""

    def __init__(self, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.write_count = 0
        self.bytes_written = 0
        self._durable: dict[str, bytes] = {}
        self._pending: dict[str, bytearray] = {}
        self._cut_at: int | None = None

    def read(self, name: str) -> bytes | None:
        durable, pending = self._durable.get(name), self._pending.get(name)
        if durable is None and pending is None:
            return None
        return (durable or b"") + bytes(pending or b"")

    def size(self, name: str) -> int:
        return len(self._durable.get(name, b"")) + len(self._pending.get(name, b""))

    def append(self, name: str, data: bytes) -> None:
        self._reserve(len(data))
        self._pending.setdefault(name, bytearray()).extend(data)

    def sync(self, name: str) -> None:
        self._spend()
        pending = self._pending.pop(name, None)
        if pending:
            self._durable[name] = self._durable.get(name, b"") + bytes(pending)
            self.bytes_written += len(pending)

    def replace(self, name: str, data: bytes) -> None:
        self._reserve(len(data) - self.size(name))
        self._spend()
        self._pending.pop(name, None)
        self._durable[name] = bytes(data)
        self.bytes_written += len(data)

    def names(self) -> list[str]:
        return sorted({*self._durable, *self._pending})

    def cut_power_at(self, write_count: int | None) -> None:
        """Raises PowerCut at the start of the durable write with this number (counted from 1); None takes it back."""
        self._cut_at = write_count

    def crash(self, survives: Callable[[int], int]) -> None:
        """Loses what was not synced. `survives(n)` says how many of n pending bytes of a file are left, 0 to n."""
        for name in sorted(self._pending):
            pending = self._pending[name]
            kept = survives(len(pending))
            if not 0 <= kept <= len(pending):
                raise ValueError(f"survives() returned {kept} for {len(pending)} pending bytes")
            if kept:
                self._durable[name] = self._durable.get(name, b"") + bytes(pending[:kept])
        self._pending.clear()

    def _spend(self) -> None:
        self.write_count += 1
        if self._cut_at is not None and self.write_count >= self._cut_at:
            self._cut_at = None
            raise PowerCut(f"power cut at durable write {self.write_count}")

    def _reserve(self, growth_bytes: int) -> None:
        if self.capacity_bytes is None or growth_bytes <= 0:
            return
        used_bytes = sum(self.size(name) for name in self.names())
        if used_bytes + growth_bytes > self.capacity_bytes:
            raise OSError(errno.ENOSPC, f"disk full: {used_bytes} of {self.capacity_bytes} bytes used")
