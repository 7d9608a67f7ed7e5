"""`esp32` as the ESP32 port of MicroPython has it: partitions over the host's flash.

Source: micropython/micropython, ports/esp32/esp32_partition.c; errors are OSError(code, name) of ESP-IDF.
"""

import struct

import _host

_SECTOR = 4096
ESP_ERR_INVALID_ARG = -258
ESP_ERR_INVALID_SIZE = -260
ESP_ERR_NOT_FOUND = -261


def _table():
    raw = _host.ask_bytes(_host.TABLE)
    rows = []
    for at in range(0, len(raw), 28):
        kind, subtype, start, size, label = struct.unpack("<BBxxII16s", raw[at : at + 28])
        rows.append((kind, subtype, start, size, label.rstrip(b"\0").decode(), False))
    return rows


class Partition:
    """A partition of the flash, also a block device."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, name, block_size=4096):
        if name == self.BOOT:
            name = _host.ask_bytes(_host.BOOT_SLOT).decode()
        elif name == self.RUNNING:
            name = _host.ask_bytes(_host.RUNNING_SLOT).decode()
        if isinstance(name, tuple):
            self._row = name
        else:
            rows = [row for row in _table() if row[4] == name]
            if not rows:
                raise OSError(2)
            self._row = rows[0]
        self._block = block_size

    @staticmethod
    def find(type=0, subtype=0xFF, label=None, block_size=4096):
        """Return the partitions that match."""
        found = []
        for row in _table():
            if row[0] == type and subtype in (0xFF, row[1]) and label in (None, row[4]):
                found.append(Partition(row, block_size))
        return found

    def info(self):
        """Return (type, subtype, address, size, label, encrypted)."""
        return self._row

    def get_next_update(self):
        """Return the OTA slot after the running one."""
        slots = sorted([row for row in _table() if row[0] == 0 and 0x10 <= row[1] < 0x20], key=lambda row: row[1])
        if not slots:
            raise OSError(ESP_ERR_NOT_FOUND, "ESP_ERR_NOT_FOUND")
        running = _host.ask_bytes(_host.RUNNING_SLOT).decode()
        names = [row[4] for row in slots]
        index = names.index(running) + 1 if running in names else 0
        return Partition(slots[index % len(slots)])

    def set_boot(self):
        """Choose this app slot for the next boot; ESP-IDF verifies its image first."""
        _host.ask(_host.SET_BOOT, self._row[2])

    @staticmethod
    def mark_app_valid_cancel_rollback():
        """Mark the active otadata entry valid, whatever partition is running."""
        _host.ask(_host.MARK_VALID)

    def _at(self, block, offset, size):
        at = block * self._block + offset
        if at < 0 or at + size > self._row[3]:
            raise OSError(ESP_ERR_INVALID_SIZE, "ESP_ERR_INVALID_SIZE")
        return self._row[2] + at

    def readblocks(self, block, buffer, offset=0):
        """Read any number of bytes."""
        _host.read_flash(self._at(block, offset, len(buffer)), buffer)

    def writeblocks(self, block, buffer, offset=None):
        """Write without erasing when there is an offset, else erase whole sectors first."""
        at = self._at(block, offset or 0, len(buffer))
        if offset is None:
            if len(buffer) % _SECTOR:
                raise OSError(ESP_ERR_INVALID_SIZE, "ESP_ERR_INVALID_SIZE")
            _host.ask(_host.ERASE, at, len(buffer))
        _host.ask(_host.WRITE, at, len(buffer), bytes(buffer))

    def ioctl(self, op, argument):
        """Block device control: 4 count, 5 size, 6 erase one block."""
        if op == 4:
            return self._row[3] // self._block
        if op == 5:
            return self._block
        if op == 6:
            if self._block != _SECTOR:
                return -22
            _host.ask(_host.ERASE, self._at(argument, 0, _SECTOR), _SECTOR)
            return 0
        return 0
