"""Decides whether bytes from the network may be read at all, and slices what was signed out of them.

- A signed file is exactly `{"signatures":[...],"signed":{...}}`, nothing before, between or after. The signature is
  checked over the `signed` bytes as they stand on the wire; only then are they parsed. No canonicaliser runs on a
  device.
- The parser reads canonical JSON only: sorted keys, no spaces, printable ASCII, integers below 2^53, no floats. So a
  key twice, a deep nest or a huge number is refused while reading, before anything is built from it.
- Never guesses and never repairs.

Source: TUF specification 1.0, section 4.2 (canonical JSON); OLPC canonical JSON, which equals ours for such documents.
"""

import json

from ringback_kernel import errors
from ringback_kernel.errors import WireError

# A desired state of a big box is about 10 KB; six times that is still read in milliseconds and fits a small heap's
# spare.
MAX_DOCUMENT_BYTES = 65536
# The deepest document we write has 6 levels; MicroPython's stack is the reason for a limit at all.
MAX_DEPTH = 12
MAX_SIGNATURES = 8
# 2^53: what every JSON reader agrees on.
MAX_INT = 9007199254740992
MAX_INT_DIGITS = 16

_HEAD = b'{"signatures":['
_MIDDLE = b'],"signed":{'
_LITERALS = ((b"true", True), (b"false", False), (b"null", None))


def dumps(value) -> bytes:
    """Return compact JSON in no particular order: for what nobody signs, at the speed of the built-in writer."""
    return json.dumps(value, separators=(",", ":")).encode()


def envelope(raw: bytes, limit_bytes: int = MAX_DOCUMENT_BYTES) -> tuple:
    """Return (signatures as a list of {"keyid", "sig"}, the signed bytes) of a signed file, without parsing the latter.

    Raises WireError RB-WIRE-003 when it is longer than the limit, RB-WIRE-001 when it is not exactly an envelope.
    """
    _fits(raw, limit_bytes)
    # Signatures hold only hex and lower-case words, so the first such mark ends them.
    middle = raw.find(_MIDDLE)
    if not raw.startswith(_HEAD) or middle < 0 or not raw.endswith(b"}}"):
        raise WireError(errors.WIRE_ENVELOPE, 'a signed file is exactly {"signatures":[...],"signed":{...}}')
    signatures = parse(raw[len(_HEAD) - 1 : middle + 1])
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MAX_SIGNATURES:
        raise WireError(errors.WIRE_ENVELOPE, "a signed file carries 1 to %d signatures" % MAX_SIGNATURES)
    for signature in signatures:
        if not isinstance(signature, dict) or sorted(signature) != ["keyid", "sig"]:
            raise WireError(errors.WIRE_ENVELOPE, "a signature has the fields keyid and sig and no others")
        if not isinstance(signature["keyid"], str) or not isinstance(signature["sig"], str):
            raise WireError(errors.WIRE_ENVELOPE, "keyid and sig are texts")
    return signatures, raw[middle + len(_MIDDLE) - 1 : len(raw) - 1]


def parse(raw: bytes, limit_bytes: int = MAX_DOCUMENT_BYTES, escapes: bool = False):
    """Return the value of canonical JSON bytes.

    Args:
        raw: nothing before and nothing after the value.
        escapes: whether texts may hold backslash escapes (keys in PEM, manifests); a signed desired state has none.

    Raises WireError RB-WIRE-002 to RB-WIRE-007 with the offset of what was found.
    """
    _fits(raw, limit_bytes)
    reader = _Reader(raw, escapes)
    value = reader.value(0)
    if reader.at != len(raw):
        raise reader.refusal(errors.WIRE_SYNTAX, "the end")
    return value


def clean(text, limit: int = 200) -> str:
    """Return a text from outside as it may stand in a report or journal: printable ASCII, at most `limit`
    characters.
    """
    kept = []
    for char in str(text)[:limit]:
        kept.append(char if " " <= char <= "~" else "?")
    return "".join(kept)


def _fits(raw: bytes, limit_bytes: int) -> None:
    if len(raw) > limit_bytes:
        raise WireError(errors.WIRE_SIZE, "%d bytes, at most %d are read" % (len(raw), limit_bytes))


class _Reader:
    """Reads one canonical value at `at`; one method per kind of value."""

    def __init__(self, raw: bytes, escapes: bool):
        self.raw = raw
        self.at = 0
        self.escapes = escapes

    def refusal(self, code: str, expected: str) -> WireError:
        found = self.raw[self.at : self.at + 12]
        return WireError(code, "at byte %d: expected %s, found %s" % (self.at, expected, clean(repr(found), 40)))

    def value(self, depth: int):
        mark = self.raw[self.at : self.at + 1]
        if mark == b'"':
            return self.text()
        if mark in (b"{", b"["):
            if depth >= MAX_DEPTH:
                raise self.refusal(errors.WIRE_DEPTH, "at most %d levels" % MAX_DEPTH)
            return self.object(depth + 1) if mark == b"{" else self.list(depth + 1)
        for literal, value in _LITERALS:
            if self.raw[self.at : self.at + len(literal)] == literal:
                self.at += len(literal)
                return value
        return self.integer()

    def object(self, depth: int) -> dict:
        self.at += 1
        found: dict = {}
        previous = ""
        while not self.ends(b"}", bool(found)):
            key = self.text()
            if found and key <= previous:
                self.at -= len(key) + 2
                raise self.refusal(errors.WIRE_KEYS, "a key after " + clean(previous, 40))
            if self.raw[self.at : self.at + 1] != b":":
                raise self.refusal(errors.WIRE_SYNTAX, "a colon")
            self.at += 1
            found[key] = self.value(depth)
            previous = key
        return found

    def list(self, depth: int) -> list:
        self.at += 1
        found: list = []
        while not self.ends(b"]", bool(found)):
            found.append(self.value(depth))
        return found

    def ends(self, close: bytes, is_inside: bool) -> bool:
        """Say whether the value is over; step over its last bracket, or over the comma between two entries."""
        mark = self.raw[self.at : self.at + 1]
        if mark == close:
            self.at += 1
            return True
        if is_inside:
            if mark != b",":
                raise self.refusal(errors.WIRE_SYNTAX, "a comma or " + close.decode())
            self.at += 1
        return False

    def text(self) -> str:
        if self.raw[self.at : self.at + 1] != b'"':
            raise self.refusal(errors.WIRE_SYNTAX, "a value" if self.at < len(self.raw) else "more bytes")
        end = self.raw.find(b'"', self.at + 1)
        part = self.raw[self.at + 1 : end]
        if b"\\" in part and end > 0:
            return self.escaped()
        if end < 0:
            raise self.refusal(errors.WIRE_SYNTAX, "a text that ends")
        if part and (min(part) < 32 or max(part) > 126):
            raise self.refusal(errors.WIRE_TEXT, "printable ASCII")
        self.at = end + 1
        return part.decode()

    def escaped(self) -> str:
        end = self.at + 1
        while self.raw[end : end + 1] not in (b'"', b""):
            end += 2 if self.raw[end : end + 1] == b"\\" else 1
        part = self.raw[self.at : end + 1]
        if not self.escapes or min(part) < 32 or max(part) > 126:
            raise self.refusal(errors.WIRE_TEXT, "a text without escapes")
        try:
            found = json.loads(part)
        except ValueError:
            raise self.refusal(errors.WIRE_SYNTAX, "a text that ends")
        self.at = end + 1
        return str(found)

    def integer(self) -> int:
        end = self.at + (1 if self.raw[self.at : self.at + 1] == b"-" else 0)
        start = end
        while end - start <= MAX_INT_DIGITS and b"0" <= self.raw[end : end + 1] <= b"9":
            end += 1
        digits = self.raw[start:end]
        if not digits:
            raise self.refusal(errors.WIRE_SYNTAX, "a value")
        # No leading zero and no -0: a number has one form.
        if digits[0] == 48 and end - self.at > 1:
            raise self.refusal(errors.WIRE_NUMBER, "an integer in its one form")
        if self.raw[end : end + 1] in (b".", b"e", b"E") or int(digits) >= MAX_INT:
            raise self.refusal(errors.WIRE_NUMBER, "an integer below 2^53")
        number = int(self.raw[self.at : end])
        self.at = end
        return number
