"""What ESP-IDF's app side does to otadata: choosing the next boot partition, and marking the running app valid.

Both are what `esp32.Partition` calls, with rollback on. Every change is a numbered operation.

- `set_boot` verifies the image, then rewrites the active entry in place (same slot) or the other sector (other slot)
  with the smallest larger sequence number and state NEW.
- `mark_valid` rewrites the *active entry*, whichever partition is running.

Source: ESP-IDF v5.5, components/app_update/esp_ota_ops.c (`esp_ota_set_boot_partition`, `esp_rewrite_ota_data`,
`esp_ota_mark_app_valid_cancel_rollback`).
"""

from __future__ import annotations

from typing import Final

from ringback.sim.esp32 import otadata
from ringback.sim.esp32.bootloader import Verify, Writer
from ringback.sim.esp32.flash import ERASE, SECTOR_BYTES, WRITE, Operation
from ringback.sim.esp32.partitions import FIRST_OTA, Partition, Table

ESP_FAIL: Final = -1
ESP_ERR_INVALID_ARG: Final = -258
ESP_ERR_NOT_FOUND: Final = -261
ESP_ERR_OTA_VALIDATE_FAILED: Final = -5379


def set_boot(flash: Writer, table: Table, partition: Partition, verify: Verify) -> int:
    """Return 0, or ESP-IDF's error as a negative number. What `flash.do` raises goes through."""
    if partition not in table.ota_slots:
        return ESP_ERR_INVALID_ARG
    if verify(flash.read(partition.at, partition.size_bytes)):
        return ESP_ERR_OTA_VALIDATE_FAILED
    pair = read_pair(flash, table)
    slots = len(table.ota_slots)
    wanted = partition.subtype - FIRST_OTA
    index = otadata.active(pair)
    if index is None:
        _rewrite(flash, table, 0, otadata.entry(wanted + 1, otadata.NEW))
        return 0
    seq = pair[index].seq
    if pair[index].slot(slots) == wanted:
        _rewrite(flash, table, index, otadata.entry(seq, otadata.NEW))
        return 0
    larger = wanted + 1
    while larger <= seq:
        larger += slots * max(1, (seq - larger) // slots)
    _rewrite(flash, table, 1 - index, otadata.entry(larger, otadata.NEW))
    return 0


def mark_valid(flash: Writer, table: Table) -> int:
    """Return 0, or ESP-IDF's error as a negative number."""
    pair = read_pair(flash, table)
    index = otadata.active(pair)
    if index is None:
        return ESP_FAIL
    if pair[index].state != otadata.VALID:
        _rewrite(flash, table, index, pair[index].with_state(otadata.VALID))
    return 0


def boot_partition(flash: Writer, table: Table) -> Partition:
    """Return what `esp_ota_get_boot_partition` names: the active entry's slot, else factory, else the first slot."""
    index = otadata.active(read_pair(flash, table))
    slots = table.ota_slots
    if index is None:
        return table.app(0) or slots[0]
    return slots[read_pair(flash, table)[index].slot(len(slots))]


def read_pair(flash: Writer, table: Table) -> tuple[otadata.Entry, otadata.Entry]:
    """Return both otadata entries."""
    part = table.otadata
    assert part is not None, "an app that switches slots has otadata"
    first, second = (
        otadata.decode(flash.read(part.at + index * SECTOR_BYTES, otadata.ENTRY_BYTES)) for index in (0, 1)
    )
    return first, second


def _rewrite(flash: Writer, table: Table, index: int, entry: otadata.Entry) -> None:
    part = table.otadata
    assert part is not None, "an app that switches slots has otadata"
    at = part.at + index * SECTOR_BYTES
    flash.do(Operation(ERASE, at))
    flash.do(Operation(WRITE, at, entry.encode()))
