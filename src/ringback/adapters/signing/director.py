"""The Director's keys in the server's data folder: made at the first start, read at every other.

Decides: key format (ECDSA P-256, PKCS#8 PEM, mode 0600 from creation) and the root document. Never: shows a private
key, or replaces one that is there.

- Signatures are deterministic (RFC 6979): the same desired state gives the same bytes, so a device that lost an answer
  gets exactly that answer again.
- The root is TUF 1.0: threshold 1, its own key; the online key serves targets, snapshot and timestamp.
- Wire form of every signed document: exactly `{"signatures":[...],"signed":<canonical JSON>}`. In a root, whose keys
  are PEM, line feeds inside `signed` travel as `\\n` and are turned back before the signature is checked.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringback.errors import NeedsHumanError

DEMO_DAYS = 30
"""A demo key must not become a habit."""

ROOT_DAYS = 365
MS_PER_DAY = 86_400_000

_ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


@dataclass(frozen=True, slots=True)
class DirectorKeys:
    """Implements `ringback.ports.signer.Signer` on files. Make it with `open`."""

    key_id: str
    is_demo: bool
    root: bytes
    root_version: int
    _private: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, folder: Path, *, demo: bool, now_ms: int) -> DirectorKeys:
        """Read the keys in `folder`, or make them if it is empty.

        Args:
            demo: mark keys that are made now as demo keys (they expire after 30 days). Keys that are there keep their
                mark.
            now_ms: UTC ms, for the expiry of a root made now.

        Raises:
            NeedsHumanError: the folder holds only a part of what belongs together (RB-KEYS-001).
        """
        paths = {name: folder / name for name in ("director.pem", "director-root.pem", "1.root.json", "about.json")}
        there = [name for name, path in paths.items() if path.exists()]
        if not there:
            _make(folder, demo=demo, now_ms=now_ms)
        elif "director.pem" not in there or "1.root.json" not in there or "about.json" not in there:
            raise NeedsHumanError(
                "RB-KEYS-001",
                f"the key folder {folder.name} holds {', '.join(there)} but not all of {', '.join(paths)}",
                hint="restore the folder from a backup; devices trust only the keys they were enrolled with",
            )
        private = _load(paths["director.pem"])
        root = paths["1.root.json"].read_bytes()
        about = json.loads(paths["about.json"].read_bytes())
        return cls(
            key_id=_key_id(_public(private)),
            is_demo=bool(about["demo"]),
            root=root,
            root_version=json.loads(root)["signed"]["version"],
            _private=private,
        )

    def sign(self, data: bytes) -> bytes:
        """Return the DER signature of `data` under the online key."""
        return self._private.sign(data, _ALGORITHM)


def keys_in_memory(
    root_key: ec.EllipticCurvePrivateKey, online_key: ec.EllipticCurvePrivateKey, *, now_ms: int
) -> DirectorKeys:
    """Return keys marked as demo that no file holds; for simulations and tests."""
    root = root_document(root_key, online_key, expires_at_ms=now_ms + DEMO_DAYS * MS_PER_DAY)
    return DirectorKeys(_key_id(_public(online_key)), True, root, 1, online_key)


def _make(folder: Path, *, demo: bool, now_ms: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key = ec.generate_private_key(ec.SECP256R1())
    online_key = ec.generate_private_key(ec.SECP256R1())
    days = DEMO_DAYS if demo else ROOT_DAYS
    # The online key last: a crash before it leaves a folder that is refused, never one that signs without a root.
    _write(folder / "director-root.pem", _pem(root_key))
    _write(folder / "1.root.json", root_document(root_key, online_key, expires_at_ms=now_ms + days * MS_PER_DAY))
    _write(folder / "about.json", json.dumps({"demo": demo, "made_at_ms": now_ms}).encode())
    _write(folder / "director.pem", _pem(online_key))


def root_document(
    root_key: ec.EllipticCurvePrivateKey, online_key: ec.EllipticCurvePrivateKey, *, expires_at_ms: int
) -> bytes:
    """Return version 1 of the Director's root, signed by `root_key`, in wire form."""
    root_public, online_public = _public(root_key), _public(online_key)
    online = {"keyids": [_key_id(online_public)], "threshold": 1}
    signed = {
        "_type": "root",
        "consistent_snapshot": True,
        "expires": datetime.fromtimestamp(expires_at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "keys": {_key_id(root_public): root_public, _key_id(online_public): online_public},
        "roles": {
            "root": {"keyids": [_key_id(root_public)], "threshold": 1},
            "snapshot": online,
            "targets": online,
            "timestamp": online,
        },
        "spec_version": "1.0.31",
        "version": 1,
    }
    signature = root_key.sign(_canonical(signed), _ALGORITHM).hex()
    wire = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f'{{"signatures":[{{"keyid":"{_key_id(root_public)}","sig":"{signature}"}}],"signed":{wire}}}'.encode()


def _canonical(value: object) -> bytes:
    """Return TUF's canonical JSON of ASCII text: as `json` writes it, but line feeds stay raw."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).replace("\\n", "\n").encode()


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, object]:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"keytype": "ecdsa", "keyval": {"public": pem.decode()}, "scheme": "ecdsa-sha2-nistp256"}


def _key_id(public: dict[str, object]) -> str:
    return hashlib.sha256(_canonical(public)).hexdigest()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NeedsHumanError("RB-KEYS-002", f"{path.name} holds no ECDSA P-256 key", hint="restore it from a backup")
    return key


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
