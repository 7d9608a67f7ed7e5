"""What a probe can look at: one `Lab` per agent, one `Scene` per round of probes.

Invariants:

- Within a round each service is asked at most once for each of its pages, so that all readings of a round speak of the
  same moment, and a mute service costs its timeout once.
- History begins anew with every change of a plane (`Lab.forget`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ringback.agent import unix_http
from ringback.agent.device_file import DeviceFile
from ringback.agent.errors import ProbeError
from ringback.agent.manifest import Manifest
from ringback.agent.platform.process import Surroundings
from ringback.agent.ports import Json
from ringback.agent.supervisor import ServiceState, Supervisor

PAGE_TIMEOUT_MS = 800
"""A service answers its pages from memory; on a board under full load that takes some 50 ms."""

HISTORY_LIMIT = 4096
"""Entries of history of one series; at 4 readings per second a quarter of an hour."""

Planes = Mapping[str, tuple[Path, Manifest]]


@dataclass(slots=True)
class History:
    """What earlier rounds measured since the last change of a plane. `began_ms`: elapsed ms of that change."""

    began_ms: int
    series: dict[str, list[int]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: int) -> list[int]:
        """Appends to a series and returns all of it."""
        series = self.series.setdefault(name, [])
        series.append(value)
        del series[:-HISTORY_LIMIT]
        return series


class Lab:
    """What probes of this box have in common, for the life of the agent.

    Args:
        supervisor: who runs the services.
        surroundings: what services are told; also given to replay children.
        device_file: the owner's paths and commands.
        state: the agent's folder.
        uplink: whether the newest check-in was answered, and when (0 = none yet).
        now_ms: elapsed milliseconds.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        surroundings: Surroundings,
        device_file: DeviceFile,
        *,
        state: Path,
        uplink: Callable[[], tuple[bool, int]],
        now_ms: Callable[[], int],
    ) -> None:
        self.supervisor = supervisor
        self.surroundings = surroundings
        self.device_file = device_file
        self.state = state
        self.uplink = uplink
        self.now_ms = now_ms
        self.history = History(now_ms())

    def forget(self) -> None:
        """Begins history anew: a plane is about to change."""
        self.history = History(self.now_ms())


class Scene:
    """One round of probes.

    Args:
        lab: what the rounds have in common.
        planes: slot and manifest of each plane to look at: the active ones, or in preflight also candidates.
    """

    def __init__(self, lab: Lab, planes: Planes) -> None:
        self.lab = lab
        self.planes = planes
        self.history = lab.history
        self.states: dict[str, ServiceState] = lab.supervisor.states()
        self._pages: dict[tuple[str, str], dict[str, Json] | ProbeError] = {}

    def app(self) -> tuple[Path, Manifest]:
        """Returns slot and manifest of the app. Raises ProbeError RB-PROBE-009."""
        return self.plane("app")

    def plane(self, name: str) -> tuple[Path, Manifest]:
        """Returns slot and manifest of a plane. Raises ProbeError RB-PROBE-009 when it holds nothing."""
        if name not in self.planes:
            raise ProbeError("RB-PROBE-009", f"the plane {name[:64]!r} holds nothing")
        return self.planes[name]

    def state(self, service: str) -> ServiceState:
        """Returns what is known of a service. Raises ProbeError RB-PROBE-009."""
        if service not in self.states:
            known = ", ".join(self.states) or "none"
            raise ProbeError("RB-PROBE-009", f"there is no service {service[:64]!r}; services here: {known}")
        return self.states[service]

    def health(self, service: str) -> dict[str, Json]:
        """Returns a service's /health. Raises ProbeError."""
        return self._page(service, "/health")

    def metrics(self, service: str) -> dict[str, Json]:
        """Returns a service's /metrics.json. Raises ProbeError."""
        return self._page(service, "/metrics.json")

    def fresh(self, service: str, target: str) -> dict[str, Json]:
        """Returns a page asked for now, not remembered. Raises ProbeError."""
        self.state(service)
        return unix_http.get_object(self.lab.supervisor.socket(service), target, timeout_ms=PAGE_TIMEOUT_MS)

    def model_service(self) -> str:
        """Returns the first service that reads models. Raises ProbeError RB-PROBE-009."""
        for service in self.app()[1].services:
            if "model" in service.reads:
                return service.name
        raise ProbeError("RB-PROBE-009", "no service of this app reads models")

    def _page(self, service: str, target: str) -> dict[str, Json]:
        key = (service, target)
        if key not in self._pages:
            mute = next((page for (name, _), page in self._pages.items() if name == service and _is_mute(page)), None)
            try:
                self._pages[key] = mute if mute is not None else self.fresh(service, target)
            except ProbeError as error:
                self._pages[key] = error
        page = self._pages[key]
        if isinstance(page, ProbeError):
            raise page
        return page


def _is_mute(page: dict[str, Json] | ProbeError) -> bool:
    return isinstance(page, ProbeError) and page.code == "RB-PROBE-001"


def number(obj: Mapping[str, Json], *path: str) -> int:
    """Returns the integer at a path of keys. Raises ProbeError RB-PROBE-002 when there is none."""
    value: Json = dict(obj)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProbeError("RB-PROBE-002", f"{'.'.join(path)} is {value!r:.40}, expected an integer")
    return value
