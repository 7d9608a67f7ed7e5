"""Engines A and B together: what the background excuses, what it does not, and the promise where devices lapse."""

from __future__ import annotations

import random
from itertools import pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.stats import ODDS_MAX_PPM, BadNumber, RiskSet, SloGate, Tally, evidence_beyond, odds_ppm, slo_gate
from ringback.stats.risk import PPM

GATE = slo_gate(0.004)
assert isinstance(GATE, SloGate)
counts = st.integers(0, 40)


def brute(seen: Tally, silent: int, risks: list[RiskSet]) -> float:
    """The minimum over every attribution, one by one, from the formula in the module's text."""
    assert isinstance(GATE, SloGate)
    odds = sorted((each.odds_ppm / PPM for each in risks for _ in range(each.treated)), reverse=True)
    best = float("inf")
    for blamed in range(min(silent, len(odds)) + 1):
        control = 0.0
        for theta in (2.0, 10.0, 100.0, 1000.0):
            product = 1.0
            for each in risks:
                o = each.odds_ppm / PPM
                product *= ((o + 1) / (o * theta + 1)) ** each.control
            for o in odds[:blamed]:
                product *= theta * (o + 1) / (o * theta + 1)
            control += product / 4
        best = min(best, GATE.evidence(Tally(seen.devices, seen.failed - blamed)) * (0.5 + 0.5 * control))
    return best


@given(st.integers(1, 400), counts, counts, st.lists(st.tuples(st.integers(1, 40), counts, counts), max_size=3))
def test_the_minimum_is_found_among_all_attributions(
    devices: int, failed: int, silent: int, made: list[tuple[int, int, int]]
) -> None:
    assert isinstance(GATE, SloGate)
    failed = min(failed, devices)
    silent = min(silent, failed)
    risks = [RiskSet(1 << bits, treated, control) for bits, treated, control in made if treated or control]

    found = evidence_beyond(GATE, Tally(devices, failed), silent, risks)

    assert found == pytest.approx(min(1e200, brute(Tally(devices, failed), silent, risks)), rel=1e-6)


def test_without_silences_on_either_side_it_is_engine_a() -> None:
    assert isinstance(GATE, SloGate)
    assert evidence_beyond(GATE, Tally(26, 3), 0, []) == GATE.evidence(Tally(26, 3))
    assert evidence_beyond(GATE, Tally(26, 3), 2, []) == GATE.evidence(Tally(26, 3))


def test_with_plenty_of_control_and_none_of_it_silent_a_silence_counts_like_a_failure() -> None:
    assert isinstance(GATE, SloGate)
    risks = [RiskSet(4_096, 1, 0)]

    assert evidence_beyond(GATE, Tally(26, 3), 1, risks) == pytest.approx(GATE.evidence(Tally(26, 3)))


def test_silences_that_control_has_at_the_same_rate_excuse_themselves_and_reported_failures_never_do() -> None:
    assert isinstance(GATE, SloGate)
    outage = [RiskSet(PPM, 30, 30)]

    assert GATE.evidence(Tally(100, 30)) > 1e20
    assert evidence_beyond(GATE, Tally(100, 30), 30, outage) < 1.0
    assert evidence_beyond(GATE, Tally(100, 40), 30, outage) > 100.0


def test_evidence_falls_with_every_silence_of_control() -> None:
    assert isinstance(GATE, SloGate)
    falling = [evidence_beyond(GATE, Tally(30, 4), 3, [RiskSet(4_096, 3, control)]) for control in range(0, 60, 5)]

    assert all(later <= before for before, later in pairwise(falling))
    assert falling[0] > 100 > falling[-1]


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [(1, 1, 1 << 20), (0, 5, 1), (26, 9_974, 4_096), (10, 0, ODDS_MAX_PPM), (5_000, 5_000, 1 << 20)],
)
def test_odds_are_rounded_up_to_a_power_of_two(treated: int, control: int, expected: int) -> None:
    assert odds_ppm(treated, control) == expected


@pytest.mark.parametrize(("treated", "control"), [(-1, 5), (5, -1), (True, 5)])
def test_odds_of_no_counts_are_refused(treated: int, control: int) -> None:
    assert isinstance(odds_ppm(treated, control), BadNumber)


def crosses(seed: int, *, is_controlled: bool) -> bool:
    """A release at its SLO, 400 devices in four waves; each device of either side also falls silent with 3 %."""
    assert isinstance(GATE, SloGate)
    dice = random.Random(seed)
    treated_silent = control_silent = devices = failed = silent = 0
    for wave, size in enumerate((10, 40, 150, 200)):
        control = 600 - 150 * wave
        odds = odds_ppm(size, control)
        assert isinstance(odds, int)
        treated = [dice.random() < 0.004 for _ in range(size)]
        dark = sum(dice.random() < 0.03 for is_bad in treated if not is_bad)
        treated_silent += dark
        control_silent += sum(dice.random() < 0.03 for _ in range(control))
        devices, failed, silent = devices + size, failed + sum(treated) + dark, silent + dark
        risks = [RiskSet(odds, treated_silent, control_silent)] if is_controlled else []
        if evidence_beyond(GATE, Tally(devices, failed), silent, risks) >= 100:
            return True
    return False


def test_a_release_at_its_slo_keeps_its_promise_where_devices_fall_silent_anyway_and_not_without_control() -> None:
    runs, alpha = 400, 0.01
    ceiling = alpha + 3 * sqrt(alpha * (1 - alpha) / runs)

    assert sum(crosses(seed, is_controlled=True) for seed in range(runs)) / runs <= ceiling
    assert sum(crosses(seed, is_controlled=False) for seed in range(40)) / 40 > 0.5
