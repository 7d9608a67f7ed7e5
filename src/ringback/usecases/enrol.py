"""Devices join the fleet: claims, enrolment, acceptance, revocation.

Decides: who may join and under which name. Never: keeps a token; only its SHA-256 is stored, and the token is shown
once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ringback.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from ringback.ports.changes import Advance, Insert
from ringback.ports.ids import Ids
from ringback.ports.rows import ClaimRow, DeviceRow
from ringback.usecases.device import ACCEPTED, NORMAL, PENDING, REVOKED
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_SERIAL: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LABEL_NAME: Final = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")

LABELS_MAX: Final = 32
CLAIM_USES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that joined, and its token: the only time it is shown."""

    device: DeviceRow
    token: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, and its token: the only time it is shown."""

    claim: ClaimRow
    token: str


def create_claim(
    fleet: Fleet, *, ids: Ids, uses_count: int, expires_at_ms: int, auto_accept: bool, now_ms: int
) -> Outcome[Claimed]:
    """Make a claim token.

    Args:
        uses_count: enrolments it allows, 1 to 1,000,000.
        expires_at_ms: UTC ms, after `now_ms`.

    Raises:
        InputError: a number out of range (RB-ENROL-010).
    """
    if not 1 <= uses_count <= CLAIM_USES_MAX:
        raise InputError("RB-ENROL-010", f"{uses_count} uses wanted, 1 to {CLAIM_USES_MAX} are possible")
    if expires_at_ms <= now_ms:
        raise InputError("RB-ENROL-010", "the claim would expire before it exists")
    token = ids.token()
    claim = ClaimRow(
        tenant_id=fleet.tenant_id,
        claim_id=f"claim-{ids.short()}",
        token_sha256=hash_of(token),
        uses_left=uses_count,
        expires_at_ms=expires_at_ms,
        auto_accept=auto_accept,
        created_at_ms=now_ms,
        generation=1,
    )
    return Outcome((Insert(claim),), Claimed(claim, token))


def enrol(
    fleet: Fleet,
    *,
    claim_token: str,
    serial: str,
    class_id: str,
    labels: Mapping[str, str],
    ids: Ids,
    now_ms: int,
) -> Outcome[Enrolled]:
    """Let a device join.

    A device whose serial is a valid id gets it as its id, else it gets a fresh one. A serial that is known already is
    refused: its token belongs to the first holder until an operator revokes that device, which may then come back
    under its old id.

    Raises:
        NotAllowedError: no such claim, used up or expired (RB-ENROL-004).
        InputError: serial, class or labels are no such thing (RB-ENROL-005).
        ConflictError: the serial is enrolled already (RB-ENROL-006).
    """
    claim = fleet.claims.get(hash_of(claim_token))
    if claim is None or claim.uses_left < 1 or claim.expires_at_ms <= now_ms:
        raise NotAllowedError(
            "RB-ENROL-004",
            "the claim is unknown, used up or expired",
            hint="make a new one with: ringback claim create",
        )
    pairs = _checked_labels(labels)
    if not _SERIAL.fullmatch(serial) or not _ID.fullmatch(class_id):
        raise InputError("RB-ENROL-005", "serial or class is no such name", hint="serial [A-Za-z0-9._:-]{1,64}")
    known = fleet.device_of_serial(serial)
    if known is not None and known.row.status != REVOKED:
        raise ConflictError(
            "RB-ENROL-006",
            f"serial {serial} is enrolled already, as {known.row.device_id}",
            hint=f"ringback device revoke {known.row.device_id} if the device was reset",
        )
    is_free = _ID.fullmatch(serial) is not None and serial not in fleet.devices
    token = ids.token()
    device = DeviceRow(
        tenant_id=fleet.tenant_id,
        device_id=known.row.device_id if known else serial if is_free else f"device-{ids.short()}",
        serial=serial,
        class_id=class_id,
        labels=pairs,
        status=ACCEPTED if claim.auto_accept else PENDING,
        mode=NORMAL,
        updates_paused=False,
        token_sha256=hash_of(token),
        enrolled_at_ms=now_ms,
        generation=known.row.generation + 1 if known else 1,
    )
    joined = Advance(device, known.row.generation) if known else Insert(device)
    used = replace(claim, uses_left=claim.uses_left - 1, generation=claim.generation + 1)
    return Outcome((joined, Advance(used, claim.generation)), Enrolled(device, token))


def accept(fleet: Fleet, device_id: str) -> Outcome[DeviceRow]:
    """Accept a pending device; an accepted one stays accepted.

    Raises:
        NotFoundError: no such device (RB-DEVICE-001).
        ConflictError: it was revoked (RB-ENROL-003).
    """
    row = _row(fleet, device_id)
    if row.status == REVOKED:
        raise ConflictError("RB-ENROL-003", f"device {device_id} was revoked", hint="enrol it again")
    return _with_status(row, ACCEPTED)


def revoke(fleet: Fleet, device_id: str) -> Outcome[DeviceRow]:
    """Refuse everything this device's token asks from now on.

    Raises:
        NotFoundError: no such device (RB-DEVICE-001).
    """
    return _with_status(_row(fleet, device_id), REVOKED)


def hash_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def _with_status(row: DeviceRow, status: str) -> Outcome[DeviceRow]:
    if row.status == status:
        return Outcome((), row)
    changed = replace(row, status=status, generation=row.generation + 1)
    return Outcome((Advance(changed, row.generation),), changed)


def _row(fleet: Fleet, device_id: str) -> DeviceRow:
    device = fleet.devices.get(device_id)
    if device is None:
        raise NotFoundError("RB-DEVICE-001", f"no device {device_id[:63]!r} here", hint="ringback device list")
    return device.row


def _checked_labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return sorted pairs, by the label grammar of Kubernetes."""
    if len(labels) > LABELS_MAX:
        raise InputError("RB-ENROL-005", f"{len(labels)} labels, at most {LABELS_MAX} are kept")
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or not _LABEL_VALUE.fullmatch(value):
            raise InputError("RB-ENROL-005", f"label {name[:64]}={value[:64]} breaks the grammar of labels")
    return tuple(sorted(labels.items()))
