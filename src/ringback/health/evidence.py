"""The values evidence is made of: counts per hardware family and per ring.

Decides: nothing. Never: keeps a device; what evidence costs does not grow with the fleet.

- A prefix is "all devices of this family that entered by an instant". Prefixes are cumulative, so any question about an
  age is one search, and every one of them is a prefix of one order, which is what the tests of ``ringback.stats`` need.
- For halting an unresolved device counts as good, for certifying as failed: both are the safe side. Missing evidence
  is never a pass.
- Families (strata) are what devices are told apart by: a family is what fails alone.

Source: the prefix argument of ``ringback.stats.bernoulli``; cohorts by entry as in survival analysis.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter

from ringback.stats import RiskSet, Tally


@dataclass(frozen=True, slots=True)
class Prefix:
    """All devices of one stratum that entered by ``by_ms``, UTC ms.

    ``good`` are confirmed and not failed since; ``failed`` includes ``silent``, which includes ``returned``: silent for
    a while, then back and healthy. The rest is unresolved.
    """

    by_ms: int
    entered: int
    good: int
    failed: int
    silent: int
    returned: int = 0

    @property
    def for_halting(self) -> Tally:
        """Unresolved devices count as good: a lower bound of the evidence that this very prefix will end with."""
        return Tally(self.entered, self.failed)

    @property
    def for_certifying(self) -> Tally:
        """Unresolved devices count as failed; those that came back do not."""
        return Tally(self.entered, self.entered - self.good - self.returned)


NOBODY = Prefix(0, 0, 0, 0, 0)
"""The prefix before the first device."""


_by: Callable[[Prefix], int] = attrgetter("by_ms")


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
    """All evidence of one hardware family.

    Attributes:
        offered: devices that were offered the release and have not entered.
        prefixes: devices that entered, cumulative, by rising instant; the last one holds them all.
        causes: of the failed ones, most frequent first.
        last_failed_at_ms: when the latest failure was heard; None without one.
        waiting: members of open rings that were heard lately and not offered the release yet; None = not counted.
            Grants are then given first come, first served instead of spread over the families.
        risks: silences of updated and of control devices by the odds at which they happened.
    """

    stratum: str
    offered: int = 0
    prefixes: tuple[Prefix, ...] = ()
    causes: tuple[Cause, ...] = ()
    last_failed_at_ms: int | None = None
    waiting: int | None = None
    risks: tuple[RiskSet, ...] = ()

    @property
    def everyone(self) -> Prefix:
        """All devices that entered."""
        return self.prefixes[-1] if self.prefixes else NOBODY

    @property
    def entered(self) -> int:
        """Devices that entered, whatever became of them."""
        return self.everyone.entered

    @property
    def failed(self) -> int:
        """Devices that failed, by any signal."""
        return self.everyone.failed

    @property
    def tally(self) -> Tally:
        """All that entered, unresolved devices counted as good."""
        return self.everyone.for_halting

    def prefix(self, instant_ms: int) -> Prefix:
        """Return the devices that entered by ``instant_ms``."""
        index = bisect_right(self.prefixes, instant_ms, key=_by)
        return self.prefixes[index - 1] if index else NOBODY

    def entered_before(self, instant_ms: int) -> Tally:
        """Return the prefix that entered by ``instant_ms``, unresolved devices counted as good (for halting)."""
        return self.prefix(instant_ms).for_halting

    def matured_before(self, instant_ms: int) -> Tally:
        """Return the prefix that entered by ``instant_ms``, unresolved devices counted as failed (for certifying)."""
        return self.prefix(instant_ms).for_certifying

    def next_matures_at_ms(self, age_ms: int, now_ms: int) -> int | None:
        """Return when the next prefix reaches ``age_ms``, after ``now_ms``; None if all have."""
        index = bisect_right(self.prefixes, now_ms - age_ms, key=_by)
        return self.prefixes[index].by_ms + age_ms if index < len(self.prefixes) else None


def summed(prefixes: Iterable[Prefix]) -> Prefix:
    """Return several families' prefixes as one; its instant says nothing."""
    entered = good = failed = silent = returned = 0
    for each in prefixes:
        entered += each.entered
        good += each.good
        failed += each.failed
        silent += each.silent
        returned += each.returned
    return Prefix(0, entered, good, failed, silent, returned)


@dataclass(frozen=True, slots=True)
class RingEvidence:
    """What became of the devices granted through one ring.

    Attributes:
        left: members that were heard within the heartbeat time, may take the release now and have not been offered
            it; counted by the server, because the fold never sees a device without a deployment.
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
