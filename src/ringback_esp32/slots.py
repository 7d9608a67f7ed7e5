"""Writes firmware into the spare OTA slot, proves it, and selects slots. Loaded when firmware is touched, then dropped.

- Nothing is written while the running firmware is not confirmed: the other slot is then the only way back.
- Before the first byte the slot's record and every stale otadata entry that names the slot are gone, so that a
  half-written slot is never chosen. MicroPython's raw `Partition` writes do neither.
- The whole slot is blank before it is filled; so after a cut the fill goes on at the last sector that holds anything,
  and what stands before it is hashed again.
- Bytes are believed only after they were read back from the flash and hashed. That is done once more right before the
  slot is selected, and otadata is read back before anyone resets.

Source: ESP-IDF, app_update/esp_ota_ops.c (what `esp_ota_begin` does beyond writing), esp_app_format.h.
"""

import binascii
import hashlib
import struct

from esp32 import Partition

from ringback_esp32 import board, errors, otadata
from ringback_esp32.errors import PortError

HEADER = 24
DESCRIPTOR_MAGIC = 0xABCD5432
_HASH = 32
_TRIES = 3


def running():
    """Return the partition that runs."""
    return Partition(Partition.RUNNING)


def spare():
    """Return the slot that does not run."""
    return running().get_next_update()


def end_of(part):
    """Return (SHA-256 the image ends with in hex, its size), or ("", 0) where the slot holds no whole image."""
    limit = part.info()[3]
    head = bytearray(HEADER)
    part.readblocks(0, head)
    if head[0] != 0xE9 or not 0 < head[1] <= 16 or head[23] != 1:
        return "", 0
    at = HEADER
    for _ in range(head[1]):
        segment = _read(part, at, 8)
        at += 8 + struct.unpack("<II", segment)[1]
        if at + 48 > limit:
            return "", 0
    at += 16 - at % 16
    return binascii.hexlify(_read(part, at, _HASH)).decode(), at + _HASH


def check_header(head, size, chip_id, slot_size):
    """Refuse what set_boot accepts and the next boot does not. Raises PortError.

    Args:
        head: the first 64 bytes of the image.
    """
    found = ""
    if size > slot_size:
        found = "%d bytes, a slot has %d" % (size, slot_size)
    elif head[0] != 0xE9:
        found = "begins with 0x%02x, an image with 0xe9" % head[0]
    elif struct.unpack("<H", head[12:14])[0] != chip_id:
        found = "chip id %d, this chip has %d" % (struct.unpack("<H", head[12:14])[0], chip_id)
    elif head[23] != 1:
        found = "carries no hash of itself"
    elif struct.unpack("<I", head[32:36])[0] != DESCRIPTOR_MAGIC:
        found = "describes no app: a bootloader or a combined file"
    if found:
        raise PortError(errors.NO_FIRMWARE, found)


def chip_id():
    """Return the chip id of the running image: what the bootloader accepts on this chip."""
    head = bytearray(HEADER)
    running().readblocks(0, head)
    return struct.unpack("<H", head[12:14])[0]


def is_confirmed(entries):
    """Whether the running firmware is confirmed, so that the other slot may be overwritten."""
    rows = otadata.slots()
    label = running().info()[4]
    for number in range(len(rows)):
        if rows[number][4] == label:
            return otadata.state_of(number, entries) in (otadata.VALID, otadata.UNDEFINED)
    return False


def fill(notes, entry, source):
    """Bring an image into the spare slot.

    Args:
        notes: of this board.
        entry: {"size_bytes", "sha256"} of the image.
        source: callable(start) -> an open download from that byte on, with `readinto(buffer)` and `close()`.

    Raises PortError; after a wrong hash the next try begins with a blank slot.
    """
    entries = otadata.read()
    if not is_confirmed(entries):
        raise PortError(
            errors.UNCONFIRMED, "the running firmware is not confirmed; the spare slot is the way back", True
        )
    part = spare()
    label = part.info()[4]
    sha, size = entry["sha256"], entry["size_bytes"]
    if size > part.info()[3]:
        raise PortError(errors.NO_FIRMWARE, "%d bytes, the slot %s has %d" % (size, label, part.info()[3]))
    record = notes.slot(label)
    if record is not None and record["sha"] == sha:
        # What the slot holds already is proven by verify, not here.
        return
    writing = notes.get("writing", {})
    if writing.get("slot") != label or writing.get("sha") != sha or not writing.get("blank"):
        _prepare(notes, part, sha, entries)
    start = _filled(part, size)
    hashed = hashlib.sha256()
    buffer = bytearray(board.SECTOR)
    for block in range(start // board.SECTOR):
        part.readblocks(block, buffer)
        hashed.update(buffer)
        board.feed()
    _stream(part, start, size, [hashed, source, buffer])
    if binascii.hexlify(hashed.digest()).decode() != sha:
        notes.put(writing=None)
        raise PortError(errors.WRONG_HASH, "the image hashes to another value", True)


def _prepare(notes, part, sha, entries):
    """Forget what the slot held, and blank it."""
    label = part.info()[4]
    slots = {}
    slots.update(notes.get("slots", {}))
    slots.pop(label, None)
    notes.put(slots=slots, writing={"slot": label, "sha": sha, "blank": False})
    otadata.erase_stale(number_of(label), entries)
    for block in range(part.info()[3] // board.SECTOR):
        if not _is_blank(part, block):
            part.ioctl(6, block)
        board.feed()
    notes.put(writing={"slot": label, "sha": sha, "blank": True})


def _filled(part, size):
    """Return where to go on: the start of the last sector that holds anything, which may be torn."""
    count = (size + board.SECTOR - 1) // board.SECTOR
    for block in range(count):
        if _is_blank(part, block):
            return max(0, block - 1) * board.SECTOR
    return max(0, count - 1) * board.SECTOR


def _stream(part, start, size, tools):
    hashed, source, buffer = tools
    view = memoryview(buffer)
    download = source(start)
    try:
        while start < size:
            take = min(board.SECTOR, size - start)
            download.readinto(view[:take])
            if start == 0:
                check_header(buffer, size, chip_id(), part.info()[3])
            hashed.update(view[:take])
            # A cut leaves a part of these bits cleared; writing the same bytes again clears the rest.
            part.writeblocks(start // board.SECTOR, view[:take], 0)
            start += take
            board.feed()
    finally:
        download.close()


def verify(part, entry):
    """Read an image back from its slot. Raises PortError when it is not the one."""
    hashed = hashlib.sha256()
    buffer = bytearray(board.SECTOR)
    view = memoryview(buffer)
    left = entry["size_bytes"]
    block = 0
    while left:
        take = min(board.SECTOR, left)
        part.readblocks(block, view[:take])
        if block == 0:
            check_header(buffer, entry["size_bytes"], chip_id(), part.info()[3])
        hashed.update(view[:take])
        block += 1
        left -= take
        board.feed()
    if binascii.hexlify(hashed.digest()).decode() != entry["sha256"]:
        raise PortError(errors.FLASH, "the slot does not hold the image", True)
    if end_of(part)[1] != entry["size_bytes"]:
        raise PortError(errors.NO_FIRMWARE, "the image ends at byte %d of %d" % (end_of(part)[1], entry["size_bytes"]))


def find(notes, digest):
    """Return (partition, record) of the slot that holds this firmware, by its record and by what stands in it."""
    for row in otadata.slots():
        record = notes.slot(row[4])
        if record is not None and record["digest"] == digest:
            part = Partition(row[4])
            if end_of(part)[0] == record["end"]:
                return part, record
    return None, None


def select(part, record):
    """Make the next boot try this slot: prove it once more, choose it, read otadata back. Raises PortError."""
    verify(part, {"size_bytes": record["size"], "sha256": record["sha"]})
    number = number_of(part.info()[4])
    for _ in range(_TRIES):
        try:
            part.set_boot()
        except OSError as error:
            raise PortError(errors.NOT_CHOSEN, "set_boot: " + str(error)[:60])
        entries = otadata.read()
        if otadata.next_boot(entries) == number and otadata.state_of(number, entries) == otadata.NEW:
            return
    raise PortError(errors.NOT_CHOSEN, "otadata reads " + str(entries)[:80])


def fall_back(part):
    """Make the next boot leave the running firmware for this slot, without another trial. Raises PortError."""
    number = number_of(part.info()[4])
    mine = number_of(running().info()[4])
    for _ in range(_TRIES):
        entries = otadata.read()
        index = otadata.active(entries)
        if otadata.next_boot(entries) == number:
            return
        if index >= 0 and otadata.slot_of(entries[index], len(otadata.slots())) == mine:
            # Confirmed, or a state nobody knows: as an aborted one it is never chosen again by itself.
            otadata.write(index, entries[index][0], otadata.ABORTED)
        else:
            part.set_boot()
    raise PortError(errors.NOT_CHOSEN, "otadata reads " + str(otadata.read())[:80])


def number_of(label):
    """Return the number of a slot by its label."""
    return [row[4] for row in otadata.slots()].index(label)


def _is_blank(part, block):
    buffer = bytearray(512)
    for at in range(0, board.SECTOR, 512):
        part.readblocks(block, buffer, at)
        if buffer.count(b"\xff") != 512:
            return False
    return True


def _read(part, at, size):
    buffer = bytearray(size)
    part.readblocks(at // board.SECTOR, buffer, at % board.SECTOR)
    return buffer
