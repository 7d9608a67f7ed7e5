"""The fleet as the planner sees it: groups of devices that are alike, not devices.

Decides: who is targeted, and which devices are alike (class, running set, kept versions, ring). Never: where they are
or when they last reported.

- 100,000 devices become some tens of groups in one pass; everything after that is independent of the fleet's size.
- A selector is evaluated once per combination of the labels it looks at, not once per device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ringback.spec.problem import did_you_mean
from ringback.spec.release import Targets
from ringback.spec.selector import Selector

PlaneSet = tuple[tuple[str, str], ...]
"""What runs on each plane: (plane, digest), sorted by plane; an empty plane is left out."""

EXAMPLES = 3
"""Devices named per group. An operator looks one up; a list of 112 is not read."""


class DeviceFacts(NamedTuple):
    """What planning needs to know of one device.

    ``running`` and ``kept`` (versions that the device holds beside the running ones) are sorted by plane.
    """

    device_id: str
    class_id: str
    labels: Mapping[str, str]
    running: PlaneSet
    kept: PlaneSet = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another rollout that is not closed: ``state`` is active or rollback-window."""

    rollout_id: str
    release_id: str
    state: str
    planes: tuple[str, ...]
    targets: Targets


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another rollout that holds planes of targeted devices: how many, and some of them."""

    other: Other
    planes: tuple[str, ...]
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Devices that are alike. ``ring`` is the index of the ring they are in; the number of rings means full."""

    class_id: str
    running: PlaneSet
    kept: PlaneSet
    ring: int
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The targeted part of a fleet. ``fleet_size`` counts all devices; ``nobody`` says why none is targeted."""

    groups: tuple[Group, ...]
    fleet_size: int
    overlaps: tuple[Overlap, ...] = ()
    nobody: str = ""

    @property
    def targeted(self) -> int:
        """Devices that the release is for."""
        return sum(group.count for group in self.groups)


def in_first_ring(_: DeviceFacts) -> int:
    """Put every device into ring 0: for a release without rings, and for a push to one device."""
    return 0


class _Matcher:
    """Evaluates targets once per combination of what they look at."""

    def __init__(self, targets: Targets, families: Mapping[str, str]) -> None:
        self.classes = frozenset(targets.classes)
        self.where: Selector = targets.where
        self.keys = targets.where.keys
        self.families = families
        self.known: dict[tuple[str | None, ...], bool] = {}

    def __call__(self, device: DeviceFacts) -> bool:
        if self.classes and device.class_id not in self.classes:
            return False
        if not self.keys:
            return True
        labels = device.labels
        values = tuple([self._value(key, device) if key in _RESERVED else labels.get(key) for key in self.keys])
        found = self.known.get(values)
        if found is None:
            found = self.where.matches(
                {key: value for key, value in zip(self.keys, values, strict=True) if value is not None}
            )
            self.known[values] = found
        return found

    def _value(self, key: str, device: DeviceFacts) -> str | None:
        if key == "class":
            return device.class_id
        return device.device_id if key == "device" else self.families.get(device.class_id)


_RESERVED = frozenset({"class", "device", "family"})


def targeted(devices: Iterable[DeviceFacts], targets: Targets, families: Mapping[str, str]) -> list[DeviceFacts]:
    """Return the devices that targets are about.

    Args:
        devices: the fleet.
        targets: classes and label selector of a release.
        families: hardware family of each device class.
    """
    matches = _Matcher(targets, families)
    return [device for device in devices if matches(device)]


def take_stock(
    devices: Sequence[DeviceFacts],
    *,
    fleet_size: int,
    ring_of: Callable[[DeviceFacts], int] = in_first_ring,
    others: Sequence[Other] = (),
    planes: Sequence[str] = (),
    families: Mapping[str, str] | None = None,
) -> Inventory:
    """Return the groups of targeted devices.

    Args:
        devices: the targeted devices, from ``targeted``.
        fleet_size: how many devices there are in all.
        ring_of: index of a device's first ring; the number of rings for a device that only *full* reaches.
        others: other rollouts that are not closed.
        planes: planes of the release, to see which rollouts stand in its way.
        families: hardware family of each device class, for the selectors of the others.
    """
    counts: dict[tuple[str, PlaneSet, PlaneSet, int], list[str]] = {}
    totals: Counter[tuple[str, PlaneSet, PlaneSet, int]] = Counter()
    for device in devices:
        key = (device.class_id, device.running, device.kept, ring_of(device))
        totals[key] += 1
        if totals[key] <= EXAMPLES:
            counts.setdefault(key, []).append(device.device_id)
    groups = tuple(Group(*key, count=totals[key], examples=tuple(examples)) for key, examples in sorted(counts.items()))
    return Inventory(groups, fleet_size, _overlaps(devices, others, planes, families or {}))


def _overlaps(
    devices: Sequence[DeviceFacts], others: Sequence[Other], planes: Sequence[str], families: Mapping[str, str]
) -> tuple[Overlap, ...]:
    found: list[Overlap] = []
    for other in others:
        shared = tuple(plane for plane in planes if plane in other.planes)
        if not shared:
            continue
        matches = _Matcher(other.targets, families)
        both = [device.device_id for device in devices if matches(device)]
        if both:
            found.append(Overlap(other, shared, len(both), tuple(both[:EXAMPLES])))
    return tuple(found)


def why_nobody(devices: Iterable[DeviceFacts], targets: Targets, families: Mapping[str, str]) -> str:
    """Return the most likely reason why targets match no device, for people: the class, the label or the value."""
    seen: dict[str, Counter[str]] = {}
    classes: Counter[str] = Counter()
    for device in devices:
        classes[device.class_id] += 1
        for key, value in (
            *device.labels.items(),
            ("class", device.class_id),
            ("family", families.get(device.class_id, "")),
        ):
            if len(seen.setdefault(key, Counter())) < 1000:  # a label with a million values explains nothing
                seen[key][value] += 1
    if not classes:
        return "there are no devices yet; enrol one with: ringback claim create"
    missing = [name for name in targets.classes if name not in classes]
    if missing and len(missing) == len(targets.classes):
        return f"no device has the class {', '.join(missing)}; devices have: {', '.join(sorted(classes))}"
    for requirement in targets.where.requirements:
        if requirement.operator not in ("in", "exists") or requirement.key == "device":
            continue
        if requirement.key not in seen:
            meant = did_you_mean(requirement.key, seen)
            return f"no device has the label '{requirement.key}'" + (f"; {meant}" if meant else "")
        values = seen[requirement.key]
        if requirement.values and not requirement.values & set(values):
            wanted = ", ".join(sorted(requirement.values))
            most = ", ".join(value for value, _ in values.most_common(8))
            return f"no device has {requirement.key} = {wanted}; devices have: {most}"
    return "every condition holds for some device, but all of them together for none"
