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
- Matured at h = entered at least h plus the heartbeat time ago, so that a silent device has been counted as failed.
- Between two decisions the caller takes offers from ``Grants`` one by one; it never runs below zero.

Source: the anytime-valid upper bound of ``ringback.stats.bernoulli``; the rule is Ringback's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from ringback.health.evidence import StratumEvidence
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
    fleet = _limits(gate, WHOLE_FLEET, strata, now_ms)
    families = {stratum.stratum: _limits(gate, stratum.stratum, (stratum,), now_ms) for stratum in strata}
    left = _room(fleet)
    grants = Grants(
        left, tuple(StratumGrant(stratum, min(left, _room(limits))) for stratum, limits in families.items())
    )
    return Exposure((*fleet, *(limit for limits in families.values() for limit in limits)), grants)


def _room(limits: Sequence[Limit]) -> int:
    return max(0, min(limit.allowed - limit.unverified for limit in limits))


def _limits(gate: GateParams, scope: str, strata: Sequence[StratumEvidence], now_ms: int) -> tuple[Limit, ...]:
    offered = sum(stratum.offered for stratum in strata)
    entered = sum(stratum.entered for stratum in strata)
    failed = sum(stratum.failed for stratum in strata)
    excess = max(0.0, failed - gate.p0_ppm / PPM * entered)
    bound, limits = 0.0, []
    for budget in gate.budgets:
        by_ms = now_ms - budget.horizon_ms - gate.heartbeat_ms
        matured = NOTHING_SEEN
        for stratum in strata:
            matured = _sum(matured, stratum.matured_before(by_ms))
        bound = max(bound, upper_bound(matured, gate.delta))
        # Matured devices that are still open count as failed in U and stay unverified here: both are the safe side.
        verified = matured.devices - matured.failed
        unverified = offered + entered - failed - verified
        allowed = floor(max(1.0, budget.devices - excess) / bound)
        limits.append(Limit(scope, budget.horizon_ms, unverified, allowed, ceil(bound * PPM)))
    return tuple(limits)


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(one.devices + other.devices, one.failed + other.failed)


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
