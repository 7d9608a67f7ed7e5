"""A fleet in a test: the server's use cases over memory adapters, and devices with the production kernel as brain.

Only clock, network, disk and workload are replaced. Time passes when a test says so.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ringback.adapters.memory import CountingIds, ManualClock, MemoryBlobs, MemoryJournal, MemoryKeys, MemoryStore
from ringback.errors import RingbackError
from ringback.plan.refusal import Refusal
from ringback.ports.changes import Insert
from ringback.ports.rows import LeaseRow, TenantRow
from ringback.spec.artifact import encode_manifest
from ringback.usecases.checkin import authenticate, receive
from ringback.usecases.device import Batch, decode_batch
from ringback.usecases.enrol import create_claim, enrol
from ringback.usecases.fleet import Fleet
from ringback.usecases.publish import create_class, create_release, note_blob, publish_artifact
from ringback.usecases.rollouts import order, prepare, snapshot, start
from ringback.usecases.tick import Lease, count_time, is_due, look, looked
from ringback.usecases.work import Desk
from ringback_kernel.core import Core

NOW_MS = 1_800_000_000_000

CLASS = """
class: door
version: 1
family: arm
capabilities: {ram_mb: 512}
planes:
  - {name: app, kind: firmware, backend: process, cost_ms: 500}
  - {name: model/face, kind: model, backend: directory, cost_ms: 20}
  - {name: config, kind: config, backend: file, cost_ms: 5}
policy: {poll_ms: 500, trial_ms: 5000, hold_ms: 200, probe_every_ms: 100, uplink_ms: 2000}
rules:
  - {id: up, probe: service_up, arg: "", field: up, op: "==", limit: 1, level: required, plane: app, at: [trial]}
  - {id: latency-face, probe: latency, arg: face, field: p95_us, op: "<=", limit: 8000, level: required,
     plane: model/face, at: [trial], strikes: 2}
"""


def verify(point: bytes, signature: bytes, data: bytes) -> bool:
    """Check a signature with the library that did not make the kernel's curve."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes(point))
    try:
        key.verify(bytes(signature), bytes(data), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def manifest(plane: str, kind: str, name: str, version: str, **more: object) -> bytes:
    """Return the manifest of an artifact whose one file says what it is."""
    content = f"{plane} {version}".encode()
    roles = {"firmware": "code", "model": "model", "config": "config"}
    body = {
        "v": 1,
        "plane": plane,
        "kind": kind,
        "name": name,
        "version": version,
        "classes": more.pop("classes", ["door"]),
        "epoch": 0,
        "requires": more.pop("requires", {}),
        "files": [
            {
                "path": "content",
                "role": roles[kind],
                "size_bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        ],
        "meta": METAS[kind],
        **more,
    }
    return encode_manifest(body)


METAS = {
    "firmware": {"services": [{"name": "camera", "argv": ["{python}", "{dir}/content"], "after": [], "ready_ms": 100}]},
    "model": {"format": "onnx", "task": "face", "preprocess": "blazeface-128"},
    "config": {"format": "json"},
}


class Disk:
    """The kernel's storage port over a dict."""

    def __init__(self):
        self.files = {}

    def read(self, name):
        return self.files.get(name)

    def append(self, name, data):
        self.files[name] = self.files.get(name, b"") + bytes(data)

    def sync(self, name):
        pass

    def replace(self, name, data):
        self.files[name] = bytes(data)

    def size(self, name):
        return len(self.files.get(name, b""))


@dataclass
class Box:
    """One device: the production kernel, a disk that cannot fail, and a workload that does what the test says.

    Attributes:
        readings: values by (probe, arg); a callable gets the box.
        is_online: whether its check-ins arrive.
        activated: every (plane, digest) it newly activated, in order.
    """

    world: "World"
    name: str
    token: str
    root: bytes
    readings: dict = field(default_factory=dict)
    running: dict = field(default_factory=dict)
    is_online: bool = True
    activated: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    boots: int = 0

    def __post_init__(self):
        self.disk = Disk()
        self.boot()

    def boot(self):
        """Start the agent anew, as after a reboot."""
        self.boots += 1
        identity = {
            "device": self.name,
            "tenant": "default",
            "class": "door",
            "capabilities": {"ram_mb": 512},
            "root": self.root,
            "agent_version": "0.1.0",
        }
        self.core = Core(self.disk, identity, verify)
        boot_id = hashlib.sha256(f"{self.name} {self.boots}".encode()).hexdigest()[:16]
        self.run(self.core.boot(boot_id, dict(self.running), self.world.uptime_ms))

    def wake(self):
        """Do what is due."""
        for _ in range(50):
            due = self.core.next_wakeup_ms()
            if due is None or due > self.world.uptime_ms:
                return
            self.run(self.core.handle(("tick", {}), self.world.uptime_ms))
        raise AssertionError("the device does not come to rest")

    def run(self, effects):
        queue = list(effects)
        for _ in range(500):
            if not queue:
                return
            event = self.perform(*queue.pop(0))
            if event is not None:
                queue += self.core.handle(event, self.world.uptime_ms)
        raise AssertionError("the device does not come to rest")

    def perform(self, kind, obj):
        handler = getattr(self, f"on_{kind}", None)
        return None if handler is None else handler(obj)

    def on_checkin(self, obj):
        if not self.is_online:
            return "checkin_failed", {"op": obj["op"], "code": "offline"}
        status, body = self.world.checkin(self, bytes(obj["body"]))
        self.answers.append(status)
        return "checkin_done", {
            "op": obj["op"],
            "status": status,
            "body": body,
            "next_ms": 500,
            "utc_ms": self.world.clock.now_ms(),
        }

    def on_fetch(self, obj):
        return "fetch_done", {"op": obj["op"]}

    def on_verify(self, obj):
        found = {
            each["plane"]: json.loads(self.world.fleet.catalog.artifacts[each["digest"]].manifest)
            for each in obj["artifacts"]
        }
        return "verify_done", {"op": obj["op"], "manifests": found}

    def on_stage(self, obj):
        return "stage_done", {"op": obj["op"]}

    def on_preflight(self, obj):
        return "preflight_done", {"op": obj["op"], "readings": self.read(obj["rules"])}

    def on_activate(self, obj):
        for each in obj["group"]:
            if each["digest"]:
                artifact = self.world.fleet.catalog.artifacts[each["digest"]]
                needs = {need.subject: need.constraint.text for need in artifact.requires}
                self.running[each["plane"]] = [each["digest"], str(artifact.version), needs]
                self.activated.append((each["plane"], artifact.ref))
            else:
                self.running.pop(each["plane"], None)
        running = {plane: self.running.get(plane, ["", "", {}])[:2] for plane in (e["plane"] for e in obj["group"])}
        return "activate_done", {"op": obj["op"], "running": running}

    def on_probe(self, obj):
        return "probe_done", {"op": obj["op"], "readings": self.read(obj["rules"])}

    def on_commit(self, obj):
        return "commit_done", {"op": obj["op"]}

    def on_safe_mode(self, obj):
        return "safe_mode_done", {"op": obj["op"]}

    def on_command(self, obj):
        return "command_done", {"op": obj["op"], "id": obj["id"], "ok": True, "text": ""}

    def read(self, rules):
        found = []
        for rule in rules:
            key = (rule["probe"], rule["arg"])
            values = self.readings.get(key, GOOD.get(key))
            values = values(self) if callable(values) else values
            if values is not None:
                found.append(
                    {
                        "probe": rule["probe"],
                        "arg": rule["arg"],
                        "values": values,
                        "at_ms": self.world.uptime_ms,
                        "code": "",
                    }
                )
        return found

    @property
    def versions(self):
        """Plane to version that runs."""
        return {plane: entry[1] for plane, entry in self.running.items()}


GOOD = {
    ("service_up", ""): {"up": 1, "restarts": 0},
    ("latency", "face"): {"p50_us": 1000, "p95_us": 2000, "n": 50},
}


class World:
    """The server's side: one fleet over memory adapters."""

    def __init__(self):
        self.clock = ManualClock(NOW_MS)
        self.ids = CountingIds()
        self.blobs = MemoryBlobs()
        self.store = MemoryStore()
        self.journal = MemoryJournal()
        self.keys = MemoryKeys(now_ms=NOW_MS)
        self.boxes: list[Box] = []
        self.decisions = []
        self.controller = "controller-a"
        self.started_ms = NOW_MS
        self.store.save([Insert(TenantRow("default", NOW_MS))])
        self.restart()

    @property
    def uptime_ms(self):
        """What the devices' monotonic clocks say."""
        return self.clock.now_ms() - NOW_MS + 1_000

    def restart(self):
        """Forget everything in memory, and come back from store and journal."""
        self.fleet = Fleet("default", listening_since_ms=self.clock.now_ms())
        self.fleet.load(self.store.load("default"))
        for first_no, batch in self.journal.replay():
            self.fleet.replay(first_no, decode_batch(batch))
        self.fleet.started()
        self.desk = Desk(self.fleet, self.store)

    def run(self, use_case):
        return self.desk.run(use_case)

    # --- devices ---------------------------------------------------------------------------------------------------

    def enrol(self, count, *, prefix="box", class_id="door", **labels):
        """Let devices join; they run nothing yet."""
        claim = self.run(
            lambda fleet: create_claim(
                fleet,
                ids=self.ids,
                uses_count=count,
                expires_at_ms=self.clock.now_ms() + 1000,
                auto_accept=True,
                now_ms=self.clock.now_ms(),
            )
        )
        made = []
        for number in range(count):
            name = f"{prefix}-{number:03d}"
            joined = self.run(
                lambda fleet, name=name: enrol(
                    fleet,
                    claim_token=claim.token,
                    serial=name,
                    class_id=class_id,
                    labels=labels,
                    ids=self.ids,
                    now_ms=self.clock.now_ms(),
                )
            )
            made.append(Box(self, joined.device.device_id, joined.token, self.keys.root))
        self.boxes += made
        return made

    def checkin(self, box, body):
        """Receive one report, durably, and answer as the endpoint does."""
        try:
            device = authenticate(self.fleet, hashlib.sha256(box.token.encode()).digest())
            checked = receive(self.fleet, device, body, now_ms=self.clock.now_ms(), signer=self.keys)
        except RingbackError as error:
            self.refused = error
            return 400, b""
        if checked.record is not None:
            self.commit([checked.record])
        return (204, b"") if checked.document is None else (200, checked.document)

    def commit(self, records):
        first_no = self.fleet.applied_no + 1
        fragments = list(self.fleet.fragments.fresh.values())
        batch = Batch([record.kept() for record in records], [fragment.document for fragment in fragments])
        self.journal.append(first_no, msgspec.msgpack.encode(batch))
        self.fleet.fragments.are_kept(fragments)
        for place, record in enumerate(records):
            record.no = first_no + place
            self.fleet.fold(record)

    def fold(self, crash_after=None):
        """Take everything to the store and let the journal forget it; or crash after so many rows of devices."""
        through_no = self.fleet.applied_no
        self.store.fold([fragment_row(self.fleet, each) for each in self.fleet.fragments.unstored.values()])
        self.store.fold([set_row(self.fleet, each) for each in self.fleet.sets.unstored.values()])
        self.fleet.fragments.unstored.clear()
        self.fleet.sets.unstored.clear()
        for page in self.fleet.dirt.pages():
            self.store.fold(self.fleet.dirt.take(page, self.fleet.devices.__getitem__)[:crash_after])
            if crash_after is not None:
                return
        self.store.settle()
        self.journal.drop(through_no)

    # --- what is published -----------------------------------------------------------------------------------------

    def publish(self, plane, version, **more):
        """Publish one artifact and return its reference."""
        kind = {"app": "firmware", "config": "config"}.get(plane, "model")
        data = manifest(plane, kind, "door" if kind != "model" else "blaze", version, **more)
        for file in json.loads(data)["files"]:
            content = f"{plane} {version}".encode()
            upload = self.blobs.upload(file["sha256"], announced_bytes=len(content), limit_bytes=10_000)
            upload.write(content)
            upload.finish()
            self.run(
                lambda fleet, file=file: note_blob(
                    fleet, file["sha256"], size_bytes=file["size_bytes"], now_ms=self.clock.now_ms()
                )
            )
        return self.run(lambda fleet: publish_artifact(fleet, data, blobs=self.blobs, now_ms=self.clock.now_ms()))

    def release(self, text):
        return self.run(lambda fleet: create_release(fleet, text, now_ms=self.clock.now_ms()))

    def start(self, release_id, reason=""):
        """Plan and start a rollout; returns its id, or the refusal."""
        text = self.fleet.published.releases[release_id].yaml
        rollout_id = self.ids.uuid7(self.clock.now_ms())
        found = prepare(snapshot(self.fleet), text, rollout_id=rollout_id, now_ms=self.clock.now_ms(), reason=reason)
        if isinstance(found, Refusal):
            return found
        self.run(
            lambda fleet: start(
                fleet, found, plan_report=b"", actor="tester", reason=reason, now_ms=self.clock.now_ms()
            )
        )
        return rollout_id

    def order(self, rollout_id, command):
        return self.run(lambda fleet: order(fleet, rollout_id, command, ids=self.ids, now_ms=self.clock.now_ms()))

    # --- time ------------------------------------------------------------------------------------------------------

    def tick(self):
        """Let the controller look once at every rollout, as the server's controller does."""
        now_ms = self.clock.now_ms()
        for course in list(self.fleet.courses.values()):
            self.run(lambda fleet, course=course: count_time(fleet, course, now_ms))
            if not is_due(course, now_ms):
                continue
            for _ in range(16):
                row = self.store.find(LeaseRow, ("default", course.rollout_id))
                lease = Lease(row, self.controller, now_ms + 10_000)
                decision = self.run(
                    lambda fleet, course=course, lease=lease: look(
                        fleet, course, lease=lease, ids=self.ids, now_ms=now_ms
                    )
                )
                if decision is None:
                    break
                looked(course, decision)
                if decision.event is None and decision.next_wakeup_ms != decision.at_ms:
                    break
                self.decisions.append(decision)
                if course.rollout_id not in self.fleet.courses:
                    break

    def pass_time(self, ms, step_ms=100):
        """Let time pass; devices do what is due, the controller looks after each step."""
        for _ in range(ms // step_ms):
            self.clock.advance(step_ms)
            for box in self.boxes:
                box.wake()
            self.tick()

    def until(self, condition, limit_ms=60_000):
        """Let time pass until something holds."""
        for _ in range(limit_ms // 100):
            if condition():
                return
            self.pass_time(100)
        raise AssertionError(f"not within {limit_ms} ms; decisions: {[d.reasons[:1] for d in self.decisions[-5:]]}")

    def state(self, rollout_id):
        return self.fleet.rollout_rows[rollout_id].state


def fragment_row(fleet, fragment):
    from ringback.ports.rows import FragmentRow

    return FragmentRow(fleet.tenant_id, fragment.fragment_id, fragment.document)


def set_row(fleet, each):
    from ringback.ports.rows import PlaneSetRow

    return PlaneSetRow(fleet.tenant_id, each.set_id, each.document())


def door_world(count=6, **labels):
    """A world with the class door, one published version of each plane, and devices that run it, confirmed."""
    world = World()
    world.run(lambda fleet: create_class(fleet, CLASS, now_ms=world.clock.now_ms()))
    for plane in ("app", "model/face", "config"):
        world.publish(plane, "1.0.0")
    world.enrol(count, **labels)
    world.release(BASELINE)
    rollout_id = world.start("baseline")
    assert isinstance(rollout_id, str), rollout_id
    world.until(lambda: world.state(rollout_id) == "closed")
    return world


BASELINE = """
release: baseline
targets: {classes: [door]}
versions: {app: door@1.0.0, model/face: blaze@1.0.0, config: door@1.0.0}
rings: []
gate: {p0: 2%, p1: 10%, budget: [{horizon: 300ms, devices: 400}], heartbeat: 2s}
windows: {stability: 100ms, rollback: 100ms}
health: {trial: 5s, hold: 200ms}
"""


def base64_root(world):
    return base64.b64encode(world.keys.root).decode()
