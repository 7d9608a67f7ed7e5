"""What one sees at one moment of the demo: values only, so that the view can be drawn and tested without a fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Door:
    """The truth line: people seen at the real doors of those there, and doors of the fleet that see nobody."""

    seen: int = 0
    total: int = 0
    blind: int = 0
    fleet: int = 0

    def __str__(self) -> str:
        line = f"people seen at the door, {self.seen} of {self.total}" if self.total else "people seen at the door, …"
        return f"{line} · {self.blind} of {self.fleet} doors blind" if self.blind else line


@dataclass(frozen=True, slots=True)
class RingBar:
    """One ring of the rollout on stage: how many devices it holds and how far they are."""

    name: str
    devices: int
    proven: int = 0
    trial: int = 0
    failed: int = 0
    offered: int = 0
    is_open: bool = False
    note: str = ""
    """Such as "drill", "bake 2 s"."""


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """A plane and how many devices run which version of it."""

    plane: str
    versions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything on the screen."""

    act: int = 0
    acts: int = 10
    title: str = ""
    expected: str = ""
    elapsed_s: float = 0.0
    door: Door = field(default_factory=Door)
    release: str = ""
    state: str = ""
    rings: tuple[RingBar, ...] = ()
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    planes: tuple[PlaneLine, ...] = ()
    recovering: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    lag_ms: int = 0
