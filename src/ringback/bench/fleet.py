"""Fleets for benchmarks: devices that are simply there, and a server's parts on this process's own event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ringback.bench.load import device_of, token_of
from ringback.ports.rows import DeviceRow
from ringback.server.app import seed
from ringback.spec.artifact import encode_manifest

CLASS_ID = "bench-box"
FAMILIES = 3

CLASS = """
class: {class_id}
version: 1
family: {family}
planes:
  - {{name: app, kind: firmware, backend: process, cost_ms: 2000}}
  - {{name: model/face, kind: model, backend: directory, cost_ms: 50}}
  - {{name: config, kind: config, backend: file, cost_ms: 10}}
policy: {{poll_ms: 60000}}
"""

RELEASE = """
release: {release}
targets: {{classes: [{classes}]}}
versions: {{model/face: blaze@{version}}}
rings: {rings}
gate: {{p0: 2%, p1: 10%, budget: [{{horizon: 30m, devices: 900000}}], heartbeat: 10m}}
windows: {{stability: 0s, rollback: 1h}}
"""


def class_ids() -> list[str]:
    """Return the classes of the seeded fleet, one a hardware family."""
    return [CLASS_ID, *(f"{CLASS_ID}-{number}" for number in range(1, FAMILIES))]


def rows(count: int) -> Iterator[DeviceRow]:
    """Yield devices of three families and four regions."""
    classes = class_ids()
    regions = ("eu", "us", "apac", "latam")
    for number in range(count):
        yield DeviceRow(
            tenant_id="default",
            device_id=device_of(number),
            serial=device_of(number),
            class_id=classes[number % len(classes)],
            labels=(("customer", f"customer-{number % 7}"), ("region", regions[number % len(regions)])),
            status="accepted",
            mode="normal",
            updates_paused=False,
            token_sha256=hashlib.sha256(token_of(number).encode()).digest(),
            enrolled_at_ms=0,
            generation=1,
        )


def make(data: Path, count: int) -> None:
    """Put a fleet into a new data folder."""
    seed(data, rows(count))


def model(version: str) -> tuple[bytes, bytes, str]:
    """Return (manifest, content, sha256 of the content) of a model artifact."""
    content = f"model {version}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = encode_manifest(
        {
            "v": 1,
            "plane": "model/face",
            "kind": "model",
            "name": "blaze",
            "version": version,
            "classes": list(class_ids()),
            "epoch": 0,
            "requires": {},
            "files": [{"path": "model.onnx", "role": "model", "size_bytes": len(content), "sha256": sha256}],
            "meta": {"format": "onnx", "task": "face", "preprocess": "blazeface-128"},
        }
    )
    return manifest, content, sha256
