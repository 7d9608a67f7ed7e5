"""An ESP32 partition table: its bytes and what they name.

What it refuses is what the bootloader refuses (it then resets for ever): a wrong MD5 or two, no terminator, an entry
outside the chip.

Source: ESP-IDF, components/bootloader_support/include/esp_flash_partitions.h, src/flash_partitions.c; partition-tables
documentation.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

TABLE_AT: Final = 0x8000
TABLE_BYTES: Final = 0xC00
ENTRY_BYTES: Final = 32
APP: Final = 0x00
DATA: Final = 0x01
FACTORY: Final = 0x00
TEST: Final = 0x20
FIRST_OTA: Final = 0x10
OTA_COUNT_MAX: Final = 16
DATA_OTA: Final = 0x00
_ENTRY: Final = struct.Struct("<2sBBII16sI")
_MAGIC: Final = b"\xaa\x50"
_MD5_HEAD: Final = b"\xeb\xeb" + b"\xff" * 14


class TableRefused(Exception):
    """The table is not one that the bootloader accepts; says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition; `subtype` as ESP-IDF numbers them."""

    label: str
    type: int
    subtype: int
    at: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.at + self.size_bytes


@dataclass(frozen=True, slots=True)
class Table:
    """All partitions, in the order of the table."""

    partitions: tuple[Partition, ...]

    def named(self, label: str) -> Partition:
        """Return a partition. Raises KeyError."""
        for partition in self.partitions:
            if partition.label == label:
                return partition
        raise KeyError(label)

    @property
    def ota_slots(self) -> tuple[Partition, ...]:
        """The OTA app slots, by number."""
        slots = [part for part in self.partitions if part.type == APP and _is_ota(part.subtype)]
        return tuple(sorted(slots, key=lambda part: part.subtype))

    def app(self, subtype: int) -> Partition | None:
        return next((part for part in self.partitions if part.type == APP and part.subtype == subtype), None)

    @property
    def otadata(self) -> Partition | None:
        return next((part for part in self.partitions if part.type == DATA and part.subtype == DATA_OTA), None)

    def encode(self) -> bytes:
        """Return the bytes for TABLE_AT: entries, MD5 record, terminator."""
        body = b"".join(
            _ENTRY.pack(_MAGIC, part.type, part.subtype, part.at, part.size_bytes, part.label.encode(), 0)
            for part in self.partitions
        )
        return (body + _MD5_HEAD + hashlib.md5(body, usedforsecurity=False).digest()).ljust(TABLE_BYTES, b"\xff")


def _is_ota(subtype: int) -> bool:
    return FIRST_OTA <= subtype < FIRST_OTA + OTA_COUNT_MAX


def parse(raw: bytes, chip_bytes: int) -> Table:
    """Return the table in its 0xC00 bytes. Raises TableRefused."""
    found: list[Partition] = []
    has_md5 = False
    for start in range(0, min(len(raw), TABLE_BYTES), ENTRY_BYTES):
        record = raw[start : start + ENTRY_BYTES]
        if record == b"\xff" * ENTRY_BYTES:
            return Table(tuple(found))
        if record[:16] == _MD5_HEAD:
            if has_md5:
                raise TableRefused(f"a second MD5 record at {start:#x}")
            if record[16:] != hashlib.md5(raw[:start], usedforsecurity=False).digest():
                raise TableRefused(f"the MD5 at {start:#x} is not that of the entries before it")
            has_md5 = True
            continue
        magic, kind, subtype, at, size_bytes, label, _ = _ENTRY.unpack(record)
        if magic != _MAGIC:
            raise TableRefused(f"the entry at {start:#x} begins with {magic.hex()}, expected {_MAGIC.hex()}")
        if at + size_bytes > chip_bytes:
            raise TableRefused(f"the entry at {start:#x} ends at {at + size_bytes:#x}, the chip at {chip_bytes:#x}")
        found.append(Partition(label.rstrip(b"\0").decode("ascii", "replace"), kind, subtype, at, size_bytes))
    raise TableRefused("no terminator")
