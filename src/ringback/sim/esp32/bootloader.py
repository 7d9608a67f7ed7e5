"""Which app an ESP32 boots: the second-stage bootloader's rules over the partition table, otadata and the images.

Rollback is on and anti-rollback off, as in every MicroPython build since 2023-09-29. Every change of the flash goes
through `Writer.do`, one operation at a time, so that power can be lost between any two of them and inside each.

The rules, in their order:

1. Every entry that stands at PENDING_VERIFY becomes ABORTED, also one with a wrong CRC.
2. Both entries excluded (blank, INVALID, ABORTED), or no OTA slots: the factory app; without one slot 0, and if neither
   entry was ever written (blank or wrong CRC) the slot that boots is recorded as VALID.
3. Otherwise the active entry's slot; if its state is NEW it becomes PENDING_VERIFY before the image is even looked at.
   No usable entry: the search starts at the factory app.
4. The first image that verifies boots: from the chosen one down to the factory app, then upwards, then the test app.
   What otadata says of those is not asked.

Source: ESP-IDF v5.5.5, components/bootloader_support/src/bootloader_utility.c and bootloader_common_loader.c; held to
recordings of the genuine binary (`vectors`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ringback.sim.esp32 import otadata
from ringback.sim.esp32.flash import ERASE, SECTOR_BYTES, WRITE, Operation
from ringback.sim.esp32.partitions import FACTORY, TABLE_AT, TABLE_BYTES, TEST, Partition, Table, TableRefused, parse

FACTORY_INDEX: Final = -1


class Writer(Protocol):
    """A flash that can be read and changed; `do` may raise when power is lost."""

    size_bytes: int

    def read(self, at: int, size_bytes: int) -> bytes: ...

    def do(self, operation: Operation) -> None: ...


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot came to.

    Attributes:
        partition: what boots; None where nothing does, and the chip resets for ever.
        refusals: the partitions that were looked at before and refused, with the reason.
        note: why nothing boots, or an empty string.
    """

    partition: Partition | None
    refusals: tuple[tuple[str, str], ...]
    note: str = ""


Verify = Callable[[bytes], str]
"""Says why an image is refused, or returns an empty string."""


def boot(flash: Writer, verify: Verify) -> Boot:
    """Run the bootloader once. What `flash.do` raises goes through."""
    try:
        table = parse(flash.read(TABLE_AT, TABLE_BYTES), flash.size_bytes)
    except TableRefused as refused:
        return Boot(None, (), f"partition table: {refused}")
    return _Bootloader(flash, table, verify).run()


class _Bootloader:
    def __init__(self, flash: Writer, table: Table, verify: Verify) -> None:
        self._flash = flash
        self._verify = verify
        self._otadata = table.otadata
        self._slots = table.ota_slots
        self._factory = table.app(FACTORY)
        self._test = table.app(TEST)
        self._is_initial = False

    def run(self) -> Boot:
        refusals: list[tuple[str, str]] = []
        start = self._choose()
        downwards = range(start, FACTORY_INDEX - 1, -1)
        upwards = range(start + 1, len(self._slots))
        for index in (*downwards, *upwards):
            partition = self._factory if index == FACTORY_INDEX else self._slots[index]
            if partition is None:
                continue
            why = self._try(partition)
            if not why:
                self._record_first(index)
                return Boot(partition, tuple(refusals))
            refusals.append((partition.label, why))
        if self._test is not None and not self._try(self._test):
            return Boot(self._test, tuple(refusals))
        return Boot(None, tuple(refusals), "no bootable app partition")

    def _try(self, partition: Partition) -> str:
        return self._verify(self._flash.read(partition.at, partition.size_bytes))

    def _choose(self) -> int:
        if self._otadata is None:
            return FACTORY_INDEX
        first, second = (self._abort_pending(index, self._read(index)) for index in (0, 1))
        if not self._slots or (first.is_excluded and second.is_excluded):
            return self._choose_first((first, second))
        index = otadata.active((first, second))
        if index is None:
            return FACTORY_INDEX
        entry = (first, second)[index]
        if entry.state == otadata.NEW:
            self._write(index, entry.with_state(otadata.PENDING_VERIFY))
        return entry.slot(len(self._slots))

    def _choose_first(self, pair: tuple[otadata.Entry, otadata.Entry]) -> int:
        if self._factory is not None:
            return FACTORY_INDEX
        self._is_initial = all(entry.seq == otadata.BLANK_WORD or not entry.has_crc for entry in pair)
        return 0 if self._slots else FACTORY_INDEX

    def _record_first(self, index: int) -> None:
        if index > FACTORY_INDEX and self._is_initial:
            self._write(0, otadata.entry(index + 1, otadata.VALID))

    def _abort_pending(self, index: int, entry: otadata.Entry) -> otadata.Entry:
        if entry.state != otadata.PENDING_VERIFY:
            return entry
        aborted = entry.with_state(otadata.ABORTED)
        self._write(index, aborted)
        return aborted

    def _read(self, index: int) -> otadata.Entry:
        assert self._otadata is not None
        return otadata.decode(self._flash.read(self._otadata.at + index * SECTOR_BYTES, otadata.ENTRY_BYTES))

    def _write(self, index: int, entry: otadata.Entry) -> None:
        assert self._otadata is not None
        at = self._otadata.at + index * SECTOR_BYTES
        self._flash.do(Operation(ERASE, at))
        self._flash.do(Operation(WRITE, at, entry.encode()))
