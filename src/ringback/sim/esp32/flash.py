"""A NOR flash chip in memory: what erasing, writing and losing power do to its bits.

It decides what a sector holds after each operation, also after one that power cut short. It never knows what the bytes
mean, and never when power is lost: that is `power`'s.

- Erasing sets a whole 4 KiB sector to 0xFF; writing only clears bits. A write over old data therefore gives the AND.
- A cut inside an erase leaves a sector that is erased up to some point, with old or with random bytes behind it.
- A cut inside a write leaves a prefix of the new bytes, or any subset of the bits that were to be cleared.
- Sectors that were never written are not stored, so that a copy of a mostly empty 4 MiB chip is cheap.

Source: ESP-IDF, spi_flash and NVS documentation (erase unit, AND on write, erases that do not complete on weak
supplies); components/esp_partition/partition_linux.c counts power by 4 bytes written and by sector erased.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

SECTOR_BYTES: Final = 4096
BLANK: Final = b"\xff" * SECTOR_BYTES
PREFIX_STEPS: Final = (1, 4, 16, 256)
"""Granularity at which a write may stop: byte, word, encryption block, page."""

ERASE: Final = "erase"
WRITE: Final = "write"


class FlashMisuse(Exception):
    """An access that a real driver refuses: outside the chip, or not aligned to a sector."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of the flash: an erase of one sector, or a write of at most one sector's bytes, inside one sector."""

    kind: str
    at: int
    data: bytes = b""

    @property
    def sector(self) -> int:
        return self.at // SECTOR_BYTES

    def __str__(self) -> str:
        size = f"+{len(self.data)}" if self.kind == WRITE else ""
        return f"{self.kind} {self.at:#x}{size}"


@dataclass(frozen=True, slots=True)
class Tear:
    """How an operation that power interrupted ended.

    Attributes:
        kind: none (it had not begun), all (it was complete), prefix (only the first `amount` bytes), rubble (an erase:
            `amount` bytes erased, random bytes behind), bits (a write: a random subset of the bits), word (a write: all
            of it but some bits of the 4 bytes at `amount`: what a checksum over other bytes does not see).
        amount: bytes.
        seed: of the random bits.
    """

    kind: str
    amount: int = 0
    seed: int = 0

    def __str__(self) -> str:
        parts = [self.kind, *([str(self.amount)] if self.amount else []), *([f"s{self.seed}"] if self.seed else [])]
        return "-".join(parts)


UNTOUCHED: Final = Tear("none")
COMPLETE: Final = Tear("all")


def parse_tear(text: str) -> Tear:
    """Return the tear that `str` wrote. Raises ValueError."""
    kind, *rest = text.split("-")
    amount, seed = 0, 0
    for part in rest:
        if part.startswith("s"):
            seed = int(part[1:])
        else:
            amount = int(part)
    if kind not in {"none", "all", "prefix", "rubble", "bits", "word"}:
        raise ValueError(f"{text!r} is no tear: none, all, prefix-N, rubble-N-sS, bits-sS or word-N-sS")
    return Tear(kind, amount, seed)


class Flash:
    """The chip. `digest` names its content; `erases` counts erases per sector since it was made."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes <= 0 or size_bytes % SECTOR_BYTES:
            raise FlashMisuse(f"a flash of {size_bytes} bytes; expected a multiple of {SECTOR_BYTES}")
        self.size_bytes = size_bytes
        self._sectors: dict[int, bytes] = {}
        self._digests: dict[int, int] = {}
        self._sum = 0
        self.erases: dict[int, int] = {}

    def copy(self) -> Flash:
        """Return an independent chip with the same content, and its own count of erases from zero."""
        twin = Flash(self.size_bytes)
        twin._sectors = dict(self._sectors)
        twin._digests = dict(self._digests)
        twin._sum = self._sum
        return twin

    @property
    def digest(self) -> str:
        """16 hex digits that are equal for equal content."""
        return f"{self._sum:016x}"

    @property
    def sectors(self) -> Mapping[int, bytes]:
        """Every sector that is not blank, by number."""
        return self._sectors

    def read(self, at: int, size_bytes: int) -> bytes:
        """Return bytes. Raises FlashMisuse outside the chip."""
        if at < 0 or size_bytes < 0 or at + size_bytes > self.size_bytes:
            raise FlashMisuse(f"{size_bytes} bytes at {at:#x} are outside a flash of {self.size_bytes:#x}")
        parts = []
        end = at + size_bytes
        while at < end:
            offset = at % SECTOR_BYTES
            take = min(SECTOR_BYTES - offset, end - at)
            parts.append(self._sectors.get(at // SECTOR_BYTES, BLANK)[offset : offset + take])
            at += take
        return b"".join(parts)

    def apply(self, operation: Operation, tear: Tear = COMPLETE) -> None:
        """Do an operation, wholly or as far as `tear` says. Raises FlashMisuse."""
        self._check(operation)
        sector = operation.sector
        old = self._sectors.get(sector, BLANK)
        if operation.kind == ERASE:
            if tear.kind != "none":
                self.erases[sector] = self.erases.get(sector, 0) + 1
            self._put(sector, _erased(old, tear))
            return
        offset = operation.at % SECTOR_BYTES
        size = len(operation.data)
        new = _written(old[offset : offset + size], operation.data, tear)
        self._put(sector, old[:offset] + new + old[offset + size :])

    def load(self, at: int, data: bytes) -> None:
        """Put bytes there as a programmer on the bench does: erased first, nothing counted. `at`: start of a sector."""
        for start in range(0, len(data), SECTOR_BYTES):
            piece = data[start : start + SECTOR_BYTES]
            self._put((at + start) // SECTOR_BYTES, piece + BLANK[len(piece) :])

    def _check(self, operation: Operation) -> None:
        if not 0 <= operation.at < self.size_bytes:
            raise FlashMisuse(f"{operation} is outside a flash of {self.size_bytes:#x}")
        if operation.kind == ERASE and operation.at % SECTOR_BYTES:
            raise FlashMisuse(f"{operation} is not at the start of a sector")
        if operation.kind == WRITE and operation.at % SECTOR_BYTES + len(operation.data) > SECTOR_BYTES:
            raise FlashMisuse(f"{operation} crosses the end of its sector")

    def _put(self, sector: int, content: bytes) -> None:
        if content == self._sectors.get(sector, BLANK):
            return
        self._sum ^= self._digests.pop(sector, 0)
        if content == BLANK:
            self._sectors.pop(sector, None)
            return
        self._sectors[sector] = content
        name = hashlib.blake2b(content, digest_size=8, salt=sector.to_bytes(4, "big")).digest()
        self._digests[sector] = int.from_bytes(name, "big")
        self._sum ^= self._digests[sector]


def split(kind: str, at: int, payload: bytes | int) -> list[Operation]:
    """Return the operations that an access consists of.

    Args:
        kind: ERASE or WRITE.
        at: where it begins.
        payload: the bytes to write, or how many bytes to erase (a multiple of a sector).
    """
    if isinstance(payload, int):
        return [Operation(ERASE, start) for start in range(at, at + payload, SECTOR_BYTES)]
    operations = []
    start = 0
    while start < len(payload):
        take = min(SECTOR_BYTES - (at + start) % SECTOR_BYTES, len(payload) - start)
        operations.append(Operation(kind, at + start, payload[start : start + take]))
        start += take
    return operations


def tears(operation: Operation, dice: random.Random, *, bit_tears: int) -> Iterator[Tear]:
    """Yield ways in which power can interrupt this operation, clean ones first.

    One prefix is drawn per granularity of PREFIX_STEPS, so that a long write does not have thousands; small writes
    (an otadata entry, a commit of the file system) get every word. `bit_tears`: how many subsets of bits are drawn.
    """
    yield UNTOUCHED
    if operation.kind == ERASE:
        yield Tear("prefix", dice.randrange(1, SECTOR_BYTES // 256) * 256)
        yield Tear("rubble", dice.randrange(0, SECTOR_BYTES // 256) * 256, dice.randrange(1, 1 << 16))
    else:
        for amount in _prefixes(len(operation.data), dice):
            yield Tear("prefix", amount)
        for _ in range(bit_tears):
            yield Tear("bits", 0, dice.randrange(1, 1 << 16))
        for at in _words(len(operation.data), dice):
            yield Tear("word", at, dice.randrange(1, 1 << 16))
    yield COMPLETE


def _prefixes(size_bytes: int, dice: random.Random) -> list[int]:
    if size_bytes <= 32:
        return list(range(4, size_bytes, 4))
    chosen = {dice.randrange(1, (size_bytes - 1) // step + 1) * step for step in PREFIX_STEPS if size_bytes > step}
    return sorted(chosen)


def _words(size_bytes: int, dice: random.Random) -> list[int]:
    """Every word of a small write, one of a long one."""
    if size_bytes <= 32:
        return list(range(0, size_bytes - 3, 4))
    return [dice.randrange(0, size_bytes // 4) * 4]


def _erased(old: bytes, tear: Tear) -> bytes:
    if tear.kind == "none":
        return old
    if tear.kind == "prefix":
        return BLANK[: tear.amount] + old[tear.amount :]
    if tear.kind == "rubble":
        return BLANK[: tear.amount] + random.Random(tear.seed).randbytes(SECTOR_BYTES - tear.amount)
    return BLANK


def _written(old: bytes, data: bytes, tear: Tear) -> bytes:
    if tear.kind == "none":
        return old
    if tear.kind == "prefix":
        data = data[: tear.amount] + b"\xff" * (len(data) - tear.amount)
    size = len(data)
    before, wanted = int.from_bytes(old, "big"), int.from_bytes(data, "big")
    if tear.kind == "bits":
        wanted |= random.Random(tear.seed).getrandbits(8 * size) if size else 0
    if tear.kind == "word":
        wanted |= random.Random(tear.seed).getrandbits(32) << 8 * (size - tear.amount - 4)
    return (before & wanted).to_bytes(size, "big")
