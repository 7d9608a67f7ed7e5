"""What a device says, read as hostile input: capped, typed, and kept as the bytes that arrived.

Decides: which reports are well-formed. Never: believes one. Running digests are what the device says; whether anyone
published them is the fleet's question.

- Unknown fields are ignored (a newer agent may say more); known ones have a type, a grammar and a cap.
- Plane sets are interned: a fleet runs few different sets, and comparing two is comparing two references.

Source: docs/reference (wire), "Report".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from ringback.errors import InputError

REPORT_BYTES_MAX: Final = 64 * 1024
WIRE_VERSIONS: Final = (1,)
"""Wire versions served: the last two, once there are two."""

PLANES_MAX: Final = 32
READINGS_MAX: Final = 256
INT_MAX: Final = 2**53 - 1

Count = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]
Whole = Annotated[int, msgspec.Meta(ge=-INT_MAX, le=INT_MAX)]
Id = Annotated[str, msgspec.Meta(max_length=63, pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Text = Annotated[str, msgspec.Meta(max_length=200)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Digest = Annotated[str, msgspec.Meta(max_length=71)]
Name = Annotated[str, msgspec.Meta(max_length=128)]

_PLANE: Final = re.compile(r"[a-z0-9-]{1,63}(/[a-z0-9-]{1,63})?")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_WORD: Final = re.compile(r"[!-~]{0,64}")


class InHand(msgspec.Struct, frozen=True, gc=False):
    """The deployment a device has in hand. `entered`: activation was announced or begun."""

    gen: Count
    release: Word = ""
    rollout: Word = ""
    attempt: Count = 1
    entered: bool = False


class Ended(msgspec.Struct, frozen=True):
    """How the last finished deployment ended; repeated in every report until the next one ends.

    Attributes:
        gen: generation of the document under which it started.
        blame: it may speak against the release; not so a drill, a recall, an outage of the network.
    """

    gen: Count
    kind: Word
    rollout: Word = ""
    attempt: Count = 1
    entered: bool = False
    blame: bool = True
    code: Word = ""
    rule: Name | None = None
    plane: Word | None = None
    op: Word = ""
    reading: Whole | None = None
    limit: Whole | None = None
    rung: Annotated[list[Word], msgspec.Meta(max_length=PLANES_MAX)] | None = None
    healthy: bool | None = None
    drill: bool = False
    detect_ms: Count | None = None
    recover_ms: Count | None = None
    text: Text = ""


class Report(msgspec.Struct, frozen=True, rename={"device_class": "class"}):
    """One report, as the wire has it. `planes` and `confirmed` stay raw: `PlaneSets` reads each different one once."""

    v: int
    device: Id
    boot_id: Annotated[str, msgspec.Meta(max_length=16)]
    seq: Count
    up_ms: Count
    have: Count = 0
    root: Count = 0
    agent: Word = ""
    device_class: Word = ""
    state: Word = "idle"
    deploy: InHand | None = None
    planes: msgspec.Raw = msgspec.Raw(b"{}")
    confirmed: msgspec.Raw = msgspec.Raw(b"{}")
    outcome: Ended | None = None
    trans: Annotated[list[tuple[Count, Word, Word, Word, Count]], msgspec.Meta(max_length=16)] = []
    read: Annotated[dict[Name, Whole], msgspec.Meta(max_length=READINGS_MAX)] = {}
    log_seq: Count = 0
    flags: Annotated[list[Word], msgspec.Meta(max_length=16)] = []
    cmds: Annotated[list[tuple[Count, Word]], msgspec.Meta(max_length=64)] = []


@dataclass(frozen=True, slots=True, eq=False)
class PlaneSet:
    """Which artifact on which plane. Interned by `PlaneSets`: equal sets are the same object.

    Attributes:
        set_id: first 63 bits of the SHA-256 of its content.
        digests: plane to `sha256:...`.
        pairs: the same as sorted pairs: how the planner names a set.
        versions: plane to version, as the device says it; empty for confirmed sets.
    """

    set_id: int
    digests: dict[str, str]
    versions: dict[str, str]
    pairs: tuple[tuple[str, str], ...] = ()

    def document(self) -> bytes:
        """Return its content as the store keeps it."""
        return msgspec.json.encode(
            [(plane, self.digests[plane], self.versions.get(plane, "")) for plane in self.digests]
        )


NOTHING: Final = PlaneSet(0, {}, {})


class PlaneSets:
    """Reads the raw plane sets of reports, each different text once.

    Args:
        limit_count: texts remembered. A hostile fleet can make each report different; then sets are read again, and
            memory stays bounded.
    """

    __slots__ = ("_by_content", "_by_text", "_limit_count", "by_id", "unstored")

    def __init__(self, limit_count: int = 20_000) -> None:
        self._by_text: dict[bytes, PlaneSet] = {b"{}": NOTHING}
        self._by_content: dict[tuple[tuple[str, str, str], ...], PlaneSet] = {(): NOTHING}
        self._limit_count = limit_count
        self.by_id: dict[int, PlaneSet] = {0: NOTHING}
        self.unstored: dict[int, PlaneSet] = {}

    def read(self, raw: msgspec.Raw) -> PlaneSet:
        """Return the set of a raw JSON object: plane to digest, or plane to [digest, version].

        Raises:
            InputError: not such an object (RB-REPORT-003).
        """
        text = bytes(raw)
        known = self._by_text.get(text)
        if known is None:
            known = self.of(_entries(text))
            if len(self._by_text) >= self._limit_count:
                self._by_text = {b"{}": NOTHING}
            self._by_text[text] = known
        return known

    def of(self, entries: tuple[tuple[str, str, str], ...]) -> PlaneSet:
        """Return the one set with these (plane, digest, version) entries, sorted by plane."""
        known = self._by_content.get(entries)
        if known is None:
            known = PlaneSet(
                int.from_bytes(hashlib.sha256(repr(entries).encode()).digest()[:8], "big") >> 1,
                {plane: digest for plane, digest, _version in entries},
                {plane: version for plane, _digest, version in entries if version},
                tuple((plane, digest) for plane, digest, _version in entries),
            )
            if len(self._by_content) >= self._limit_count:
                self._by_content = {(): NOTHING}
                self.by_id = {0: NOTHING}
            self._by_content[entries] = known
            self.by_id[known.set_id] = known
            self.unstored[known.set_id] = known
        return known

    def forget(self, set_id: int) -> None:
        """Forget a set that nobody refers to; if a device says it again, it is read again."""
        known = self.by_id.pop(set_id)
        self._by_text = {text: each for text, each in self._by_text.items() if each is not known}
        self._by_content = {entries: each for entries, each in self._by_content.items() if each is not known}

    def load(self, set_id: int, document: bytes) -> None:
        """Take a set that the store keeps."""
        known = self.of(tuple(msgspec.json.decode(document, type=list[tuple[str, str, str]])))
        self.by_id[set_id] = known
        self.unstored.pop(known.set_id, None)


_decode_report = msgspec.json.Decoder(Report).decode
_decode_planes = msgspec.json.Decoder(dict[str, str | tuple[str, str]]).decode


def decode(body: bytes) -> Report:
    """Return the report in a check-in's body.

    Raises:
        InputError: too large (RB-REPORT-001), malformed (RB-REPORT-002), of an unknown wire version (RB-REPORT-004).
    """
    if len(body) > REPORT_BYTES_MAX:
        raise InputError("RB-REPORT-001", f"the report has {len(body)} bytes, at most {REPORT_BYTES_MAX} are read")
    try:
        report = _decode_report(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("RB-REPORT-002", f"the report cannot be read: {error}") from error
    if report.v not in WIRE_VERSIONS:
        served = ", ".join(map(str, WIRE_VERSIONS))
        raise InputError("RB-REPORT-004", f"wire version {report.v} is not served here, only {served}")
    return report


def _entries(text: bytes) -> tuple[tuple[str, str, str], ...]:
    try:
        found = _decode_planes(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("RB-REPORT-003", f"the report's planes cannot be read: {error}") from error
    if len(found) > PLANES_MAX:
        raise InputError("RB-REPORT-003", f"the report names {len(found)} planes, at most {PLANES_MAX} are read")
    entries = [(plane, *((value, "") if isinstance(value, str) else value)) for plane, value in found.items()]
    for plane, digest, version in entries:
        if not _PLANE.fullmatch(plane) or not _DIGEST.fullmatch(digest) or not _WORD.fullmatch(version):
            raise InputError(
                "RB-REPORT-003",
                "the report's planes hold a plane, digest or version that is none",
                fields={"plane": plane[:64]},
            )
    return tuple(sorted(entries))
