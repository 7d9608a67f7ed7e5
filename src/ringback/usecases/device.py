"""One device in memory: what it said last, what it was told last, and the journal record that moves it.

Decides: how a record changes a device, and how a device is kept. Never: what it should run.

- A device changes only by folding records in order; folding one twice changes nothing (`applied_no`).
- Attributes that many devices share (plane sets, fragments, labels, words) are references to one object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from ringback.plan.desire import NO_OVERLAY, Overlay
from ringback.ports.rows import DeviceNowRow, DeviceRow
from ringback.usecases.document import Fragment, Issue
from ringback.usecases.report import NOTHING, Ended, InHand, PlaneSet, PlaneSets, Report

ACCEPTED: Final = "accepted"
PENDING: Final = "pending"
REVOKED: Final = "revoked"

NORMAL: Final = "normal"
SAFE_MODE: Final = "safe-mode"
"""The operator's word for it."""
IN_SAFE_MODE: Final = "safe_mode"
"""The device's word for it, as state and as flag."""

ANNOUNCED: Final = "announced"
"""The device asks once more, right before it activates: the last moment in which an offer can be withdrawn."""


class Grants(Protocol):
    """What hands out grants: a rollout. `in_flight` counts those taken by check-ins that are not on disk yet."""

    in_flight: int


class KeptRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One check-in as the journal keeps it. `body` is empty where a repeated report only caused a new issue."""

    tenant_id: str
    device_id: str
    at_ms: int
    body: bytes
    issue: Issue | None


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row of the journal. `fragments` are those that its records are the first to name."""

    records: list[KeptRecord]
    fragments: list[bytes]


@dataclass(slots=True)
class Record:
    """One check-in on its way into the journal, with what was already read from its body.

    Attributes:
        report: None where there is nothing to fold but the issue.
        fragment: what `issue` gives; None where there is no issue.
        is_pledged: `fragment` is held until this record is folded or given up.
        granted_by: the rollout one of whose grants this check-in took; given back if the record is not kept.
        no: number in the journal; -1 until it has one.
    """

    device: Device
    at_ms: int
    body: bytes
    report: Report | None
    running: PlaneSet
    confirmed: PlaneSet
    issue: Issue | None = None
    fragment: Fragment | None = None
    is_pledged: bool = False
    granted_by: Grants | None = None
    no: int = -1

    def kept(self) -> KeptRecord:
        """Return what the journal keeps."""
        row = self.device.row
        return KeptRecord(row.tenant_id, row.device_id, self.at_ms, self.body, self.issue)


class Said(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What of a report nobody asks for in a hurry, packed small: 100,000 devices keep one each."""

    root: int
    deploy: InHand | None
    outcome: Ended | None
    read: dict[str, int]
    trans: list[tuple[int, str, str, str, int]]
    log_seq: int


class Now(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The document of a `DeviceNowRow`."""

    seen_at_ms: int
    boot_id: str
    previous_boot_id: str
    boots: int
    seq: int
    up_ms: int
    have: int
    agent: str
    state: str
    flags: tuple[str, ...]
    running_id: int
    confirmed_id: int
    previous_id: int
    said: bytes
    generation: int
    fragment_id: str
    issued_ms: int
    overlay: Overlay


class Device:
    """A device of the fleet.

    Attributes:
        row: who it is.
        page: its place in the order of enrolment; the fold goes by it.
        seen_at_ms: receipt of its newest report, UTC ms; 0 before the first.
        boots: how many different boots were seen.
        running, confirmed: what it says it runs, and its last-known-good set.
        previous: the last-known-good set before `confirmed`.
        said: the rest of its newest report (`Said`), packed; empty before the first.
        generation: newest generation issued to it; 0 before the first.
        fragment, overlay: what that generation says; None before the first.
        issued_ms: when it was issued.
        busy_with: the rollout or order that is moving on it; "" = none.
        settled: the fleet's revision for which its desired state was worked out and depends on nothing else; -1 = anew.
        is_busy: a check-in of it is being made durable; another one has to wait.
    """

    __slots__ = (
        "agent",
        "applied_no",
        "boot_id",
        "boots",
        "busy_with",
        "confirmed",
        "flags",
        "fragment",
        "generation",
        "have",
        "is_busy",
        "issued_ms",
        "overlay",
        "page",
        "previous",
        "previous_boot_id",
        "row",
        "running",
        "said",
        "seen_at_ms",
        "seq",
        "settled",
        "state",
        "up_ms",
    )

    def __init__(self, row: DeviceRow, page: int) -> None:
        self.row = row
        self.page = page
        self.seen_at_ms = 0
        self.boot_id = ""
        self.previous_boot_id = ""
        self.boots = 0
        self.seq = -1
        self.up_ms = 0
        self.have = 0
        self.agent = ""
        self.state = ""
        self.flags: tuple[str, ...] = ()
        self.running: PlaneSet = NOTHING
        self.confirmed: PlaneSet = NOTHING
        self.previous: PlaneSet = NOTHING
        self.said = b""
        self.generation = 0
        self.fragment: Fragment | None = None
        self.overlay = NO_OVERLAY
        self.issued_ms = 0
        self.busy_with = ""
        self.settled = -1
        self.applied_no = -1
        self.is_busy = False

    def is_repeat(self, report: Report) -> bool:
        """Say whether a report was folded before, or comes from a boot that is over."""
        if report.boot_id == self.boot_id:
            return report.seq <= self.seq
        return report.boot_id == self.previous_boot_id

    def fold(self, record: Record) -> None:
        """Take what a record says. The caller has checked that it is newer than `applied_no`."""
        self.applied_no = record.no
        self.seen_at_ms = record.at_ms
        if record.report is not None:
            self._fold_report(record.report)
            self.running = record.running
            if record.confirmed is not self.confirmed:
                self.previous = self.confirmed
                self.confirmed = record.confirmed
        issue = record.issue
        if issue is not None:
            self.generation = issue.generation
            self.issued_ms = issue.issued_ms
            self.overlay = issue.overlay
            self.fragment = record.fragment

    def _fold_report(self, report: Report) -> None:
        if report.boot_id != self.boot_id:
            self.previous_boot_id = self.boot_id
            self.boot_id = report.boot_id
            self.boots += 1
        self.seq = report.seq
        self.up_ms = report.up_ms
        self.have = report.have
        self.agent = shared(report.agent)
        self.state = shared(report.state)
        self.flags = tuple(map(shared, report.flags))
        self.said = _encode(Said(report.root, report.deploy, report.outcome, report.read, report.trans, report.log_seq))

    def kept(self) -> DeviceNowRow:
        """Return the row of what is known now."""
        document = _encode(
            Now(
                self.seen_at_ms,
                self.boot_id,
                self.previous_boot_id,
                self.boots,
                self.seq,
                self.up_ms,
                self.have,
                self.agent,
                self.state,
                self.flags,
                self.running.set_id,
                self.confirmed.set_id,
                self.previous.set_id,
                self.said,
                self.generation,
                "" if self.fragment is None else self.fragment.fragment_id,
                self.issued_ms,
                self.overlay,
            )
        )
        return DeviceNowRow(self.row.tenant_id, self.row.device_id, self.applied_no, document)

    def restore(self, row: DeviceNowRow, sets: PlaneSets, fragments: dict[str, Fragment]) -> None:
        """Take what was kept."""
        now = decode_now(row.document)
        self.applied_no = row.applied_no
        self.seen_at_ms = now.seen_at_ms
        self.boot_id = now.boot_id
        self.previous_boot_id = now.previous_boot_id
        self.boots = now.boots
        self.seq = now.seq
        self.up_ms = now.up_ms
        self.have = now.have
        self.agent = shared(now.agent)
        self.state = shared(now.state)
        self.flags = tuple(map(shared, now.flags))
        self.running = sets.by_id.get(now.running_id, NOTHING)
        self.confirmed = sets.by_id.get(now.confirmed_id, NOTHING)
        self.previous = sets.by_id.get(now.previous_id, NOTHING)
        self.said = now.said
        self.generation = now.generation
        self.fragment = fragments.get(now.fragment_id)
        self.issued_ms = now.issued_ms
        self.overlay = now.overlay if now.overlay != NO_OVERLAY else NO_OVERLAY

    @property
    def rest(self) -> Said | None:
        """Return the rest of its newest report; None before the first."""
        return decode_said(self.said) if self.said else None


_encode = msgspec.msgpack.Encoder().encode
decode_said = msgspec.msgpack.Decoder(Said).decode
decode_now = msgspec.msgpack.Decoder(Now).decode
decode_batch = msgspec.msgpack.Decoder(Batch).decode

_WORDS: Final[dict[str, str]] = {}
_WORDS_MAX: Final = 10_000


def shared(word: str) -> str:
    """Return the one object of an often repeated word, so that 100,000 devices do not keep it 100,000 times."""
    known = _WORDS.get(word)
    if known is None:
        if len(_WORDS) >= _WORDS_MAX:
            return word
        known = _WORDS[word] = word
    return known
