"""The promise itself, by simulation: at the SLO at most alpha halts, at p1 at most beta certificates, at every look.

A small seeded world: 800 devices enter in growing waves; a failing device reports 5 to 15 minutes later or, one in
four, falls silent; a good one reports after its soak. The gate looks after every single report. The same world is
then shown to rules that are wrong in a known way, and the check must catch each of them: a check that no mutant fails
proves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import comb, sqrt

from ringback.stats import Certificate, SloGate, Tally, certificate, slo_gate

P0, P1, ALPHA, BETA = 0.01, 0.025, 0.01, 0.05
RELEASES, DEVICES = 300, 800
SOAK_MIN, SILENCE_MIN = 30, 20


@dataclass(frozen=True, slots=True)
class Look:
    """What is known right after one report: counts now, settled so far, and of the matured prefix."""

    entered: Tally
    settled: Tally
    matured: Tally


def looks(seed: int, rate: float) -> Iterator[Look]:
    """Play one release and yield what is known after every report, in order of time (minutes)."""
    dice = random.Random(seed)
    entries = sorted(dice.uniform(120 * wave, 120 * wave + 20) for wave in range(4) for _ in range(8 * 4**wave))
    entries += [480 + dice.expovariate(1 / 60) for _ in range(DEVICES - len(entries))]
    events: list[tuple[float, int, int, int, int, int]] = []  # at, entered, failed, settled, matured, matured failed
    for entered_at in entries:
        failed = dice.random() < rate
        silent = failed and dice.random() < 0.25
        resolved = entered_at + (SILENCE_MIN if silent else dice.uniform(5, 15) if failed else SOAK_MIN)
        events.append((entered_at, 1, 0, 0, 0, 0))
        events.append((resolved, 0, int(failed), 1, 0, 0))
        events.append((entered_at + SOAK_MIN + SILENCE_MIN, 0, 0, 0, 1, int(failed)))
    counts = [0, 0, 0, 0, 0]
    for _at, *change in sorted(events):
        counts = [before + more for before, more in zip(counts, change, strict=True)]
        entered, failures, settled, matured, matured_failed = counts
        yield Look(Tally(entered, failures), Tally(settled, failures), Tally(matured, matured_failed))


def share(rule: Callable[[Look], bool], rate: float) -> float:
    return sum(any(rule(look) for look in looks(seed, rate)) for seed in range(RELEASES)) / RELEASES


def ceiling(error_rate: float) -> float:
    """The promise plus three standard errors of the simulation."""
    return error_rate + 3 * sqrt(error_rate * (1 - error_rate) / RELEASES)


GATE, PROMOTION = slo_gate(P0), certificate(P1)
assert isinstance(GATE, SloGate) and isinstance(PROMOTION, Certificate)
HALT_AT = [GATE.failures_that_reach(devices, 1 / ALPHA) for devices in range(DEVICES + 1)]
CERTIFY_AT: dict[Tally, bool] = {}


def reaches(seen: Tally) -> bool:
    """E >= 1/alpha, looked up: the table is the gate's own answer for each n."""
    limit = HALT_AT[seen.devices]
    return limit is not None and seen.failed >= limit


def certified(seen: Tally) -> bool:
    if seen not in CERTIFY_AT:
        CERTIFY_AT[seen] = PROMOTION.granted(seen, BETA)
    return CERTIFY_AT[seen]


def halts(look: Look) -> bool:
    return reaches(look.entered) or reaches(look.matured)


def peeks_at_a_fixed_sample_test(look: Look) -> bool:
    n, f = look.matured.devices, look.matured.failed
    return f > 0 and sum(comb(n, k) * P0**k * (1 - P0) ** (n - k) for k in range(f)) > 1 - ALPHA


def test_a_release_at_its_slo_is_halted_at_most_alpha_of_the_time() -> None:
    assert share(halts, P0) <= ceiling(ALPHA)


def test_a_release_four_times_worse_than_its_slo_is_halted() -> None:
    assert share(halts, 4 * P0) > 0.95


def test_a_bad_release_is_certified_at_most_beta_of_the_time() -> None:
    assert share(lambda look: certified(look.matured), P1) <= ceiling(BETA)


def test_a_good_release_is_certified() -> None:
    assert share(lambda look: certified(look.matured), 0.002) > 0.95


def test_mutant_that_counts_settled_outcomes_only_breaks_the_promise() -> None:
    assert share(lambda look: reaches(look.settled), P0) > ceiling(ALPHA)


def test_mutant_that_peeks_at_a_fixed_sample_test_breaks_the_promise() -> None:
    assert share(peeks_at_a_fixed_sample_test, P0) > ceiling(ALPHA)


def test_mutant_that_takes_missing_evidence_as_a_pass_certifies_bad_releases() -> None:
    assert share(lambda look: certified(look.entered), P1) > ceiling(BETA)
