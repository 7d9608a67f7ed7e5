"""The strict disk keeps what was synced, and nothing else for certain."""

import errno

import pytest

from ringback.sim.disk import PowerCut, StrictDisk


def test_appended_bytes_are_read_at_once_and_lost_in_a_crash_before_sync() -> None:
    disk = StrictDisk()
    disk.append("journal", b"one")
    assert disk.read("journal") == b"one"

    disk.crash(lambda pending: 0)

    assert disk.read("journal") is None


def test_a_crash_may_leave_any_prefix_of_what_was_not_synced() -> None:
    disk = StrictDisk()
    disk.append("journal", b"synced")
    disk.sync("journal")
    disk.append("journal", b"torn")

    disk.crash(lambda pending: pending - 2)

    assert disk.read("journal") == b"syncedto"


def test_replace_is_durable_when_it_returns() -> None:
    disk = StrictDisk()
    disk.append("state", b"pending")
    disk.replace("state", b"new")

    disk.crash(lambda pending: pending)

    assert disk.read("state") == b"new"


def test_a_power_cut_at_a_write_leaves_the_old_bytes() -> None:
    disk = StrictDisk()
    disk.replace("state", b"old")
    disk.cut_power_at(2)

    with pytest.raises(PowerCut):
        disk.replace("state", b"new")

    disk.crash(lambda pending: 0)
    assert disk.read("state") == b"old"


def test_a_full_disk_says_so_and_keeps_what_it_has() -> None:
    disk = StrictDisk(capacity_bytes=8)
    disk.replace("state", b"12345678")

    with pytest.raises(OSError, match="disk full") as caught:
        disk.append("journal", b"9")

    assert caught.value.errno == errno.ENOSPC
    assert disk.read("state") == b"12345678"


def test_absent_is_told_from_empty() -> None:
    disk = StrictDisk()
    disk.replace("empty", b"")

    assert disk.read("empty") == b""
    assert disk.read("absent") is None
