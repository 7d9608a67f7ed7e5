"""Who this board is: two copies on raw flash, the newer whole one counts.

Copy: `magic 4, number u32, length u32, crc32 u32, JSON`. Written at provisioning, and once more at enrolment, always
over the older copy; so a cut leaves the other one. No file system is needed to read it.
"""

import binascii
import json
import struct

from ringback_esp32 import board

_HEAD = "<4sIII"
_HEAD_BYTES = 16
_MAGIC = b"RBID"
_SECTORS = 2
_MAX = _SECTORS * board.SECTOR - _HEAD_BYTES


def load():
    """Return the identity, {} where there is none."""
    part = board.partition(board.IDENT)
    found = {}
    newest = -1
    for copy in range(2):
        number, data = _read(part, copy)
        if data is not None and number > newest:
            newest = number
            found = json.loads(data)
    return found


def save(found):
    """Write over the older copy, and read it back. Raises OSError."""
    part = board.partition(board.IDENT)
    numbers = [_read(part, copy)[0] for copy in range(2)]
    copy = 0 if numbers[0] <= numbers[1] else 1
    data = json.dumps(found).encode()
    if len(data) > _MAX:
        raise OSError(28, "identity")
    number = max(numbers) + 1
    head = struct.pack(_HEAD, _MAGIC, number, len(data), binascii.crc32(data) & 0xFFFFFFFF)
    for sector in range(_SECTORS):
        part.ioctl(6, copy * _SECTORS + sector)
    raw = head + data
    for sector in range((len(raw) + board.SECTOR - 1) // board.SECTOR):
        part.writeblocks(copy * _SECTORS + sector, raw[sector * board.SECTOR : (sector + 1) * board.SECTOR], 0)
    if _read(part, copy) != (number, data):
        raise OSError(5, "identity")


def _read(part, copy):
    head = bytearray(_HEAD_BYTES)
    part.readblocks(copy * _SECTORS, head)
    magic, number, size, crc = struct.unpack(_HEAD, head)
    if magic != _MAGIC or size > _MAX:
        return -1, None
    data = bytearray(size)
    part.readblocks(copy * _SECTORS, data, _HEAD_BYTES)
    if binascii.crc32(data) & 0xFFFFFFFF != crc:
        return -1, None
    return number, bytes(data)
