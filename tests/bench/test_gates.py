"""The table of harm: the models of other rules do what they document, and the figures are held to promises."""

from __future__ import annotations

import json
import random

import pytest
from click.testing import CliRunner

from ringback.bench.gate_rivals import (
    SHARES,
    AwsJobs,
    ExactTest,
    FixedBake,
    HawkBit,
    NervesHub,
    Rollout,
    Rule,
    binomial_tail,
)
from ringback.bench.gates import BAD, GOOD, RIVALS, Row, checks, command, oracle
from ringback.sim.gate_world import Defect, Fate, fates

FLEET = 1_000


def ended(rule: Rule, defect: Defect, seed: int = 1):
    return Rollout(fates(FLEET, defect, seed), rule).run()


def test_hawkbit_by_default_carries_a_release_that_breaks_every_tenth_device_to_everyone() -> None:
    run = ended(HawkBit(0.5, 0.5), Defect(0.1))

    assert run.halted_at is None
    assert run.exposed == FLEET
    assert run.harmed == pytest.approx(100, abs=25)


def test_hawkbit_pauses_when_more_than_the_share_of_a_group_failed_and_leaves_the_running_group_alone() -> None:
    run = ended(HawkBit(0.5, 0.1), Defect(0.6))

    assert run.halted_at is not None
    assert run.exposed <= 1.1 * SHARES[1] * FLEET


def test_hawkbit_that_waits_for_a_whole_group_stalls_on_one_silent_device() -> None:
    fleet = [Fate("f40", "", 0.0, 0, 5.0, None, None, place / FLEET) for place in range(FLEET)]
    silent = Fate("f40", "", 0.0, 0, 5.0, 0.0, None, -1.0)

    assert Rollout(fleet, HawkBit(1.0, 0.1)).run().exposed == FLEET
    assert Rollout([silent, *fleet[1:]], HawkBit(1.0, 0.1)).run().exposed == SHARES[0] * FLEET


def test_aws_jobs_aborts_at_its_share_of_completed_executions_and_not_before_its_least_count() -> None:
    run = ended(AwsJobs(10, 0.05, 50), Defect(0.2))
    blind = ended(AwsJobs(10, 0.05, 2_000), Defect(0.2))

    assert run.halted_at is not None and run.exposed < FLEET / 2
    assert blind.halted_at is None and blind.exposed == FLEET


def test_nerveshub_without_its_rule_stops_at_nothing() -> None:
    assert ended(NervesHub(100, has_rule=False), Defect(0.5)).exposed == FLEET
    assert ended(NervesHub(100, has_rule=True), Defect(0.5)).exposed < FLEET / 2


def test_late_defects_are_invisible_where_only_the_installation_is_watched_and_visible_to_a_bake() -> None:
    late = Defect(0.0, late_share=0.5)

    assert ended(AwsJobs(50, 0.2, 100), late).halted_at is None
    assert ended(NervesHub(100, has_rule=True), late).halted_at is None
    assert ended(FixedBake(24, 0.05), late).halted_at is not None


def test_a_fixed_bake_opens_group_after_group_and_a_good_release_takes_three_bakes() -> None:
    run = ended(FixedBake(24, 0.02), Defect(0.0))

    assert run.at_90 is not None and 72 <= run.at_90 / 60 < 80
    assert run.exposed == FLEET


def test_the_exact_test_splits_its_level_over_the_groups_and_looks_only_when_one_is_over() -> None:
    run = ended(ExactTest(24, 0.004, 0.01), Defect(0.5))

    assert run.halted_at is not None and run.halted_at % (24 * 60) <= 5
    assert binomial_tail(10, 0, 0.1) == 1.0
    assert binomial_tail(2, 1, 0.5) == pytest.approx(0.75)
    assert binomial_tail(1_000, 1, 0.004) == pytest.approx(1 - 0.996**1_000)


def test_the_oracle_comes_close_to_the_information_bound() -> None:
    bound = oracle(next(each for each in BAD if each.oracle_p == 0.1 and not each.defect.late_share))

    assert bound.exposed_mean == pytest.approx(25.5, abs=2)
    assert bound.harmed_mean == pytest.approx(2.55, abs=0.2)


def made(policy: str, scenario: str, harmed: float, *, h90: float | None = 5.0, halted: float = 0.0) -> Row:
    return Row(policy, scenario, 100, harmed, 9, 50.0, halted, 0.0, 0.0, None, h90)


def test_a_figure_beyond_its_limit_and_a_rival_that_harms_less_at_the_same_speed_fail_the_table() -> None:
    bounds = [oracle(each) for each in BAD[2:3]]
    rows = [made("Ringback swift", BAD[2].name, 2 * bounds[0].harmed_mean), made("Ringback express", GOOD.name, 2)]
    rows += [made("Ringback express", each.name, 9.0) for each in BAD]
    rows += [made("fixed bake 1 h, 2 %", each.name, 8.0) for each in BAD]
    rows += [made("fixed bake 1 h, 2 %", GOOD.name, 2.0), made("fixed bake 1 h, 2 %", "p = p0", 2.0)]

    found = {check.name: check.passed for check in checks(rows, bounds)}

    assert found["swift harms at p 10 %, times the bound"] is False
    assert found["express: hours to 90 % of the fleet"] is True
    assert found["Ringback express against fixed bake 1 h, 2 %: harmed, worst case of all, times theirs"] is False


def test_a_rival_that_halts_good_releases_is_no_measure() -> None:
    rows = [made("Ringback express", each.name, 9.0) for each in (*BAD, GOOD)]
    rows += [made("fixed bake 1 h, 2 %", each.name, 8.0) for each in (*BAD, GOOD)]
    rows.append(made("fixed bake 1 h, 2 %", "p = p0", 2.0, halted=0.3))

    assert not [each for each in checks(rows, []) if "against" in each.name]


def test_every_rival_ends_on_any_fleet() -> None:
    dice = random.Random(4)
    for name, rule in RIVALS.items():
        run = Rollout(fates(60, Defect(dice.random(), late_share=dice.random()), 5), rule()).run()
        assert run.harmed <= run.exposed <= 60, name


def test_the_command_prints_rows_bounds_and_checks_as_json() -> None:
    arguments = ["--runs", "1", "--good-runs", "1", "--devices", "100", "--workers", "1", "--json"]
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == 0, result.output
    table = json.loads(result.stdout)
    assert {row["policy"] for row in table["rows"]} >= {"Ringback swift", "hawkBit, 80/10"}
    assert len(table["bounds"]) == len(BAD)
    assert {"name", "measured", "wanted", "passed"} == table["checks"][0].keys()
