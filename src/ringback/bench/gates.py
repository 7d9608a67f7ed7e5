"""`ringback bench gates`: devices harmed by bad releases, under Ringback's gate and models of other systems' rules.

Decides: which cases are played and how they are laid out. Never: judges a release; see ``ringback.sim.gate_run`` for
the production gate on a simulated fleet, and ``gate_rivals`` for the models. Every policy is shown the same devices.

The lower bound is an oracle that knows the failure rate, exposes one device at a time, waits for each of them, and
halts a release at its SLO with probability at most alpha (Wald's sequential probability ratio test).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log, log1p
from pathlib import Path
from statistics import mean
from typing import Final

import click

from ringback.bench.gate_rivals import AwsJobs, ExactTest, FixedBake, HawkBit, NervesHub, Rollout, Rule
from ringback.cli.base import Command
from ringback.cli.output import Screen
from ringback.health import BUDGETS
from ringback.health.params import PPM
from ringback.sim.gate_run import Ended, Run
from ringback.sim.gate_world import RARE, Defect, fates
from ringback.sim.gates import counted, gate_of, hours, percentile_95

PAGE: Final = Path("docs/benchmarks/gates.md")
DEVICES: Final = 10_000
RUNS: Final = 30
GOOD_RUNS: Final = 60
BASELINE: Final = 0.002
GATE: Final = gate_of("swift")
P0, ALPHA = GATE.p0_ppm / PPM, GATE.alpha
ORACLE_RUNS: Final = 4_000
ORACLE_MAX: Final = 200_000


HEAD: Final = """# Gates: devices harmed by a bad release

Written by `ringback bench gates --runs {bad} --good-runs {good} --write`: {devices} simulated devices, {bad} rollouts
per bad release, {good} per good one, seed {seed}. The rows named Ringback are the production controller, ledger and
exposure rule; only the fleet is simulated (`ringback.sim.gate_world`). The other rows are *models of documented rules*,
not the products (`ringback.bench.gate_rivals`). SLO p0 = 0.4 %, certificate p1 = 1 %, alpha = 1 %, beta = 5 %.
Harmed = failed until the halt took effect, the baseline of a good release included. Nobody looks at alarms: Ringback's
halts are its own.

"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of release; ``oracle_p`` is the rate the oracle is told, 0 = there is nothing to halt."""

    name: str
    defect: Defect
    oracle_p: float


BAD: Final = (
    Scenario("p 1 %", Defect(0.01), 0.01),
    Scenario("p 3 %", Defect(0.03), 0.03),
    Scenario("p 10 %", Defect(0.1), 0.1),
    Scenario("p 50 %", Defect(0.5), 0.5),
    Scenario("8 % family, 10 %", Defect(BASELINE, RARE, 0.1), 0.1),
    Scenario("8 % family, 50 %", Defect(BASELINE, RARE, 0.5), 0.5),
    Scenario("late 10 %", Defect(BASELINE, late_share=0.1), 0.1),
    Scenario("late 50 %", Defect(BASELINE, late_share=0.5), 0.5),
)
GOOD: Final = Scenario("good", Defect(BASELINE), 0.0)
AT_P0: Final = Scenario("p = p0", Defect(P0), 0.0)
AT_P1: Final = Scenario("p = p1", Defect(GATE.p1_ppm / PPM), 0.0)

RIVALS: Final[dict[str, Callable[[], Rule]]] = {
    "hawkBit, API default 50/50": lambda: HawkBit(0.5, 0.5),
    "hawkBit, UI default 100/10": lambda: HawkBit(1.0, 0.1),
    "hawkBit, 80/10": lambda: HawkBit(0.8, 0.1),
    "AWS Jobs, example of its guide": lambda: AwsJobs(50, 0.2, 100),
    "AWS Jobs, 10/min, 5 % of 50+": lambda: AwsJobs(10, 0.05, 50),
    "NervesHub, rule until 2023": lambda: NervesHub(100, has_rule=True),
    "NervesHub, code of 2026": lambda: NervesHub(100, has_rule=False),
    "fixed bake 24 h, 1 %": lambda: FixedBake(24, 0.01),
    "fixed bake 24 h, 2 %": lambda: FixedBake(24, 0.02),
    "fixed bake 24 h, 5 %": lambda: FixedBake(24, 0.05),
    "fixed bake 24 h, exact test": lambda: ExactTest(24, P0, ALPHA),
    "fixed bake 1 h, 2 %": lambda: FixedBake(1, 0.02),
}
OURS: Final = tuple(f"Ringback {name}" for name in BUDGETS)
POLICIES: Final = (*RIVALS, *OURS)


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one kind of release. Hours are medians of those that got there, None where fewer than half did.

    ``stalled_share``: neither halted nor at 90 % of the fleet after 14 days.
    """

    policy: str
    scenario: str
    runs: int
    harmed_mean: float
    harmed_p95: int
    exposed_mean: float
    halted_share: float
    stalled_share: float
    certified_share: float
    hours_to_halt: float | None
    hours_to_90: float | None


@dataclass(frozen=True, slots=True)
class Bound:
    """The oracle on one kind of release."""

    scenario: str
    exposed_mean: float
    harmed_mean: float


@dataclass(frozen=True, slots=True)
class Check:
    """One figure that must hold."""

    name: str
    measured: float
    wanted: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All that was measured."""

    devices: int
    seed: int
    rows: tuple[Row, ...]
    bounds: tuple[Bound, ...]
    checks: tuple[Check, ...]


def play_all(scenario: Scenario, devices: int, policies: Sequence[str], seed: int) -> list[Ended]:
    """Show one fleet to every policy."""
    fleet = fates(devices, scenario.defect, seed)
    ended = []
    for policy in policies:
        if policy in RIVALS:
            ended.append(Rollout(fleet, RIVALS[policy]()).run())
        else:
            ended.append(Run(gate_of(policy.removeprefix("Ringback ")), fleet).run())
    return ended


def row(policy: str, scenario: str, ended: Sequence[Ended]) -> Row:
    """Sum up what became of one policy's rollouts."""
    return Row(
        policy=policy,
        scenario=scenario,
        runs=len(ended),
        harmed_mean=round(mean(each.harmed for each in ended), 2),
        harmed_p95=percentile_95([each.harmed for each in ended]),
        exposed_mean=round(mean(each.exposed for each in ended), 1),
        halted_share=round(mean(each.halted_at is not None for each in ended), 4),
        stalled_share=round(mean(each.halted_at is None and each.at_90 is None for each in ended), 4),
        certified_share=round(mean(each.certified_at is not None for each in ended), 4),
        hours_to_halt=hours([each.halted_at for each in ended]),
        hours_to_90=hours([each.at_90 for each in ended]),
    )


def oracle(scenario: Scenario) -> Bound:
    """Play Wald's test, one device at a time, with the true rate known."""
    p = scenario.oracle_p
    fails, passes, enough = log(p / P0), log1p(-p) - log1p(-P0), log(1 / ALPHA)
    dice = random.Random(1)  # noqa: S311 - a simulation, no secret
    exposed = harmed = 0
    for _ in range(ORACLE_RUNS):
        evidence, devices = 0.0, 0
        while evidence < enough and devices < ORACLE_MAX:
            devices += 1
            failed = dice.random() < p
            harmed += failed
            evidence += fails if failed else passes
        exposed += devices
    return Bound(scenario.name, round(exposed / ORACLE_RUNS, 1), round(harmed / ORACLE_RUNS, 2))


def measure(
    plan: Sequence[tuple[Scenario, int]], policies: Sequence[str], *, devices: int, seed: int, workers: int
) -> Iterator[tuple[Scenario, list[list[Ended]]]]:
    """Play every scenario as often as the plan says; yields results by policy as each scenario is done."""
    with ProcessPoolExecutor(workers) as pool:
        for scenario, runs in plan:
            job = partial(play_all, scenario, devices, policies)
            with counted(scenario.name, runs) as add:
                columns: list[list[Ended]] = [[] for _ in policies]
                for ended in pool.map(job, range(seed, seed + runs)):
                    add(1)
                    for column, one in zip(columns, ended, strict=True):
                        column.append(one)
            yield scenario, columns


def measured(policies: Sequence[str], *, runs: int, good_runs: int, devices: int, seed: int, workers: int) -> Table:
    """Play all scenarios under the given policies.

    Args:
        runs: rollouts per bad release.
        good_runs: rollouts per good one, and at the edges of the promise.
    """
    plan = [*((each, runs) for each in BAD), *((each, good_runs) for each in (GOOD, AT_P0, AT_P1))]
    rows: list[Row] = []
    for scenario, columns in measure(plan, policies, devices=devices, seed=seed, workers=workers):
        rows += [row(policy, scenario.name, column) for policy, column in zip(policies, columns, strict=True)]
    bounds = tuple(oracle(each) for each in BAD)
    return Table(devices, seed, tuple(rows), bounds, checks(rows, bounds))


def checks(rows: Sequence[Row], bounds: Sequence[Bound]) -> tuple[Check, ...]:
    """Hold the figures against what was promised."""
    found = {(each.policy, each.scenario): each for each in rows}
    bound = {each.scenario: each.harmed_mean for each in bounds}
    made = []
    for scenario, most in (
        ("p 1 %", 1.5),
        ("p 3 %", 1.5),
        ("p 10 %", 1.5),
        ("p 50 %", 2.0),
        ("8 % family, 10 %", 2.3),
        ("8 % family, 50 %", 2.3),
        ("late 10 %", 4.0),
        ("late 50 %", 4.0),
    ):
        mine = found.get(("Ringback swift", scenario))
        if mine is not None:
            ratio = round(mine.harmed_mean / bound[scenario], 2)
            made.append(Check(f"swift harms at {scenario}, times the bound", ratio, f"<= {most}", ratio <= most))
    for budget, most_hours in (("express", 6.0), ("swift", 24.0)):
        mine = found.get((f"Ringback {budget}", GOOD.name))
        if mine is not None:
            value = mine.hours_to_90 if mine.hours_to_90 is not None else float("inf")
            made.append(
                Check(f"{budget}: hours to 90 % of the fleet", value, f"<= {most_hours:g}", value <= most_hours)
            )
    for policy in OURS:
        mine = found.get((policy, AT_P0.name))
        if mine is not None:
            ceiling = round(ALPHA + 3 * (ALPHA * (1 - ALPHA) / mine.runs) ** 0.5, 4)
            passed = mine.halted_share <= ceiling
            made.append(Check(f"{policy}: halted at p = p0", mine.halted_share, f"<= {ceiling:g}", passed))
        mine = found.get((policy, AT_P1.name))
        if mine is not None:
            ceiling = round(GATE.beta + 3 * (GATE.beta * (1 - GATE.beta) / mine.runs) ** 0.5, 4)
            passed = mine.certified_share <= ceiling
            made.append(Check(f"{policy}: certified at p = p1", mine.certified_share, f"<= {ceiling:g}", passed))
    return (*made, *_beaten(found))


def _beaten(found: dict[tuple[str, str], Row]) -> Iterator[Check]:
    """Never more harmed than a rival of the same speed (within 20 %) that halts at most 1 % of releases at p0."""
    for policy in OURS:
        for rival in RIVALS:
            pair = [found.get((each, GOOD.name)) for each in (policy, rival)]
            at_p0 = found.get((rival, AT_P0.name))
            if None in pair or at_p0 is None:
                continue
            mine, theirs = (each.hours_to_90 if each is not None else None for each in pair)
            if mine is None or theirs is None or abs(mine - theirs) > 0.2 * theirs or at_p0.halted_share > ALPHA:
                continue
            worst = max(
                found[policy, each.name].harmed_mean / max(0.1, found[rival, each.name].harmed_mean) for each in BAD
            )
            name = f"{policy} against {rival}: harmed, worst case of all, times theirs"
            yield Check(name, round(worst, 2), "<= 1", worst <= 1)


@click.command("gates", cls=Command)
@click.option("--runs", type=click.IntRange(1), default=RUNS, show_default=True, help="Rollouts per bad release.")
@click.option(
    "--good-runs", type=click.IntRange(1), default=GOOD_RUNS, show_default=True, help="Per good one, and at p0 and p1."
)
@click.option("--devices", type=click.IntRange(100), default=DEVICES, show_default=True, help="Size of the fleet.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same fleets.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes [default: one per core]")
@click.option("--only", type=click.Choice(["ours", "rivals"]), default=None, help="Only one side of the table.")
@click.option("--write", is_flag=True, help=f"Also write {PAGE}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    runs: int,
    good_runs: int,
    devices: int,
    seed: int,
    workers: int | None,
    only: str | None,
    write: bool,
    as_json: bool,
) -> None:
    """Devices harmed by bad releases: this gate, models of other systems' rules, and the lower bound."""
    policies = {"ours": OURS, "rivals": tuple(RIVALS), None: POLICIES}[only]
    workers = workers or os.cpu_count() or 1
    table = measured(policies, runs=runs, good_runs=good_runs, devices=devices, seed=seed, workers=workers)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.data(table)
    else:
        click.echo("\n".join(lines(table)))
    if write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(table), encoding="utf-8")
        screen.say(f"wrote {PAGE}")


def figures() -> list[str]:
    """Measure with the default numbers of rollouts, and return one line of Markdown per figure that must hold."""
    table = measured(POLICIES, runs=RUNS, good_runs=GOOD_RUNS, devices=DEVICES, seed=1, workers=os.cpu_count() or 1)
    return [_line([check.name, f"{check.measured:g}", check.wanted]) for check in table.checks]


def lines(table: Table) -> list[str]:
    """Return the table in Markdown."""
    names = [each.name for each in BAD]
    found = {(each.policy, each.scenario): each for each in table.rows}
    policies = list(dict.fromkeys(each.policy for each in table.rows))
    made = ["Devices harmed, mean / 95th percentile:", "", *_head(["policy", *names])]
    for policy in policies:
        cells = [f"{found[policy, name].harmed_mean:.1f} / {found[policy, name].harmed_p95}" for name in names]
        made.append(_line([policy, *cells]))
    made.append(_line(["lower bound (oracle)", *(f"{each.harmed_mean:.1f}" for each in table.bounds)]))
    made += ["", "Share halted, devices exposed in the mean:", "", *_head(["policy", *names])]
    for policy in policies:
        cells = [f"{found[policy, name].halted_share:.0%}, {found[policy, name].exposed_mean:.0f}" for name in names]
        made.append(_line([policy, *cells]))
    made.append(_line(["lower bound (oracle)", *(f"100%, {each.exposed_mean:.0f}" for each in table.bounds)]))
    made += ["", "Hours to the halt (median):", "", *_head(["policy", *names])]
    for policy in policies:
        made.append(_line([policy, *(_hours(found[policy, name].hours_to_halt) for name in names)]))
    made += ["", f"Good releases ({BASELINE:.1%} of the devices fail), and the edges of the promise:", ""]
    made += _head(
        ["policy", "good: halted", "good: stalled", "good: hours to 90 %", "p = p0: halted", "p = p1: certified"]
    )
    for policy in policies:
        good, slo, bad = (found[policy, each.name] for each in (GOOD, AT_P0, AT_P1))
        certified = f"{bad.certified_share:.1%}" if policy in OURS else "-"
        cells = [f"{good.halted_share:.1%}", f"{good.stalled_share:.0%}", _hours(good.hours_to_90)]
        made.append(_line([policy, *cells, f"{slo.halted_share:.1%}", certified]))
    made += ["", "What must hold:", "", *_head(["figure", "measured", "wanted", ""])]
    for check in table.checks:
        made.append(_line([check.name, f"{check.measured:g}", check.wanted, "yes" if check.passed else "**no**"]))
    return made


def page(table: Table) -> str:
    """Return the page for the documentation."""
    runs = {each.scenario: each.runs for each in table.rows}
    head = HEAD.format(
        bad=runs.get(BAD[0].name, 0), good=runs.get(GOOD.name, 0), devices=table.devices, seed=table.seed
    )
    return head + "\n".join(lines(table)) + "\n"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|---" * len(cells) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _hours(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"
