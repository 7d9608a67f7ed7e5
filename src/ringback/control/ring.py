"""Who is in which ring: at random inside each hardware family, stable, and growing from ring to ring.

Decides: the cut of every ring and family, once, when a release is planned; and from then on, by one hash and one
comparison, whether a device is a member. Never: stores a list of members; opening a ring is one row.

- A device's place is the first 8 bytes of SHA-256(salt | stratum | device id). A member's place lies below the cut.
- A count is an order statistic: the cut is the place of the first device that is *not* a member, so a count is exact
  for the planned fleet, and devices that join later fall to either side at random.
- A count is spread half by the families' shares and half evenly, at least one device of every family if it reaches,
  so that a rare family gets its own evidence early.
- Rings only grow: a member of one ring is a member of all later ones.

Source: hash-based bucketing as in experiment platforms; stratified sampling (Cochran 1977, chapter 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from math import ceil

CUT_EVERYONE = f"{1 << 64:x}"
"""Above every place: all devices of the family are members."""

CUT_NOBODY = "0"


class RingKind(StrEnum):
    """What a ring is for; it names the state in which the ring's devices receive the release."""

    INTERNAL = "internal"
    CANARY = "canary"
    RING = "ring"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class RingFrame:
    """A ring as the release asks for it. At most one of ``count`` and ``percent_ppm``; neither = all that match.

    Attributes:
        kind: internal, canary, ring or full.
        has_where: the ring is limited to devices its selector matches.
        count: devices in total, over all families.
        percent_ppm: share of each family, parts per million.
    """

    kind: RingKind
    has_where: bool = False
    count: int | None = None
    percent_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One device at planning time; ``matches[i]`` tells whether the selector of ring i holds (True without one)."""

    device_id: str
    stratum: str
    matches: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class StratumCut:
    """The cut of one family in one ring (hexadecimal, because it exceeds 63 bits), and the new devices it brings."""

    stratum: str
    cut: str
    new_devices: int


def place(salt: str, stratum: str, device_id: str) -> int:
    """Return the device's place in the order of its family: 0 to 2**64 - 1, fixed for this salt."""
    return int.from_bytes(sha256(f"{salt}|{stratum}|{device_id}".encode()).digest()[:8], "big")


def is_below(device_place: int, cut: str) -> bool:
    """Tell whether a place lies below a cut."""
    return device_place < int(cut, 16)


def ring_of(device_place: int, stratum: str, matches: Sequence[bool], rings: Sequence[Sequence[StratumCut]]) -> int:
    """Return the index of the first ring the device is a member of; ``len(rings)`` if of none.

    Args:
        device_place: from ``place``.
        stratum: hardware family. A family that was not planned is below no cut.
        matches: for each ring, whether its selector holds for the device's labels now.
        rings: for each ring, its cuts.
    """
    for index, (cuts, is_match) in enumerate(zip(rings, matches, strict=True)):
        if is_match and any(cut.stratum == stratum and is_below(device_place, cut.cut) for cut in cuts):
            return index
    return len(rings)


def cuts(salt: str, fleet: Sequence[Member], frames: Sequence[RingFrame]) -> tuple[tuple[StratumCut, ...], ...]:
    """Return the cuts of every ring for the planned fleet, families in order of name.

    Args:
        salt: the rollout's own, so that not always the same devices are canaries.
        fleet: every targeted device.
        frames: rings in order; the selectors are already evaluated in ``Member.matches``.
    """
    ordered: dict[str, list[tuple[int, Member]]] = {}
    for member in fleet:
        ordered.setdefault(member.stratum, []).append((place(salt, member.stratum, member.device_id), member))
    for members in ordered.values():
        members.sort(key=lambda each: each[0])
    inside: set[str] = set()
    planned = []
    for index, frame in enumerate(frames):
        matching = {
            stratum: [place_ for place_, member in members if member.matches[index]]
            for stratum, members in ordered.items()
        }
        wanted = _wanted(frame, {stratum: len(places) for stratum, places in matching.items()})
        row = []
        for stratum in sorted(ordered):
            cut = _cut(matching[stratum], wanted[stratum])
            new = [
                member.device_id
                for device_place, member in ordered[stratum]
                if member.device_id not in inside and member.matches[index] and is_below(device_place, cut)
            ]
            inside.update(new)
            row.append(StratumCut(stratum, cut, len(new)))
        planned.append(tuple(row))
    return tuple(planned)


def _cut(places: Sequence[int], wanted: int) -> str:
    """The place of the first device that is not a member; everyone, also those who join later, if all are members."""
    if wanted >= len(places):
        return CUT_EVERYONE if places else CUT_NOBODY
    return f"{places[wanted]:x}" if wanted else CUT_NOBODY


def _wanted(frame: RingFrame, sizes: dict[str, int]) -> dict[str, int]:
    if frame.count is not None:
        return spread(frame.count, sizes)
    if frame.percent_ppm is not None:
        return {stratum: ceil(size * frame.percent_ppm / 1_000_000) for stratum, size in sizes.items()}
    return sizes


def spread(count: int, sizes: dict[str, int]) -> dict[str, int]:
    """Return how many of ``count`` devices come from each family: half by share, half evenly, never more than it has.

    What rounding leaves over goes first to families that got none, then to those furthest behind their share.
    """
    given = dict.fromkeys(sizes, 0)
    available = {stratum: size for stratum, size in sizes.items() if size}
    if not available:
        return given
    count = min(count, sum(available.values()))
    even, total = 1 / len(available), sum(available.values())
    share = {stratum: count * (size / total + even) / 2 for stratum, size in available.items()}
    for stratum, size in available.items():
        given[stratum] = min(int(share[stratum]), size)
    for _ in range(count - sum(given.values())):
        open_ = [stratum for stratum, size in available.items() if given[stratum] < size]
        neediest = min(open_, key=lambda each: (given[each] > 0, given[each] - share[each], available[each], each))
        given[neediest] += 1
    return given
