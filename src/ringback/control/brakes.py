"""Stop and freeze: what may not be newly activated, whatever a rollout wants.

Decides: whether a device may be offered, or may activate, a set of digests now; and how many devices a stop still
reaches. Never: takes anything back (rolling back does), and never waits for evidence.

- *stop*: nothing newly activates where the selector holds. *freeze*: nobody newly activates this plane and digest.
  *pause* is a state of one rollout and lives in its table.
- A brake is asked twice: when offering, and again when the device announces activation. What has entered is beyond
  recall.
- Going back to what is already on the device is never braked by a stop: a way back stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ringback.health.deployment import Deployment


class Selects(Protocol):
    """A label selector, already read."""

    def matches(self, labels: Mapping[str, str], /) -> bool:
        """Tell whether it holds for these labels."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing newly activates where ``where`` holds."""

    stop_id: str
    where: Selects
    reason: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nobody newly activates ``digest`` on ``plane``."""

    plane: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Braked:
    """Why a device may not activate: which brake, and a sentence for people."""

    code: str
    brake: str
    text: str


STOPPED_HERE = "RB-CONTROL-020"
FROZEN_DIGEST = "RB-CONTROL-021"


def braked(
    labels: Mapping[str, str],
    brings: Mapping[str, str],
    *,
    runs: Mapping[str, str],
    stops: Iterable[Stop],
    freezes: Iterable[Freeze],
) -> tuple[Braked, ...]:
    """Return every brake that forbids a device to activate a set; empty = free to go.

    Args:
        labels: the device's labels now.
        brings: plane to digest of the set to activate.
        runs: plane to digest of what the device runs; a digest that already runs is not newly activated.
        stops, freezes: all that hold in this tenant.
    """
    newly = {plane: digest for plane, digest in brings.items() if runs.get(plane) != digest}
    found = [
        Braked(FROZEN_DIGEST, f"{each.plane} {each.digest}", f"Frozen: {each.plane} {each.digest} ({each.reason}).")
        for each in freezes
        if newly.get(each.plane) == each.digest
    ]
    if newly:
        found += [
            Braked(STOPPED_HERE, each.stop_id, f"Stopped here by {each.stop_id} ({each.reason}).")
            for each in stops
            if each.where.matches(labels)
        ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """What a stop still reaches: offers withdrawn, devices beyond recall (entered, not yet resolved), all matching."""

    withdrawn: int
    beyond_recall: int
    devices: int


def reached(deployments: Sequence[Deployment], devices: int) -> StopAnswer:
    """Return what a stop reaches.

    Args:
        deployments: of every running rollout on the devices the stop selects, before it was set.
        devices: how many devices it selects.
    """
    moving = [each for each in deployments if each.is_moving]
    beyond = sum(each.entered_at_ms is not None for each in moving)
    return StopAnswer(len(moving) - beyond, beyond, devices)
