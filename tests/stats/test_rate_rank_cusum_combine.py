"""Engines B and C, the e-CUSUM and the ways to combine: exactness by enumeration, known values, refusals."""

from __future__ import annotations

from math import inf, nan

import pytest

from ringback.stats import (
    BadNumber,
    Cusum,
    CusumState,
    RankGate,
    RankState,
    RateGate,
    RateState,
    SloGate,
    WeightedEvidence,
    crossed,
    cusum_of_failures,
    cusum_of_ranks,
    pooled,
    rank_gate,
    rate_gate,
    signals_crossed,
    slo_gate,
    stratum_crossed,
    worse_than_both,
)


def rates(theta0: float = 1.0) -> RateGate:
    built = rate_gate(theta0)
    assert isinstance(built, RateGate)
    return built


def ranks(controls: int = 4) -> RankGate:
    built = rank_gate(controls)
    assert isinstance(built, RankGate)
    return built


def after(gate: RateGate, state: RateState, treated: int, control: int, exposures: tuple[float, float]) -> RateState:
    moved = gate.after(
        state,
        treated_events=treated,
        control_events=control,
        treated_exposure=exposures[0],
        control_exposure=exposures[1],
    )
    assert isinstance(moved, RateState)
    return moved


@pytest.mark.parametrize("exposures", [(1, 1), (4, 1000), (900, 50), (0.5, 3.25)])
@pytest.mark.parametrize("theta0", [0.5, 1.0, 1.5])
def test_rate_factor_has_mean_one_at_the_tolerated_ratio(exposures: tuple[float, float], theta0: float) -> None:
    gate = rates(theta0)
    treated_chance = exposures[0] * theta0 / (exposures[0] * theta0 + exposures[1])

    treated = gate.evidence(after(gate, gate.start(), 1, 0, exposures))
    control = gate.evidence(after(gate, gate.start(), 0, 1, exposures))

    assert treated_chance * treated + (1 - treated_chance) * control == pytest.approx(1.0)
    assert treated > 1 > control


def test_ten_crashes_all_on_updated_devices_cross_and_ten_on_both_sides_do_not() -> None:
    gate = rates()

    one_sided = after(gate, gate.start(), 10, 0, (100, 100))
    both_sides = after(gate, gate.start(), 5, 5, (100, 100))

    assert crossed(gate.evidence(one_sided), 0.01)
    assert gate.evidence(both_sides) < 1
    assert one_sided.treated_events == 10


def test_an_event_without_anyone_to_compare_with_changes_no_evidence() -> None:
    gate = rates()

    alone = after(gate, gate.start(), 3, 0, (10, 0))

    assert gate.evidence(alone) == pytest.approx(1.0)
    assert alone.treated_events == 3


@pytest.mark.parametrize(
    ("treated", "control", "exposures", "code"),
    [
        (-1, 0, (1.0, 1.0), "RB-STATS-001"),
        (0, nan, (1.0, 1.0), "RB-STATS-001"),
        (1, 0, (nan, 1.0), "RB-STATS-004"),
        (1, 0, (inf, 1.0), "RB-STATS-004"),
        (1, 0, ("many", 1.0), "RB-STATS-004"),
        (1, 0, (-2.0, 1.0), "RB-STATS-005"),
        (1, 0, (0, 1.0), "RB-STATS-006"),
        (0, 1, (1.0, 0.0), "RB-STATS-006"),
    ],
)
def test_rate_gate_refuses_impossible_events(
    treated: object, control: object, exposures: tuple[object, object], code: str
) -> None:
    gate = rates()

    refused = gate.after(
        gate.start(),
        treated_events=treated,
        control_events=control,
        treated_exposure=exposures[0],
        control_exposure=exposures[1],
    )

    assert isinstance(refused, BadNumber)
    assert refused.code == code


@pytest.mark.parametrize("bad", [0, -1, nan, inf, 100, None])
def test_impossible_tolerated_ratios_are_refused(bad: object) -> None:
    assert isinstance(rate_gate(bad), BadNumber)


@pytest.mark.parametrize("controls", [1, 4, 9, 64])
def test_rank_factors_have_mean_one_under_uniform_ranks_and_grow_with_rank(controls: int) -> None:
    gate = ranks(controls)

    factors = [gate.factor(rank) for rank in range(controls + 1)]

    assert sum(factors) / len(factors) == pytest.approx(1.0)
    assert factors == sorted(factors)


def test_devices_that_are_always_the_worst_of_five_cross_after_six() -> None:
    gate, state = ranks(), ranks().start()
    needed = 0
    while not crossed(gate.evidence(state), 0.01):
        moved = gate.after(state, 4)
        assert isinstance(moved, RankState)
        state, needed = moved, needed + 1

    assert needed == 6
    assert state.devices == 6


def test_ties_do_not_count_as_worse() -> None:
    assert ranks().rank_of(1.0, [1.0, 1.0, 0.5, 2.0]) == 1
    assert ranks().rank_of(3, [1.0, 1.0, 0.5, 2.0]) == 4


@pytest.mark.parametrize(
    ("updated", "controls", "code"),
    [
        (nan, [1, 2, 3, 4], "RB-STATS-004"),
        (1, [1, 2, inf, 4], "RB-STATS-004"),
        (1, [1, 2, 3], "RB-STATS-009"),
        ("slow", [1, 2, 3, 4], "RB-STATS-004"),
    ],
)
def test_measurements_that_are_no_numbers_are_refused(updated: object, controls: list[object], code: str) -> None:
    refused = ranks().rank_of(updated, controls)

    assert isinstance(refused, BadNumber)
    assert refused.code == code


@pytest.mark.parametrize("bad", [-1, 5, nan, True])
def test_impossible_ranks_are_refused(bad: object) -> None:
    assert isinstance(ranks().after(ranks().start(), bad), BadNumber)


@pytest.mark.parametrize("bad", [0, 65, -1, 1.5])
def test_impossible_numbers_of_controls_are_refused(bad: object) -> None:
    assert isinstance(rank_gate(bad), BadNumber)


def failures_cusum() -> Cusum:
    gate = slo_gate(0.004)
    assert isinstance(gate, SloGate)
    return cusum_of_failures(gate)


def fed(cusum: Cusum, state: CusumState, outcomes: list[int]) -> CusumState:
    for outcome in outcomes:
        moved = cusum.after(state, outcome)
        assert isinstance(moved, CusumState)
        state = moved
    return state


def test_cusum_forgets_a_long_good_past_and_alarms_on_a_burst() -> None:
    cusum = failures_cusum()

    good = fed(cusum, cusum.start(), [0] * 20_000)
    burst = fed(cusum, good, [1, 0, 1, 1])

    assert cusum.evidence(good) <= 1.0
    assert crossed(cusum.evidence(burst), 0.001)
    assert burst.observations == 20_004


def test_an_alarm_left_alone_does_not_overflow() -> None:
    cusum = failures_cusum()

    assert cusum.evidence(fed(cusum, cusum.start(), [1] * 1000)) < inf


def test_cusum_over_ranks_uses_the_factors_of_engine_c() -> None:
    cusum, gate = cusum_of_ranks(ranks()), ranks()

    for rank in range(5):
        assert cusum.evidence(fed(cusum, cusum.start(), [rank])) == pytest.approx(gate.factor(rank))


@pytest.mark.parametrize("bad", [-1, 2, nan])
def test_cusum_refuses_outcomes_it_does_not_know(bad: object) -> None:
    assert isinstance(failures_cusum().after(failures_cusum().start(), bad), BadNumber)


def test_pool_and_strata_average_with_unseen_strata_as_one() -> None:
    assert pooled(10.0, [100.0], strata_count=5) == pytest.approx(10 / 2 + (100 + 4) / 10)
    assert pooled(7.0, [], strata_count=0) == 7.0
    assert isinstance(pooled(1.0, [1.0, 1.0], strata_count=1), BadNumber)
    assert isinstance(pooled(nan, [1.0], strata_count=1), BadNumber)
    assert isinstance(pooled(1.0, [nan], strata_count=1), BadNumber)
    assert isinstance(pooled(-1.0, [], strata_count=1), BadNumber)


def test_a_stratum_alone_crosses_only_on_its_own_share() -> None:
    assert stratum_crossed(1000.0, 0.01, strata_count=5)
    assert not stratum_crossed(999.0, 0.01, strata_count=5)


def test_weighted_bonferroni_asks_more_of_a_signal_with_less_weight() -> None:
    signals = [WeightedEvidence(0.5, 199.0), WeightedEvidence(0.2, 500.0), WeightedEvidence(0.3, 1.0)]

    assert signals_crossed(signals, 0.01) == (1,)
    assert signals_crossed([WeightedEvidence(0.1, 0.0)] * 10, 0.01) == ()


def test_weighted_bonferroni_refuses_weights_above_one_and_evidence_that_is_none() -> None:
    too_heavy = signals_crossed([WeightedEvidence(0.6, 1.0), WeightedEvidence(0.6, 1.0)], 0.01)

    assert isinstance(too_heavy, BadNumber) and too_heavy.code == "RB-STATS-007"
    assert isinstance(signals_crossed([WeightedEvidence(0.5, nan)], 0.01), BadNumber)
    assert isinstance(signals_crossed([WeightedEvidence(-0.5, 1.0)], 0.01), BadNumber)


def test_shock_prone_signals_need_both_and_a_nan_is_no_agreement() -> None:
    assert worse_than_both(1000.0, 3.0) == 3.0
    assert isinstance(worse_than_both(1000.0, nan), BadNumber)
    assert not crossed(nan, 0.01)
