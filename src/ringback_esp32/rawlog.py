"""The kernel's journal storage on raw flash: two areas of whole sectors, each a row of pieces.

Piece: `length u16, complement u16, bytes`, padded to 4. Appending clears bits of blank flash and erases nothing; a
piece whose length does not match its complement was torn, and ends the area with a byte that no record begins with, so
that the journal sees a torn tail and goes on in the other area.

- What was written is read back before it counts.
- The file system of the board is not needed: the journal works when that is full or broken.
"""

import struct

from ringback_esp32 import board

_HEAD = "<HH"
_CHUNK = 256


class RawLog:
    """One area pair.

    Args:
        first: sector of the partition it begins at.
        sectors: sectors of one area.
    """

    def __init__(self, first, sectors):
        self.flash = board.partition(board.LOG)
        self.areas = {"journal-a": first, "journal-b": first + sectors}
        self.sectors = sectors
        self.ends = {}

    def read(self, name):
        """Return the bytes of an area, None when it is blank."""
        pieces, total, end = self._walk(name)
        self.ends[name] = end
        if not pieces and end == 0:
            return None
        # One buffer for all: a journal may be as large as a fifth of the heap.
        data = bytearray(total + (1 if end < 0 else 0))
        view = memoryview(data)
        filled = 0
        for at, length in pieces:
            self._read(name, at, view[filled : filled + length])
            filled += length
        return data

    def append(self, name, data):
        """Add a piece, durable on return. Raises OSError when the area is full or the flash does not hold it."""
        if name not in self.ends:
            self.read(name)
        at = self.ends[name]
        piece = struct.pack(_HEAD, len(data), len(data) ^ 0xFFFF) + data
        if at < 0 or at + len(piece) > self.sectors * board.SECTOR:
            raise OSError(28, name)
        self.ends[name] = -1
        self._write(name, at, piece)
        self.ends[name] = at + (len(piece) + 3) // 4 * 4

    def sync(self, name):
        """Nothing is buffered."""

    def replace(self, name, data):
        """Put one piece in place of everything. The other area leads until this one is whole."""
        self.ends[name] = -1
        first = self.areas[name]
        for sector in range(first, first + self.sectors):
            if not self._is_blank(sector):
                self.flash.ioctl(6, sector)
            if not self._is_blank(sector):
                raise OSError(5, "sector %d is not blank after erasing" % sector)
        self.ends[name] = 0
        self.append(name, data)

    def size(self, name):
        """Return how many bytes of an area are used."""
        if name not in self.ends:
            self.read(name)
        return max(0, self.ends[name])

    def _walk(self, name):
        """Return (pieces as (offset, length), bytes in all, where the next piece goes or -1 behind a torn one)."""
        at = total = 0
        pieces = []
        end = self.sectors * board.SECTOR
        head = bytearray(4)
        while at + 4 <= end:
            self._read(name, at, head)
            length, complement = struct.unpack(_HEAD, head)
            if length == 0xFFFF and complement == 0xFFFF:
                # Blank as far as a head can tell; what is torn behind it is found when the next piece is read back.
                return pieces, total, at
            if length ^ complement != 0xFFFF or at + 4 + length > end:
                break
            pieces.append((at + 4, length))
            total += length
            at += (4 + length + 3) // 4 * 4
        return pieces, total, -1

    def _read(self, name, at, buffer):
        self.flash.readblocks(self.areas[name] + at // board.SECTOR, buffer, at % board.SECTOR)

    def _write(self, name, at, piece):
        """Write within sectors, and read back."""
        done = 0
        while done < len(piece):
            start = at + done
            take = min(board.SECTOR - start % board.SECTOR, len(piece) - done)
            block = self.areas[name] + start // board.SECTOR
            part = piece[done : done + take]
            self.flash.writeblocks(block, part, start % board.SECTOR)
            back = bytearray(take)
            self.flash.readblocks(block, back, start % board.SECTOR)
            if back != part:
                raise OSError(5, "the log does not hold what was written")
            done += take

    def _is_blank(self, sector):
        buffer = bytearray(_CHUNK)
        for at in range(0, board.SECTOR, _CHUNK):
            self.flash.readblocks(sector, buffer, at)
            if buffer.count(b"\xff") != _CHUNK:
                return False
        return True
