"""Keeps the state through power cuts: an append-only journal in two files, of which one is always whole.

File: header `magic(4) format(u16) writer(u16) crc32(u32)`, then records
`mark(u16) type(u8) zero(u8) seq(u32) length(u32) payload crc32(u32)`, little-endian; the crc covers everything before
it. Record types: 1 = a state (JSON), 2 = a signed desired state that states refer to by generation (u64 generation,
bytes).

- The last valid state wins; a state says which desired states it needs.
- A record is durable before the effect it announces; so a torn tail is a record whose effect never began, and is
  dropped.
- Torn is told from absent, and from damaged: a broken record in the middle is stepped over (every state is whole by
  itself) and reported. After anything broken, the next write goes to the other file.
- When a file is full, the other one is replaced by a header, the needed desired states and the newest state.
- Unknown record types are skipped, unknown fields of a state are kept; formats one older and one newer are read.

Never: decides what the state means.
"""

import binascii
import json
import struct

from ringback_kernel import errors, wire
from ringback_kernel.errors import JournalError

FORMAT = 1
READS = (0, 1, 2)
WRITER = 1
NAMES = ("journal-a", "journal-b")

_MAGIC = b"RBKJ"
_HEADER = "<4sHH"
_HEADER_BYTES = 12
_MARK = 0x5AA5
_MARK_BYTES = b"\xa5\x5a"
_RECORD = "<HBBII"
_RECORD_BYTES = 12
_CRC_BYTES = 4
STATE = 1
DOCUMENT = 2

ABSENT = "absent"
WHOLE = "whole"
TORN = "torn"
DAMAGED = "damaged"
LOST = "lost"


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", binascii.crc32(data) & 0xFFFFFFFF)


def header() -> bytes:
    """Return the start of a journal file."""
    start = struct.pack(_HEADER, _MAGIC, FORMAT, WRITER)
    return start + _crc(start)


def record(kind: int, seq: int, payload: bytes) -> bytes:
    """Return one record."""
    body = struct.pack(_RECORD, _MARK, kind, 0, seq, len(payload)) + payload
    return body + _crc(body)


class Journal:
    """The journal of one agent over a driver's storage.

    Storage: `read(name) -> bytes or None`, `append(name, data)`, `sync(name)`, `replace(name, data)` (atomic and
    durable), `size(name) -> int`. They raise OSError when the disk refuses.
    """

    def __init__(self, storage, max_bytes: int):
        self.storage = storage
        self.max_bytes = max_bytes
        self.seq = 0
        self.current = ""
        self.size = 0
        self.written: list = []
        self.must_switch = True

    def load(self) -> tuple:
        """Return (state object or None, {generation: signed bytes}, condition).

        Condition: absent (a new device), whole, torn (the tail was dropped), damaged (broken in the middle, stepped
        over), lost (files are there, but no state in them). Raises JournalError RB-JOURNAL-001 for a format this
        agent is too old for.
        """
        best: _File | None = None
        documents = {}
        are_there = False
        conditions = []
        for name in NAMES:
            data = self.storage.read(name)
            if data is None:
                continue
            are_there = True
            found = _File(data)
            documents.update(found.documents)
            conditions.append(found.condition)
            self.seq = max(self.seq, found.seq)
            if found.state is not None and (best is None or found.state_seq > best.state_seq):
                best = found
                self.current = name
        if not are_there:
            return None, {}, ABSENT
        if best is None:
            return None, {}, LOST
        self.size = best.size
        self.written = list(best.documents)
        # Never append after something broken: what comes after it would be hard to tell from it.
        self.must_switch = best.condition != WHOLE
        condition = (
            best.condition if best.condition != WHOLE else max(conditions, key=(WHOLE, TORN, DAMAGED, LOST).index)
        )
        return best.state, documents, condition

    def write(self, state: dict, documents: dict) -> None:
        """Make a state durable, with the desired states it refers to.

        Args:
            documents: {generation: signed bytes}, all that are needed from now on.

        Raises OSError when the disk refuses; then nothing was written that counts.
        """
        new = [generation for generation in sorted(documents) if generation not in self.written]
        data = b"".join([self._document(generation, documents[generation]) for generation in new])
        self.seq += 1
        data += record(STATE, self.seq, wire.dumps(state))
        if self.must_switch or self.size + len(data) > self.max_bytes:
            self._switch(state, documents)
            return
        self.must_switch = True
        self.storage.append(self.current, data)
        self.storage.sync(self.current)
        self.must_switch = False
        self.size += len(data)
        self.written = self.written + new

    def _switch(self, state: dict, documents: dict) -> None:
        """Go on in the other file; this one stays as it is until the next time."""
        other = NAMES[1] if self.current == NAMES[0] else NAMES[0]
        data = header()
        for generation in sorted(documents):
            data += self._document(generation, documents[generation])
        self.seq += 1
        data += record(STATE, self.seq, wire.dumps(state))
        self.storage.replace(other, data)
        self.current = other
        self.size = len(data)
        self.written = list(documents)
        self.must_switch = False

    def _document(self, generation: int, signed: bytes) -> bytes:
        self.seq += 1
        return record(DOCUMENT, self.seq, struct.pack("<Q", generation) + signed)


class _File:
    """What one journal file holds."""

    def __init__(self, data: bytes):
        self.state: dict | None = None
        self.payload = b""
        self.state_seq = 0
        self.seq = 0
        self.documents: dict = {}
        self.size = len(data)
        self.condition = WHOLE
        at = self._header(data)
        while at < len(data):
            end = self._record(data, at)
            if end == 0:
                # Step to the next thing that looks like a record; if none follows, the tail was torn.
                following = self._next_valid(data, at + 1)
                if following == 0:
                    self.condition = TORN if self.condition == WHOLE else self.condition
                    break
                self.condition = DAMAGED
                at = following
            else:
                at = end
        if self.payload:
            # The newest alone is decoded: a state is whole by itself, and a small heap holds one.
            self.state = json.loads(self.payload)
        self.payload = b""

    def _header(self, data: bytes) -> int:
        if len(data) < _HEADER_BYTES or data[8:12] != _crc(data[:8]) or data[:4] != _MAGIC:
            self.condition = DAMAGED
            return 0
        number = struct.unpack(_HEADER, data[:8])[1]
        if number not in READS:
            text = "the journal has format %d, this agent reads %d to %d" % (number, READS[0], READS[-1])
            raise JournalError(errors.JOURNAL_FORMAT, text + "; start the newer agent")
        return _HEADER_BYTES

    def _next_valid(self, data: bytes, start: int) -> int:
        at = data.find(_MARK_BYTES, start)
        while at >= 0:
            if _parse(data, at) is not None:
                return at
            at = data.find(_MARK_BYTES, at + 1)
        return 0

    def _record(self, data: bytes, at: int) -> int:
        """Take the record at an offset; returns where it ends, 0 when it is no valid record."""
        found = _parse(data, at)
        if found is None:
            return 0
        kind, seq, payload = found
        self.seq = max(self.seq, seq)
        if kind == STATE:
            self.payload = payload
            self.state_seq = seq
        elif kind == DOCUMENT and len(payload) > 8:
            self.documents[struct.unpack("<Q", payload[:8])[0]] = payload[8:]
        return at + _RECORD_BYTES + len(payload) + _CRC_BYTES


def _parse(data: bytes, at: int):
    """Return (type, seq, payload) of a valid record at an offset, or None."""
    if len(data) - at < _RECORD_BYTES + _CRC_BYTES:
        return None
    mark, kind, _, seq, length = struct.unpack(_RECORD, data[at : at + _RECORD_BYTES])
    end = at + _RECORD_BYTES + length
    if mark != _MARK or end + _CRC_BYTES > len(data) or data[end : end + _CRC_BYTES] != _crc(data[at:end]):
        return None
    return kind, seq, data[at + _RECORD_BYTES : end]
