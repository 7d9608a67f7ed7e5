"""A TUF repository written by python-tuf, in the form a device reads, and what python-tuf's client thinks of a file."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
NOW_MS = int(NOW.timestamp() * 1000)
LATER = NOW + datetime.timedelta(days=30)
EARLIER = NOW - datetime.timedelta(days=1)
# Made once: what a test needs of keys is that they differ.
SIGNERS = [CryptoSigner.generate_ecdsa() if at % 2 else CryptoSigner.generate_ed25519() for at in range(12)]
WIRE = JSONSerializer(compact=True)


def wire(signed: Signed, *signers: CryptoSigner) -> bytes:
    """Sign with every signer and return the file as it stands on the wire."""
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(WIRE)


@dataclass
class Writer:
    """One repository. Change what it holds, then `publish` a role: its version goes up and its bytes are made."""

    root: Root = field(default_factory=lambda: Root(expires=LATER, consistent_snapshot=True))
    timestamp: Timestamp = field(default_factory=lambda: Timestamp(expires=LATER))
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(expires=LATER))
    targets: dict[str, Targets] = field(default_factory=dict)
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def simple(cls, signers: Sequence[CryptoSigner] = SIGNERS) -> "Writer":
        """Return a repository with two delegated roles, `firmware` (terminating) and `model`, all published."""
        writer = cls()
        writer.targets["targets"] = Targets(expires=LATER, delegations=Delegations({}, {}))
        for at, role in enumerate(("root", "timestamp", "snapshot", "targets")):
            writer.root.add_key(signers[at].public_key, role)
            writer.signers[role] = [signers[at]]
        writer.delegate("targets", DelegatedRole("firmware", [], 1, True, ["firmware/*/*"]), signers[4])
        writer.delegate("targets", DelegatedRole("model", [], 1, False, ["model/*", "model/*/?.onnx"]), signers[5])
        writer.add_target("firmware", "firmware/door/1.bin", b"door software")
        writer.add_target("model", "model/face/a.onnx", b"face model")
        writer.publish("root", "firmware", "model", "targets", "snapshot", "timestamp")
        return writer

    def delegate(self, delegator: str, role: DelegatedRole, signer: CryptoSigner) -> None:
        delegations = self.targets[delegator].delegations
        if delegations is None:
            delegations = self.targets[delegator].delegations = Delegations({}, {})
        assert delegations.roles is not None
        delegations.roles[role.name] = role
        self.targets[delegator].add_key(signer.public_key, role.name)
        self.targets.setdefault(role.name, Targets(expires=LATER))
        self.signers.setdefault(role.name, []).append(signer)

    def add_target(self, role: str, path: str, data: bytes) -> None:
        self.targets[role].targets[path] = TargetFile.from_data(path, data, ["sha256"])

    def signed(self, role: str) -> Signed:
        top: dict[str, Signed] = {"root": self.root, "timestamp": self.timestamp, "snapshot": self.snapshot}
        return top.get(role) or self.targets[role]

    def publish(self, *roles: str) -> None:
        for role in roles:
            signed = self.signed(role)
            if role in self.files:
                signed.version += 1
            raw = self.files[role] = wire(signed, *self.signers[role])
            if role in self.targets:
                self.snapshot.meta[f"{role}.json"] = MetaFile.from_data(signed.version, raw, ["sha256"])
            if role == "snapshot":
                self.timestamp.snapshot_meta = MetaFile.from_data(signed.version, raw, ["sha256"])

    def rotate(self, role: str, *signers: CryptoSigner) -> None:
        """Replace the keys of a top-level role."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        for signer in signers:
            self.root.add_key(signer.public_key, role)
        self.signers[role] = list(signers)


class Oracle:
    """python-tuf's client, told the same time."""

    def __init__(self, root: bytes):
        self.trusted = TrustedMetadataSet(root, EnvelopeType.METADATA)
        self.trusted.reference_time = NOW

    def accepts(self, kind: str, raw: bytes, role: str = "targets", delegator: str = "root") -> bool:
        """Hand over a file; says whether it was accepted."""
        try:
            if kind == "root":
                self.trusted.update_root(raw)
            elif kind == "timestamp":
                self.trusted.update_timestamp(raw)
            elif kind == "snapshot":
                self.trusted.update_snapshot(raw)
            else:
                self.trusted.update_delegated_targets(raw, role, delegator)
        # What python-tuf raises for odd documents is not always its own; refused is refused.
        except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False
        return True
