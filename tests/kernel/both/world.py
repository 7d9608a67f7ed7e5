"""A scripted device and server around the real core, in virtual time: what the kernel's tests on both interpreters
share.

The disk is strict: what was appended counts only after `sync`; a power cut keeps any number of bytes of the rest.
Effects are performed by a plain model of a device with slots and pointers. Everything that crosses the border is
counted as a step, so that a test can cut the power before or after any of them.
"""

import binascii
import hashlib
import json

from ringback_kernel import journal, wire
from ringback_kernel import limits as limits_of
from ringback_kernel.core import Core

CLASS = "door"
DEVICE = "box-1"
TENANT = "acme"
# A SubjectPublicKeyInfo with the generator of P-256 as its point; the tests' verifier is a hash, so any point does.
POINT = binascii.unhexlify(
    b"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
SPKI = binascii.unhexlify(b"3059301306072a8648ce3d020106082a8648ce3d030107034200") + POINT
PEM = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"


class PowerCut(Exception):
    """The power went at the step that the test named."""


def toy_signature(data):
    return hashlib.sha256(POINT + data).digest()


def toy_verifier(public_key, signature, data):
    return public_key == POINT and signature == toy_signature(data)


def sealed(document, key="k1"):
    """Return the file of a document under the toy signature."""
    signed = wire.canonical(document)
    return envelope(signed, signed, key)


def envelope(signed, checked, key="k1"):
    signature = binascii.hexlify(toy_signature(checked)).decode()
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (key.encode(), signature.encode(), signed)


def root():
    pem = PEM % binascii.b2a_base64(SPKI).decode().replace("\n", "")
    role = {"keyids": ["k1"], "threshold": 1}
    document = {
        "_type": "root",
        "version": 1,
        "keys": {"k1": {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}},
        "roles": {"root": role, "targets": role},
    }
    signed = wire.canonical(document)
    return envelope(signed, signed.replace(b"\\n", b"\n"))


def manifest(plane, version, requires=None, epoch=0, classes=(CLASS,)):
    kind = "config" if plane == "config" else "model" if plane.startswith("model") else "firmware"
    name = plane.replace("/", "-")
    return {
        "v": 1, "plane": plane, "kind": kind, "name": name, "version": version, "classes": list(classes), "epoch":
        epoch, "requires": requires or {}, "files": [{"path": "f", "role": "asset", "size_bytes": 10, "sha256": "00" *
        32}], "meta": {},
    }  # fmt: skip


def digest_of(found):
    return "sha256:" + binascii.hexlify(hashlib.sha256(wire.canonical(found)).digest()).decode()


def rule(plane=None, **fields):
    """A rule on the telemetry of one plane: 1 is healthy, 0 is not."""
    name = (plane or "any").replace("/", "-")
    found = {
        "id": "ok-" + name, "probe": "service_up", "arg": name, "field": "up", "op": ">=", "limit": 1, "level":
        "required", "plane": plane, "at": ["trial"], "strikes": 1, "min_n": 0,
    }  # fmt: skip
    found.update(fields)
    return found


RULES = [rule("app"), rule("model/face"), rule("config")]
TRIAL_MS = 20000


def release(generation, old, new, **ota_fields):
    """Return a desired state that leads from one set of manifests to another.

    Args:
        old, new: {plane: manifest}; `old` is what runs.
        ota_fields: what differs from a release of one group, singles first on the ladder.
    """
    changed = [plane for plane in ("config", "model/face", "app") if plane in new and new.get(plane) != old.get(plane)]
    changed += [plane for plane in sorted(new) if plane not in changed and new[plane] != old.get(plane)]
    back = {plane: digest_of(old[plane]) if plane in old else "" for plane in changed}
    rungs = [[plane] for plane in changed]
    if len(changed) > 1:
        rungs += [changed[:size] for size in range(2, len(changed) + 1)]
    ota = {
        "v": 1, "device": DEVICE, "tenant": TENANT, "release": f"rel-{generation}", "rollout": f"roll-{generation}",
        "attempt": 1, "issued_ms": 1000 * generation, "order": [[plane] for plane in reversed(changed)],
        "rules": {"hold_ms": 1000, "every_ms": 500, "list": RULES}, "trial_ms": TRIAL_MS, "uplink_ms": 0,
        "ladder": [{"planes": planes, "set": {plane: back[plane] for plane in planes}} for planes in rungs],
        "first": {plane: index for index, plane in enumerate(changed)},
        "drill": None, "frozen": [], "updates_paused": False, "safe_mode": False, "commands": [],
    }  # fmt: skip
    ota.update(ota_fields)
    targets = {}
    for plane, found in new.items():
        targets[f"{plane}/{found['name']}/{found['version']}"] = {
            "length": len(wire.canonical(found)),
            "hashes": {"sha256": digest_of(found)[7:]},
            "custom": {
                "plane": plane, "kind": found["kind"], "version": found["version"], "epoch": found["epoch"],
                "hw": found["classes"], "requires": found["requires"], "bytes": 10,
            },
        }  # fmt: skip
    return {
        "_type": "targets", "spec_version": "1.0.31", "version": generation, "expires": "2026-12-01T00:00:00Z",
        "targets": targets, "ota": ota,
    }  # fmt: skip


class Disk:
    """Storage that keeps only what was synced."""

    def __init__(self, step):
        self.durable = {}
        self.pending = {}
        self.step = step
        self.is_full = False

    def read(self, name):
        if name not in self.durable:
            return None
        return self.durable[name] + self.pending.get(name, b"")

    def size(self, name):
        return len(self.read(name) or b"")

    def append(self, name, data):
        self._room()
        self.step("append")
        self.pending[name] = self.pending.get(name, b"") + data
        self.durable.setdefault(name, b"")

    def sync(self, name):
        self._room()
        self.step("sync")
        self.durable[name] += self.pending.pop(name, b"")

    def replace(self, name, data):
        self._room()
        self.step("replace")
        self.pending.pop(name, None)
        self.durable[name] = bytes(data)

    def _room(self):
        if self.is_full:
            raise OSError(28)

    def cut(self, kept_bytes):
        """Lose what was not synced, but for the first bytes."""
        for name, data in self.pending.items():
            self.durable[name] += data[:kept_bytes]
        self.pending = {}

    def state(self):
        """Return what the journal durably says now."""
        copy = Disk(lambda _: None)
        copy.durable.update(self.durable)
        return journal.Journal(copy, 1 << 20).load()[0] or {}


class Server:
    """Answers check-ins with the newest document, and keeps the reports."""

    def __init__(self):
        self.document = b""
        self.generation = 0
        self.reports = []
        self.is_reachable = True
        self.next_ms = 1000

    def offer(self, document):
        self.generation = document["version"]
        self.document = sealed(document)

    def answer(self, body):
        report = json.loads(body)
        self.reports.append(report)
        if report["have"] < self.generation:
            return {"status": 200, "body": self.document, "next_ms": self.next_ms}
        return {"status": 204, "body": b"", "next_ms": self.next_ms}


class World:
    """One device with the real core, one server, one virtual clock."""

    def __init__(self, running, limits=None):
        self.limits = limits or limits_of.Limits()
        self.server = Server()
        self.slots = {digest_of(found): found for found in running.values()}
        self.active = {plane: digest_of(found) for plane, found in running.items()}
        self.published = dict(self.slots)
        self.disk = Disk(self.step)
        self.is_workload_on = True
        self.now_ms = 0
        self.latency_ms = 20
        self.boots = 0
        self.queue = []
        self.steps = 0
        self.cut_at = None
        self.log = []
        self.phases = []
        self.effects = []
        self.unhealthy = set()
        self.failing = {}
        self.missing = set()
        self.ids = 0
        self.rebooting = False
        self.core = None
        self.violations = []
        self.passed_for = None

    # --- the machine

    def publish(self, *manifests):
        for found in manifests:
            self.published[digest_of(found)] = found

    def step(self, name):
        """Count one thing that crosses the border; the power may go before it."""
        self.steps += 1
        if self.cut_at is not None and self.steps == self.cut_at:
            self.cut_at = None
            raise PowerCut(name)

    def boot(self):
        self.boots += 1
        self.queue = []
        self.now_ms = 0
        self.rebooting = False
        self.core = Core(self.disk, identity(), toy_verifier, self.limits)
        self.take(self.core.boot(f"boot{self.boots:012d}", self.running(), self.now_ms))

    def power_cut(self, kept_bytes=0):
        self.disk.cut(kept_bytes)
        self.boot()

    def restart_agent(self):
        """The agent's process ends and starts again; the machine goes on."""
        self.queue = []
        self.core = Core(self.disk, identity(), toy_verifier, self.limits)
        self.take(self.core.boot(f"boot{self.boots:012d}", self.running(), self.now_ms))

    def running(self):
        return {
            plane: [digest, self.slots[digest]["version"], self.slots[digest]["requires"]]
            for plane, digest in self.active.items()
        }

    def take(self, effects):
        for kind, obj in effects:
            if kind == "log":
                self.log.append((obj["event"], obj["fields"]))
            elif not self.rebooting:
                self.ids += 1
                self.queue.append((self.now_ms + self.latency_ms, self.ids, kind, obj))
        self.note_phase()

    def note_phase(self):
        phase = self.core.tx.phase
        if not self.phases or self.phases[-1] != phase:
            self.phases.append(phase)

    def run(self, for_ms=60000, until=None):
        """Let time pass until a phase is reached; says whether it was."""
        end_ms = self.now_ms + for_ms
        for _ in range(20000):
            if until is not None and self.is_at(until):
                return True
            wakeup_ms = self.core.next_wakeup_ms()
            self.queue.sort(key=lambda entry: (entry[0], entry[1]))
            at_ms = min(wakeup_ms, self.queue[0][0]) if self.queue else wakeup_ms
            if at_ms > end_ms:
                self.now_ms = end_ms
                return until is None
            self.now_ms = max(self.now_ms, at_ms)
            if self.queue and self.queue[0][0] <= self.now_ms:
                _, _, kind, obj = self.queue.pop(0)
                self.perform(kind, obj)
            else:
                self.take(self.core.handle(("tick", {}), self.now_ms))
            if self.rebooting:
                self.boot()
        raise AssertionError("no end in 20000 events; phases " + repr(self.phases))

    def is_at(self, until):
        if callable(until):
            return until(self)
        tx = self.core.tx
        return tx.phase == until and (tx.is_busy or tx.step == "")

    # --- effects

    def perform(self, kind, obj):
        if kind == "checkin":
            if not self.server.is_reachable:
                self.feed("checkin_failed", obj, {"code": "RB-AGENT-010", "text": "down"})
            else:
                self.feed("checkin_done", obj, self.server.answer(obj["body"]))
            return
        if kind == "probe":
            self.feed("probe_done", obj, {"readings": self.readings(obj["rules"])})
            return
        self.effects.append((kind, obj))
        self.check(kind, obj)
        self.step("before " + kind)
        answer = getattr(self, "do_" + kind)(obj)
        self.step("after " + kind)
        if answer is not None:
            self.feed(answer[0], obj, answer[1])

    def feed(self, kind, obj, answer):
        answer["op"] = obj["op"]
        self.take(self.core.handle((kind, answer), self.now_ms))

    def fails(self, kind):
        """Return what an effect is told to fail with this time, or None."""
        plan = self.failing.get(kind)
        if not plan:
            return None
        found = plan[0] if isinstance(plan, list) else plan
        if isinstance(plan, list):
            plan.pop(0)
        return found

    def do_fetch(self, obj):
        failed = self.fails("fetch")
        if failed:
            return "fetch_failed", failed
        for artifact in obj["artifacts"]:
            found = self.published.get(artifact["digest"])
            if found is None:
                return "fetch_failed", {"code": "RB-AGENT-021", "text": "404", "retry": False}
            self.slots[artifact["digest"]] = found
        return "fetch_done", {}

    def do_verify(self, obj):
        failed = self.fails("verify")
        if failed:
            return "verify_failed", failed
        return "verify_done", {"manifests": {each["plane"]: self.slots[each["digest"]] for each in obj["artifacts"]}}

    def do_stage(self, obj):
        failed = self.fails("stage")
        return ("stage_failed", failed) if failed else ("stage_done", {})

    def do_preflight(self, obj):
        failed = self.fails("preflight")
        if failed:
            return "preflight_failed", failed
        return "preflight_done", {"readings": self.readings(obj["rules"], preflight=obj["artifacts"])}

    def do_activate(self, obj):
        failed = self.fails("activate-" + obj["direction"])
        if failed:
            # As a real box: the pointers may be switched, and the services did not come up.
            self.is_workload_on = not failed.get("breaks")
            return "activate_failed", failed
        self.is_workload_on = True
        for item in obj["group"]:
            if item["digest"]:
                assert item["digest"] in self.slots, "activated without a slot: " + item["plane"]
                self.active[item["plane"]] = item["digest"]
            else:
                self.active.pop(item["plane"], None)
            self.step("inside activate")
        return "activate_done", {"running": {each["plane"]: self.run_of(each["plane"]) for each in obj["group"]}}

    def run_of(self, plane):
        digest = self.active.get(plane, "")
        return [digest, self.slots[digest]["version"] if digest else ""]

    def do_commit(self, obj):
        for digest in list(self.slots):
            is_kept = digest in self.active.values()
            for plane in obj["keep"]:
                is_kept = is_kept or digest in obj["keep"][plane]
            if not is_kept:
                self.slots.pop(digest)
        return "commit_done", {}

    def do_safe_mode(self, obj):
        self.is_workload_on = not obj["on"]
        return "safe_mode_done", {}

    def do_reboot(self, obj):
        self.rebooting = True

    def do_command(self, obj):
        return "command_done", {"id": obj["id"], "ok": True, "text": ""}

    # --- health

    def readings(self, rules, preflight=None):
        found = []
        for each in rules:
            plane = each["arg"].replace("-", "/")
            if each["id"] in self.missing or not self.is_workload_on:
                continue
            digest = self.active.get(plane, "")
            for artifact in preflight or ():
                digest = artifact["digest"] if artifact["plane"] == plane else digest
            value = each["limit"]
            if digest in self.unhealthy or each["id"] in self.unhealthy:
                value -= 1
            found.append(
                {
                    "probe": each["probe"],
                    "arg": each["arg"],
                    "values": {each["field"]: value, "n": 50},
                    "at_ms": self.now_ms,
                    "code": "",
                }
            )
        active = tuple(sorted(self.active.items()))
        if preflight is None:
            is_passing = len(found) == len(rules) and not self.unhealthy.intersection([each[1] for each in active])
            self.passed_for = active if is_passing else None
        return found

    # --- what must hold at every effect

    def check(self, kind, obj):
        """Judge an effect before it is performed, from what is durable and from what the probes said."""
        state = self.disk.state()
        phase = state.get("phase")
        if kind == "activate":
            wanted = "activating" if obj["direction"] == "forward" else "reverting"
            if phase != wanted and not self.disk.is_full:
                self.violations.append(f"activate {obj['direction']} while the journal says {phase}")
        if kind == "commit" and phase == "confirmed" and self.passed_for != tuple(sorted(self.active.items())):
            self.violations.append("confirmed a set whose probes did not pass")
        if kind == "reboot" and not state.get("planned"):
            self.violations.append("reboot without the planned mark")


def identity():
    return {
        "device": DEVICE, "tenant": TENANT, "class": CLASS, "capabilities": {"ram_mb": 512}, "root": root(),
        "agent_version": "0.1.0",
    }  # fmt: skip


APP1 = manifest("app", "1.0.0")
APP2 = manifest("app", "1.1.0")
FACE1 = manifest("model/face", "1.0.0", {"app": ">=1.0"})
FACE2 = manifest("model/face", "1.1.0", {"app": ">=1.0"})
CONF1 = manifest("config", "1.0.0")
CONF2 = manifest("config", "2.0.0")
OLD = {"app": APP1, "model/face": FACE1, "config": CONF1}
NEW = {"app": APP2, "model/face": FACE2, "config": CONF2}


def world(running=None, limits=None):
    """Return a world with a booted device that has published everything new."""
    made = World(OLD if running is None else running, limits)
    made.publish(APP1, APP2, FACE1, FACE2, CONF1, CONF2)
    made.boot()
    return made


def changed(**planes):
    """Return the old set with some planes replaced: changed(config=CONF2), changed(face=FACE2)."""
    found = dict(OLD)
    for name, each in planes.items():
        found["model/" + name if name in ("face", "voice") else name] = each
    return found
