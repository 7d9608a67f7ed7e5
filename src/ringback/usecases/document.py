"""A desired state as a signed document: the shared fragment, kept by content, and the file that a device gets.

Decides: what makes two desired states the same, and how a file is put together. Never: what a device should run
(`desire`) or how that is written (`ringback.plan.desire`).

- The file is exactly `{"signatures":[...],"signed":<canonical JSON>}`; a device checks the signature over the bytes of
  `signed` and only then reads them.
- The same fragment, overlay, device, generation and instant give the same bytes, signature included: a device that lost
  an answer gets exactly that answer again, also after a restart of the server.

Source: TUF 1.0 (targets role); docs/reference (wire), "Desired state".
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from ringback.plan.desire import Binding, DesiredFragment, Overlay
from ringback.ports.signer import Signer

LIFETIME_MS: Final = 7 * 86_400_000
"""A document is good for 7 days; after half of that the device gets a fresh one (see `checkin`)."""


class Kind(StrEnum):
    """Why a device has a desired state."""

    FORWARD = "forward"
    DRILL = "drill"
    BACK = "back"
    ORDER = "order"
    STEADY = "steady"


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whose desired state a fragment is.

    Attributes:
        rollout: of a forward, drill or back fragment.
        order: of an order's fragment.
        attempt: of the rollout or order on this device.
        frozen: digests that it forbids, as (plane, digest).
        is_last: the hop that it asks for is the last one.
        planes: of a back fragment: the planes that go back.
    """

    kind: Kind
    rollout: str = ""
    order: str = ""
    attempt: int = 1
    frozen: tuple[tuple[str, str], ...] = ()
    is_last: bool = True
    planes: tuple[str, ...] = ()


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    origin: Origin
    digest: str
    planes: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...]


class Fragment:
    """What a desired state says to every device that has it. Immutable.

    Attributes:
        fragment_id: SHA-256 of `document`, hexadecimal.
        document: as the store keeps it.
        planes: (plane, digest) pairs that it asks for.
    """

    __slots__ = ("desired", "document", "fragment_id", "origin", "planes")

    def __init__(self, document: bytes) -> None:
        """Take a fragment as the store keeps it."""
        kept = _decode(document)
        self.fragment_id = hashlib.sha256(document).hexdigest()
        self.document = document
        self.origin = kept.origin
        self.planes = kept.planes
        self.desired = DesiredFragment(kept.digest, kept.planes, kept.parts)

    @classmethod
    def of(cls, desired: DesiredFragment, origin: Origin) -> Fragment:
        """Return the fragment with this content."""
        return cls(msgspec.msgpack.encode(_Kept(origin, desired.digest, desired.planes, desired.parts)))


class Issue(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One generation of one device: which document it is given.

    Attributes:
        generation: the document's version; only ever rises for a device.
        issued_ms: UTC ms; the document expires `LIFETIME_MS` later.
        commands, updates_paused, safe_mode: the device's own part.
        ring: the ring through which a rollout granted it; -1 where none did.
    """

    generation: int
    fragment_id: str
    issued_ms: int
    overlay: Overlay
    ring: int = -1


def signed_file(fragment: Fragment, issue: Issue, *, device_id: str, tenant_id: str, signer: Signer) -> bytes:
    """Return the file that a device gets."""
    binding = Binding(device_id, tenant_id, issue.generation, issue.issued_ms, expiry(issue.issued_ms))
    signed = fragment.desired.document(binding, issue.overlay)
    signature = signer.sign(signed).hex()
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (
        signer.key_id.encode(),
        signature.encode(),
        signed,
    )


def expiry(issued_ms: int) -> str:
    """Return when a document issued at `issued_ms` expires, as TUF writes it."""
    return datetime.fromtimestamp((issued_ms + LIFETIME_MS) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_decode = msgspec.msgpack.Decoder(_Kept).decode
