"""What the acts read of the devices themselves, in a few values.

Decides: nothing; `show` fills these from the boxes and from the simulated fleet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """What must not change on a box when only a model or a config does."""

    app: str
    config: str
    boot_id: str
    starts_ms: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Planned:
    """What `plan` says: devices targeted, blocked and why, and the most hops any of them takes."""

    devices: int
    blocked: int
    hops: int
    why: str


@dataclass(slots=True)
class Answers:
    """How the agents of the real boxes answered while someone kept asking."""

    answers: int = 0
    misses: int = 0
    slowest_ms: int = 0
