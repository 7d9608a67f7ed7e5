"""A device in a test: the production kernel as brain, real HTTP to a real server, and a workload that the test decides.

Only disk and workload are replaced. It lives in a thread of its own until it is closed.
"""

import base64
import hashlib
import json
import threading
import time

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ringback_kernel.core import Core

# A device of the class below checks in every 0.2 s; waiting at most this long notices a test's wish soon enough.
STEP_S = 0.02

CLASS = """\
class: door
version: 1
family: arm
capabilities: {ram_mb: 512}
planes:
  - {name: app, kind: firmware, backend: process, cost_ms: 500}
  - {name: model/face, kind: model, backend: directory, cost_ms: 20}
  - {name: config, kind: config, backend: file, cost_ms: 5}
policy: {poll_ms: 200, trial_ms: 5000, hold_ms: 100, probe_every_ms: 50, uplink_ms: 2000}
rules:
  - {id: up, probe: service_up, arg: "", field: up, op: "==", limit: 1, level: required, plane: app, at: [trial]}
  - {id: latency-face, probe: latency, arg: face, field: p95_us, op: "<=", limit: 8000, level: required,
     plane: model/face, at: [trial], strikes: 2}
"""
GOOD = {("service_up", ""): {"up": 1, "restarts": 0}, ("latency", "face"): {"p95_us": 2_000, "n": 50}}


def verify(point, signature, data):
    """Checks a signature with the library that did not make the kernel's curve."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes(point))
    try:
        key.verify(bytes(signature), bytes(data), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


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


class Box:
    """One device.

    Attributes:
        readings: values by (probe, arg), or by (probe, arg, digest of a running artifact); a test may change them.
        holds: while set, the device does not check in.
    """

    def __init__(self, address, claim, name, **labels):
        self._http = httpx.Client(base_url=address, timeout=10)
        asked = {"claim": claim, "serial": name, "class": "door", "labels": labels, "agent": "0.1.0"}
        enrolled = self._http.post("/d/1/enrol", json=asked).raise_for_status().json()
        self.name = enrolled["device"]
        self._token = enrolled["token"]
        self.readings = dict(GOOD)
        self.holds = threading.Event()
        self.running = {}
        self.failure = None
        identity = {
            "device": self.name,
            "tenant": enrolled["tenant"],
            "class": "door",
            "capabilities": {"ram_mb": 512},
            "root": base64.b64decode(enrolled["director_root"]),
            "agent_version": "0.1.0",
        }
        self._core = Core(Disk(), identity, verify)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._live, name=self.name, daemon=True)
        self._thread.start()

    def close(self):
        """Ends the device."""
        self._is_over.set()
        self._thread.join(timeout=10)
        self._http.close()
        if self.failure is not None:
            raise self.failure

    def _live(self):
        try:
            boot_id = hashlib.sha256(self.name.encode()).hexdigest()[:16]
            self._run(self._core.boot(boot_id, {}, _now_ms()))
            while not self._is_over.wait(STEP_S):
                due_ms = self._core.next_wakeup_ms()
                if due_ms is not None and due_ms <= _now_ms():
                    self._run(self._core.handle(("tick", {}), _now_ms()))
        except Exception as failure:
            self.failure = failure
            raise

    def _run(self, effects):
        queue = list(effects)
        while queue:
            kind, obj = queue.pop(0)
            act = getattr(self, f"_on_{kind}", None)
            event = act(obj) if act is not None else None
            if event is not None:
                queue += self._core.handle(event, _now_ms())

    def _on_checkin(self, obj):
        if self.holds.is_set():
            return "checkin_failed", {"op": obj["op"], "code": "offline"}
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            answer = self._http.post("/d/1/checkin", content=bytes(obj["body"]), headers=headers)
        except httpx.TransportError:
            return "checkin_failed", {"op": obj["op"], "code": "unreachable"}
        wait_ms = int(float(answer.headers.get("ringback-next-s", "0.2")) * 1000)
        said = {"op": obj["op"], "status": answer.status_code, "body": answer.content, "next_ms": wait_ms}
        return "checkin_done", {**said, "utc_ms": int(time.time() * 1000)}

    def _on_fetch(self, obj):
        return "fetch_done", {"op": obj["op"]}

    def _on_verify(self, obj):
        return "verify_done", {
            "op": obj["op"],
            "manifests": {each["plane"]: self._manifest(each) for each in obj["artifacts"]},
        }

    def _manifest(self, artifact):
        sha256 = artifact["digest"].removeprefix("sha256:")
        answer = self._http.get(f"/a/1/sha256/{sha256}", headers={"Authorization": f"Bearer {self._token}"})
        assert hashlib.sha256(answer.content).hexdigest() == sha256
        return json.loads(answer.content)

    def _on_stage(self, obj):
        return "stage_done", {"op": obj["op"]}

    def _on_preflight(self, obj):
        return "preflight_done", {"op": obj["op"], "readings": self._read(obj["rules"])}

    def _on_activate(self, obj):
        for each in obj["group"]:
            if each["digest"]:
                found = self._manifest(each)
                self.running[each["plane"]] = [each["digest"], found["version"], found["requires"]]
            else:
                self.running.pop(each["plane"], None)
        planes = [each["plane"] for each in obj["group"]]
        return "activate_done", {
            "op": obj["op"],
            "running": {plane: self.running.get(plane, ["", "", {}])[:2] for plane in planes},
        }

    def _on_probe(self, obj):
        return "probe_done", {"op": obj["op"], "readings": self._read(obj["rules"])}

    def _on_commit(self, obj):
        return "commit_done", {"op": obj["op"]}

    def _on_safe_mode(self, obj):
        return "safe_mode_done", {"op": obj["op"]}

    def _on_command(self, obj):
        return "command_done", {"op": obj["op"], "id": obj["id"], "ok": True, "text": ""}

    def _read(self, rules):
        found = []
        for rule in rules:
            key = (rule["probe"], rule["arg"])
            special = [
                self.readings[(*key, run[0])] for run in self.running.values() if (*key, run[0]) in self.readings
            ]
            values = special[0] if special else self.readings.get(key)
            if values is not None:
                found.append({"probe": key[0], "arg": key[1], "values": values, "at_ms": _now_ms(), "code": ""})
        return found


def _now_ms():
    return int(time.monotonic() * 1000)
