"""Engine A: known values, monotonicity that the prefix rule rests on, and refusals."""

from __future__ import annotations

from math import inf, log, nan

import pytest

from ringback.stats import BadNumber, Certificate, SloGate, Tally, certificate, slo_gate, tally, upper_bound
from ringback.stats.bernoulli import COUNT_MAX


def gate(p0: float = 0.004) -> SloGate:
    built = slo_gate(p0)
    assert isinstance(built, SloGate)
    return built


def promotion(p1: float = 0.01) -> Certificate:
    built = certificate(p1)
    assert isinstance(built, Certificate)
    return built


@pytest.mark.parametrize(
    ("devices", "pause", "roll_back"),
    [
        (2, 2, 2),
        (10, 2, 2),
        (20, 2, 3),
        (50, 3, 4),
        (100, 4, 5),
        (200, 5, 6),
        (500, 8, 9),
        (1000, 12, 14),
        (2000, 18, 20),
        (5000, 36, 38),
    ],
)
def test_failures_that_pause_and_roll_back_are_the_published_table(devices: int, pause: int, roll_back: int) -> None:
    assert gate().failures_that_reach(devices, 20) == pause
    assert gate().failures_that_reach(devices, 100) == roll_back


def test_the_very_first_device_failing_is_evidence_of_26_and_one_of_five_is_8() -> None:
    assert gate().evidence(Tally(1, 1)) == pytest.approx(26.04, abs=0.01)
    assert gate().evidence(Tally(5, 1)) == pytest.approx(8.03, abs=0.01)


def test_one_device_alone_can_never_reach_one_hundred() -> None:
    assert gate().failures_that_reach(1, 100) is None


@pytest.mark.parametrize(("failed", "devices"), [(0, 338), (1, 714), (2, 904), (5, 1448)])
def test_certificate_below_one_percent_costs_the_published_number_of_devices(failed: int, devices: int) -> None:
    test = promotion()

    assert test.granted(Tally(devices, failed), 0.05)
    assert not test.granted(Tally(devices - 1, failed), 0.05)
    assert test.clean_devices_needed(Tally(failed, failed), 0.05) == devices - failed


def test_120_clean_devices_show_below_2_2_percent_and_218_more_are_needed() -> None:
    assert upper_bound(Tally(120, 0), 0.1) == pytest.approx(0.0217, abs=0.0001)
    assert promotion().clean_devices_needed(Tally(120, 0), 0.05) == 218


def test_without_evidence_the_bound_is_one_and_nothing_is_certified() -> None:
    assert upper_bound(Tally(0, 0), 0.1) == 1.0
    assert upper_bound(Tally(3, 3), 0.1) == 1.0
    assert not promotion().granted(Tally(0, 0), 0.05)
    assert gate().evidence(Tally(0, 0)) == pytest.approx(1.0)


def test_a_release_that_fails_every_time_is_never_certified_however_many_devices_are_said_to_follow() -> None:
    hopeless = promotion(1e-9).clean_devices_needed(Tally(10**9, 10**9), 0.05)

    assert hopeless is None or hopeless > 10**9


def test_a_granted_certificate_needs_no_more_devices() -> None:
    assert promotion().clean_devices_needed(Tally(400, 0), 0.05) == 0


@pytest.mark.parametrize("p0", [1e-6, 0.002, 0.004, 0.02, 0.1, 0.29])
def test_every_factor_has_mean_one_at_the_slo(p0: float) -> None:
    built = gate(p0)

    mean = p0 * built.evidence(Tally(1, 1)) + (1 - p0) * built.evidence(Tally(1, 0))

    assert mean == pytest.approx(1.0, abs=1e-12)
    assert sum(built.weights) == pytest.approx(1.0)
    assert list(built.weights) == sorted(built.weights, reverse=True)


@pytest.mark.parametrize("p1", [1e-4, 0.01, 0.1, 0.9])
def test_every_certificate_factor_has_mean_one_at_p1(p1: float) -> None:
    built = promotion(p1)

    mean = p1 * built.evidence(Tally(1, 1)) + (1 - p1) * built.evidence(Tally(1, 0))

    assert mean == pytest.approx(1.0, abs=1e-12)


def test_evidence_grows_with_failures_at_fixed_devices_which_the_prefix_rule_needs() -> None:
    values = [gate().evidence(Tally(300, failed)) for failed in range(301)]

    assert values == sorted(values)


def test_bound_falls_with_clean_devices_and_rises_with_failures() -> None:
    falling = [upper_bound(Tally(devices, 1), 0.1) for devices in range(1, 400)]
    rising = [upper_bound(Tally(400, failed), 0.1) for failed in range(0, 401, 20)]

    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)


def test_bound_excludes_exactly_the_rates_whose_evidence_crossed() -> None:
    bound = upper_bound(Tally(250, 2), 0.1)

    assert promotion(bound).evidence(Tally(250, 2)) >= 10 - 1e-6
    assert promotion(bound * 0.999).evidence(Tally(250, 2)) < 10


def test_evidence_over_prefixes_is_the_largest_and_refuses_prefixes_of_different_orders() -> None:
    early, late = Tally(10, 3), Tally(500, 3)

    assert gate().evidence_over([late, early]) == gate().evidence(early)
    assert gate().evidence_over([]) == 1.0
    assert isinstance(gate().evidence_over([Tally(10, 3), Tally(500, 2)]), BadNumber)
    assert isinstance(gate().evidence_over([Tally(10, 3), Tally(11, 6)]), BadNumber)


def test_huge_counts_neither_overflow_nor_pass() -> None:
    everything_failed = Tally(COUNT_MAX, COUNT_MAX)

    assert gate().evidence(everything_failed) > 1e100
    assert not promotion().granted(everything_failed, 0.05)
    assert promotion().evidence(Tally(COUNT_MAX, 0)) > 1e100
    assert 0 < upper_bound(Tally(COUNT_MAX, 0), 0.1) < 1e-9


def test_a_site_outage_of_twenty_devices_counts_as_one_factor() -> None:
    outage = [Tally(20, 20), *([Tally(20, 0)] * 9)]
    spread = [Tally(20, 2)] * 10

    assert gate().evidence_of_sites(outage) < 100 < gate().evidence(Tally(200, 20))
    assert gate().evidence_of_sites(spread) > 100


def test_sites_of_one_device_are_the_plain_evidence() -> None:
    singles = [Tally(1, 1)] * 2 + [Tally(1, 0)] * 30 + [Tally(0, 0)] * 5

    assert gate().evidence_of_sites(singles) == pytest.approx(gate().evidence(Tally(32, 2)))


@pytest.mark.parametrize("bad", [nan, inf, -inf, 0, -0.1, 0.3, 1, "1%", None, True])
def test_an_impossible_slo_is_refused_with_a_code(bad: object) -> None:
    refused = slo_gate(bad)

    assert isinstance(refused, BadNumber)
    assert refused.code in ("RB-STATS-004", "RB-STATS-005")
    assert refused.field == "p0"


@pytest.mark.parametrize("bad", [nan, inf, 0, 1, -1, "x"])
def test_an_impossible_p1_is_refused_with_a_code(bad: object) -> None:
    assert isinstance(certificate(bad), BadNumber)


@pytest.mark.parametrize(
    ("devices", "failed", "code", "text"),
    [
        (-1, 0, "RB-STATS-001", "RB-STATS-001: devices is -1, expected 0 to 1000000000000; the number is ignored"),
        (1, -1, "RB-STATS-001", "RB-STATS-001: failed is -1, expected 0 to 1000000000000; the number is ignored"),
        (nan, 0, "RB-STATS-001", "RB-STATS-001: devices is nan, expected a whole number; the number is ignored"),
        (inf, 0, "RB-STATS-001", "RB-STATS-001: devices is inf, expected a whole number; the number is ignored"),
        (1.0, 0, "RB-STATS-001", "RB-STATS-001: devices is 1.0, expected a whole number; the number is ignored"),
        (True, 0, "RB-STATS-001", "RB-STATS-001: devices is True, expected a whole number; the number is ignored"),
        (
            10**13,
            0,
            "RB-STATS-001",
            "RB-STATS-001: devices is 10000000000000, expected 0 to 1000000000000; the number is ignored",
        ),
        (
            3,
            4,
            "RB-STATS-002",
            "RB-STATS-002: failed is 4, expected at most devices, which is 3; the number is ignored",
        ),
    ],
)
def test_bad_counts_are_refused_with_code_and_text(devices: object, failed: object, code: str, text: str) -> None:
    refused = tally(devices, failed)

    assert isinstance(refused, BadNumber)
    assert refused.code == code
    assert str(refused) == text


def test_counters_that_run_backwards_are_refused() -> None:
    seen = Tally(10, 2)

    fewer_devices, fewer_failures = seen.advanced(9, 2), seen.advanced(12, 1)

    assert isinstance(fewer_devices, BadNumber) and fewer_devices.code == "RB-STATS-003"
    assert isinstance(fewer_failures, BadNumber) and fewer_failures.code == "RB-STATS-003"
    assert (
        str(fewer_failures) == "RB-STATS-003: failed is 1, expected at least 2, as seen before; the number is ignored"
    )
    assert isinstance(seen.advanced(nan, 0), BadNumber)
    assert seen.advanced(12, 2) == Tally(12, 2)


def test_price_over_the_oracle_at_a_tenth_failing_is_small() -> None:
    """Expected failures to the halt follow log(1/alpha)/KL; at p = 10 % that is 20 devices, two of them failing."""
    information = 0.1 * log(0.1 / 0.004) + 0.9 * log(0.9 / 0.996)

    assert log(100) / information == pytest.approx(20.0, abs=0.5)
    assert gate().failures_that_reach(26, 100) == 3
