"""Engine A: does the share of devices that fail stay inside the promise? Anytime-valid, from counts alone.

Decides: how strongly counts (n devices entered, f of them failed) speak against "the release meets its SLO" (halting),
how strongly they speak against "the release is bad" (the certificate), and how bad it may still be (the upper bound).
Never: looks at time, devices or percentages of a plan; that is the caller's part.

- Halting.  H0: every device fails with conditional probability at most p0.

      E(n, f) = sum_k w_k (p_k/p0)^f ((1-p_k)/(1-p0))^(n-f),   p_k = 2.2 p0 * 3^k below 0.5, then 0.7,  w_k decreasing

  Each term is a product of factors with mean at most 1 under H0, so P(E ever >= 1/alpha) <= alpha (Ville 1939):
  one may look after every report and stop whenever one likes.
- E grows with f at fixed n. Counting a device that has not reported yet as good is therefore a lower bound of the E
  that this very prefix of the order will end with, and any number of prefixes of one order may be looked at
  ("the prefix rule"). Feeding settled outcomes as they come breaks this: failures settle first.
- Certificate.  H0: the release is bad, p >= p1.

      E'(n, f) = sum_j v_j (q_j/p1)^f ((1-q_j)/(1-p1))^(n-f),   q = 0, 0.2 p1, 0.5 p1,   v = 1/2, 1/4, 1/4

  P(E' ever >= 1/beta) <= beta. Only *matured* devices count here: old enough that silence is a failure.
- Upper bound.  U(n, f) = sup{p : E'_p(n, f) < 1/delta}. P(p > U at any time) <= delta.

Sources: Ville 1939; Robbins 1970 (mixtures); Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS B 2024; Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022; on delayed
outcomes Lindon and Kallus, "Anytime-Valid Inference Under Outcome Delay", 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, log1p

from ringback.stats.mixture import EVIDENCE_MAX, LOG_MAX, crossed, decreasing_weights, mixed
from ringback.stats.refused import (
    COUNT_MAX,
    COUNTER_RAN_BACKWARDS,
    MORE_FAILURES_THAN_DEVICES,
    PREFIXES_NOT_NESTED,
    BadNumber,
    bad_count,
    bad_rate,
)

SLO_MAX = 0.3
"""p0 above this leaves no room between 2.2 p0 and the last alternative 0.7; nobody promises 30 % failures."""

GRID_FIRST, GRID_STEP, GRID_LAST = 2.2, 3.0, 0.7
"""Alternatives of the halting test, as multiples of p0 and as a rate. Five terms at p0 = 0.4 % cost 12 to 15 % more
devices than an oracle that knows the true rate; a finer grid gains less than one device."""

CERTIFICATE_SHARES = (0.0, 0.2, 0.5)
CERTIFICATE_WEIGHTS = (0.5, 0.25, 0.25)
"""What a good release might truly be, as shares of p1, and the bets on it: half on flawless."""

BISECTION_STEPS = 40
"""Halvings of [0, 1]: U is exact to 1e-12 and always rounded up, so a bound is never too small."""

BOUND_CACHE_SIZE = 65_536
"""(n, f, delta) triples remembered. U costs some 40 microseconds; counts change far less often than they are read."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Devices that entered (``devices``) and those of them known to have failed (``failed``); the whole state of A."""

    devices: int
    failed: int

    def __post_init__(self) -> None:
        assert 0 <= self.failed <= self.devices

    def advanced(self, devices: object, failed: object) -> Tally | BadNumber:
        """Return the next tally of the same stream, or why the new counts cannot follow these ones."""
        following = tally(devices, failed)
        if isinstance(following, BadNumber):
            return following
        if following.devices < self.devices:
            return BadNumber(
                COUNTER_RAN_BACKWARDS, "devices", str(following.devices), f"at least {self.devices}, as seen before"
            )
        if following.failed < self.failed:
            return BadNumber(
                COUNTER_RAN_BACKWARDS, "failed", str(following.failed), f"at least {self.failed}, as seen before"
            )
        return following


NOTHING_SEEN = Tally(0, 0)


def tally(devices: object, failed: object) -> Tally | BadNumber:
    """Check two counts from outside and return them as a tally, or say what is wrong with them.

    Args:
        devices: devices that entered, 0 to ``COUNT_MAX``.
        failed: those of them that failed, 0 to ``devices``.
    """
    refused = bad_count("devices", devices) or bad_count("failed", failed)
    if refused is not None:
        return refused
    assert isinstance(devices, int) and isinstance(failed, int)
    if failed > devices:
        return BadNumber(MORE_FAILURES_THAN_DEVICES, "failed", str(failed), f"at most devices, which is {devices}")
    return Tally(devices, failed)


@dataclass(frozen=True, slots=True)
class SloGate:
    """The halting test against one SLO ``p0``. Build it with ``slo_gate``.

    ``weights``, ``log_failed`` and ``log_passed`` are parallel, one entry per alternative: the bet on it and the
    logarithm of the factor that one failed or one passed device contributes.
    """

    p0: float
    weights: tuple[float, ...]
    log_failed: tuple[float, ...]
    log_passed: tuple[float, ...]

    def evidence(self, seen: Tally) -> float:
        """Return E(n, f) >= 0, cut at ``EVIDENCE_MAX``: how strongly ``seen`` speaks against the SLO."""
        failed, passed = seen.failed, seen.devices - seen.failed
        total = 0.0
        for weight, fail, good in zip(self.weights, self.log_failed, self.log_passed, strict=True):
            ratio = failed * fail + passed * good
            if ratio > LOG_MAX:
                return EVIDENCE_MAX
            total += weight * exp(ratio)
        return total

    def log_evidence(self, seen: Tally) -> float:
        """Return log E(n, f) without any cut: convex in ``seen.failed``, for searches over it."""
        failed, passed = seen.failed, seen.devices - seen.failed
        logs = [failed * fail + passed * good for fail, good in zip(self.log_failed, self.log_passed, strict=True)]
        top = max(logs)
        return top + log(sum(weight * exp(each - top) for weight, each in zip(self.weights, logs, strict=True)))

    def evidence_over(self, prefixes: Iterable[Tally]) -> float | BadNumber:
        """Return the largest E over prefixes of one entry order, shortest or longest first; 1 without any.

        Valid because each prefix is a lower bound of its own final value and P(sup_n E(n, final f_n) >= 1/alpha) is at
        most alpha. The prefixes must be nested, or they do not belong to one order.
        """
        best, widest = 1.0, NOTHING_SEEN
        for seen in sorted(prefixes, key=lambda each: (each.devices, each.failed)):
            grown, failures = seen.devices - widest.devices, seen.failed - widest.failed
            if not 0 <= failures <= grown:
                return BadNumber(
                    PREFIXES_NOT_NESTED,
                    "prefixes",
                    f"{failures} more failures in {grown} more devices",
                    "prefixes of one order",
                )
            best, widest = max(best, self.evidence(seen)), seen
        return best

    def failures_that_reach(self, devices: int, threshold: float) -> int | None:
        """Return the fewest failures among ``devices`` with E >= ``threshold``; None where even all of them do not.

        Bisection over f, because E grows with f at fixed n.
        """
        if self.evidence(Tally(devices, devices)) < threshold:
            return None
        too_few, enough = -1, devices
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            if self.evidence(Tally(devices, middle)) >= threshold:
                enough = middle
            else:
                too_few = middle
        return enough

    def evidence_of_sites(self, sites: Sequence[Tally]) -> float:
        """Return E where each site (a cluster with one fate) counts as one factor, in the order given.

            E = sum_k w_k prod_sites  (f_s p_k/p0 + (n_s - f_s) (1-p_k)/(1-p0)) / n_s

        The mean of the devices' factors has mean at most 1 under H0 whatever the dependence inside the site, so an
        outage of one site cannot count as twenty failures. Empty sites contribute nothing.
        """
        logs = [0.0] * len(self.weights)
        for seen in sites:
            if seen.devices:
                for index, (fail, good) in enumerate(zip(self.log_failed, self.log_passed, strict=True)):
                    summed = seen.failed * exp(fail) + (seen.devices - seen.failed) * exp(good)
                    logs[index] += log(summed / seen.devices)
        return mixed(self.weights, logs)


def slo_gate(p0: object) -> SloGate | BadNumber:
    """Build the halting test for the SLO ``p0`` (share of devices that may fail, above 0, below ``SLO_MAX``)."""
    refused = bad_rate("p0", p0, above=0.0, below=SLO_MAX)
    if refused is not None:
        return refused
    assert isinstance(p0, (int, float))
    grid = []
    alternative = GRID_FIRST * p0
    while alternative < 0.5:
        grid.append(alternative)
        alternative *= GRID_STEP
    grid.append(max(GRID_LAST, p0))
    return SloGate(
        p0=float(p0),
        weights=decreasing_weights(len(grid)),
        log_failed=tuple(log(rate / p0) for rate in grid),
        log_passed=tuple(log1p(-rate) - log1p(-p0) for rate in grid),
    )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The promotion test: evidence that the failure rate is below ``p1``. Build it with ``certificate``."""

    p1: float

    def evidence(self, matured: Tally) -> float:
        """Return E'(n, f) >= 0 of matured devices: how strongly they speak against "at least p1 fail"."""
        return _evidence_below(self.p1, matured)

    def granted(self, matured: Tally, beta: float) -> bool:
        """Tell whether E' >= 1/``beta``: a release at or above p1 ever gets here with probability at most beta."""
        return crossed(self.evidence(matured), beta)

    def clean_devices_needed(self, matured: Tally, beta: float) -> int | None:
        """Return how many more matured devices without a failure would grant the certificate (0 = granted).

        None where more than ``COUNT_MAX`` would be needed, that is: not with this release.
        """
        needed = _devices_needed(self.p1, matured.failed, beta)
        return None if needed is None else max(0, needed - matured.devices)


def certificate(p1: object) -> Certificate | BadNumber:
    """Build the promotion test for the rate ``p1`` (above 0, below 1) that a release must be shown to stay below."""
    refused = bad_rate("p1", p1, above=0.0, below=1.0)
    if refused is not None:
        return refused
    assert isinstance(p1, (int, float))
    return Certificate(float(p1))


def _evidence_below(rate: float, matured: Tally) -> float:
    """E'_rate(n, f): likelihood ratios of the shares of ``rate`` against ``rate`` itself, mixed. Grows with rate."""
    failed, passed = matured.failed, matured.devices - matured.failed
    against = log1p(-rate)
    total = 0.0
    for share, weight in zip(CERTIFICATE_SHARES, CERTIFICATE_WEIGHTS, strict=True):
        if failed and not share:
            continue  # a flawless release does not fail: this bet is lost for good
        ratio = passed * (log1p(-share * rate) - against) + (failed * log(share) if failed else 0.0)
        if ratio > LOG_MAX:
            return EVIDENCE_MAX
        total += weight * exp(ratio)
    return total


@lru_cache(maxsize=BOUND_CACHE_SIZE)
def _devices_needed(rate: float, failed: int, beta: float) -> int | None:
    """Return the fewest devices, ``failed`` of them failed, that grant the certificate; None beyond ``COUNT_MAX``."""
    too_few, enough = failed - 1, max(1, failed)
    while not crossed(_evidence_below(rate, Tally(enough, failed)), beta):
        too_few, enough = enough, enough * 2
        if enough > COUNT_MAX:
            return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if crossed(_evidence_below(rate, Tally(middle, failed)), beta):
            enough = middle
        else:
            too_few = middle
    return enough


@lru_cache(maxsize=BOUND_CACHE_SIZE)
def _upper_bound(devices: int, failed: int, delta: float) -> float:
    seen = Tally(devices, failed)
    possible, excluded = 0.0, 1.0
    for _ in range(BISECTION_STEPS):
        middle = (possible + excluded) / 2
        if crossed(_evidence_below(middle, seen), delta):
            excluded = middle
        else:
            possible = middle
    return excluded


def upper_bound(matured: Tally, delta: float) -> float:
    """Return U(n, f) in 0..1: at every moment at once, the failure rate is below it with confidence 1 - ``delta``.

    1.0 without evidence. Bisection works because E'_p grows with p: q_j/p is constant and (1-q_j)/(1-p) grows. The
    result is the excluded end of the last interval, so it errs to the safe side. Cached per (n, f, delta).

    Args:
        matured: devices old enough that silence counts as failure, and those of them that failed.
        delta: chance that the bound is ever wrong, above 0, below 1 (checked when the release is read).
    """
    return _upper_bound(matured.devices, matured.failed, delta)
