"""The desired state of one device as a signed document: exact bytes.

Decides: how a fragment (what many devices share) and a device's own values become the Director's targets document.
Never: what a device should run.

- The file is exactly `{"signatures":[...],"signed":<canonical JSON>}`; a device checks the signature over the bytes of
  `signed` and only then reads them.
- Fragments are cut into pieces once; a document is their concatenation. So signing is all that a changed device costs.
- The same fragment, device, generation, instant and commands give the same bytes, signature included.

Source: TUF 1.0 (targets role); docs/reference (wire), "Desired state".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ringback.ports.signer import Signer

SPEC_VERSION: Final = "1.0.31"
LIFETIME_MS: Final = 7 * 86_400_000
"""A document is good for 7 days; after half of that the device gets a fresh one (see `checkin`)."""

OWN: Final = ("commands", "device", "issued_ms")
"""Keys of `ota` that are the device's own; everything else is the fragment."""


Command = tuple[int, str, str]
"""(id, kind, argument), as the device gets it."""


def canonical(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no spaces, ASCII. Floats are a bug of the caller."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


class Fragment:
    """What a desired state says to every device that has it. Immutable.

    Attributes:
        fragment_id: SHA-256 of `document`, hexadecimal.
        document: canonical JSON `{"ota":{...},"targets":{...}}` without the device's own keys.
        planes: plane to digest that it asks for.
        changes: the planes that may change under it, in activation order.
        release, rollout, attempt: whose deployment it is; empty for a set at rest.
    """

    __slots__ = ("_pieces", "attempt", "changes", "document", "fragment_id", "planes", "release", "rollout")

    def __init__(self, document: bytes) -> None:
        """Take a fragment's document.

        Args:
            document: as `of` made it; stored ones come back byte for byte.
        """
        content = json.loads(document)
        ota, targets = content["ota"], content["targets"]
        self.fragment_id = hashlib.sha256(document).hexdigest()
        self.document = document
        self.planes: dict[str, str] = {
            entry["custom"]["plane"]: f"sha256:{entry['hashes']['sha256']}" for entry in targets.values()
        }
        self.changes: tuple[str, ...] = tuple(plane for group in ota["order"] for plane in group)
        self.release: str = ota["release"]
        self.rollout: str = ota["rollout"]
        self.attempt: int = ota["attempt"]
        self._pieces = _pieces(ota, targets)

    @classmethod
    def of(cls, ota: Mapping[str, object], targets: Mapping[str, object]) -> Fragment:
        """Return the fragment with this content."""
        assert not set(OWN) & set(ota)
        return cls(canonical({"ota": ota, "targets": targets}))

    def signed(self, device_id: str, *, generation: int, issued_ms: int, commands: tuple[Command, ...]) -> bytes:
        """Return the bytes to sign for one device.

        Args:
            generation: the document's version; only ever rises for a device.
            issued_ms: UTC ms; the document expires `LIFETIME_MS` later.
        """
        expires, head, after_commands, after_device, after_issued, tail = self._pieces
        told = [{"arg": arg, "id": number, "kind": kind} for number, kind, arg in commands]
        return b"".join(
            (
                expires,
                expiry(issued_ms).encode(),
                head,
                canonical(told),
                after_commands,
                canonical(device_id),
                after_device,
                b"%d" % issued_ms,
                after_issued,
                b"%d" % generation,
                tail,
            )
        )


def expiry(issued_ms: int) -> str:
    """Return when a document issued at `issued_ms` expires, as TUF writes it."""
    return datetime.fromtimestamp((issued_ms + LIFETIME_MS) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sealed(signed: bytes, signer: Signer) -> bytes:
    """Return the file: the signed bytes under the Director's signature."""
    signature = signer.sign(signed).hex()
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (
        signer.key_id.encode(),
        signature.encode(),
        signed,
    )


def _pieces(ota: Mapping[str, object], targets: Mapping[str, object]) -> tuple[bytes, ...]:
    """Return the canonical document cut where the device's own values go, in canonical order of keys."""
    marks: dict[str, object] = {**ota, **dict.fromkeys(OWN)}
    pieces: list[bytes] = [b'{"_type":"targets","expires":"']
    text = b'","ota":{'
    for place, key in enumerate(sorted(marks)):
        text += b"," * (place > 0) + canonical(key) + b":"
        if key in OWN:
            pieces.append(text)
            text = b""
        else:
            text += canonical(marks[key])
    text += b'},"spec_version":' + canonical(SPEC_VERSION) + b',"targets":' + canonical(targets) + b',"version":'
    return (*pieces, text, b"}")
