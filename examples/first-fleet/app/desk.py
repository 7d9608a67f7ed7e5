"""Is this box busy? Two services and a replay entry, standard library only: a template for an app of your own.

    desk.py sampler                          reads what the processors did, from the file that the config names
    desk.py inference                        asks the model about the newest sample
    desk.py replay MODEL_DIR GOLDEN_JSON     answers a golden set, here or on the build host

Started by the agent, which gives RINGBACK_RUN, RINGBACK_CONFIG and RINGBACK_MODELS (docs/guides/first-fleet.md).
"""

import hashlib
import http.client
import json
import math
import os
import socket
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

VERSION = "1.0.0"
INTERFACE = 1
STARTED_MS = time.monotonic_ns() // 1_000_000
PPM = 1_000_000
CHANGED = threading.Event()
RUN, CONFIG, MODELS = (Path(os.environ.get(f"RINGBACK_{name}", ".")) for name in ("RUN", "CONFIG", "MODELS"))


class Model:
    """Logistic regression over shares of processor time, in ppm: user, system, waiting."""

    def __init__(self, folder: Path) -> None:
        weights = json.loads((folder / "model.json").read_text())
        self.weights, self.bias = weights["weights"], weights["bias"]

    def value_ppm(self, sample: list[int]) -> int:
        z = self.bias + sum(weight * share / PPM for weight, share in zip(self.weights, sample, strict=True))
        return round(PPM / (1 + math.exp(-z)))


class Sampler:
    """Shares of processor time since the last look."""

    def __init__(self) -> None:
        self.frames, self.newest_ns, self.sample = 0, time.monotonic_ns(), [0, 0, 0]
        self.reload()

    def reload(self) -> None:
        config = json.loads(CONFIG.read_text()) if CONFIG.exists() else {"source": "/proc/stat", "every_ms": 200}
        self.source, self.every_s, self.before = Path(config["source"]), config["every_ms"] / 1000, None

    def work(self) -> None:
        user, nice, system, idle, waiting = (int(word) for word in self.source.read_text().split()[1:6])
        now = [user + nice, system, waiting, idle]
        if self.before is not None and sum(now) > sum(self.before):
            passed = sum(now) - sum(self.before)
            self.sample = [(new - old) * PPM // passed for new, old in zip(now[:3], self.before[:3], strict=True)]
        self.before, self.newest_ns = now, time.monotonic_ns()
        self.frames += 1

    def metrics(self) -> dict[str, object]:
        age_ms = (time.monotonic_ns() - self.newest_ns) // 1_000_000
        return {"frames": self.frames, "age_ms": age_ms, "sample": self.sample}


class Inference:
    """What the model says about the newest sample."""

    every_s = 0.1

    def __init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        folder = MODELS / "load"
        self.model, self.digest = None, ""
        if folder.exists():
            self.model = Model(folder)
            self.digest = "sha256:" + hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        self.times_us: deque[int] = deque(maxlen=64)
        self.decisions: deque[int] = deque(maxlen=64)

    def work(self) -> None:
        if self.model is not None:
            sample = ask("sampler", "/metrics.json")["sample"]
            began_ns = time.monotonic_ns()
            self.decisions.append(int(self.model.value_ppm(sample) >= PPM // 2))
            self.times_us.append((time.monotonic_ns() - began_ns) // 1000)

    def metrics(self) -> dict[str, object]:
        ranked, n = sorted(self.times_us), len(self.decisions)
        p50, p95 = (ranked[len(ranked) * part // 100] if ranked else 0 for part in (50, 95))
        return {
            "latency": {"load": {"p50_us": p50, "p95_us": p95, "n": len(ranked)}},
            "output": {"load": {"positive_ppm": sum(self.decisions) * PPM // n if n else 0, "n": n}},
            "model": {"load": self.digest} if self.digest else {},
        }


def ask(service: str, target: str) -> dict:
    """One question to another service of this box."""
    connection = http.client.HTTPConnection(service)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(1)
    connection.sock.connect(f"{service}.sock")
    connection.request("GET", target)
    return json.loads(connection.getresponse().read())


class Server(ThreadingMixIn, UnixStreamServer):
    """HTTP on the service's Unix socket."""

    daemon_threads = True


def serve(name: str, service: Sampler | Inference) -> None:
    """Answer the agent: /health, /metrics.json, /reload."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            health = {"service": name, "version": VERSION, "interface": INTERFACE, "ready": True, "pid": os.getpid()}
            pages = {"/health": {**health, "started_ms": STARTED_MS}, "/metrics.json": service.metrics()}
            self.answer(200 if self.path in pages else 404, pages.get(self.path, {}))

        def do_POST(self) -> None:
            try:
                service.reload()
                CHANGED.set()
                self.answer(200, {})
            except (OSError, ValueError, KeyError) as error:
                self.answer(422, {"message": f"{name} keeps what it has: {error}"})

        def answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def address_string(self) -> str:
            return "agent"

        def log_message(self, *_: object) -> None:
            """One line per probe would fill the disk."""

    Path(f"{name}.sock").unlink(missing_ok=True)
    Server(f"{name}.sock", Handler).serve_forever()


def run(name: str) -> None:
    """Serve, and work until the process is ended."""
    os.chdir(RUN)  # so that the socket's address stays short, however deep the folder lies
    service = {"sampler": Sampler, "inference": Inference}[name]()
    threading.Thread(target=serve, args=(name, service), daemon=True).start()
    while True:
        CHANGED.clear()
        try:
            service.work()
        except (OSError, ValueError, http.client.HTTPException) as error:
            sys.stderr.write(f"{name}: {error}\n")
        CHANGED.wait(service.every_s)  # and not sleep: what a reload changed holds at once


def replay(model_dir: str, golden: str) -> None:
    """Print what the model decides about each sample of a golden set."""
    model, questions = Model(Path(model_dir)), json.loads(Path(golden).read_text())
    samples = json.loads((Path(golden).parent / questions["inputs"][0]["path"]).read_text())
    values = [model.value_ppm(samples[sample["row"]]) for sample in questions["samples"]]
    decisions = [int(value >= questions["threshold_ppm"]) for value in values]
    json.dump({"decisions": decisions, "values": [[value] for value in values], "n": len(values)}, sys.stdout)


if __name__ == "__main__":
    replay(*sys.argv[2:]) if sys.argv[1] == "replay" else run(sys.argv[1])
