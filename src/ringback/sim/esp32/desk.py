"""The server of a bench: real signed documents, real reports, artifacts by range; its decisions are the scenario's.

What it decides: nothing. It says what it was told to say to one device, and keeps what the device reported.

- Documents have the server's own form (`plan.desire`) and a signature by a key that is the same every time, so that the
  same scenario gives the same bytes.
- Reports are read by the server's own reader (`usecases.report`), which refuses malformed ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ringback.adapters.signing.director import root_document
from ringback.errors import InputError
from ringback.plan.desire import target_entry
from ringback.sim.esp32.network import Request
from ringback.spec.artifact import Artifact, encode_manifest, parse_manifest
from ringback.spec.canonical import Json, encode
from ringback.usecases.report import Report, decode

DEVICE: Final = "bench-1"
TENANT: Final = "bench"
TOKEN: Final = "5e" * 32
DEVICE_CLASS: Final = "esp32-bench"
ISSUED_MS: Final = 1_780_000_000_000
FAR_AHEAD_MS: Final = 20 * 365 * 86_400_000
RETOLD_AFTER: Final = 4
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


@cache
def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0x5EED0000 + number, ec.SECP256R1())


@cache
def root() -> bytes:
    """Return the Director's root document of every bench."""
    return root_document(_key(1), _key(2), expires_at_ms=ISSUED_MS + FAR_AHEAD_MS)


class BenchSigner:
    """The Director's online key of every bench; implements `ringback.ports.signer.Signer`."""

    is_demo = True
    root_version = 1

    def __init__(self, number: int = 2) -> None:
        self._private = _key(number)

    @property
    def root(self) -> bytes:
        return root()

    @property
    def key_id(self) -> str:
        found = re.search(rb'"targets":\{"keyids":\["([0-9a-f]{64})"', root())
        assert found is not None
        return found[1].decode()

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data, _ALGORITHM)


def sealed(signed: bytes, signer: BenchSigner) -> bytes:
    """Return the file a device gets: the signed bytes under a signature."""
    signature = signer.sign(signed).hex().encode()
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (signer.key_id.encode(), signature, signed)


@dataclass(frozen=True, slots=True)
class Goods:
    """One artifact and the bytes of its files, by SHA-256."""

    artifact: Artifact
    blobs: Mapping[str, bytes]


def make_goods(
    plane: str, version: str, files: Mapping[str, tuple[str, bytes]], *, requires: Mapping[str, str] | None = None
) -> Goods:
    """Return an artifact of these files (path: role and bytes). Its kind follows from the plane."""
    kind = plane.split("/", maxsplit=1)[0]
    entries: list[Json] = []
    blobs: dict[str, bytes] = {}
    for path, (role, data) in sorted(files.items()):
        sha256 = hashlib.sha256(data).hexdigest()
        blobs[sha256] = data
        entries.append({"path": path, "role": role, "size_bytes": len(data), "sha256": sha256})
    body: dict[str, Json] = {
        "v": 1,
        "plane": plane,
        "kind": kind,
        "name": "bench",
        "version": version,
        "classes": [DEVICE_CLASS],
        "epoch": 0,
        "requires": dict(requires or {}),
        "files": entries,
        "meta": {},
    }
    artifact = parse_manifest(encode_manifest(body))
    blobs[artifact.digest.removeprefix("sha256:")] = artifact.manifest
    return Goods(artifact, blobs)


@dataclass(frozen=True, slots=True)
class Order:
    """What the device is to run.

    Attributes:
        goods: one artifact per plane.
        order: activation groups of the planes that change; empty for a set at rest.
        before: what the changed planes run now, for the way back ("" for nothing).
        rules: health rules, as in a desired state.
        rollout: its id; empty for a set at rest.
    """

    goods: Mapping[str, Goods]
    order: Sequence[Sequence[str]] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[Mapping[str, Json]] = ()
    rollout: str = ""
    attempt: int = 1
    trial_ms: int = 20_000
    hold_ms: int = 2_000
    every_ms: int = 500
    uplink_ms: int = 0
    frozen: Sequence[tuple[str, str]] = ()
    commands: tuple[tuple[int, str, str], ...] = ()
    safe_mode: bool = False

    def signed(self, generation: int) -> bytes:
        """Return the bytes to sign; the ladder takes one plane more back with each rung, cheapest first."""
        changed = [plane for group in self.order for plane in group]
        cheap = sorted(changed, key=lambda plane: ("config", "model", "firmware").index(plane.split("/")[0]))
        ladder: list[Json] = []
        for size in range(1, len(cheap) + 1):
            rung = cheap[:size]
            ladder.append({"planes": list(rung), "set": {plane: self.before.get(plane, "") for plane in rung}})
        rules: Json = {
            "hold_ms": self.hold_ms,
            "every_ms": self.every_ms,
            "list": [dict(rule) for rule in self.rules],
        }
        ota: Json = {
            "v": 1,
            "device": DEVICE,
            "tenant": TENANT,
            "release": self.rollout,
            "rollout": self.rollout,
            "attempt": self.attempt,
            "issued_ms": ISSUED_MS + generation,
            "order": [list(group) for group in self.order],
            "rules": rules,
            "trial_ms": self.trial_ms,
            "uplink_ms": self.uplink_ms,
            "ladder": ladder,
            "first": {plane: index for index, plane in enumerate(cheap)},
            "drill": None,
            "frozen": [list(pair) for pair in self.frozen],
            "updates_paused": False,
            "safe_mode": self.safe_mode,
            "commands": [{"id": number, "kind": kind, "arg": arg} for number, kind, arg in self.commands],
        }
        return encode(
            {
                "_type": "targets",
                "expires": "2046-01-01T00:00:00Z",
                "ota": ota,
                "spec_version": "1.0.31",
                "targets": {good.artifact.target_path: target_entry(good.artifact) for good in self.goods.values()},
                "version": generation,
            }
        )


@dataclass(slots=True)
class Desk:
    """A server with one device.

    Attributes:
        generation: of the newest desired state; 0 for none yet.
        document: its exact bytes.
        blobs: what it serves, by SHA-256.
        reports: every report that was acknowledged, in order.
        malformed: reports that were refused, with the reason.
        next_s: what it says about the next check-in.
        down_for: how many more requests it answers with 503.
        orders: everything it was told to say, in order.
        forgotten: whether it was restored from a backup made before the newest order, and not told again yet.
    """

    generation: int = 0
    document: bytes = b""
    blobs: dict[str, bytes] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    next_s: str = "2"
    down_for: int = 0
    orders: list[Order] = field(default_factory=list)
    forgotten: int = 0
    signer: BenchSigner = field(default_factory=BenchSigner)

    def copy(self) -> Desk:
        """Return a desk in the same state; artifacts are shared, they never change."""
        return replace(self, reports=list(self.reports), malformed=list(self.malformed), orders=list(self.orders))

    def give(self, order: Order) -> None:
        """Make this the desired state, one generation up."""
        self.generation += 1
        self.orders.append(order)
        for goods in order.goods.values():
            self.blobs.update(goods.blobs)
        self.document = sealed(order.signed(self.generation), self.signer)

    def restore(self) -> None:
        """Go back to a backup made before the newest order; whoever gave it notices after a few reports."""
        if len(self.orders) > 1 and not self.forgotten:
            self.forgotten = RETOLD_AFTER
            self.generation -= 1
            self.document = sealed(self.orders[-2].signed(self.generation), self.signer)

    def _retell(self, have: int) -> None:
        """Give a lost order again: above whatever the device has seen, or it would be taken for a replay."""
        self.forgotten -= 1
        if not self.forgotten:
            self.generation = max(self.generation, have)
            self.give(self.orders.pop())

    def answer(self, request: Request) -> bytes:
        if self.down_for:
            self.down_for -= 1
            return _response(503, b"", {"Retry-After": "5"})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _response(401, b'{"code":"RB-ENROL-001"}')
        if request.method == "POST" and request.path == "/d/1/checkin":
            return self._check_in(request)
        if request.method == "GET" and request.path.startswith("/a/1/sha256/"):
            return self._blob(request)
        return _response(404, b"")

    def _check_in(self, request: Request) -> bytes:
        try:
            report = decode(request.body)
        except InputError as error:
            self.malformed.append(str(error))
            return _response(400, b"")
        self.reports.append(report)
        if self.forgotten:
            self._retell(report.have)
        pause = {"Ringback-Next-S": self.next_s}
        if report.have >= self.generation:
            return _response(204, b"", pause)
        return _response(200, self.document, pause)

    def _blob(self, request: Request) -> bytes:
        data = self.blobs.get(request.path.rsplit("/", 1)[1])
        if data is None:
            return _response(404, b"")
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if found is None:
            return _response(200, data)
        start = int(found[1])
        if start >= len(data):
            return _response(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        return _response(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})


_REASONS: Final = {200: "OK", 204: "No Content", 206: "Partial Content"}


def _response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", "Connection: close"]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
