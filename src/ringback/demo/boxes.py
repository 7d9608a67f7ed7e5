"""The real boxes: each an agent process with its own state folder, looked at from outside.

Decides: nothing. What a box runs is read from its pointers, what it sees from its services' own sockets, what its agent
says from the agent's status socket; the acts compare these with what the server believes.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback.agent import unix_http
from ringback.agent.errors import ProbeError
from ringback.demo import fleet
from ringback.demo.material.artifacts import SERVICES
from ringback.demo.processes import Process, program

SOCKET_TIMEOUT_MS = 1_000
TEMPERATURE_MDEGC = 52_000
"""What the sensor file of a box shows: six boxes on one machine have no sensor each."""
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service process as it says itself; `started_ms` changes when and only when it is started anew."""

    name: str
    pid: int
    started_ms: int
    version: str


@dataclass(frozen=True, slots=True)
class BoxSight:
    """What the box saw in its last full pass over the pictures at its door."""

    seen: int
    total: int


class Box:
    """One real box."""

    def __init__(self, spec: fleet.BoxSpec, folder: Path, *, url: str, claim: str, env: Mapping[str, str]) -> None:
        self.spec = spec
        self.state = folder / spec.name
        self._url = url
        self._claim = claim
        argv = program("ringback.agent.command", "run", "--state", str(self.state), *self._enrolment())
        self.process = Process(spec.name, argv, env, folder / f"{spec.name}.log", folder)

    def _enrolment(self) -> list[str]:
        return ["--server", self._url, "--claim", self._claim, "--serial", self.spec.name, "--class", fleet.REAL_CLASS]

    @property
    def run(self) -> Path:
        """Where the sockets of the box are."""
        return self.state / "run"

    def prepare(self) -> None:
        """Writes the owner's file of the box."""
        self.state.mkdir(parents=True, exist_ok=True)
        labels = "\n".join(f'{name} = "{value}"' for name, value in self.spec.labels.items())
        sensor = self.state / "temperature"
        sensor.write_text(f"{TEMPERATURE_MDEGC}\n", encoding="ascii")
        text = (
            f'server = "{self._url}"\n\n[capabilities]\nnpu = "rk3566"\nram_mb = 2048\n\n'
            f"[labels]\n{labels}\n\n[probe.temperature]\nfile = '{sensor}'\n"
        )
        (self.state / "device.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        self.process.start()

    def kill_agent(self) -> None:
        """kill -9; the services go on without it."""
        self.process.kill()

    def hold(self) -> None:
        """Stops the agent where it stands, as a box without network and with a very patient clock."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.signal(signal.SIGCONT)

    def status(self) -> dict[str, Json]:
        """What the agent says of itself; empty while it does not answer."""
        return self._ask("agent", "/status")

    def running(self) -> dict[str, str]:
        """Digest by plane, as the agent reads it back from its pointers; empty while it does not answer."""
        planes = self.status().get("planes")
        if not isinstance(planes, dict):
            return {}
        return {
            plane: str(value[0]) for plane, value in planes.items() if isinstance(value, list) and value and value[0]
        }

    def services(self) -> dict[str, Service]:
        """The services that answer, by name."""
        found = {}
        for name in SERVICES:
            health = self._ask(name, "/health")
            pid, started_ms = health.get("pid"), health.get("started_ms")
            if isinstance(pid, int) and isinstance(started_ms, int):
                found[name] = Service(name, pid, started_ms, str(health.get("version", "")))
        return found

    def sight(self) -> BoxSight:
        """People seen and people there; (0, 0) while the upload service is mute or has not seen a whole loop."""
        metrics = self._ask("upload", "/metrics.json")
        seen, total = metrics.get("people_seen"), metrics.get("people_total")
        return BoxSight(seen, total) if isinstance(seen, int) and isinstance(total, int) else BoxSight(0, 0)

    def _ask(self, socket: str, target: str) -> dict[str, Json]:
        try:
            return unix_http.get_object(self.run / f"{socket}.sock", target, timeout_ms=SOCKET_TIMEOUT_MS)
        except ProbeError:
            return {}
