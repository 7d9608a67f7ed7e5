"""What may go into an ESP32's slot is told from what may not, with what was found and what was expected."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.publisher.errors import (
    FirmwareDump,
    FirmwareRefused,
    FirmwareTooLarge,
    FirmwareUnhashed,
    FirmwareUnreadable,
    FirmwareWrongChip,
)
from ringback.publisher.esp_image import check_firmware, check_for_class, read_image
from ringback.sim.esp32.images import Chip, build_image, refusal
from ringback.sim.esp32.partitions import APP, Partition, Table

SLOT_BYTES = 0x180000
GOOD = build_image(b"payload" * 500)


def check(data: bytes, *, chip: str = "esp32", slot_bytes: int = SLOT_BYTES) -> None:
    check_firmware(data, chip=chip, slot_bytes=slot_bytes)


def test_a_whole_image_for_the_chip_that_fits_is_accepted() -> None:
    image = check_firmware(GOOD, chip="esp32", slot_bytes=SLOT_BYTES)
    assert (image.size_bytes, image.chip, image.is_hash_right) == (len(GOOD), "esp32", True)
    assert image.descriptor is not None
    assert (image.descriptor.version, image.descriptor.project) == ("", "")
    assert check_for_class(GOOD, {"chip": "esp32", "slot_kb": 1536}) == image


def test_a_combined_file_is_refused_though_the_chip_would_take_it_until_the_next_boot() -> None:
    table = Table((Partition("factory", APP, 0, 0x10000, SLOT_BYTES),)).encode()
    bootloader = build_image(b"second stage")
    for base in (0x0, 0x1000):
        combined = bootloader.ljust(0x8000 - base, b"\xff") + table.ljust(0x8000, b"\xff") + GOOD
        with pytest.raises(FirmwareDump, match=f"begins at {base:#x}") as refused:
            check(combined)
        assert refused.value.code == "RB-PUB-031"
        assert "app image alone" in refused.value.hint
        assert refusal(combined, Chip()) == ""


def test_a_full_flash_dump_that_begins_blank_is_refused_as_one() -> None:
    table = Table((Partition("factory", APP, 0, 0x10000, SLOT_BYTES),)).encode()
    with pytest.raises(FirmwareDump):
        check(b"\xff" * 0x8000 + table + b"\xff" * 0x9000 + GOOD)


def test_a_bootloader_alone_is_refused_because_it_describes_no_app() -> None:
    data = bytearray(GOOD)
    struct.pack_into("<I", data, 32, 0x50)
    with pytest.raises(FirmwareDump, match="no app descriptor"):
        check(bytes(data))


def test_an_image_for_another_chip_is_refused_with_both_names() -> None:
    with pytest.raises(FirmwareWrongChip, match=r"for esp32-s3 \(chip id 9\), the device class has esp32 \(0\)"):
        check(build_image(b"x", chip_id=9))
    with pytest.raises(FirmwareWrongChip, match="chip id 0x77"):
        check(build_image(b"x", chip_id=0x77))
    with pytest.raises(FirmwareWrongChip, match="known are esp32"):
        check(GOOD, chip="esp8266")


def test_a_class_that_does_not_say_its_chip_and_slot_is_told_to() -> None:
    for capabilities in ({}, {"chip": "esp32"}, {"slot_kb": 1536}, {"chip": 32, "slot_kb": 1536}):
        with pytest.raises(FirmwareWrongChip, match="chip and slot_kb are needed"):
            check_for_class(GOOD, capabilities)


def test_an_image_larger_than_the_slot_is_refused_with_both_sizes() -> None:
    check(GOOD, slot_bytes=len(GOOD))
    with pytest.raises(FirmwareTooLarge, match=f"{len(GOOD)} bytes, a slot of this class {len(GOOD) - 1}"):
        check(GOOD, slot_bytes=len(GOOD) - 1)


def test_an_image_without_a_hash_of_itself_is_refused() -> None:
    with pytest.raises(FirmwareUnhashed, match="no SHA-256"):
        check(build_image(b"x", with_hash=False))


def test_an_image_one_byte_short_or_long_is_refused() -> None:
    with pytest.raises(FirmwareUnreadable, match="cut off"):
        check(GOOD[:-1])
    with pytest.raises(FirmwareUnreadable, match="nobody signed what is behind it"):
        check(GOOD + b"\xff")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"PK\x03\x04" + bytes(100), bytes(64), b"\xe9"])
def test_a_file_that_is_no_image_is_refused_with_what_it_begins_with(data: bytes) -> None:
    with pytest.raises(FirmwareUnreadable):
        check(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(at: int, flip: int) -> None:
    data = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    with pytest.raises(FirmwareRefused):
        check(data)


@given(st.binary(max_size=400))
def test_no_bytes_at_all_crash_the_reader(data: bytes) -> None:
    with pytest.raises(FirmwareRefused):
        check(b"\xe9" + data)


def test_the_checksum_of_any_length_is_the_xor_of_its_bytes() -> None:
    for size in (0, 4, 8, 12, 1020, 4096):
        image = read_image(build_image(bytes(range(256)) * 16 + bytes(size)))
        assert image.is_checksum_right
