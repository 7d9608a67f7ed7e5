"""A small world for tests: three artifacts of each plane, a class of doors, and releases that take seconds."""

import hashlib
from collections.abc import Mapping, Sequence

from ringback.sim.faults import Fault
from ringback.sim.identity import DeviceSpec
from ringback.sim.workload import (
    Family,
    Measured,
    MeasuredApp,
    MeasuredConfig,
    MeasuredModel,
    MeasuredReplay,
)
from ringback.sim.world import World, WorldOptions
from ringback.spec.artifact import encode_manifest

FAMILIES = {"big": Family("big", latency_ppm=500_000), "small": Family("small", services_ready_ms=900)}
SITES = ("ams", "ber", "nyc")
CLASS = """
class: {family}-door
version: 1
family: {family}
capabilities: {{ram_mb: 512}}
planes:
  - {{name: app, kind: firmware, backend: process, cost_ms: 500}}
  - {{name: model/face, kind: model, backend: directory, cost_ms: 20}}
  - {{name: config, kind: config, backend: file, cost_ms: 5}}
policy: {{poll_ms: 1500, trial_ms: 12000, hold_ms: 3000, probe_every_ms: 500, uplink_ms: 20000}}
rules:
  - {{id: golden, probe: golden, arg: face, field: quality_ppm, op: ">=", limit: 90 %, plane: model/face,
     at: [preflight]}}
  - {{id: up, probe: service_up, field: up, op: ">=", limit: 1, plane: app, strikes: 3}}
  - {{id: steady, probe: service_up, field: restarts, op: "<=", limit: 1, plane: app}}
  - {{id: speaks, probe: service_speaks, field: ok, op: ">=", limit: 1, plane: app, strikes: 3}}
  - {{id: taken, probe: telemetry, field: rejected, op: "<=", limit: 0, plane: app, strikes: 2}}
  - {{id: slow, probe: latency, arg: face, field: p95_us, op: "<=", limit: 8000, plane: model/face, strikes: 2}}
  - {{id: slow-median, probe: latency, arg: face, field: p50_us, op: "<=", limit: 8000, plane: model/face, strikes: 2}}
  - {{id: sees, probe: output, arg: face, field: positive_ppm, op: ">=", limit: 1 %, plane: model/face, strikes: 2}}
  - {{id: input, probe: input, field: age_ms, op: "<=", limit: 1 s, plane: config, strikes: 2}}
  - {{id: consistent, probe: consistency, field: versions_ok, op: ">=", limit: 1, plane: app, strikes: 2}}
  - {{id: logs, probe: logs, field: gap, op: "<=", limit: 0, plane: config, strikes: 2}}
  - {{id: memory, probe: memory, field: growth_kb, op: "<=", limit: 1000, plane: model/face, strikes: 2}}
  - {{id: disk, probe: disk, field: used_ppm, op: "<=", limit: 95 %, plane: config, strikes: 2}}
  - {{id: cool, probe: temperature, field: max_mdegc, op: "<=", limit: 90000, plane: model/face, strikes: 2}}
"""
KINDS = {"app": "firmware", "model/face": "model", "config": "config"}
ROLES = {"app": "code", "model/face": "model", "config": "config"}
NAMES = {"app": "door", "model/face": "eye", "config": "door"}
BASE = {"app": "1.0.0", "model/face": "1.0.0", "config": "1.0.0"}
RINGS = 'rings:\n  - {name: lab, where: "site=ams", bake: 1s}\n  - {name: canary, count: 8, bake: 1s}\n'
GATE = (
    "gate: {p0: 2%, p1: 25%, alpha: 1%, beta: 5%, delta: 10%, budget: [{horizon: 2s, devices: 16}], heartbeat: 5s}\n"
    "windows: {stability: 1s, rollback: 1s}\n"
)
EVERYONE = GATE.replace("devices: 16", "devices: 100000")
ENDS = ("closed", "investigating", "waiting_approval")


def artifact(plane: str, version: str, **requires: str) -> tuple[bytes, dict[str, bytes]]:
    """The manifest and the files of an artifact; another version has other bytes."""
    data = f"{plane} {version}".encode()
    sha256 = hashlib.sha256(data).hexdigest()
    entry = {"path": "content", "role": ROLES[plane], "size_bytes": len(data), "sha256": sha256}
    meta: dict[str, object] = {"format": "json"}
    if plane == "app":
        meta = {
            "services": [{"name": "inference", "argv": ["{python}", "{dir}/content"], "after": [], "ready_ms": 100}]
        }
    obj = {
        "v": 1,
        "plane": plane,
        "kind": KINDS[plane],
        "name": NAMES[plane],
        "version": version,
        "classes": [f"{family}-door" for family in FAMILIES],
        "epoch": 0,
        "requires": {name.replace("__", "/"): text for name, text in requires.items()},
        "files": [entry],
        "meta": meta,
    }
    return encode_manifest(obj), {sha256: data}


def digest(plane: str, version: str, **requires: str) -> str:
    return "sha256:" + hashlib.sha256(artifact(plane, version, **requires)[0]).hexdigest()


def measured(versions: Sequence[str] = ("1.0.0", "1.1.0", "1.2.0"), **requires: str) -> Measured:
    """Healthy figures for every version; faults make them ill."""
    models = {digest("model/face", version): MeasuredModel("face", 1300, 1500, 13_000) for version in versions}
    models |= {digest("model/face", version, **requires): MeasuredModel("face", 1300, 1500, 1) for version in versions}
    apps = {digest("app", version): MeasuredApp(("inference",)) for version in versions}
    replay = MeasuredReplay(1_000_000, 1_000_000, 45, 600_000, 27, 27)
    return Measured(
        models=models,
        apps=apps,
        configs={digest("config", version): MeasuredConfig() for version in versions},
        replays={(app, model): replay for app in apps for model in models},
    )


def release(name: str, versions: Mapping[str, str], *, rings: str = RINGS, gate: str = GATE, more: str = "") -> str:
    picks = "".join(f"  {plane}: {NAMES[plane]}@{version}\n" for plane, version in versions.items())
    targets = "targets: {classes: [big-door, small-door]}\n"
    return f'release: {name}\n{targets}versions:\n{picks}{more}{rings}{gate}reason: "test"\n'


def world(
    count: int = 30, seed: int = 1, faults: Mapping[str, Sequence[Fault]] | None = None, **requires: str
) -> World:
    """A world whose devices are enrolled and run the first set, confirmed."""
    specs = [
        DeviceSpec(f"{family}-{n}", f"{family}-door", family, {"site": SITES[n % 3]})
        for family, share in (("big", count * 2 // 3), ("small", count - count * 2 // 3))
        for n in range(share)
    ]
    made = World(WorldOptions(specs, FAMILIES, measured(**requires), faults or {}, tick_ms=500), seed)
    for family in FAMILIES:
        made.server.add_class(CLASS.format(family=family))
    for plane in KINDS:
        made.server.publish(*artifact(plane, "1.0.0"))
    made.enrol()
    made.run(5_000)
    roll(made, release("baseline", BASE, rings="rings: []\n", gate=EVERYONE))
    return made


def start(made: World, text: str) -> str:
    started = made.server.start_rollout(made.server.release(text))
    assert isinstance(started, str), started
    return started


def roll(made: World, text: str, *, for_ms: int = 300_000) -> str:
    """Starts a release and runs until its rollout ends one way or the other; returns the state."""
    rollout_id = start(made, text)
    made.run(for_ms, until=lambda: made.server.state(rollout_id) in ENDS)
    return made.server.state(rollout_id)


def running(made: World, plane: str) -> dict[str, int]:
    """How many devices run which version of a plane."""
    names = {digest(plane, version): version for version in ("1.0.0", "1.1.0", "1.2.0")}
    return {names.get(key, key): count for key, count in made.census().running.get(plane, {}).items()}
