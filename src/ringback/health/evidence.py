"""Folds deployments into a few counts per family and ring, one changed device at a time.

Decides: what each deployment contributes. Never: keeps a device; what it costs does not grow with the fleet.

- A change is (before, after) of one deployment: the old contribution is taken out, the new one put in, so a late
  failure corrects the cohort that the device entered with, and a replay adds nothing.
- Cohorts are buckets of the *entry* time. A bucket's instant is its end, so no device is taken for older than it is.
- For halting an unresolved device counts as good, for certifying as failed: both are the safe side. Missing evidence
  is never a pass.
- Devices are told apart by family (stratum) only: a family is what fails alone.

Source: the prefix argument of ``ringback.stats.bernoulli``; cohorts by entry as in survival analysis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ringback.health.deployment import Deployment, Drill, Outcome, ResultKind
from ringback.health.params import MINUTE_MS, GateParams
from ringback.stats import Tally

BUCKETS_PER_HORIZON = 16
"""Entry times are rounded up by at most a sixteenth of the shortest horizon."""

CAUSES_MAX = 32
"""Distinct failure causes kept per stratum; more, and the rest are counted as one, so no device can grow the state."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Devices of one stratum that entered by ``entered_at_ms`` (and after the cohort before).

    ``good`` are confirmed and not failed since; ``failed`` includes ``silent``; the rest is unresolved.
    """

    entered_at_ms: int
    entered: int
    good: int
    failed: int
    silent: int


@dataclass(frozen=True, slots=True)
class Cause:
    """Failed devices with the same failing rule and the same way back.

    Attributes:
        rule, plane: failing rule and the plane it indicts; "" where none was named.
        operator, observed, limit: of that rule; ``observed`` is the worst reading; None where none was reported.
        rung: planes that had gone back when the devices were healthy again; empty if they never were.
        devices: how many.
    """

    rule: str
    plane: str
    operator: str
    limit: int | None
    rung: tuple[str, ...]
    observed: int | None
    devices: int


@dataclass(frozen=True, slots=True)
class StratumEvidence:
    """All evidence of one hardware family: ``offered`` devices have not entered, the others are in ``cohorts``."""

    stratum: str
    offered: int = 0
    cohorts: tuple[Cohort, ...] = ()
    causes: tuple[Cause, ...] = ()
    last_failed_at_ms: int | None = None

    @property
    def entered(self) -> int:
        """Devices that entered, whatever became of them."""
        return sum(cohort.entered for cohort in self.cohorts)

    @property
    def failed(self) -> int:
        """Devices that failed, by any signal."""
        return sum(cohort.failed for cohort in self.cohorts)

    @property
    def tally(self) -> Tally:
        """All that entered, unresolved devices counted as good."""
        return Tally(self.entered, self.failed)

    def entered_before(self, instant_ms: int) -> Tally:
        """Return the prefix that entered by ``instant_ms``, unresolved devices counted as good (for halting)."""
        devices = failed = 0
        for cohort in self.cohorts:
            if cohort.entered_at_ms <= instant_ms:
                devices += cohort.entered
                failed += cohort.failed
        return Tally(devices, failed)

    def matured_before(self, instant_ms: int) -> Tally:
        """Return the prefix that entered by ``instant_ms``, unresolved devices counted as failed (for certifying)."""
        devices = good = 0
        for cohort in self.cohorts:
            if cohort.entered_at_ms <= instant_ms:
                devices += cohort.entered
                good += cohort.good
        return Tally(devices, devices - good)


@dataclass(frozen=True, slots=True)
class RingEvidence:
    """What became of the devices granted through one ring.

    Attributes:
        left: members that were heard within the heartbeat time, may take the release now and have not been offered
            it; counted by the server, because this fold never sees a device without a deployment.
        busy: members that wait because another rollout's trial runs on them.
        offered, moving: granted and not entered; granted and not resolved (includes ``offered``).
        good, failed, refused, withdrawn: resolved; ``refused`` are unsuitable devices, no failures.
        drills_pending, drills_passed, drills_failed: devices in, through and lost in the drill.
        slowest_recovery_ms: longest time to come back in a passed drill; None without one.
    """

    ring: int
    left: int = 0
    busy: int = 0
    offered: int = 0
    moving: int = 0
    good: int = 0
    failed: int = 0
    refused: int = 0
    withdrawn: int = 0
    drills_pending: int = 0
    drills_passed: int = 0
    drills_failed: int = 0
    slowest_recovery_ms: int | None = None


@dataclass(slots=True)
class _StratumCounts:
    offered: int = 0
    cohorts: dict[int, Cohort] = field(default_factory=dict)
    causes: dict[tuple[str, ...], Cause] = field(default_factory=dict)
    last_failed_at_ms: int | None = None


def bucket_ms(gate: GateParams) -> int:
    """Return the width of entry buckets for a gate: a sixteenth of its shortest horizon, at most a minute."""
    return max(1, min(MINUTE_MS, gate.shortest_horizon_ms // BUCKETS_PER_HORIZON))


class Ledger:
    """The running fold of one rollout's deployments. Feed it every change once; read ``strata`` and ``rings``.

    It can be rebuilt from the stored deployments at any time by feeding each as (None, deployment).
    """

    __slots__ = ("_bucket_ms", "_floor_ms", "_rings", "_strata")

    def __init__(self, gate: GateParams, *, strata: Iterable[str], rings_count: int) -> None:
        """Start empty.

        Args:
            gate: sets the width of the entry buckets.
            strata: all planned families; fixed, because the evidence is averaged over them.
            rings_count: rings of the rollout.
        """
        self._bucket_ms = bucket_ms(gate)
        self._floor_ms = 0
        self._strata = {stratum: _StratumCounts() for stratum in strata}
        self._rings = [RingEvidence(ring) for ring in range(rings_count)]

    def change(self, before: Deployment | None, after: Deployment | None) -> None:
        """Take out what ``before`` contributed and put in what ``after`` contributes."""
        if before is not None:
            self._count(before, -1)
        if after is not None:
            self._count(after, 1)

    def compact(self, matured_by_ms: int) -> None:
        """Merge all buckets that ended by ``matured_by_ms`` into one per stratum, which no horizon tells apart."""
        floor_ms = matured_by_ms - matured_by_ms % self._bucket_ms
        if floor_ms <= self._floor_ms:
            return
        self._floor_ms = floor_ms
        for counts in self._strata.values():
            merged = Cohort(floor_ms, 0, 0, 0, 0)
            for end_ms in [end for end in counts.cohorts if end <= floor_ms]:
                merged = _summed(merged, counts.cohorts.pop(end_ms), 1)
            if merged.entered:
                counts.cohorts[floor_ms] = merged

    def strata(self) -> tuple[StratumEvidence, ...]:
        """Return the evidence per family, families and cohorts in order."""
        return tuple(
            StratumEvidence(
                stratum,
                counts.offered,
                tuple(cohort for _end, cohort in sorted(counts.cohorts.items())),
                tuple(sorted(counts.causes.values(), key=lambda cause: (-cause.devices, cause.rule, cause.plane))),
                counts.last_failed_at_ms,
            )
            for stratum, counts in sorted(self._strata.items())
        )

    def rings(self) -> tuple[RingEvidence, ...]:
        """Return the counts per ring, by index; ``left`` and ``busy`` are the caller's to fill."""
        return tuple(self._rings)

    def _count(self, deployment: Deployment, sign: int) -> None:
        self._rings[deployment.ring] = _ring_counted(self._rings[deployment.ring], deployment, sign)
        counts = self._strata.setdefault(deployment.stratum, _StratumCounts())
        if deployment.entered_at_ms is None:
            counts.offered += sign if deployment.is_moving else 0
            return
        failed = int(deployment.is_failed)
        start_ms = deployment.entered_at_ms - deployment.entered_at_ms % self._bucket_ms
        end_ms = max(start_ms + self._bucket_ms, self._floor_ms)
        one = Cohort(end_ms, 1, int(deployment.is_good), failed, int(deployment.counted_silent))
        cohort = _summed(counts.cohorts.get(end_ms, Cohort(end_ms, 0, 0, 0, 0)), one, sign)
        assert cohort.entered >= cohort.good + cohort.failed >= 0
        counts.cohorts[end_ms] = cohort
        if not cohort.entered:
            del counts.cohorts[end_ms]
        if failed:
            _count_cause(counts, deployment, sign)
            if sign > 0:
                counts.last_failed_at_ms = max(counts.last_failed_at_ms or 0, deployment.outcome_at_ms)


def _summed(cohort: Cohort, other: Cohort, sign: int) -> Cohort:
    return Cohort(
        cohort.entered_at_ms,
        cohort.entered + sign * other.entered,
        cohort.good + sign * other.good,
        cohort.failed + sign * other.failed,
        cohort.silent + sign * other.silent,
    )


def _ring_counted(ring: RingEvidence, deployment: Deployment, sign: int) -> RingEvidence:
    moving = deployment.is_moving
    slowest_ms = ring.slowest_recovery_ms
    if deployment.drill is Drill.PASSED and deployment.recover_ms is not None:
        slowest_ms = max(slowest_ms or 0, deployment.recover_ms)
    return replace(
        ring,
        offered=ring.offered + sign * (moving and deployment.entered_at_ms is None),
        moving=ring.moving + sign * moving,
        good=ring.good + sign * deployment.is_good,
        failed=ring.failed + sign * deployment.is_failed,
        refused=ring.refused + sign * (_is_unsuitable(deployment)),
        withdrawn=ring.withdrawn + sign * (deployment.outcome is Outcome.WITHDRAWN),
        drills_pending=ring.drills_pending + sign * (deployment.drill is Drill.PENDING and moving),
        drills_passed=ring.drills_passed + sign * (deployment.drill is Drill.PASSED),
        drills_failed=ring.drills_failed + sign * (deployment.drill is Drill.FAILED),
        slowest_recovery_ms=slowest_ms,
    )


def _is_unsuitable(deployment: Deployment) -> bool:
    """Refused, or failed before entering (could not fetch, could not verify): says nothing about the release."""
    return deployment.outcome in (Outcome.REFUSED, Outcome.FAILED) and deployment.entered_at_ms is None


def _count_cause(counts: _StratumCounts, deployment: Deployment, sign: int) -> None:
    one = cause_of(deployment)
    key = (one.rule, one.plane, one.operator, str(one.limit), *one.rung)
    known = counts.causes.get(key)
    if known is None and len(counts.causes) >= CAUSES_MAX:
        one = Cause("", "", "", None, (), None, 1)
        key = ("", "", "", "None")
        known = counts.causes.get(key)
    if known is None:
        known = replace(one, devices=0)
    devices = known.devices + sign
    if devices <= 0:
        counts.causes.pop(key, None)
        return
    counts.causes[key] = replace(known, devices=devices, observed=_worse(known, one.observed))


def cause_of(deployment: Deployment) -> Cause:
    """Return the cause of one failed deployment; without a result (silence) it names nothing."""
    result = deployment.result
    if deployment.counted_silent or result is None or result.kind is ResultKind.CONFIRMED or result.drill:
        return Cause("", "", "", None, (), None, 1)
    healed_by = result.rung if result.healthy else ()
    return Cause(
        result.rule or "", result.plane or "", result.operator, result.limit, tuple(healed_by), result.reading, 1
    )


def _worse(known: Cause, observed: int | None) -> int | None:
    if observed is None or known.observed is None:
        return known.observed if observed is None else observed
    return min(known.observed, observed) if known.operator == ">=" else max(known.observed, observed)
