"""Turns a release as written into a rollout that can begin.

Decides: the rollout's rings, gate and way back, once, from the release, the fleet and the plan. Never: changes them
afterwards; a release that says something else is another rollout.

- *Full* comes by itself after the last ring that the release names.
- A named budget is capped on small fleets at 5 % of their devices, at least one; numbers that a release states itself
  are taken as they are.
- Without a heartbeat of its own a release takes three of the slowest poll intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from ringback.control.ring import Member, RingFrame, RingKind, StratumCut, cuts
from ringback.control.rollout import Change, FirstRung, Ring, Rollout, Rung
from ringback.control.windows import Interval
from ringback.health.params import BUDGETS, BadGate, Budget, GateParams, checked
from ringback.spec import release as spec

SMALL_FLEET_SHARE = 0.05
"""A named budget never stakes more than a twentieth of the fleet: the default of 40 is no budget for 60 devices."""

POLLS_PER_HEARTBEAT = 3
"""One lost report is the network; three in a row are silence."""

INTERNAL_NAME = "internal"
"""A first ring of this name is the operator's own devices."""


@dataclass(frozen=True, slots=True)
class Targeted:
    """One targeted device when the rollout starts; ``labels`` with the reserved keys filled in."""

    device_id: str
    stratum: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WayBack:
    """What the planner compiled: the planes changed, first to go back first, and the ladder over them."""

    changes: tuple[Change, ...]
    ladder: tuple[Rung, ...]
    first: tuple[FirstRung, ...]


def gate_of(gate: spec.Gate, *, slowest_poll_ms: int, devices: int) -> GateParams | BadGate:
    """Return the gate a release asks for, or what is wrong with it.

    Args:
        gate: from the release.
        slowest_poll_ms: longest poll interval of the targeted classes.
        devices: targeted devices.
    """
    budgets = tuple(Budget(each.horizon_ms, each.devices) for each in gate.budgets)
    if gate.budget_name:
        most = max(1, ceil(devices * SMALL_FLEET_SHARE))
        budgets = tuple(Budget(each.horizon_ms, min(each.devices, most)) for each in BUDGETS[gate.budget_name])
    return checked(
        GateParams(
            p0_ppm=gate.p0_ppm,
            p1_ppm=gate.p1_ppm,
            alpha_ppm=gate.alpha_ppm,
            beta_ppm=gate.beta_ppm,
            delta_ppm=gate.delta_ppm,
            budgets=budgets,
            heartbeat_ms=POLLS_PER_HEARTBEAT * slowest_poll_ms if gate.heartbeat_ms is None else gate.heartbeat_ms,
        )
    )


def frames_of(rings: Sequence[spec.Ring]) -> tuple[RingFrame, ...]:
    """Return the frames of all rings of a release, with full at the end."""
    frames = [
        RingFrame(_kind(ring, index), bool(ring.where.requirements), ring.count, ring.share_ppm)
        for index, ring in enumerate(rings)
    ]
    return (*frames, RingFrame(RingKind.FULL))


def cuts_of(
    rollout_id: str, rings: Sequence[spec.Ring], fleet: Iterable[Targeted]
) -> tuple[tuple[StratumCut, ...], ...]:
    """Return the cuts of all rings and of full for the targeted devices; ``rollout_id`` is the salt."""
    members = [
        Member(each.device_id, each.stratum, (*(ring.where.matches(each.labels) for ring in rings), True))
        for each in fleet
    ]
    return cuts(rollout_id, members, frames_of(rings))


def new_rollout(
    rollout_id: str,
    release: spec.Release,
    fleet: Sequence[Targeted],
    back: WayBack,
    *,
    slowest_poll_ms: int,
    now_ms: int,
    maintenance: tuple[Interval, ...] = (),
    cuts_drawn: tuple[tuple[StratumCut, ...], ...] | None = None,
) -> Rollout | BadGate:
    """Return the draft of a rollout, or what is wrong with the gate of its release.

    Args:
        rollout_id: also the salt that draws the canaries.
        release: as parsed.
        fleet: every targeted device.
        back: from the planner; the last rung takes all changed planes back.
        slowest_poll_ms: longest poll interval of the targeted classes.
        now_ms: UTC ms.
        maintenance: when it may grow, resolved to UTC; empty = always.
        cuts_drawn: what `cuts_of` gives for this fleet, where it is known already.
    """
    gate = gate_of(release.gate, slowest_poll_ms=slowest_poll_ms, devices=len(fleet))
    if isinstance(gate, BadGate):
        return gate
    rows = cuts_of(rollout_id, release.rings, fleet) if cuts_drawn is None else cuts_drawn
    named = tuple(
        Ring(
            name=ring.name,
            kind=_kind(ring, index),
            where=str(ring.where) if ring.where.requirements else "",
            cuts=rows[index],
            drill=ring.is_drill,
            bake_ms=ring.bake_ms,
            needs_approval=ring.needs_approval,
        )
        for index, ring in enumerate(release.rings)
    )
    return Rollout(
        rollout_id=rollout_id,
        release_id=release.id,
        rings=(*named, Ring(RingKind.FULL, RingKind.FULL, cuts=rows[-1])),
        gate=gate,
        changes=back.changes,
        ladder=back.ladder,
        first=back.first,
        stability_ms=release.windows.stability_ms,
        rollback_ms=release.windows.rollback_ms,
        maintenance=maintenance,
        since_at_ms=now_ms,
        timer_at_ms=now_ms,
    )


def _kind(ring: spec.Ring, index: int) -> RingKind:
    if index == 0 and ring.name == INTERNAL_NAME:
        return RingKind.INTERNAL
    return RingKind.CANARY if ring.count is not None else RingKind.RING
