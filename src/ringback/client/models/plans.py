"""What planning a release says."""

from __future__ import annotations

import msgspec

from ringback.client.models.base import Answer, Request


class PlanRequest(Request, frozen=True):
    """What to plan: a document (`yaml`) or a registered release; `reason` as an operator would give at the start."""

    yaml: str = ""
    release: str = ""
    reason: str = ""


class Cause(Answer, frozen=True):
    """Why devices are blocked, or a release refused."""

    code: str
    text: str
    hint: str = ""
    plane: str = ""
    devices: int = 0
    examples: list[str] = msgspec.field(default_factory=list)


class PlanDevices(Answer, frozen=True):
    """How many devices a plan is about."""

    fleet: int = 0
    targeted: int = 0
    going: int = 0
    done: int = 0
    blocked: int = 0


class PlaneChange(Answer, frozen=True):
    """A plane that a release changes."""

    plane: str
    artifact: str
    digest: str


class PlanRing(Answer, frozen=True):
    """One ring of a plan."""

    index: int
    name: str
    devices: int
    families: dict[str, int]
    bytes: int
    blocked: int
    drill: bool


class Door(Answer, frozen=True):
    """A step that closes the way back."""

    code: str
    plane: str
    text: str


class PlanRung(Answer, frozen=True):
    """One step of a device's way back."""

    planes: list[str]
    back_to: dict[str, str]


class PlanHop(Answer, frozen=True):
    """One generation on a device."""

    order: list[list[str]]
    brings: dict[str, str]
    inserted: bool
    switch_ms: int
    ladder: list[PlanRung]
    first: dict[str, int]
    doors: list[Door]


class PlanTrack(Answer, frozen=True, rename={"device_class": "class", "start": "from"}):
    """The way of devices that are alike."""

    device_class: str
    family: str
    devices: int
    examples: list[str]
    start: dict[str, str]
    to: dict[str, str]
    hops: list[PlanHop]


class PlanCost(Answer, frozen=True, rename={"device_class": "class"}):
    """What taking one plane back costs one device of a class."""

    device_class: str
    plane: str
    kind: str
    ms: int
    bytes: int
    reboots: int


class PlanRollback(Answer, frozen=True):
    """The way back of the whole rollout."""

    ladder: list[list[str]] = msgspec.field(default_factory=list)
    first: dict[str, int] = msgspec.field(default_factory=dict)
    costs: list[PlanCost] = msgspec.field(default_factory=list)


class PlanWear(Answer, frozen=True):
    """What one release costs the flash under a plane."""

    plane: str
    sectors: int
    erases: int
    cycles: int
    releases_endured: int


class PlanClass(Answer, frozen=True, rename={"device_class": "class"}):
    """Windows and habits of one device class under a release."""

    device_class: str
    family: str
    poll_ms: int
    trial_ms: int
    hold_ms: int
    uplink_ms: int
    boot_window_ms: int
    generations: int
    one_plane_per_deployment: bool
    drill_rules: list[str]
    flash: list[PlanWear]


class PlanEvidence(Answer, frozen=True):
    """What a ring can show at best."""

    ring: str
    devices: int
    text: str


class PlanWarning(Answer, frozen=True, rename={"device_class": "class"}):
    """What could be better."""

    code: str
    device_class: str
    text: str


class Plan(Answer, frozen=True):
    """A plan, or a refusal with its causes (`refused`; then everything else is empty)."""

    refused: bool
    release: str
    causes: list[Cause] = msgspec.field(default_factory=list)
    devices: PlanDevices = PlanDevices()
    changes: list[PlaneChange] = msgspec.field(default_factory=list)
    rings: list[PlanRing] = msgspec.field(default_factory=list)
    tracks: list[PlanTrack] = msgspec.field(default_factory=list)
    blocked: list[Cause] = msgspec.field(default_factory=list)
    doors: list[Door] = msgspec.field(default_factory=list)
    queued_behind: list[str] = msgspec.field(default_factory=list)
    rollback: PlanRollback = PlanRollback()
    classes: list[PlanClass] = msgspec.field(default_factory=list)
    evidence: list[PlanEvidence] = msgspec.field(default_factory=list)
    warnings: list[PlanWarning] = msgspec.field(default_factory=list)
