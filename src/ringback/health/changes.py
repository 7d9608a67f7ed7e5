"""How much did a measurement change on a device, compared with control devices that were measured at the same time?

Decides: what a change is, and which control devices an updated one is ranked among. Never: compares different hours or
families, uses a control device twice, or makes evidence of a number that is none.

- A change is log(after / before) in parts per million of the device's own before window, less the margin; larger is
  worse. Devices differ by more than any release changes them; each is its own yardstick.
- A device's value counts once per metric. Each updated device is ranked among ``CONTROLS_DEFAULT`` control devices that
  were not used before; until there are so many it waits, and says nothing.
- What cannot be a change (no before, zero, negative, not a number, from the future) is refused and counted.

Source: paired differences against concurrent control; exchangeable ranks as in ``ringback.stats.rank``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log

from ringback.health.signals import SignalSeen, rank_engine
from ringback.stats import BadNumber
from ringback.stats.rank import CONTROLS_DEFAULT
from ringback.stats.refused import NOT_FINITE, bad_finite

PPM = 1_000_000
CHANGE_MAX_PPM = 50 * PPM
"""Larger changes are cut: beyond e^50 the rank is the same."""

WAITING_MAX = 10_000
"""Updated devices kept until control devices are measured, and control devices kept for them, per family and hour."""


class Worse(StrEnum):
    """Which way a measurement gets worse."""

    HIGHER = "higher"
    LOWER = "lower"
    EITHER = "either"


def change_ppm(before: object, after: object, *, margin_ppm: int, worse: Worse) -> int | BadNumber:
    """Return how much worse a measurement became, less the margin; or why these are no measurements.

    Args:
        before, after: medians or percentiles of the device's two windows, same unit, above 0.
        margin_ppm: change that is no harm, parts per million, 0 or more.
        worse: which way is worse.
    """
    for name, value in (("before", before), ("after", after)):
        refused = bad_finite(name, value)
        if refused is not None:
            return refused
        assert isinstance(value, (int, float))
        if value <= 0:
            return BadNumber(NOT_FINITE, name, str(value), "more than 0")
    assert isinstance(before, (int, float)) and isinstance(after, (int, float))
    change: float = log(after) - log(before)
    if worse is Worse.LOWER:
        change = -change
    elif worse is Worse.EITHER:
        change = abs(change)
    return int(max(-CHANGE_MAX_PPM, min(CHANGE_MAX_PPM, round(change * PPM) - margin_ppm)))


def drift_ppm(before: Sequence[object], after: Sequence[object]) -> int | BadNumber:
    """Return the population stability index of two class histograms, parts per million; 0 = the same shares.

    PSI = sum_c (a_c - b_c) log(a_c / b_c), with half a count added to every class, so that an empty one is no infinity.
    """
    if len(before) != len(after) or not before:
        return BadNumber(NOT_FINITE, "classes", f"{len(after)} classes", f"{len(before)} as before, at least 1")
    for name, counts in (("before", before), ("after", after)):
        for count in counts:
            refused = bad_finite(name, count)
            if refused is not None:
                return refused
            assert isinstance(count, (int, float))
            if count < 0:
                return BadNumber(NOT_FINITE, name, str(count), "0 or more")
    shares = zip(_shares(before), _shares(after), strict=True)
    psi = sum((new - old) * (log(new) - log(old)) for old, new in shares)
    return min(CHANGE_MAX_PPM, round(psi * PPM))


def _shares(counts: Sequence[object]) -> list[float]:
    numbers = [float(count) + 0.5 for count in counts if isinstance(count, (int, float))]
    total = sum(numbers)
    return [number / total for number in numbers]


@dataclass(slots=True)
class _Cell:
    """One family and hour of one metric: changes not used yet."""

    controls: list[int] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)


class Changes:
    """The running comparison of one metric of one rollout. Feed it every device once; read ``seen``."""

    __slots__ = ("_cells", "_counted", "_name", "_ranks", "_refused")

    def __init__(self, name: str) -> None:
        """Start empty; ``name`` is the signal's."""
        self._name = name
        self._cells: dict[tuple[str, int], _Cell] = {}
        self._ranks: dict[str, list[int]] = {}
        self._refused: dict[str, int] = {}
        self._counted: set[str] = set()

    def updated(self, device_id: str, stratum: str, hour: int, change: int | BadNumber) -> None:
        """Take the change of a device that received the release, measured in ``hour`` (hours since 1970)."""
        self._take(device_id, stratum, hour, change, is_updated=True)

    def control(self, device_id: str, stratum: str, hour: int, change: int | BadNumber) -> None:
        """Take the change of a device that did not receive the release, over windows of the same length."""
        self._take(device_id, stratum, hour, change, is_updated=False)

    def seen(self) -> tuple[SignalSeen, ...]:
        """Return what was seen, by family."""
        return tuple(
            SignalSeen(
                self._name,
                stratum,
                ranks=tuple(self._ranks.get(stratum, [])),
                refused=self._refused.get(stratum, 0),
            )
            for stratum in sorted({*self._ranks, *self._refused})
        )

    def _take(self, device_id: str, stratum: str, hour: int, change: int | BadNumber, *, is_updated: bool) -> None:
        if isinstance(change, BadNumber):
            self._refused[stratum] = self._refused.get(stratum, 0) + 1
            return
        key = f"{'u' if is_updated else 'c'} {device_id}"
        if key in self._counted:
            return
        cell = self._cells.setdefault((stratum, hour), _Cell())
        waiting = cell.updated if is_updated else cell.controls
        if len(waiting) >= WAITING_MAX:
            return
        self._counted.add(key)
        waiting.append(change)
        while cell.updated and len(cell.controls) >= CONTROLS_DEFAULT:
            one, fresh = cell.updated.pop(0), cell.controls[:CONTROLS_DEFAULT]
            del cell.controls[:CONTROLS_DEFAULT]
            rank = rank_engine().rank_of(one, fresh)
            assert isinstance(rank, int)
            self._ranks.setdefault(stratum, [0] * (CONTROLS_DEFAULT + 1))[rank] += 1
