"""The promise of the whole gate, by the production controller over simulated fleets, and what breaks it.

2,000 devices in five families, a tenth per site, with delays, silent failures, sites that go dark, devices that fall
silent for a while, busier at noon than at midnight. At p = p0 hardly any release may be halted, at p = p1 hardly any
certified, however often the gate looks. Each mutant is a known mistake of other systems; if one of them passed, the
check would be worth nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import comb, sqrt
from typing import Any

import pytest
from click.testing import CliRunner

from ringback.control import Decision, exposure
from ringback.health import Budget, Deployment, GateParams, Prefix, StratumEvidence, after_silence
from ringback.health.params import HOUR_MS
from ringback.sim.command import command
from ringback.sim.gate_run import Ended, Run, Step
from ringback.sim.gate_world import CALM, RARE, ROUGH, Defect, Fate, Weather, fates
from ringback.sim.gates import gate_of, hours, percentile_95

ALPHA, BETA, P0, P1 = 0.01, 0.05, 0.004, 0.01
TICK_MIN = 15
SWIFT, EXPRESS = gate_of("swift"), gate_of("express")
AT_ONCE = replace(SWIFT, budgets=(Budget(4 * HOUR_MS, 2_000),))
"""An operator who stakes the whole fleet: nothing slows the rollout down but the verdict."""


def rollouts(kind: type[Run], p: float, seeds: range, weather: Weather | None = ROUGH, **more: Any) -> list[Ended]:
    gate, devices = more.get("gate", SWIFT), more.get("devices", 2_000)
    return [kind(gate, fates(devices, Defect(p), seed, weather), tick_min=TICK_MIN).run() for seed in seeds]


def halted(ended: list[Ended]) -> float:
    return sum(each.halted_at is not None for each in ended) / len(ended)


def certified(ended: list[Ended]) -> float:
    return sum(each.certified_at is not None for each in ended) / len(ended)


def ceiling(error_rate: float, runs: int) -> float:
    """The promise plus three standard errors of the simulation."""
    return error_rate + 3 * sqrt(error_rate * (1 - error_rate) / runs)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("first", [0, 100, 200])
def test_a_release_at_its_slo_is_halted_at_most_alpha_of_the_time_in_rough_weather(first: int) -> None:
    ended = rollouts(Run, P0, range(first, first + 100))

    assert halted(ended) <= ceiling(ALPHA, 100)
    assert all(each.exposed > 1_900 for each in ended if each.halted_at is None)


@pytest.mark.timeout(240)
def test_a_release_at_p1_is_certified_at_most_beta_of_the_time_in_rough_weather() -> None:
    assert certified(rollouts(Run, P1, range(45))) <= ceiling(BETA, 45)


def test_a_bad_release_is_halted_in_rough_weather_and_a_good_one_arrives_and_is_certified() -> None:
    bad = rollouts(Run, 0.05, range(15))
    good = rollouts(Run, 0.001, range(6))

    assert halted(bad) == 1.0
    assert sum(each.harmed for each in bad) / 15 < 10
    assert halted(good) == 0.0
    assert certified(good) > 0.4
    assert all(each.at_90 is not None for each in good)


class SettledOnly(Run):
    """Counts outcomes as they settle: a failure at once, a success after the longest horizon."""

    def strata(self) -> tuple[StratumEvidence, ...]:
        def settled(each: StratumEvidence) -> StratumEvidence:
            good = each.prefix(self.now_ms - self.gate.longest_horizon_ms).good
            one = replace(each.everyone, by_ms=0, entered=good + each.failed, good=good)
            return replace(each, prefixes=(one,))

        return tuple(settled(each) for each in super().strata())


class CountsRetries(Run):
    """A device that fails tries twice more, and every try counts."""

    def _save(self, index: int, after: Deployment) -> None:
        before = self.deployments[index]
        super()._save(index, after)
        if after.is_failed and (before is None or not before.is_failed):
            for number in (2, 3):
                self.ledger.change(None, replace(after, device_id=f"{after.device_id}-{number}"))


class WithoutControl(Run):
    """Every silence is the release's fault."""

    def silence(self, index: int, known: Deployment) -> Deployment:
        return after_silence(
            known,
            listening_since_ms=0,
            heartbeat_ms=self.gate.heartbeat_ms,
            horizon_ms=self.gate.longest_horizon_ms,
            now_ms=self.now_ms,
        )

    def control_silence(self, index: int) -> None:
        self.control.fell_silent(self.fleet[index].family, self.fleet[index].site)


class WithoutSites(Run):
    """Compares with control, but takes an outage of a site for as many failures as it has devices."""

    def silence(self, index: int, known: Deployment) -> Deployment:
        return after_silence(
            known,
            listening_since_ms=0,
            heartbeat_ms=self.gate.heartbeat_ms,
            horizon_ms=self.gate.longest_horizon_ms,
            now_ms=self.now_ms,
            odds_ppm=self.control.odds_ppm(self.fleet[index].family),
        )


class PeeksAtAFixedSampleTest(Run):
    """An exact binomial test at five percent, repeated at every look."""

    def decided(self, decision: Decision) -> None:
        super().decided(decision)
        assert decision.verdict is not None
        n, f = decision.verdict.entered, decision.verdict.failed
        below = sum(comb(n, k) * P0**k * (1 - P0) ** (n - k) for k in range(f))
        self.is_over = self.is_over or 1 - below < 0.05


class TakesMissingEvidenceAsPass(Run):
    """Whoever has not failed yet is taken for good, whatever its age."""

    def strata(self) -> tuple[StratumEvidence, ...]:
        def hopeful(one: Prefix) -> Prefix:
            by_ms = one.by_ms - self.gate.longest_horizon_ms - self.gate.heartbeat_ms
            return replace(one, by_ms=by_ms, good=one.entered - one.failed)

        return tuple(replace(each, prefixes=tuple(hopeful(one) for one in each.prefixes)) for each in super().strata())


@pytest.mark.parametrize(
    ("mutant", "weather", "gate"),
    [
        (SettledOnly, CALM, AT_ONCE),
        (CountsRetries, CALM, SWIFT),
        (WithoutControl, ROUGH, SWIFT),
        (WithoutSites, ROUGH, SWIFT),
    ],
)
def test_a_gate_with_a_known_mistake_breaks_the_promise(
    mutant: type[Run], weather: Weather | None, gate: GateParams
) -> None:
    assert halted(rollouts(mutant, P0, range(15), weather, gate=gate)) > ceiling(ALPHA, 15)


def test_a_release_at_its_slo_is_not_halted_either_when_the_whole_fleet_is_staked_at_once() -> None:
    assert halted(rollouts(Run, P0, range(15), gate=AT_ONCE)) <= ceiling(ALPHA, 15)


def test_a_fixed_sample_test_at_five_percent_that_is_repeated_halts_far_more_good_releases() -> None:
    assert halted(rollouts(PeeksAtAFixedSampleTest, P0, range(20), CALM)) > ceiling(0.05, 20)


def test_a_gate_that_takes_missing_evidence_as_a_pass_certifies_bad_releases() -> None:
    assert certified(rollouts(TakesMissingEvidenceAsPass, P1, range(15), CALM, gate=EXPRESS)) > ceiling(BETA, 15)


class WithoutDarkSites(Run):
    """Excuses silence at dark sites, and never asks which sites go dark."""

    def __init__(self, gate: GateParams, fleet: list[Fate], *, tick_min: int = 1) -> None:
        super().__init__(gate, fleet, tick_min=tick_min)
        self.rollout = replace(self.rollout, signals=())


def test_a_release_that_takes_whole_sites_offline_is_halted_by_the_sites_that_go_dark_and_by_nothing_else() -> None:
    def halted_runs(kind: type[Run]) -> list[Ended]:
        fleets = [fates(1_000, Defect(0.002, site_share=0.2), seed, ROUGH) for seed in range(6)]
        return [kind(SWIFT, fleet, tick_min=TICK_MIN).run() for fleet in fleets]

    assert halted(halted_runs(Run)) == 1.0
    assert halted(halted_runs(WithoutDarkSites)) == 0.0


class LooksAlways(Run):
    """Decides after every single thing that happens."""

    def _step(self, step: Step, index: int) -> None:
        super()._step(step, index)
        if not self.is_over:
            self.look()


@pytest.mark.parametrize("p", [P0, 0.05])
def test_looking_after_every_report_comes_to_the_same_as_after_failures_and_minutes(p: float) -> None:
    fleet = fates(400, Defect(p), 3, ROUGH)
    thinned, always = Run(SWIFT, fleet).run(), LooksAlways(SWIFT, fleet).run()

    assert always.decisions > 1.5 * thinned.decisions
    assert replace(always, decisions=0) == replace(thinned, decisions=0)


class Watched(Run):
    """Notes every limit that an offer passes."""

    breaches = 0

    def _offer(self) -> None:
        waiting = dict(self.waiting)
        super()._offer()
        offered = {family for family, count in waiting.items() if self.waiting[family] != count}
        if offered:
            limits = exposure(self.gate, self.ledger.strata(), self.now_ms).limits
            self.breaches += sum(each.unverified > each.allowed for each in limits if each.scope in {"", *offered})


def test_no_offer_ever_passes_an_exposure_limit() -> None:
    run = Watched(SWIFT, fates(600, Defect(0.02), 5, ROUGH))
    run.run()

    assert run.breaches == 0
    assert run.entered > 20


def test_the_same_seed_gives_the_same_rollout() -> None:
    one, other = rollouts(Run, 0.02, range(2), devices=300), rollouts(Run, 0.02, range(2), devices=300)

    assert one == other
    assert one[0] != one[1]


@pytest.mark.parametrize(
    ("defect", "most"), [(Defect(0.1), 4.5), (Defect(0.002, RARE, 0.5), 4.5), (Defect(0.002, late_share=0.5), 9.0)]
)
def test_a_bad_release_is_stopped_after_a_few_devices_also_when_it_is_rare_or_late(defect: Defect, most: float) -> None:
    runs = [Run(SWIFT, fates(2_000, defect, seed)).run() for seed in range(12)]

    assert halted(runs) == 1.0
    assert sum(each.harmed for each in runs) / 12 <= most


def test_a_device_fails_once_confirms_or_stays_dark_as_its_fate_says() -> None:
    fleet = fates(500, Defect(0.05), 1)
    run = Run(gate_of("express", p0_ppm=250_000), fleet)
    run.run()

    failing = [index for index, fate in enumerate(fleet) if fate.fails_after is not None]
    assert all(known is not None for known in run.deployments)
    assert [index for index, known in enumerate(run.deployments) if known is not None and known.is_failed] == failing
    assert sum(fleet[index].report_after is None for index in failing) == sum(
        known is not None and known.counted_silent for known in run.deployments
    )


def test_weather_spans_are_apart_and_shared_by_a_site() -> None:
    fleet = fates(400, Defect(0.0), 2, Weather(10, outages=2.0, outage_min=60.0, lapses=0.5, lapse_min=30.0))
    shared = {fate.site: set(fate.dark) for fate in fleet[:40]}

    assert len(shared) == 40
    for fate in fleet:
        assert all(end < start for (_, end), (start, _) in zip(fate.dark, fate.dark[1:], strict=False))
    assert any(set(fate.dark) & shared[fate.site] for fate in fleet[40:])


def test_the_command_prints_the_promised_keys_and_the_same_for_the_same_seed() -> None:
    arguments = ["gates", "--releases", "3", "--devices", "200", "--seed", "7", "--workers", "1", "--json"]
    one, other = (CliRunner().invoke(command, arguments) for _ in range(2))

    assert one.exit_code == 0, one.output
    assert one.stdout == other.stdout
    assert json.loads(one.stdout).keys() >= {
        "releases",
        "halted_share",
        "certified_share",
        "harmed_mean",
        "harmed_p95",
        "exposed_mean",
        "hours_to_90_median",
    }


def test_two_processes_give_what_one_gives() -> None:
    def said(workers: str) -> str:
        arguments = ["gates", "--releases", "6", "--devices", "100", "--p", "0.1", "--workers", workers, "--json"]
        return CliRunner().invoke(command, arguments).stdout

    assert said("1") == said("2") != ""


def test_medians_and_percentiles_count_what_never_came() -> None:
    assert hours([60, 120, None]) == 2.0
    assert hours([60, None, None]) is None
    assert percentile_95(list(range(1, 101))) == 95
    assert percentile_95([7]) == 7
