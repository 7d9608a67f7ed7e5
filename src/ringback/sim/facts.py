"""Facts: what really happened in a simulated world, as the checkers see it.

A fact comes from the world (slots, pointers, packets, operator actions), never from what an agent says about itself,
with one exception that is named so: `Confirmed` is the device's durable claim, and the checkers hold it to that claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Versions = Mapping[str, str]
"""Digest by plane."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened at `at_ms` (UTC) to `device` ("" = to the fleet)."""

    at_ms: int
    device: str


@dataclass(frozen=True, slots=True)
class Heard(Fact):
    """The device received and accepted an answer of the server; `document` is "" when there was nothing new."""

    document: bytes = b""


@dataclass(frozen=True, slots=True)
class SlotsChanged(Fact):
    """The slots of the device after a change: digest -> whether the bytes in it are whole and match the digest."""

    slots: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activated(Fact):
    """Pointers were switched: `changed` is what was switched, `running` the whole set afterwards."""

    changed: Versions = field(default_factory=dict)
    running: Versions = field(default_factory=dict)
    back: bool = False
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Booted(Fact):
    """The device started; `running` is the set its pointers name; `planned` tells our own reboot from a power cut."""

    running: Versions = field(default_factory=dict)
    planned: bool = False


@dataclass(frozen=True, slots=True)
class PoweredOff(Fact):
    """The device is without power from now on; time stops for its trial."""


@dataclass(frozen=True, slots=True)
class Confirmed(Fact):
    """The device made this set its last-known-good one, durably."""

    running: Versions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled(Fact):
    """The device ended a deployment: confirmed, reverted, refused, failed, or gave up into safe mode."""

    kind: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Published(Fact):
    """An artifact exists from now on: its digest, plane, version and what it requires of the other planes."""

    digest: str = ""
    plane: str = ""
    version: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frozen(Fact):
    """From now on nobody may newly activate this digest."""

    digest: str = ""
    thawed: bool = False


@dataclass(frozen=True, slots=True)
class Stopped(Fact):
    """From now on these devices may not newly activate anything; an empty set lifts the stop with this id."""

    stop_id: str = ""
    devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RolloutBegan(Fact):
    """A release begins to move: what it brings, and the exposure it stakes (its shortest horizon)."""

    rollout: str = ""
    digests: frozenset[str] = frozenset()
    budget_devices: int = 0
    horizon_ms: int = 0
    delta_ppm: int = 100_000


@dataclass(frozen=True, slots=True)
class RingOpened(Fact):
    """Ring number `ring` (from 0) of a rollout opened."""

    rollout: str = ""
    ring: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant was broken: which, where, when, and how."""

    invariant: str
    at_ms: int
    device: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} broken at {self.at_ms} on {self.device or 'the fleet'}: {self.text}"
