"""The emulated flash behaves as NOR flash does, also when power is lost in the middle of an operation."""

import random

import pytest

from ringback.sim.esp32.flash import (
    BLANK,
    ERASE,
    SECTOR_BYTES,
    WRITE,
    Flash,
    FlashMisuse,
    Operation,
    Tear,
    parse_tear,
    split,
    tears,
)


def test_writing_clears_bits_and_never_sets_one() -> None:
    flash = Flash(2 * SECTOR_BYTES)
    flash.apply(Operation(WRITE, 5, b"\xf0"))
    flash.apply(Operation(WRITE, 5, b"\x3c"))
    assert flash.read(4, 3) == b"\xff\x30\xff"


def test_erasing_gives_back_a_blank_sector_and_counts_its_wear() -> None:
    flash = Flash(2 * SECTOR_BYTES)
    fresh = flash.digest
    flash.apply(Operation(WRITE, SECTOR_BYTES, b"abc"))
    assert flash.digest != fresh
    flash.apply(Operation(ERASE, SECTOR_BYTES))
    assert (flash.digest, flash.read(SECTOR_BYTES, 3), flash.erases) == (fresh, b"\xff" * 3, {1: 1})


def test_a_torn_erase_is_blank_up_to_a_point_and_old_or_rubble_behind_it() -> None:
    for tear, behind in ((Tear("prefix", 512), b"\0"), (Tear("rubble", 512, 7), None)):
        flash = Flash(SECTOR_BYTES)
        flash.apply(Operation(WRITE, 0, b"\0" * SECTOR_BYTES))
        flash.apply(Operation(ERASE, 0), tear)
        content = flash.read(0, SECTOR_BYTES)
        assert content[:512] == BLANK[:512]
        assert set(content[512:]) == {0} if behind else len(set(content[512:])) > 100


def test_a_torn_write_is_a_prefix_or_a_subset_of_the_cleared_bits() -> None:
    flash = Flash(SECTOR_BYTES)
    flash.apply(Operation(WRITE, 8, b"\x12\x34\x56\x78"), Tear("prefix", 2))
    assert flash.read(8, 4) == b"\x12\x34\xff\xff"
    for seed in range(1, 30):
        flash = Flash(SECTOR_BYTES)
        flash.apply(Operation(WRITE, 0, bytes(range(64))), Tear("bits", 0, seed))
        found = flash.read(0, 64)
        assert all(new & old == old for new, old in zip(found, range(64), strict=True))
        assert found != bytes(range(64))


def test_a_torn_word_leaves_everything_else_as_it_was_written() -> None:
    flash = Flash(SECTOR_BYTES)
    flash.apply(Operation(WRITE, 0, bytes(32)), Tear("word", 24, 5))
    content = flash.read(0, 32)
    assert (content[:24], content[28:]) == (bytes(24), bytes(4))
    assert content[24:28] not in (bytes(4), b"\xff" * 4)


def test_a_cut_before_or_after_an_operation_does_nothing_or_all_of_it() -> None:
    flash = Flash(SECTOR_BYTES)
    flash.apply(Operation(WRITE, 0, b"ab"), Tear("none"))
    assert flash.read(0, 2) == b"\xff\xff"
    flash.apply(Operation(WRITE, 0, b"ab"), Tear("all"))
    assert flash.read(0, 2) == b"ab"


def test_equal_content_has_an_equal_name_and_a_copy_is_independent() -> None:
    first, second = Flash(4 * SECTOR_BYTES), Flash(4 * SECTOR_BYTES)
    first.apply(Operation(WRITE, 0, b"a"))
    first.apply(Operation(WRITE, SECTOR_BYTES, b"b"))
    second.apply(Operation(WRITE, SECTOR_BYTES, b"b"))
    assert first.digest != second.digest
    second.apply(Operation(WRITE, 0, b"a"))
    assert first.digest == second.digest
    twin = first.copy()
    twin.apply(Operation(WRITE, 1, b"c"))
    assert (twin.digest != first.digest, first.read(1, 1)) == (True, b"\xff")


def test_the_same_bytes_in_another_sector_are_another_content() -> None:
    first, second = Flash(2 * SECTOR_BYTES), Flash(2 * SECTOR_BYTES)
    first.apply(Operation(WRITE, 0, b"a"))
    second.apply(Operation(WRITE, SECTOR_BYTES, b"a"))
    assert first.digest != second.digest


def test_what_a_driver_refuses_is_refused_here_too() -> None:
    flash = Flash(SECTOR_BYTES)
    for operation in (Operation(ERASE, 1), Operation(WRITE, SECTOR_BYTES - 1, b"ab"), Operation(ERASE, SECTOR_BYTES)):
        with pytest.raises(FlashMisuse):
            flash.apply(operation)
    with pytest.raises(FlashMisuse):
        flash.read(SECTOR_BYTES - 1, 2)
    with pytest.raises(FlashMisuse):
        Flash(1000)


def test_an_access_over_several_sectors_is_several_operations() -> None:
    assert [str(one) for one in split(ERASE, 0, 2 * SECTOR_BYTES)] == ["erase 0x0", "erase 0x1000"]
    assert [str(one) for one in split(WRITE, 0xFFE, b"abcd")] == ["write 0xffe+2", "write 0x1000+2"]


def test_every_tear_of_a_small_write_is_tried_and_has_a_name_to_replay_it_by() -> None:
    found = list(tears(Operation(WRITE, 0, bytes(32)), random.Random(1), bit_tears=3))
    assert [str(tear) for tear in found[:8]] == ["none", *(f"prefix-{n}" for n in range(4, 32, 4))]
    assert [tear.kind for tear in found[8:]] == [*["bits"] * 3, *["word"] * 8, "all"]
    assert [parse_tear(str(tear)) for tear in found] == found
    erase = list(tears(Operation(ERASE, 0), random.Random(1), bit_tears=3))
    assert [tear.kind for tear in erase] == ["none", "prefix", "rubble", "all"]
    assert [parse_tear(str(tear)) for tear in erase] == erase
    long = list(tears(Operation(WRITE, 0, bytes(4096)), random.Random(1), bit_tears=0))
    assert any(tear.amount % 256 == 0 for tear in long if tear.kind == "prefix")
    with pytest.raises(ValueError, match="is no tear"):
        parse_tear("half")
