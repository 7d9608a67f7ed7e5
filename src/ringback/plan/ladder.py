"""The way back, compiled before anything goes forward: a list of sets, each valid, and where to start for each plane.

Decides: which planes can go back alone, which only together, and in which order they are tried. Never: leaves a device
a choice; it walks the list.

- For the policy's order p0, p1, ..: first the single planes, then p0 with p1, and so on; the last rung takes back all.
  Narrow rungs stand before wide ones, so a walk that goes on to a superset finds every one that there is.
- A rung whose set would be invalid is not in the list. A plane that cannot go back alone gets the cheapest company.
- ``first`` tells for each changed plane the first rung that takes it back: where to start when a rule indicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from ringback.plan.inventory import PlaneSet

PlaneNames = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rung:
    """Planes that go back together, and what they go back to: (plane, digest), "" where the plane was empty."""

    planes: PlaneNames
    set: PlaneSet


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs in the order they are tried, and the first rung of each changed plane."""

    rungs: tuple[Rung, ...]
    first: tuple[tuple[str, int], ...]


EMPTY = Ladder((), ())


def compile_ladder(
    ordered: Sequence[str],
    before: dict[str, str],
    costs_ms: dict[str, int],
    is_valid: Callable[[PlaneNames], bool],
) -> Ladder:
    """Return the way back from a deployment.

    Args:
        ordered: the changed planes, first to go back first.
        before: what each of them goes back to; "" where the plane was empty.
        costs_ms: what one switch of each costs.
        is_valid: whether the set with these planes taken back is valid.
    """
    if not ordered:
        return EMPTY
    everything = tuple(ordered)
    wanted: list[PlaneNames] = []
    for plane in ordered:
        company = _cheapest(plane, ordered, costs_ms, is_valid)
        if company not in wanted:
            wanted.append(company)
    for size in range(2, len(ordered)):
        together = everything[:size]
        if is_valid(together) and not _is_there(together, wanted):
            wanted.append(together)
    wanted = sorted((planes for planes in wanted if set(planes) != set(everything)), key=len)
    wanted.append(everything)
    rungs = tuple(Rung(planes, tuple(sorted((plane, before[plane]) for plane in planes))) for planes in wanted)
    first = tuple(
        sorted((plane, next(index for index, rung in enumerate(rungs) if plane in rung.planes)) for plane in ordered)
    )
    return Ladder(rungs, first)


def _is_there(planes: PlaneNames, wanted: Sequence[PlaneNames]) -> bool:
    return any(set(planes) == set(other) for other in wanted)


def _cheapest(
    plane: str, ordered: Sequence[str], costs_ms: dict[str, int], is_valid: Callable[[PlaneNames], bool]
) -> PlaneNames:
    """Return the plane with the cheapest company that makes a valid rung; all of them in the worst case."""
    others = [other for other in ordered if other != plane]
    for size in range(len(others)):
        found = [
            tuple(other for other in ordered if other == plane or other in company)
            for company in combinations(others, size)
        ]
        valid = [planes for planes in found if is_valid(planes)]
        if valid:
            return min(valid, key=lambda planes: sum(costs_ms[one] for one in planes))
    return tuple(ordered)


def policy_order(changed: Sequence[tuple[str, str, int]], policy: Sequence[str]) -> list[str]:
    """Return the changed planes in the order in which they go back.

    Args:
        changed: (plane, kind, cost_ms) of each.
        policy: kinds or planes, first to go back first; a plane named itself stands before its kind.
    """

    def position(plane: str, kind: str) -> int:
        return min((policy.index(word) for word in (plane, kind) if word in policy), default=len(policy))

    return [plane for plane, kind, _ in sorted(changed, key=lambda one: (position(one[0], one[1]), one[2], one[0]))]
