"""The way of one kind of device: hops, each one generation, each with its activation order and its ladder.

Decides: nothing; these are the values that the planner makes and that desired states are compiled from.

- A hop changes each plane at most once, ends in a confirmed set, and has a way back from every step.
- One-way doors are announced per hop.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.plan.inventory import PlaneSet
from ringback.plan.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Door:
    """A step that closes the way back. ``code`` says which kind, ``text`` what closes and why."""

    code: str
    plane: str
    text: str

    def to_json(self) -> dict[str, object]:
        """Return the door with stable keys."""
        return {"code": self.code, "plane": self.plane, "text": self.text}


@dataclass(frozen=True, slots=True)
class Hop:
    """One generation on a device.

    Attributes:
        before, after: the whole set, sorted by plane.
        order: activation groups; a group of several planes switches at one point.
        ladder: the way back from after to before.
        is_via: whether it only brings what the release inserts on the way.
        doors: what it closes.
        cost_ms: time of its switches.
    """

    before: PlaneSet
    after: PlaneSet
    order: tuple[tuple[str, ...], ...]
    ladder: Ladder
    is_via: bool
    doors: tuple[Door, ...]
    cost_ms: int

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that it changes, in activation order."""
        return tuple(plane for group in self.order for plane in group)


@dataclass(frozen=True, slots=True)
class Track:
    """The whole way of devices of one class that run one set. No hop at all: they are already there."""

    class_id: str
    start: PlaneSet
    hops: tuple[Hop, ...]

    @property
    def end(self) -> PlaneSet:
        """The set at the end."""
        return self.hops[-1].after if self.hops else self.start

    @property
    def doors(self) -> tuple[Door, ...]:
        """Every door on the way."""
        return tuple(door for hop in self.hops for door in hop.doors)

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that it changes, sorted."""
        return tuple(sorted({plane for hop in self.hops for plane in hop.planes}))
