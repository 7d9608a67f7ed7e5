"""How long a box takes from the verdict to healthy when a config or a model is taken back: real server, real agent.

A server and an agent are started as processes; then bad configs (no input) and bad models (slow, 20 MB) are pushed one
after the other, and each time the box's own figure counts: from the verdict of its gate to the first round of probes in
which every required rule passes again. Decides nothing about good or bad.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from ringback.client import Client, models
from ringback.spec.artifact import encode_manifest
from ringback.spec.canonical import Json

RUNS = 20
MODEL_BYTES = 20_000_000
WAIT_S = 60.0
CLASS_ID = "bench-box"
DEVICE = "bench-box-1"
GOOD_LATENCY_US = 1_000
BAD_LATENCY_US = 40_000

CLASS = f"""
class: {CLASS_ID}
version: 1
family: bench
planes:
  - {{name: app, kind: firmware, backend: process, cost_ms: 2000}}
  - {{name: model/face, kind: model, backend: directory, cost_ms: 300}}
  - {{name: config, kind: config, backend: file, cost_ms: 100}}
policy: {{poll_ms: 100, trial_ms: 8000, hold_ms: 800, probe_every_ms: 100, uplink_ms: 4000}}
rules:
  - {{id: services-up, probe: service_up, field: up, op: ">=", limit: 1, plane: app, strikes: 2}}
  - {{id: services-speak, probe: service_speaks, field: ok, op: ">=", limit: 1, plane: app, strikes: 2}}
  - {{id: input-alive, probe: input, field: age_ms, op: "<=", limit: 300, plane: config, strikes: 2}}
  - {{id: fast-enough, probe: latency, arg: face, field: p95_us, op: "<=", limit: 20000, plane: model/face, min_n: 5}}
"""


@dataclass(frozen=True, slots=True)
class Plane:
    """What 20 reverts of one plane took. Times in ms, as the box says."""

    runs: int
    detect_p50_ms: int
    p50_ms: int
    max_ms: int


class NotRevertedError(click.ClickException):
    """A push did not end as the benchmark needs it."""


class Bench:
    """A server, a box, and artifacts for it."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def publish(self, plane: str, kind: str, version: str, files: dict[str, tuple[str, bytes]], **meta: Json) -> str:
        """Publishes an artifact of these files (path to role and bytes); returns its digest."""
        entries: list[Json] = []
        for path, (role, data) in files.items():
            sha256 = hashlib.sha256(data).hexdigest()
            place = self._folder / sha256
            place.write_bytes(data)
            if not self._client.has_blob(sha256):
                self._client.put_blob(sha256, place)
            entries.append({"path": path, "role": role, "size_bytes": len(data), "sha256": sha256})
        manifest: dict[str, Json] = {
            "v": 1,
            "plane": plane,
            "kind": kind,
            "name": "bench",
            "version": version,
            "classes": [CLASS_ID],
            "epoch": 0,
            "requires": {},
            "files": entries,
            "meta": meta,
        }
        return self._client.publish(encode_manifest(manifest)).digest

    def app(self) -> str:
        """Publishes the app."""
        code = Path(__file__).with_name("box_app.py").read_bytes()
        services: list[Json] = [
            {"name": name, "argv": ["{python}", "-S", "{dir}/box_app.py", name], "after": [], "ready_ms": 10_000}
            for name in ("camera", "inference")
        ]
        return self.publish("app", "firmware", "1.0.0", {"box_app.py": ("code", code)}, services=services, interface=1)

    def config(self, version: str, source: str) -> str:
        """Publishes a config. `note` makes each one another artifact, so that none is refused as known to be bad."""
        data = json.dumps({"source": source, "note": version}).encode()
        return self.publish("config", "config", version, {"config.json": ("config", data)}, format="json")

    def model(self, version: str, latency_us: int, weights: bytes) -> str:
        """Publishes a model."""
        data = json.dumps({"latency_us": latency_us, "note": version}).encode()
        files = {"model.json": ("model", data), "weights.bin": ("asset", weights)}
        return self.publish("model/face", "model", version, files, format="bench")

    def push(self, digest: str) -> models.Push:
        """Brings an artifact to the box and waits for the end of it."""
        order = self._client.push(digest, DEVICE, reason="bench revert")
        end_s = time.monotonic() + WAIT_S
        while order.state in {"waiting", "offered", "entered"}:
            if time.monotonic() > end_s:
                raise NotRevertedError(f"the push of {digest} is still {order.state} after {WAIT_S:.0f} s")
            time.sleep(0.05)
            order = self._client.push_state(order.id)
        return order

    def await_device(self) -> None:
        """Waits until the box has enrolled."""
        end_s = time.monotonic() + WAIT_S
        while not self._client.devices().items:
            if time.monotonic() > end_s:
                raise NotRevertedError(f"the box did not enrol within {WAIT_S:.0f} s")
            time.sleep(0.1)

    def baseline(self, weights: bytes) -> None:
        """Brings a good set to the box."""
        goods = [self.app(), self.model("1.0.0", GOOD_LATENCY_US, weights), self.config("1.0.0", "door")]
        for digest in goods:
            order = self.push(digest)
            if order.state != "done":
                raise NotRevertedError(f"the first set did not hold: {order.state} {order.outcome}")

    def reverts(self, plane: str, digests: Iterator[str], runs: int) -> Plane:
        """Pushes bad artifacts of one plane and collects how fast each was taken back."""
        outcomes = []
        for digest in _shown(digests, f"{plane} reverts", runs):
            outcome = self.push(digest).outcome
            if outcome is None or outcome.kind != "reverted" or outcome.rung != [plane] or outcome.recover_ms is None:
                raise NotRevertedError(f"a bad {plane} was not taken back by its own rung: {outcome}")
            outcomes.append(outcome)
        recover = sorted(outcome.recover_ms or 0 for outcome in outcomes)
        detect = sorted(outcome.detect_ms or 0 for outcome in outcomes)
        return Plane(runs, detect[len(detect) // 2], recover[len(recover) // 2], recover[-1])


def _shown(digests: Iterator[str], label: str, runs: int) -> Iterator[str]:
    """Yields the digests and shows on stderr how far it is."""
    with click.progressbar(digests, length=runs, label=label, file=sys.stderr) as bar:
        yield from bar


@contextmanager
def started(words: list[str], log: Path, *, end: int) -> Iterator[subprocess.Popen[str]]:
    """Runs `ringback <words>` beside this process and ends it by a signal."""
    argv = [sys.executable, "-m", "ringback", *words]
    with log.open("wb") as errors:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ)
        try:
            yield process
        finally:
            process.send_signal(end)
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def measure(folder: Path, runs: int) -> dict[str, Plane]:
    """Runs the whole benchmark in an empty folder. Raises NotRevertedError."""
    data = str(folder / "server")
    with started(["server", "--data", data, "--port", "0", "--demo"], folder / "server.log", end=signal.SIGTERM) as one:
        assert one.stdout is not None
        said = one.stdout.readline().split()
        if said[:1] != ["ready"]:
            raise NotRevertedError(f"the server did not start: {(folder / 'server.log').read_text()[-400:]}")
        with Client(said[1]) as client:
            claim = client.create_claim(auto_accept=True).token or ""
            client.create_class(CLASS)
            words = ["agent", "run", "--state", str(folder / "box"), "--server", said[1]]
            words += ["--claim", claim, "--serial", DEVICE, "--class", CLASS_ID]
            with started(words, folder / "agent.log", end=signal.SIGINT):
                return _measure(Bench(client, folder), runs)


def _measure(bench: Bench, runs: int) -> dict[str, Plane]:
    weights = os.urandom(MODEL_BYTES)
    bench.await_device()
    bench.baseline(weights)
    configs = (bench.config(f"1.1.{number}", "none") for number in range(runs))
    slow = (bench.model(f"1.1.{number}", BAD_LATENCY_US, weights) for number in range(runs))
    return {
        "config": bench.reverts("config", configs, runs),
        "model": bench.reverts("model/face", slow, runs),
    }


@click.command("revert")
@click.option("--runs", default=RUNS, show_default=True, help="Reverts of each plane.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else on stdout.")
def command(*, runs: int, as_json: bool) -> None:
    """Measure how fast a box takes a config and a 20 MB model back."""
    folder = tempfile.TemporaryDirectory(prefix="ringback-revert-")
    with folder as name:
        planes = measure(Path(name), runs)
    if as_json:
        figures = {
            "machine": {
                "cpu_count": os.cpu_count(),
                "machine": platform.machine(),
                "python": platform.python_version(),
            },
            "model_bytes": MODEL_BYTES,
            **{
                name: {
                    "runs": plane.runs,
                    "detect_p50_ms": plane.detect_p50_ms,
                    "p50_ms": plane.p50_ms,
                    "max_ms": plane.max_ms,
                }
                for name, plane in planes.items()
            },
        }
        click.echo(json.dumps(figures))
        return
    for name, plane in planes.items():
        text = f"{name} revert: verdict to healthy p50 {plane.p50_ms} ms, max {plane.max_ms} ms of {plane.runs}"
        click.echo(f"{text} (detected within {plane.detect_p50_ms} ms, p50)")
