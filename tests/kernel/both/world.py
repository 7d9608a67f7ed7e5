"""A scripted device and server around the real core, in virtual time: what the kernel's tests on both interpreters
share.

The disk is strict: what was appended counts only after `sync`; a power cut keeps any number of bytes of the rest.
Effects are performed by a plain model of a device with slots and pointers. Everything that crosses the border is
counted as a step, so that a test can cut the power before or after any of them.
"""

import binascii
import json

from ringback_kernel import journal
from ringback_kernel import limits as limits_of
from ringback_kernel.canonical import encode
from ringback_kernel.core import Core
from tests.kernel.both.documents import (
    APP1,
    APP2,
    CLASS,
    CONF1,
    CONF2,
    DEVICE,
    FACE1,
    FACE2,
    NEW,
    OLD,
    PEM,
    POINT,
    RULES,
    SPKI,
    TENANT,
    TRIAL_MS,
    changed,
    digest_of,
    envelope,
    manifest,
    release,
    root,
    rule,
    sealed,
    toy_signature,
    toy_verifier,
)

# Tests say `w.release`, `w.OLD`: this module is their whole vocabulary.
__all__ = (
    "binascii",
    "encode",
    "APP1",
    "APP2",
    "CLASS",
    "CONF1",
    "CONF2",
    "DEVICE",
    "FACE1",
    "FACE2",
    "NEW",
    "OLD",
    "PEM",
    "POINT",
    "RULES",
    "SPKI",
    "TENANT",
    "TRIAL_MS",
    "changed",
    "digest_of",
    "envelope",
    "manifest",
    "release",
    "root",
    "rule",
    "sealed",
    "toy_signature",
    "toy_verifier",
)


class PowerCut(Exception):
    """The power went at the step that the test named."""


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
        self.verified = set()
        self.staged = set()

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
        for _ in range(50000):
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
                end_ms -= self.now_ms
                self.boot()
        raise AssertionError("no end in 50000 events; phases " + repr(self.phases))

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
        self.verified.update([each["digest"] for each in obj["artifacts"]])
        return "verify_done", {"manifests": {each["plane"]: self.slots[each["digest"]] for each in obj["artifacts"]}}

    def do_stage(self, obj):
        failed = self.fails("stage")
        if not failed:
            self.staged.update([each["digest"] for each in obj["artifacts"]])
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
            self.check_activation(obj)
        is_healthy = (state.get("outcome") or {}).get("healthy")
        if (
            kind == "commit"
            and phase in ("confirmed", "reverted")
            and is_healthy
            and self.passed_for != tuple(sorted(self.active.items()))
        ):
            self.violations.append("called a set healthy whose probes did not pass")
        if kind == "reboot" and not state.get("planned"):
            self.violations.append("reboot without the planned mark")

    def check_activation(self, obj):
        tx = self.core.tx
        for item in obj["group"]:
            plane, digest = item["plane"], item["digest"]
            if plane not in tx.changed:
                self.violations.append("switched a plane that the deployment does not change: " + plane)
            elif digest != tx.changed[plane][1 if obj["direction"] == "forward" else 0]:
                self.violations.append("switched " + plane + " to something nobody asked for")
            if obj["direction"] == "forward":
                if digest not in self.staged or digest not in self.verified:
                    self.violations.append("activated what was not verified and staged: " + plane)
                if tx.newest is not None and (plane, digest) in tx.newest.frozen:
                    self.violations.append("newly activated a frozen digest on " + plane)


def identity():
    return {
        "device": DEVICE, "tenant": TENANT, "class": CLASS, "capabilities": {"ram_mb": 512}, "root": root(),
        "agent_version": "0.1.0",
    }  # fmt: skip


def world(running=None, limits=None):
    """Return a world with a booted device that has published everything new."""
    made = World(OLD if running is None else running, limits)
    made.publish(APP1, APP2, FACE1, FACE2, CONF1, CONF2)
    made.boot()
    return made
