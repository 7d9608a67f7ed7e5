"""Folds deployments into a few counts per family and ring, one changed device at a time.

Decides: what each deployment contributes. Never: keeps a device, or looks at one that has not changed.

- A change is (before, after) of one deployment: the old contribution is taken out, the new one put in, so a late
  failure corrects the bucket that the device entered with, and a replay adds nothing.
- Buckets are spans of the *entry* time. A bucket's instant is its end, so no device is taken for older than it is.
- Buckets grow with age: a sixteenth of the shortest horizon while young, of the next horizon once past the one before,
  and a single one beyond all horizons. So their number does not grow with time, and no horizon is blurred by more than
  a sixteenth of itself. The spans are aligned and depend on the newest entry alone: any order of feeding gives the
  same buckets.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ringback.health.deployment import Deployment, Drill, Outcome, ResultKind
from ringback.health.evidence import NOBODY, Cause, Prefix, RingEvidence, StratumEvidence
from ringback.health.params import MINUTE_MS, GateParams
from ringback.stats import RiskSet

BUCKETS_PER_HORIZON = 16
"""Entry times are rounded up by at most a sixteenth of the horizon that looks at them."""

CAUSES_MAX = 32
"""Distinct failure causes kept per stratum; more, and the rest are counted as one, so no device can grow the state."""

ENTERED, GOOD, FAILED, SILENT, RETURNED = range(5)
"""Places of the counts of one bucket."""

Counts = list[int]


def bucket_ms(gate: GateParams) -> int:
    """Return the width of the youngest buckets: a sixteenth of the shortest horizon, at most a minute."""
    return max(1, min(MINUTE_MS, gate.shortest_horizon_ms // BUCKETS_PER_HORIZON))


@dataclass(slots=True)
class _Stratum:
    """Counts of one family. ``ends`` are the buckets' instants in order; ``clean`` of ``prefixes`` still hold."""

    offered: int = 0
    buckets: dict[int, Counts] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    prefixes: list[Prefix] = field(default_factory=list)
    clean: int = 0
    cumulative: tuple[Prefix, ...] | None = None
    causes: dict[tuple[str, ...], Cause] = field(default_factory=dict)
    risks: dict[int, RiskSet] = field(default_factory=dict)
    last_failed_at_ms: int | None = None
    evidence: StratumEvidence | None = None

    def add(self, end_ms: int, counts: Counts, sign: int) -> None:
        """Add ``counts`` times ``sign`` to the bucket that ends at ``end_ms``."""
        known = self.buckets.get(end_ms)
        if known is None:
            known = self.buckets[end_ms] = [0, 0, 0, 0, 0]
            insort(self.ends, end_ms)
        for place, count in enumerate(counts):
            if count:
                known[place] += sign * count
        index = bisect_left(self.ends, end_ms)
        self.clean = min(self.clean, index)
        assert known[ENTERED] >= known[GOOD] + known[FAILED] >= 0
        if not known[ENTERED]:
            del self.buckets[end_ms]
            del self.ends[index]

    def risk(self, odds_ppm: int, *, treated: int = 0, control: int = 0) -> None:
        """Count silences at these odds."""
        before = self.risks.get(odds_ppm, RiskSet(odds_ppm, 0, 0))
        after = RiskSet(odds_ppm, before.treated + treated, before.control + control)
        self.risks[odds_ppm] = after
        if not (after.treated or after.control):
            del self.risks[odds_ppm]
        self.evidence = None

    def cumulated(self) -> tuple[Prefix, ...]:
        """Return the prefixes; only those behind the first changed bucket are made again."""
        del self.prefixes[self.clean :]
        last = self.prefixes[-1] if self.prefixes else NOBODY
        entered, good, failed = last.entered, last.good, last.failed
        silent, returned = last.silent, last.returned
        for end_ms in self.ends[self.clean :]:
            counts = self.buckets[end_ms]
            entered += counts[ENTERED]
            good += counts[GOOD]
            failed += counts[FAILED]
            silent += counts[SILENT]
            returned += counts[RETURNED]
            self.prefixes.append(Prefix(end_ms, entered, good, failed, silent, returned))
        if self.clean < len(self.ends) or self.cumulative is None or len(self.cumulative) != len(self.ends):
            self.cumulative = tuple(self.prefixes)
        self.clean = len(self.ends)
        return self.cumulative


class Ledger:
    """The running fold of one rollout's deployments. Feed it every change once; read ``strata`` and ``rings``.

    It can be rebuilt from the stored deployments at any time by feeding each as (None, deployment), in any order.
    """

    __slots__ = ("_levels", "_matured_ms", "_newest_ms", "_rings", "_strata", "_widest_ms", "_width_ms")

    def __init__(self, gate: GateParams, *, strata: Iterable[str], rings_count: int) -> None:
        """Start empty.

        Args:
            gate: its horizons set the widths of the buckets.
            strata: all planned families; fixed, because the evidence is averaged over them.
            rings_count: rings of the rollout.
        """
        self._width_ms = bucket_ms(gate)
        self._newest_ms = 0
        self._levels = _levels(gate)
        self._widest_ms = self._levels[0][0] if self._levels else self._width_ms
        self._matured_ms = gate.longest_horizon_ms + gate.heartbeat_ms
        self._strata = {stratum: _Stratum() for stratum in strata}
        self._rings = [_Ring() for _ in range(rings_count)]

    def change(self, before: Deployment | None, after: Deployment | None) -> None:
        """Take out what ``before`` contributed and put in what ``after`` contributes."""
        if before is not None:
            self._count(before, -1)
        if after is not None:
            self._count(after, 1)

    def control_fell_silent(self, stratum: str, odds_ppm: int) -> None:
        """Count a control device of a family that fell silent, at the odds of that moment (``stats.odds_ppm``)."""
        self._strata.setdefault(stratum, _Stratum()).risk(odds_ppm, control=1)

    def strata(self, waiting: Mapping[str, int] | None = None) -> tuple[StratumEvidence, ...]:
        """Return the evidence per family, families and prefixes in order.

        Args:
            waiting: per family, members of open rings that were heard lately and not offered the release yet; None if
                nobody counted them.
        """
        return tuple(
            self._evidence(stratum, known, None if waiting is None else waiting.get(stratum, 0))
            for stratum, known in sorted(self._strata.items())
        )

    def rings(self) -> tuple[RingEvidence, ...]:
        """Return the counts per ring, by index; ``left`` and ``busy`` are the caller's to fill."""
        return tuple(counts.evidence(ring) for ring, counts in enumerate(self._rings))

    def _evidence(self, stratum: str, known: _Stratum, waiting: int | None) -> StratumEvidence:
        if known.evidence is None or known.evidence.waiting != waiting:
            known.evidence = StratumEvidence(
                stratum,
                known.offered,
                known.cumulated(),
                tuple(sorted(known.causes.values(), key=lambda cause: (-cause.devices, cause.rule, cause.plane))),
                known.last_failed_at_ms,
                waiting,
                tuple(risk for _odds, risk in sorted(known.risks.items())),
            )
        return known.evidence

    def _count(self, deployment: Deployment, sign: int) -> None:
        self._rings[deployment.ring].count(deployment, sign)
        known = self._strata.setdefault(deployment.stratum, _Stratum())
        known.evidence = None
        if deployment.entered_at_ms is None:
            known.offered += sign if deployment.is_moving else 0
            return
        failed = deployment.is_failed
        end_ms = deployment.entered_at_ms - deployment.entered_at_ms % self._width_ms + self._width_ms
        # Rounded down, so that it has passed: an end lies ahead, and ages reckoned from it would be too large.
        newest_ms = deployment.entered_at_ms - deployment.entered_at_ms % self._widest_ms
        if newest_ms > self._newest_ms:
            self._newest_ms = newest_ms
            self._merge()
        known.add(
            self._bucket(end_ms),
            [
                1,
                int(deployment.is_good),
                int(failed),
                int(deployment.counted_silent),
                int(deployment.is_returned),
            ],
            sign,
        )
        if deployment.silent_odds_ppm is not None:
            known.risk(deployment.silent_odds_ppm, treated=sign)
        if failed:
            _count_cause(known, deployment, sign)
            if sign > 0:
                known.last_failed_at_ms = max(known.last_failed_at_ms or 0, deployment.outcome_at_ms)

    def _bucket(self, end_ms: int) -> int:
        """Return the end of the bucket that a bucket belongs to, given the newest entry."""
        floor_ms = (self._newest_ms - self._matured_ms) // self._widest_ms * self._widest_ms
        if end_ms <= floor_ms:
            return floor_ms
        for width_ms, age_ms in self._levels:
            wide_ms = -(-end_ms // width_ms) * width_ms
            if wide_ms + age_ms <= self._newest_ms:
                return wide_ms
        return end_ms

    def _merge(self) -> None:
        """Let every bucket that has become old enough flow into a wider one."""
        for known in self._strata.values():
            for end_ms in [end for end in known.ends if self._bucket(end) != end]:
                counts = known.buckets[end_ms]
                known.add(self._bucket(end_ms), counts, 1)
                known.add(end_ms, list(counts), -1)
                known.evidence = None


def _levels(gate: GateParams) -> tuple[tuple[int, int], ...]:
    """Return (width, age from which it holds) of the wider buckets, widest first; widths are multiples of each other.

    A horizon's buckets hold once no shorter horizon looks at them any more.
    """
    width_ms = bucket_ms(gate)
    levels = []
    for shorter, budget in zip(gate.budgets, gate.budgets[1:], strict=False):
        times = budget.horizon_ms // BUCKETS_PER_HORIZON // width_ms
        if times > 1:
            width_ms *= times
            levels.append((width_ms, shorter.horizon_ms + gate.heartbeat_ms))
    return tuple(reversed(levels))


@dataclass(slots=True)
class _Ring:
    """Running counts of one ring; the fields of ``RingEvidence`` of the same names."""

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

    def count(self, deployment: Deployment, sign: int) -> None:
        """Add what one deployment contributes, times ``sign``."""
        has_entered = deployment.entered_at_ms is not None
        if deployment.is_failed:
            self.failed += sign
        elif deployment.confirmed_at_ms is not None:
            self.good += sign
        elif deployment.is_moving:
            self.moving += sign
            self.offered += 0 if has_entered else sign
            self.drills_pending += sign * (deployment.drill is Drill.PENDING)
        if not has_entered and deployment.outcome in UNSUITABLE:
            self.refused += sign
        elif deployment.outcome is Outcome.WITHDRAWN:
            self.withdrawn += sign
        if deployment.drill is Drill.PASSED:
            self.drills_passed += sign
            if deployment.recover_ms is not None:
                self.slowest_recovery_ms = max(self.slowest_recovery_ms or 0, deployment.recover_ms)
        elif deployment.drill is Drill.FAILED:
            self.drills_failed += sign

    def evidence(self, ring: int) -> RingEvidence:
        """Return the counts as they are."""
        return RingEvidence(
            ring,
            offered=self.offered,
            moving=self.moving,
            good=self.good,
            failed=self.failed,
            refused=self.refused,
            withdrawn=self.withdrawn,
            drills_pending=self.drills_pending,
            drills_passed=self.drills_passed,
            drills_failed=self.drills_failed,
            slowest_recovery_ms=self.slowest_recovery_ms,
        )


UNSUITABLE = frozenset({Outcome.REFUSED, Outcome.FAILED})
"""Ends that say nothing about the release on a device that never entered: it could not fetch, verify or take it."""


def _count_cause(known: _Stratum, deployment: Deployment, sign: int) -> None:
    one = cause_of(deployment)
    key = (one.rule, one.plane, one.operator, str(one.limit), *one.rung)
    counted = known.causes.get(key)
    if counted is None and len(known.causes) >= CAUSES_MAX:
        one = Cause("", "", "", None, (), None, 1)
        key = ("", "", "", "None")
        counted = known.causes.get(key)
    if counted is None:
        counted = replace(one, devices=0)
    devices = counted.devices + sign
    if devices <= 0:
        known.causes.pop(key, None)
        return
    known.causes[key] = replace(counted, devices=devices, observed=_worse(counted, one.observed))


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
