"""What the acts read of the product, in the few values they need: rollouts, deployments, devices, plans.

Decides: nothing; `show` fills these from the API, from the boxes and from the simulated fleet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RingState:
    """A ring of a rollout."""

    name: str
    devices: int
    entered: int
    proven: int
    failed: int
    trial: int = 0
    offered: int = 0
    is_open: bool = False
    is_drill: bool = False


@dataclass(frozen=True, slots=True)
class RolloutState:
    """A rollout at one moment. `verdict` is in words; `family` and `plane` are what it names ("" = none)."""

    rollout_id: str
    release: str
    state: str
    rings: tuple[RingState, ...]
    verdict: str
    family: str
    plane: str
    reasons: tuple[str, ...]
    waiting: tuple[str, ...] = ()

    @property
    def opened(self) -> tuple[str, ...]:
        """Names of the rings that were opened."""
        return tuple(ring.name for ring in self.rings if ring.is_open)


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """One device in one rollout, as the server recorded it."""

    device: str
    ring: int
    outcome: str
    entered: bool
    rule: str = ""
    plane: str = ""
    rung: tuple[str, ...] = ()
    drill: str = "none"
    detect_ms: int | None = None
    recover_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DecisionState:
    """One decision of the controller."""

    at_ms: int
    event: str
    before: str
    after: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sets:
    """What every device of the fleet runs, read from the devices: digest by plane, by device."""

    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def running(self, digest: str) -> frozenset[str]:
        """The devices that run a digest on any plane."""
        return frozenset(name for name, planes in self.devices.items() if digest in planes.values())

    def on(self, plane: str) -> Mapping[str, str]:
        """Digest of one plane by device."""
        return {name: planes[plane] for name, planes in self.devices.items() if plane in planes}
