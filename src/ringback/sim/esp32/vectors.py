"""Holds the emulated bootloader to recordings of a genuine one.

A recording says: with so many OTA slots, with or without a factory app, with these images in order or damaged, and with
these two otadata entries, the bootloader booted this slot and left these two entries. The recorded set beside this file
(`idf_v5_5_5_vectors.txt`) is behaviour of the ESP-IDF v5.5.5 bootloader binary over random flash states. Another file,
in the form that the recorder writes (a JSON list), can be checked by `ringback sim esp32 --vectors FILE`.

- Each vector is run over a whole emulated chip: partition table, real images, otadata sectors.
- The model knows rules, not recordings: nothing here is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ringback.errors import InputError
from ringback.sim.esp32.bootloader import boot
from ringback.sim.esp32.flash import SECTOR_BYTES, Flash, Operation
from ringback.sim.esp32.images import Chip, build_image, refusal
from ringback.sim.esp32.otadata import ENTRY_BYTES
from ringback.sim.esp32.partitions import APP, DATA, FACTORY, FIRST_OTA, TABLE_AT, Partition, Table

RECORDED: Final = "idf_v5_5_5_vectors.txt"
FACTORY_MARK: Final = "F"
NOTHING_MARK: Final = "-"
SLOT_BYTES: Final = 0x10000
"""App partitions begin on 64 KiB boundaries; the images here are far smaller."""


class VectorsUnreadable(InputError):
    """RB-SIM-401: the file is not of the recorder's form."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "RB-SIM-401", message, hint="see the form of the recorded ones in ringback/sim/esp32/vectors.py"
        )


@dataclass(frozen=True, slots=True)
class Vector:
    """One recording.

    Attributes:
        bootable: per OTA slot, whether its image is whole.
        factory: None without a factory partition, else whether its image is whole.
        before, after: both otadata entries.
        boots: the slot's number in digits, F for the factory app, - for nothing.
    """

    bootable: tuple[bool, ...]
    factory: bool | None
    before: tuple[bytes, bytes]
    after: tuple[bytes, bytes]
    boots: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A recording that the emulated bootloader does not reproduce."""

    index: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Result:
    """How many recordings were reproduced, and what the others came to."""

    total: int
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> int:
        return self.total - len(self.mismatches)


def recorded() -> tuple[Vector, ...]:
    """Return the recordings that come with the package."""
    text = files("ringback.sim.esp32").joinpath(RECORDED).read_text(encoding="ascii")
    return tuple(_from_line(line) for line in text.splitlines() if line and not line.startswith("#"))


def load(path: Path) -> tuple[Vector, ...]:
    """Return the recordings of a file as the recorder writes it. Raises VectorsUnreadable."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VectorsUnreadable(f"{path} cannot be read: {error}") from error
    if not isinstance(rows, list):
        raise VectorsUnreadable(f"{path} holds a {type(rows).__name__}, expected a list of recordings")
    return tuple(_from_row(row, index) for index, row in enumerate(rows))


def check(vectors: Sequence[Vector]) -> Result:
    """Run every recording through the emulated bootloader."""
    return Result(len(vectors), tuple(_mismatches(vectors)))


def to_line(vector: Vector) -> str:
    """Return a recording in one line of the compact form."""
    marks = "".join("ny"[whole] for whole in vector.bootable)
    factory = NOTHING_MARK if vector.factory is None else "ny"[vector.factory]
    entries = [_squeeze(raw) for raw in (*vector.before, *vector.after)]
    return " ".join([marks, factory, vector.boots, *entries])


def _mismatches(vectors: Sequence[Vector]) -> Iterator[Mismatch]:
    for index, vector in enumerate(vectors):
        boots, after = _run(vector)
        expected, found = _show(vector.boots, vector.after), _show(boots, after)
        if expected != found:
            yield Mismatch(index, expected, found)


def _show(boots: str, after: tuple[bytes, bytes]) -> str:
    return f"boots {boots}, leaves {after[0].hex()} {after[1].hex()}"


class _Chip:
    """A flash on which every operation completes."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.size_bytes = flash.size_bytes
        self.read = flash.read

    def do(self, operation: Operation) -> None:
        self.flash.apply(operation)


def _run(vector: Vector) -> tuple[str, tuple[bytes, bytes]]:
    parts = [Partition("otadata", DATA, 0, 0xD000, 2 * SECTOR_BYTES)]
    if vector.factory is not None:
        parts.append(Partition("factory", APP, FACTORY, 0x10000, SLOT_BYTES))
    for number in range(len(vector.bootable)):
        parts.append(Partition(f"ota_{number}", APP, FIRST_OTA + number, 0x20000 + number * SLOT_BYTES, SLOT_BYTES))
    flash = Flash(parts[-1].end)
    flash.load(TABLE_AT, Table(tuple(parts)).encode())
    for part in parts:
        if part.type == APP:
            whole = vector.factory if part.subtype == FACTORY else vector.bootable[part.subtype - FIRST_OTA]
            image = build_image(part.label.encode())
            flash.load(part.at, image if whole else image[:-1] + bytes([image[-1] ^ 1]))
    for index, raw in enumerate(vector.before):
        flash.load(parts[0].at + index * SECTOR_BYTES, raw)
    result = boot(_Chip(flash), lambda data: refusal(data, Chip()))
    after = tuple(flash.read(parts[0].at + index * SECTOR_BYTES, ENTRY_BYTES) for index in (0, 1))
    return _mark(result.partition), (after[0], after[1])


def _mark(partition: Partition | None) -> str:
    if partition is None:
        return NOTHING_MARK
    return FACTORY_MARK if partition.subtype == FACTORY else str(partition.subtype - FIRST_OTA)


def _from_row(row: object, index: int) -> Vector:
    try:
        assert isinstance(row, dict)
        bootable = tuple(bool(whole) for whole in row["bootable"])
        if len(bootable) != row["ota_slots"]:
            raise ValueError(f"{row['ota_slots']} slots but {len(bootable)} images")
        factory = bool(row["factory_bootable"]) if row["factory"] else None
        boots = NOTHING_MARK if row["boots"] is None else str(row["boots"])
        return Vector(bootable, factory, _pair(row["otadata"]), _pair(row["otadata_after"]), boots)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise VectorsUnreadable(f"recording {index} cannot be used: {error!r}") from error


def _pair(texts: Sequence[str]) -> tuple[bytes, bytes]:
    first, second = (bytes.fromhex(text) for text in texts)
    if len(first) != ENTRY_BYTES or len(second) != ENTRY_BYTES:
        raise ValueError(f"entries of {len(first)} and {len(second)} bytes, expected {ENTRY_BYTES}")
    return first, second


def _from_line(line: str) -> Vector:
    marks, factory, boots, *entries = line.split()
    raw = [_unsqueeze(text) for text in entries]
    return Vector(
        bootable=tuple(mark == "y" for mark in marks),
        factory=None if factory == NOTHING_MARK else factory == "y",
        before=(raw[0], raw[1]),
        after=(raw[2], raw[3]),
        boots=boots,
    )


def _squeeze(raw: bytes) -> str:
    """Hexadecimal, with the label (nearly always 20 bytes 0xFF) left out."""
    return raw.hex() if raw[4:24] != b"\xff" * 20 else f"{raw[:4].hex()}:{raw[24:].hex()}"


def _unsqueeze(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", "ff" * 20))
