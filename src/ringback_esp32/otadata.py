"""The two otadata entries as the agent reads, predicts and repairs them.

MicroPython has no call for this, and `mark_app_valid_cancel_rollback` marks the active entry whatever is running; so
the agent reads the entries itself, before it believes anything and again before it resets.

- A state outside the six known ones is unconfirmed, though the bootloader boots it without protection: the CRC covers
  only the sequence number.

Source: ESP-IDF, esp_flash_partitions.h, bootloader_common_loader.c.
"""

import binascii
import struct

from esp32 import Partition

NEW = 0
PENDING = 1
VALID = 2
INVALID = 3
ABORTED = 4
UNDEFINED = 0xFFFFFFFF
_BLANK = 0xFFFFFFFF
_ENTRY = "<I20sII"
_BYTES = 32


def flash():
    """Return the partition of the entries."""
    return Partition.find(Partition.TYPE_DATA, 0)[0]


def read():
    """Return both entries as [seq, state, whether the crc is right]."""
    part = flash()
    found = []
    for index in range(2):
        raw = bytearray(_BYTES)
        part.readblocks(index, raw, 0)
        seq, _, state, crc = struct.unpack(_ENTRY, raw)
        found.append([seq, state, crc == _crc(seq)])
    return found


def _crc(seq):
    return binascii.crc32(struct.pack("<I", seq), 0xFFFFFFFF) & 0xFFFFFFFF


def usable(entry):
    """Whether the bootloader may choose it."""
    return entry[0] != _BLANK and entry[1] not in (INVALID, ABORTED) and entry[2]


def active(entries):
    """Return the index of the entry that rules, or -1."""
    if usable(entries[0]) and usable(entries[1]):
        return 0 if entries[0][0] >= entries[1][0] else 1
    if usable(entries[0]):
        return 0
    return 1 if usable(entries[1]) else -1


def slots():
    """Return the rows of the app slots, by number."""
    found = [part.info() for part in Partition.find(Partition.TYPE_APP) if 0x10 <= part.info()[1] < 0x20]
    return sorted(found, key=lambda row: row[1])


def slot_of(entry, count):
    """Return the number of the slot an entry names."""
    return ((entry[0] - 1) & 0xFFFFFFFF) % count


def after_abort(entries):
    """Return the entries as the next boot makes them before it chooses."""
    return [[seq, ABORTED if state == PENDING else state, good] for seq, state, good in entries]


def next_boot(entries):
    """Return the number of the slot the next boot chooses, -1 where the entries name none."""
    found = after_abort(entries)
    index = active(found)
    return slot_of(found[index], len(slots())) if index >= 0 else -1


def state_of(number, entries):
    """Return the state of the active entry if it names this slot, else None."""
    index = active(entries)
    if index < 0 or slot_of(entries[index], len(slots())) != number:
        return None
    return entries[index][1]


def write(index, seq, state):
    """Rewrite one entry and read it back. Raises OSError where the flash does not hold it."""
    part = flash()
    raw = struct.pack(_ENTRY, seq, b"\xff" * 20, state, _crc(seq))
    part.ioctl(6, index)
    part.writeblocks(index, raw, 0)
    if read()[index] != [seq, state, True]:
        raise OSError(5, "otadata does not hold what was written")


def protect():
    """Make a ruling entry in an unknown state pending: what it names falls back at the next reset unless it proves
    itself, as after any other switch.
    """
    entries = read()
    index = active(entries)
    if index >= 0 and entries[index][1] not in (NEW, PENDING, VALID, UNDEFINED):
        write(index, entries[index][0], PENDING)


def erase_stale(number, entries):
    """Erase entries that name this slot and do not rule: what they name is about to be overwritten."""
    ruling = active(entries)
    for index in range(2):
        seq, _, good = entries[index]
        if index != ruling and seq != _BLANK and (not good or slot_of(entries[index], len(slots())) == number):
            flash().ioctl(6, index)
