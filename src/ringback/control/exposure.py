"""The exposure rule: how many more devices may receive a release, given what the others have shown.

Decides: the number of further offers, in total and for each hardware family. Never: offers anything, and never counts a
device as verified before it is old enough and good.

- At every moment and for every horizon h, in total and inside each family:

      unverified_h <= max(1, B_h - excess) / U_h
      unverified_h =  devices offered the release that are neither matured at h nor failed
      U_h          =  max over horizons <= h of U(matured n, f)          excess = max(0, f - p0 n)

  Read: the expected number of failures still hidden among devices we are not sure about is at most B_h, with
  confidence 1 - delta. Without data U is 1, so the first devices are at most B; each verified generation multiplies
  them; an early failure shrinks them; a rare family grows on its own evidence.
- Matured at h = entered at least h ago. A matured device that has not confirmed counts as failed in U and stays
  unverified, so a device that never came back is not taken for good while its heartbeat time runs. Only one that
  confirmed and then fell silent is found up to one heartbeat later.
- What is granted is spread half by the families' shares of the waiting devices and half evenly, so that a rare family
  gives evidence early.
- Between two decisions the caller takes offers from ``Grants`` one by one; it never runs below zero.

Source: the anytime-valid upper bound of ``ringback.stats.bernoulli``; the rule is Ringback's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from ringback.health.evidence import NOBODY, Prefix, StratumEvidence, summed
from ringback.health.params import PPM, GateParams, certificate_engine
from ringback.stats import NOTHING_SEEN, Tally, upper_bound

WHOLE_FLEET = ""
"""Scope of a limit that holds over all families."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One exposure limit: ``unverified`` must stay at or below ``allowed``.

    Attributes:
        scope: hardware family, or ``WHOLE_FLEET``.
        horizon_ms: the budget's horizon.
        unverified: devices offered and neither matured at the horizon nor failed.
        allowed: how many may be.
        u_ppm: the upper bound the limit rests on.
    """

    scope: str
    horizon_ms: int
    unverified: int
    allowed: int
    u_ppm: int


@dataclass(frozen=True, slots=True)
class StratumGrant:
    """Further offers one family may get."""

    stratum: str
    left: int


@dataclass(frozen=True, slots=True)
class Grants:
    """Further offers until the next decision: ``left`` in total, and per planned family. Nothing is granted beyond."""

    left: int
    strata: tuple[StratumGrant, ...]

    def taken(self, stratum: str) -> Grants | None:
        """Return what is left after one offer to a device of ``stratum``, or None if it may not be offered now.

        A family that was not planned is held by the total alone.
        """
        if self.left < 1 or any(grant.stratum == stratum and grant.left < 1 for grant in self.strata):
            return None
        return Grants(
            self.left - 1,
            tuple(
                StratumGrant(grant.stratum, grant.left - 1) if grant.stratum == stratum else grant
                for grant in self.strata
            ),
        )


NO_GRANTS = Grants(0, ())


@dataclass(frozen=True, slots=True)
class Exposure:
    """All limits at one moment and the grants that follow; ``tightest`` is the total limit with the least room."""

    limits: tuple[Limit, ...]
    grants: Grants

    @property
    def tightest(self) -> Limit:
        """Return the whole-fleet limit that leaves the least room."""
        return min(
            (limit for limit in self.limits if limit.scope == WHOLE_FLEET),
            key=lambda limit: limit.allowed - limit.unverified,
        )

    def unverified_at(self, horizon_ms: int) -> int:
        """Return how many devices of the whole fleet are unverified at a horizon."""
        return next(
            limit.unverified for limit in self.limits if limit.scope == WHOLE_FLEET and limit.horizon_ms == horizon_ms
        )


def exposure(gate: GateParams, strata: Sequence[StratumEvidence], now_ms: int) -> Exposure:
    """Return the limits and grants at ``now_ms`` (UTC ms) for the evidence of all planned families."""
    ages = [[each.prefix(now_ms - budget.horizon_ms) for budget in gate.budgets] for each in strata]
    fleet = _limits(gate, WHOLE_FLEET, strata, [summed(matured) for matured in zip(*ages, strict=True)])
    families = {
        each.stratum: _limits(gate, each.stratum, (each,), matured) for each, matured in zip(strata, ages, strict=True)
    }
    left = _room(fleet)
    rooms = {stratum: min(left, _room(limits)) for stratum, limits in families.items()}
    waiting = {each.stratum: each.waiting for each in strata if each.waiting is not None}
    if len(waiting) == len(strata) and sum(waiting.values()) > left:
        rooms = _spread(left, rooms, waiting)
    grants = Grants(left, tuple(StratumGrant(stratum, room) for stratum, room in rooms.items()))
    return Exposure((*fleet, *(limit for limits in families.values() for limit in limits)), grants)


def _spread(left: int, rooms: Mapping[str, int], waiting: Mapping[str, int]) -> dict[str, int]:
    """Share ``left`` offers out: half by waiting devices, half evenly, never more than room or devices; what a family
    cannot use goes to the others."""
    given = dict.fromkeys(rooms, 0)
    caps = {stratum: min(room, waiting[stratum]) for stratum, room in rooms.items()}
    open_ = [stratum for stratum, cap in caps.items() if cap]
    while left and open_:
        total = sum(waiting[stratum] for stratum in open_)
        share = {stratum: left * (waiting[stratum] / total + 1 / len(open_)) / 2 for stratum in open_}
        more = {stratum: min(int(share[stratum]), caps[stratum] - given[stratum]) for stratum in open_}
        if not any(more.values()):  # fewer offers than families: one each, to those that have least
            neediest = sorted(open_, key=lambda each: (given[each], waiting[each], each))
            more = dict.fromkeys(neediest[:left], 1)
        for stratum, count in more.items():
            given[stratum] += count
        left -= sum(more.values())
        open_ = [stratum for stratum in open_ if given[stratum] < caps[stratum]]
    return given


def _room(limits: Sequence[Limit]) -> int:
    return max(0, min(limit.allowed - limit.unverified for limit in limits))


def _limits(
    gate: GateParams, scope: str, strata: Sequence[StratumEvidence], matured: Sequence[Prefix]
) -> tuple[Limit, ...]:
    offered = sum([each.offered for each in strata])
    entered = sum([each.entered for each in strata])
    failed = sum([each.failed for each in strata])
    excess = max(0.0, failed - gate.p0_ppm / PPM * entered)
    bound, limits = 0.0, []
    for budget, seen in zip(gate.budgets, matured or [NOBODY] * len(gate.budgets), strict=True):
        bound = max(bound, upper_bound(seen.for_certifying, gate.delta))
        # Matured devices that are still open count as failed in U and stay unverified here: both are the safe side.
        unverified = offered + entered - failed - seen.good
        allowed = floor(max(1.0, budget.devices - excess) / bound)
        limits.append(Limit(scope, budget.horizon_ms, unverified, allowed, ceil(bound * PPM)))
    return tuple(limits)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a number of devices can show at best, if none of them fails.

    Attributes:
        devices: how many there are.
        u_ppm: the failure rate they can exclude, with confidence 1 - delta.
        certificate_needs: clean devices the certificate needs.
        can_certify: the certificate is within reach.
    """

    devices: int
    u_ppm: int
    certificate_needs: int
    can_certify: bool


def reach(gate: GateParams, devices: int) -> Reach:
    """Return what ``devices`` devices (0 or more) can show at best; for plans, and for fleets that are too small."""
    needs = certificate_engine(gate.p1_ppm).clean_devices_needed(NOTHING_SEEN, gate.beta)
    assert needs is not None  # some number of clean devices certifies every p1 above 0.0001 %
    shown = upper_bound(Tally(devices, 0), gate.delta)
    return Reach(devices, ceil(shown * PPM), needs, devices >= needs)
