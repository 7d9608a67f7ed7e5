"""The two otadata entries that tell an ESP32 which app slot to boot: their bytes, and nothing about who may write them.

Entry k is the first 32 bytes of sector k of the partition data/ota: `ota_seq u32, label[20], ota_state u32, crc u32`.
The CRC covers `ota_seq` alone, so a torn state word leaves an entry that still counts.

Source: ESP-IDF, components/bootloader_support/include/esp_flash_partitions.h and src/bootloader_common_loader.c.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Final

ENTRY_BYTES: Final = 32
_ENTRY: Final = struct.Struct("<I20sII")
BLANK_WORD: Final = 0xFFFFFFFF

NEW: Final = 0
PENDING_VERIFY: Final = 1
VALID: Final = 2
INVALID: Final = 3
ABORTED: Final = 4
UNDEFINED: Final = BLANK_WORD
STATE_NAMES: Final = {
    NEW: "NEW",
    PENDING_VERIFY: "PENDING_VERIFY",
    VALID: "VALID",
    INVALID: "INVALID",
    ABORTED: "ABORTED",
    UNDEFINED: "UNDEFINED",
}


def crc_of(seq: int) -> int:
    """Return the CRC of a sequence number, as the ROM computes it (its register starts from 0xFFFFFFFF twice)."""
    return zlib.crc32(struct.pack("<I", seq), 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in flash; any of its fields may be nonsense."""

    seq: int
    label: bytes
    state: int
    crc: int

    @property
    def is_excluded(self) -> bool:
        """Whether the bootloader never chooses it: blank, INVALID or ABORTED. Every other state counts."""
        return self.seq == BLANK_WORD or self.state in (INVALID, ABORTED)

    @property
    def has_crc(self) -> bool:
        return self.crc == crc_of(self.seq)

    @property
    def is_usable(self) -> bool:
        return not self.is_excluded and self.has_crc

    def slot(self, slots: int) -> int:
        """Return the index of the app slot it names; a sequence number of 0 wraps."""
        return (self.seq - 1) % (1 << 32) % slots

    def with_state(self, state: int) -> Entry:
        return replace(self, state=state)

    def encode(self) -> bytes:
        return _ENTRY.pack(self.seq, self.label, self.state, self.crc)

    def __str__(self) -> str:
        if self.seq == BLANK_WORD:
            return "blank"
        state = STATE_NAMES.get(self.state, f"{self.state:#x}")
        return f"seq {self.seq} {state}{'' if self.has_crc else ' bad crc'}"


def entry(seq: int, state: int) -> Entry:
    """Return a well-formed entry."""
    return Entry(seq, b"\xff" * 20, state, crc_of(seq))


def decode(raw: bytes) -> Entry:
    """Return the entry of 32 bytes."""
    return Entry(*_ENTRY.unpack(raw))


def active(pair: tuple[Entry, Entry]) -> int | None:
    """Return the index of the entry that rules: the usable one with the larger number, the first one on a tie."""
    usable = [index for index in (0, 1) if pair[index].is_usable]
    return max(usable, key=lambda index: (pair[index].seq, -index)) if usable else None
