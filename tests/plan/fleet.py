"""Small classes, artifacts and fleets for the planner's tests: made by name, exact, and without files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ringback.plan.catalog import Catalog, catalog_of
from ringback.plan.inventory import DeviceFacts, Inventory, Other, PlaneSet, take_stock, targeted, why_nobody
from ringback.spec.artifact import Artifact, encode_manifest, parse_manifest
from ringback.spec.device_class import DeviceClass, parse_class
from ringback.spec.release import Release, parse_release

KINDS = {"app": "firmware", "agent": "firmware", "system": "firmware", "config": "config"}
COSTS_MS = {"system": 30_000, "agent": 4_000, "app": 3_000, "config": 20}

DOOR = """
class: door
version: 1
family: rk3566
capabilities: {ram_mb: 2048, npu: rk3566}
planes:
  - {name: app, kind: firmware, backend: process, cost_ms: 3000}
  - {name: model/face, kind: model, backend: directory, cost_ms: 200}
  - {name: model/voice, kind: model, backend: directory, cost_ms: 250}
  - {name: config, kind: config, backend: file, cost_ms: 20}
policy: {poll_ms: 500, trial_ms: 5000, hold_ms: 1000}
"""
SENSOR = """
class: sensor
version: 1
family: esp32
capabilities: {flash_kb: 4096}
planes:
  - {name: app, kind: firmware, backend: esp-ota, cost_ms: 30000}
  - {name: model/face, kind: model, backend: esp-file, cost_ms: 500}
  - {name: config, kind: config, backend: esp-file, cost_ms: 100}
policy:
  poll_ms: 900000
  trial_ms: 600000
  hold_ms: 120000
  one_plane_per_deployment: true
  joint_switches: false
  drill_kinds: [config]
  manifest_bytes_max: 4096
  flash_sector_bytes: 4096
  flash_cycles: 100000
"""


def class_of(text: str = DOOR) -> DeviceClass:
    return parse_class(text)


def artifact(
    ref: str,
    *,
    requires: Mapping[str, str] | None = None,
    classes: Sequence[str] = ("door", "sensor"),
    epoch: int = 0,
    size_bytes: int = 1000,
    role: str = "asset",
    path: str = "payload",
) -> Artifact:
    """Make an artifact from `plane/name@version`; its bytes differ by everything that is said."""
    head, _, version = ref.rpartition("@")
    plane, _, name = head.rpartition("/")
    body = {
        "v": 1,
        "plane": plane,
        "kind": KINDS.get(plane, "model"),
        "name": name,
        "version": version,
        "classes": list(classes),
        "epoch": epoch,
        "requires": dict(requires or {}),
        "files": [{"path": path, "role": role, "size_bytes": size_bytes, "sha256": "0" * 64}],
        "meta": {},
    }
    return parse_manifest(encode_manifest(body))


def planes(*artifacts: Artifact) -> PlaneSet:
    return tuple(sorted((one.plane, one.digest) for one in artifacts))


def release(versions: Sequence[str], *, more: str = "", targets: str = "{classes: [door]}") -> Release:
    """Make a release of full references; ``more`` is appended to the document."""
    lines = "".join(f"  {ref.rpartition('@')[0].rpartition('/')[0]}: {ref}\n" for ref in versions)
    return parse_release(f"release: under-test\ntargets: {targets}\nversions:\n{lines}{more}", "r.yaml")


def facts(
    count: int, running: PlaneSet, *, class_id: str = "door", prefix: str = "cam", **labels: str
) -> list[DeviceFacts]:
    return [DeviceFacts(f"{prefix}-{index}", class_id, labels, running) for index in range(1, count + 1)]


def stock(devices: Sequence[DeviceFacts], wanted: Release, catalog: Catalog, others: Sequence[Other] = ()) -> Inventory:
    families = {one.id: one.family for one in catalog.classes.values()}
    chosen = targeted(devices, wanted.targets, families)
    if not chosen:
        return Inventory((), len(devices), nobody=why_nobody(devices, wanted.targets, families))
    return take_stock(chosen, fleet_size=len(devices), others=others, planes=wanted.planes, families=families)


def catalog(artifacts: Iterable[Artifact], *classes: DeviceClass) -> Catalog:
    return catalog_of(classes or (class_of(), class_of(SENSOR)), artifacts)
