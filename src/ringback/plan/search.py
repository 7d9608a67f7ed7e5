"""The cheapest safe order of plane switches: every set on the way is valid; planes switch together only if they must.

Decides: which switches, in which order, through which inserted artifacts. Never: inserts one that was not named.

- Uniform-cost search over sets. A step switches one plane, or several at one point when no part of them would be valid
  alone; because a joint step that could be split is never taken, groups are minimal.
- Cost: inserted artifacts first, then time (``cost_ms`` of the class), then how much switches jointly, then order:
  inserted artifacts, firmware, model, config. What reboots goes first, so the cheap planes are still old when it fails.
- Every plane only moves forward: from what runs, through inserted artifacts, to what is wanted; never back.
- The search is bounded; a release that exceeds the bound is refused rather than planned slowly.

Source: uniform-cost search (Dijkstra 1959) with an exact lower bound on the time that is left (A*, Hart et al. 1968).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Final

from ringback.plan.sets import Chosen, violations
from ringback.spec.artifact import Artifact, Requirement
from ringback.spec.device_class import DeviceClass
from ringback.spec.names import KINDS

EXPANSIONS_MAX: Final = 2_000
"""Sets looked at. Six planes in any order have 64; two thousand take half a second, and are a mistake."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the search is asked: from ``start`` to a set that has every artifact of ``goal``.

    Attributes:
        start: what runs; an empty plane is left out.
        goal: plane to artifact, as the release wants it.
        via: artifacts that may be inserted.
        prerequisites: what must hold in every set that has an artifact of the goal that was not there at the start.
    """

    device_class: DeviceClass
    start: Chosen
    goal: Chosen
    via: tuple[Artifact, ...] = ()
    prerequisites: tuple[Requirement, ...] = ()

    def is_valid(self, chosen: Chosen) -> bool:
        """Say whether a set is valid on the way: its own constraints, and the prerequisites once the release is in."""
        return not self.broken_by(chosen)

    def broken_by(self, chosen: Chosen) -> bool:
        """Say whether a set breaks a constraint."""
        is_entered = any(
            chosen.get(plane) is artifact and self.start.get(plane) is not artifact
            for plane, artifact in self.goal.items()
        )
        return bool(violations(self.device_class, chosen, self.prerequisites if is_entered else ()))


@dataclass(frozen=True, slots=True)
class Step:
    """Planes that switch at one point, with what they switch to; ``is_via`` when any of it was inserted."""

    planes: tuple[str, ...]
    becomes: tuple[Artifact, ...]
    is_via: bool


@dataclass(frozen=True, slots=True)
class Path:
    """The steps found, in order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Stuck:
    """No path. ``is_bound_hit`` when the search gave up; ``needs_joint`` when joint switches would have found one."""

    is_bound_hit: bool
    needs_joint: tuple[str, ...] = ()


State = tuple[int, ...]
"""For each plane that can change, how far along its options it is."""

Cost = tuple[int, int, int, tuple[tuple[int, str], ...]]


@dataclass(slots=True)
class _Space:
    """The planes that can change, and what each can become, in order."""

    task: Task
    planes: tuple[str, ...]
    options: tuple[tuple[Artifact | None, ...], ...]
    valid: dict[State, bool] = field(default_factory=dict)

    def chosen(self, state: State) -> dict[str, Artifact]:
        found = dict(self.task.start)
        for plane, options, index in zip(self.planes, self.options, state, strict=True):
            artifact = options[index]
            if artifact is not None:
                found[plane] = artifact
        return found

    def is_valid(self, state: State) -> bool:
        known = self.valid.get(state)
        if known is None:
            known = self.task.is_valid(self.chosen(state))
            self.valid[state] = known
        return known

    def is_goal(self, state: State) -> bool:
        return all(
            options[index] is self.task.goal[plane]
            for plane, options, index in zip(self.planes, self.options, state, strict=True)
            if plane in self.task.goal
        )

    def is_via(self, position: int, index: int) -> bool:
        return self.options[position][index] is not self.task.goal.get(self.planes[position])

    def cost_ms(self, position: int) -> int:
        plane = self.task.device_class.plane(self.planes[position])
        return plane.cost_ms if plane is not None else 0

    def left_ms(self, state: State) -> int:
        """Return the time that the switches still missing take at least."""
        return sum(
            self.cost_ms(position)
            for position, index in enumerate(state)
            if self.planes[position] in self.task.goal and index < len(self.options[position]) - 1
        )

    def rank(self, position: int, index: int) -> tuple[int, str]:
        """Return where a switch stands among others that are equally good: inserted first, then dearest kind first."""
        if self.is_via(position, index):
            return (-1, self.planes[position])
        plane = self.task.device_class.plane(self.planes[position])
        return (KINDS.index(plane.kind) if plane is not None else 0, self.planes[position])

    def forward(self, position: int, before: int) -> list[int]:
        """Return what a plane can become next: never what it started as, and nothing after what is wanted."""
        options = self.options[position]
        old = options[before]
        if old is not None and old is self.task.goal.get(self.planes[position]):
            return []
        return [
            index
            for index, new in enumerate(options)
            if index not in (0, before)
            and new is not None
            and may_replace(new, old)
            and (old is None or new.epoch >= old.epoch)  # an inserted artifact is confirmed, and its epoch with it
        ]


def may_replace(new: Artifact, old: Artifact | None) -> bool:
    """Say whether an artifact may replace another on its plane, by what it requires of its own plane."""
    if old is None:
        return True
    return all(need.constraint.allows(old.version) for need in new.requires if need.subject == new.plane)


def find(task: Task) -> Path | Stuck:
    """Return the cheapest safe path of a task, or why there is none."""
    space = _space(task)
    joint = task.device_class.policy.joint_switches
    path = _search(space, joint)
    if path is not None and not isinstance(path, Stuck):
        return path
    if joint or (path is not None and path.is_bound_hit):
        return path or Stuck(False)
    together = _search(space, True)
    if isinstance(together, Path):
        return Stuck(False, max((step.planes for step in together.steps), key=len))
    return Stuck(False)


def _space(task: Task) -> _Space:
    planes = sorted({*task.goal, *(artifact.plane for artifact in task.via)})
    kept: list[str] = []
    options: list[tuple[Artifact | None, ...]] = []
    for plane in planes:
        start, goal = task.start.get(plane), task.goal.get(plane)
        via = [
            artifact
            for artifact in sorted(task.via, key=lambda one: (one.version, one.digest))
            if artifact.plane == plane and artifact is not start and artifact is not goal
        ]
        ends = [goal] if goal is not None and goal is not start else []
        if goal is not None and goal is start:
            via = []  # a plane that already has what is wanted is left alone
        if via or ends:
            kept.append(plane)
            options.append((start, *via, *ends))
    return _Space(task, tuple(kept), tuple(options))


def _search(space: _Space, joint: bool) -> Path | Stuck | None:
    start: State = (0,) * len(space.planes)
    frontier: list[tuple[Cost, State, tuple[tuple[int, ...], ...]]] = [((0, space.left_ms(start), 0, ()), start, ())]
    done: set[State] = set()
    while frontier:
        cost, state, moves = heapq.heappop(frontier)
        if state in done:
            continue
        if space.is_goal(state):
            return _path(space, moves)
        done.add(state)
        if len(done) > EXPANSIONS_MAX:
            return Stuck(True)
        via, total_ms, excess, order = cost
        for after in _moves(space, state, joint):
            if after in done:
                continue
            changed = [position for position, index in enumerate(after) if index != state[position]]
            inserted = sum(space.is_via(position, after[position]) for position in changed)
            spent_ms = sum(space.cost_ms(position) for position in changed)
            rank = min(space.rank(position, after[position]) for position in changed)
            grown: Cost = (
                via + inserted,
                total_ms - space.left_ms(state) + spent_ms + space.left_ms(after),
                excess + len(changed) - 1,
                (*order, rank),
            )
            heapq.heappush(frontier, (grown, after, (*moves, after)))
    return None


def _moves(space: _Space, state: State, joint: bool) -> Iterator[State]:
    """Yield the sets one step away: every valid single switch, and joint switches of which no part is valid alone."""
    forward = [space.forward(position, index) for position, index in enumerate(state)]
    movable = [position for position, indexes in enumerate(forward) if indexes]
    taken: list[dict[int, int]] = []
    for size in range(1, len(movable) + 1 if joint else 2):
        for positions in combinations(movable, size):
            for indexes in product(*(forward[position] for position in positions)):
                step = dict(zip(positions, indexes, strict=True))
                if any(part.items() <= step.items() for part in taken):
                    continue
                after = tuple(step.get(position, index) for position, index in enumerate(state))
                if space.is_valid(after):
                    taken.append(step)
                    yield after


def _path(space: _Space, states: Sequence[State]) -> Path:
    before: State = (0,) * len(space.planes)
    steps: list[Step] = []
    for state in states:
        changed = [position for position, index in enumerate(state) if index != before[position]]
        becomes = tuple(space.options[position][state[position]] for position in changed)
        is_via = any(space.is_via(position, state[position]) for position in changed)
        planes = tuple(space.planes[position] for position in changed)
        steps.append(Step(planes, tuple(one for one in becomes if one is not None), is_via))
        before = state
    return Path(tuple(steps))
