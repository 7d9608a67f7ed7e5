"""Makes small app images that the bootloader accepts, and checks images as the bootloader does.

The bytes are those of a real ESP32 app: header, segments, checksum, hash, app descriptor. What the image carries is a
payload of ours (see `firmware`), where a real one has Xtensa code.

Source of the checks: ESP-IDF v5.5, components/bootloader_support/src/esp_image_format.c (`verify_image_header`,
`verify_segment_header`, `verify_checksum`) and bootloader_common_loader.c (`bootloader_common_check_chip_validity`).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ringback.publisher.errors import FirmwareUnreadable
from ringback.publisher.esp_image import (
    DESCRIPTOR_BYTES,
    DESCRIPTOR_MAGIC,
    MAGIC,
    Image,
    Segment,
    checksum,
    read_image,
)

DROM_AT: Final = 0x3F400000
"""Where an ESP32 maps constants from flash; the first segment of every app goes there."""
IRAM_AT: Final = 0x40080400
MMU_PAGE_BYTES: Final = 0x10000
MAPPED: Final = ((0x3F400000, 0x3F800000), (0x400C2000, 0x40C00000))
"""Address ranges that are mapped, not copied: their bytes must lie at the same offset within a page as in flash."""
BOOTLOADER_RAM: Final = ((0x40078000, 0x40080000), (0x3FFF0000, 0x3FFF3000))
"""What the bootloader itself occupies while it loads: a segment that overlaps it is refused."""


@dataclass(frozen=True, slots=True)
class Chip:
    """The chip on the board; `revision` times 100."""

    chip_id: int = 0
    revision: int = 300


def build_image(payload: bytes, *, chip_id: int = 0, min_revision: int = 0, with_hash: bool = True) -> bytes:
    """Return an app image whose first segment holds an app descriptor and then the payload."""
    descriptor = struct.pack("<II8s32s32s16s16s32s32s", DESCRIPTOR_MAGIC, 0, b"", b"", b"", b"", b"", b"v5.5.5", b"")
    content = descriptor.ljust(DESCRIPTOR_BYTES, b"\0") + payload
    content += b"\0" * (-len(content) % 4)
    # 24 bytes of header and 8 of the segment's own stand before the content, and mapping wants equal page offsets.
    segments = [(DROM_AT + 32, content), (IRAM_AT, b"\x36\x41\x00\x1d\xf0\x00\x00\x00")]
    body = b"".join(struct.pack("<II", at, len(data)) + data for at, data in segments)
    header = struct.pack(
        "<BBBBIB3sHBHH4sB",
        *(MAGIC, len(segments), 2, 0x20, IRAM_AT, 0xEE, b"\0\0\0", chip_id, 0, min_revision, 0xFFFF, b"\0" * 4),
        1 if with_hash else 0,
    )
    data = header + body
    pad = 16 - len(data) % 16
    sums = checksum(data, tuple(_located(segments)))
    data += b"\0" * (pad - 1) + bytes([sums])
    return data + (hashlib.sha256(data).digest() if with_hash else b"")


def payload_of(data: bytes) -> bytes:
    """Return the payload of an image made by `build_image`, with up to 3 zero bytes behind it."""
    first = read_image(data).segments[0]
    return data[first.at + DESCRIPTOR_BYTES : first.at + first.size_bytes]


def _located(segments: list[tuple[int, bytes]]) -> list[Segment]:
    found, at = [], 24
    for load_at, data in segments:
        found.append(Segment(load_at, at + 8, len(data)))
        at += 8 + len(data)
    return found


def refusal(data: bytes, chip: Chip) -> str:
    """Return why the bootloader does not boot the image at the start of a slot's bytes, or an empty string."""
    return _refusal(hashlib.sha256(data).digest(), _Bytes(data), chip)


class _Bytes:
    """Bytes that a cache compares by their hash alone (1.5 MB of them are looked at on every boot)."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4096)
def _refusal(_name: bytes, content: _Bytes, chip: Chip) -> str:
    try:
        image = read_image(content.data)
    except FirmwareUnreadable as error:
        return error.message
    return _judge(image, chip)


def _judge(image: Image, chip: Chip) -> str:
    if image.chip_id != chip.chip_id:
        return f"mismatch chip ID, expected {chip.chip_id}, found {image.chip_id}"
    if image.min_revision > chip.revision:
        return f"chip revision {chip.revision} is below {image.min_revision}"
    for segment in image.segments:
        end = segment.load_at + segment.size_bytes
        if any(segment.load_at < stop and start < end for start, stop in BOOTLOADER_RAM):
            return f"segment at {segment.load_at:#x} overlaps the bootloader"
        is_mapped = any(start <= segment.load_at < stop for start, stop in MAPPED)
        if is_mapped and segment.load_at % MMU_PAGE_BYTES != segment.at % MMU_PAGE_BYTES:
            return f"segment at {segment.load_at:#x} is not at the same page offset in flash"
    if not image.is_checksum_right:
        return "checksum failed"
    if image.is_hash_right is False:
        return "image hash failed"
    return ""
