"""What the driver needs of the world, as Protocols, and the values that cross.

The real implementations live in this package, the virtual ones in `ringback.sim`. A port may block (it runs on a lane
of its own, see `jobs`), and it reports failure by raising `PortError`; nothing else may leave it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ringback.agent import errors

PortError = errors.PortError
"""What a port raises; here, too, because it is part of every port."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Obj = Mapping[str, Json | bytes]
"""The object of an effect or event. Bytes only where a signature covers exactly these bytes."""
Event = tuple[str, dict[str, Json | bytes]]
"""A kernel event: its kind (past tense) and its object."""

NET = "net"
DOWNLOAD = "download"
WORK = "work"
PROBE = "probe"
LANES = (NET, DOWNLOAD, WORK, PROBE)
"""A lane runs one job after the other. Four of them, so that a slow download or a hanging probe delays no check-in
(invariant I8) and no revert."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact to fetch: `length_bytes` is the signed size of its manifest, `payload_bytes` of all its files."""

    plane: str
    digest: str
    length_bytes: int
    payload_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One plane goes to this digest; an empty digest means that the plane goes back to holding nothing."""

    plane: str
    digest: str


@dataclass(frozen=True, slots=True)
class Running:
    """What a plane runs, read back from where it lives."""

    digest: str
    version: str
    requires: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """What to measure: a probe of the closed list, and its argument (a service, a model slot, or empty)."""

    probe: str
    arg: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of a probe. A code means that the probe failed; its values are then no evidence."""

    probe: str
    arg: str
    values: Mapping[str, int]
    at_ms: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class CheckinAnswer:
    """What the server said: HTTP status, exact body, and how long to wait before the next check-in.

    `utc_ms` is the time of day as the box believes it, 0 where it has no clock to believe; only expiry is judged by it.
    """

    status: int
    body: bytes
    next_ms: int
    utc_ms: int = 0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How an operator's command ended."""

    ok: bool
    text: str


class Transport(Protocol):
    """The way to the server."""

    def checkin(self, body: bytes) -> CheckinAnswer: ...


class Artifacts(Protocol):
    """Fetches artifacts and proves that what lies on the disk is what was asked for."""

    def expect(self, op: int) -> None:
        """Says, without blocking, which fetch is waited for from now on; another one that still runs may give up."""
        ...

    def fetch(self, artifacts: Sequence[Artifact], op: int) -> None: ...

    def verify(self, artifacts: Sequence[Artifact]) -> dict[str, dict[str, Json]]:
        """Returns the manifest of each plane after hashing every byte of it on the disk."""
        ...


class Platform(Protocol):
    """Slots, pointers and services of this box. Every method may be run again after a crash."""

    def running(self) -> dict[str, Running]: ...

    def stage(self, artifacts: Sequence[Artifact]) -> None: ...

    def activate(self, group: Sequence[Change], *, forward: bool) -> dict[str, Running]: ...

    def commit(self, keep: Mapping[str, Sequence[str]]) -> None: ...

    def safe_mode(self, on: bool) -> None: ...

    def command(self, kind: str, arg: str) -> CommandResult: ...

    def reboot(self, reason: str) -> None: ...


class Probes(Protocol):
    """Measures; never judges."""

    def preflight(self, artifacts: Sequence[Artifact], measures: Sequence[Measure]) -> list[Reading]: ...

    def read(self, measures: Sequence[Measure]) -> list[Reading]: ...


class Jobs(Protocol):
    """Runs work beside the driver, and hands its answers back."""

    def start(self, lane: str, work: Callable[[], Event | None]) -> None:
        """Runs work that raises nothing; what it returns is handed out by `finished`, unless it is None."""
        ...

    def finished(self) -> list[Event]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything an effect can touch."""

    transport: Transport
    artifacts: Artifacts
    platform: Platform
    probes: Probes
