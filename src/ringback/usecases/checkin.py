"""A device checks in: its report in, its desired state out.

Decides: what is recorded and what is answered. Never: answers before the record is durable (the caller waits for the
journal), or looks at another device.

- The answer is 200 with the exact signed bytes when the device has something older, else 204.
- A generation is `max(issued, reported) + 1`: a server restored from an old backup goes on above what its devices know.
- A repeated report (same boot, same or lower seq) is answered but not folded again.
- A device that lost its answer gets the same bytes again: instant, generation and commands of the document are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.errors import NotAllowedError, RetryLaterError
from ringback.plan.desire import Overlay
from ringback.ports.signer import Signer
from ringback.usecases.desire import overlay_for, wish_for
from ringback.usecases.device import ACCEPTED, REVOKED, Device, Record
from ringback.usecases.document import LIFETIME_MS, Fragment, Issue, signed_file
from ringback.usecases.fleet import Fleet
from ringback.usecases.report import decode


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What a check-in comes to: the record to keep (None = nothing new), and the document to answer (None = 204)."""

    record: Record | None
    document: bytes | None


def authenticate(fleet: Fleet, token_sha256: bytes) -> Device:
    """Return the accepted device with this token.

    Raises:
        NotAllowedError: unknown (RB-ENROL-001), pending (RB-ENROL-002) or revoked (RB-ENROL-003).
    """
    device = fleet.device_of_token(token_sha256)
    if device is None:
        raise NotAllowedError("RB-ENROL-001", "no device has this token", hint="enrol the device again")
    if device.row.status == ACCEPTED:
        return device
    if device.row.status == REVOKED:
        raise NotAllowedError("RB-ENROL-003", f"device {device.row.device_id} was revoked")
    raise NotAllowedError(
        "RB-ENROL-002",
        f"device {device.row.device_id} waits for an operator to accept it",
        hint=f"ringback device accept {device.row.device_id}",
    )


def receive(fleet: Fleet, device: Device, body: bytes, *, now_ms: int, signer: Signer) -> CheckIn:
    """Read a report and decide what its device gets.

    Args:
        now_ms: UTC ms of receipt.

    Raises:
        InputError: the report cannot be read (RB-REPORT-NNN).
        NotAllowedError: it speaks for another device (RB-REPORT-005).
        RetryLaterError: an earlier check-in of the device is still on its way to the disk (RB-REPORT-006).
    """
    report = decode(body)
    if report.device != device.row.device_id:
        raise NotAllowedError(
            "RB-REPORT-005", f"the token of {device.row.device_id} came with a report of {report.device}"
        )
    if device.is_busy:
        raise RetryLaterError("RB-REPORT-006", "the last check-in of this device is not on disk yet")
    running, confirmed = fleet.sets.read(report.planes), fleet.sets.read(report.confirmed)
    repeated = device.is_repeat(report)
    record = Record(device, now_ms, body, report, running, confirmed)
    if repeated:
        record = Record(device, now_ms, b"", None, device.running, device.confirmed)
    wish = wish_for(fleet, record)
    overlay = overlay_for(fleet, record)
    if _is_new(device, wish.fragment, overlay, have=report.have, now_ms=now_ms):
        assert wish.fragment is not None
        generation = max(device.generation, report.have) + 1
        record.fragment = fleet.fragments.pledge(wish.fragment)
        record.is_pledged = True
        record.issue = Issue(generation, record.fragment.fragment_id, now_ms, overlay, wish.ring)
    kept = None if repeated and record.issue is None else record
    return CheckIn(kept, _answer(device, record, have=report.have, signer=signer))


def _is_new(device: Device, fragment: Fragment | None, overlay: Overlay, *, have: int, now_ms: int) -> bool:
    """Say whether the device needs a new generation."""
    if fragment is None:
        return False
    return (
        fragment is not device.fragment
        or overlay != device.overlay
        or have > device.generation
        or now_ms - device.issued_ms > LIFETIME_MS // 2
    )


def _answer(device: Device, record: Record, *, have: int, signer: Signer) -> bytes | None:
    """Return the document that the device lacks, or None."""
    fragment, issue = record.fragment, record.issue
    if issue is None and device.fragment is not None:
        fragment = device.fragment
        issue = Issue(device.generation, fragment.fragment_id, device.issued_ms, device.overlay)
    if fragment is None or issue is None or have >= issue.generation:
        return None
    row = device.row
    return signed_file(fragment, issue, device_id=row.device_id, tenant_id=row.tenant_id, signer=signer)
