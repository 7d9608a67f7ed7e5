"""`ringback sim gates`: many rollouts of one kind through the production gate, and what became of them.

Decides: how rollouts are repeated and summed up. Never: judges one; see ``gate_run`` (the rollout) and ``gate_world``
(the fleet). Every number follows from the seed: release i of a run with seed s is played with seed s + i, on any number
of processes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import mean, median

import click

from ringback.cli.base import Command
from ringback.cli.output import Screen
from ringback.health import BUDGETS, GateParams
from ringback.health.params import PPM
from ringback.sim.gate_run import HEARTBEAT_MS, Ended, Run
from ringback.sim.gate_world import CALM, RARE, ROUGH, Defect, Weather, fates

SMALL_FLEET = 2_000
SMALL_FLEET_TICK_MIN = 5
CHUNK = 4
"""Rollouts handed to a process at once: few enough that the last one is not waited for alone."""

WEATHERS: dict[str, Weather | None] = {"calm": CALM, "rough": ROUGH}


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of rollout.

    Attributes:
        gate: what the release stakes.
        defect: what it breaks.
        devices: size of the fleet.
        weather: what happens without it.
        tick_min: minutes between two looks of the controller while no failure is reported.
    """

    gate: GateParams
    defect: Defect
    devices: int = SMALL_FLEET
    weather: Weather | None = CALM
    tick_min: int = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of ``releases`` rollouts of one kind; hours are medians, None where fewer than half got there."""

    releases: int
    p: float
    budget: str
    devices: int
    weather: str
    seed: int
    halted_share: float
    certified_share: float
    harmed_mean: float
    harmed_p95: int
    exposed_mean: float
    hours_to_90_median: float | None
    hours_to_halt_median: float | None


def gate_of(budget: str, *, p0_ppm: int = 4_000) -> GateParams:
    """Return the default gate with a named budget and the simulated devices' heartbeat."""
    return GateParams(p0_ppm=p0_ppm, budgets=BUDGETS[budget], heartbeat_ms=HEARTBEAT_MS)


def played(case: Case, seed: int) -> Ended:
    """Play one rollout."""
    return Run(case.gate, fates(case.devices, case.defect, seed, case.weather), tick_min=case.tick_min).run()


def play(case: Case, releases: int, *, seed: int, workers: int = 1) -> Iterator[Ended]:
    """Play ``releases`` rollouts and yield how each went, in order of their seeds."""
    seeds = range(seed, seed + releases)
    if workers <= 1:
        yield from map(partial(played, case), seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(played, case), seeds, chunksize=CHUNK)


def hours(minutes: Sequence[int | None]) -> float | None:
    """Return the median in hours, or None where fewer than half have a value."""
    middle = median(float("inf") if minute is None else minute / 60 for minute in minutes)
    return None if middle == float("inf") else round(middle, 2)


def percentile_95(values: Sequence[int]) -> int:
    """Return the 95th percentile: the value that 95 % of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


@click.command("gates", cls=Command)
@click.option("--releases", type=click.IntRange(1), default=200, show_default=True, help="Rollouts to play.")
@click.option(
    "--p", "p", type=click.FloatRange(0, 1), default=None, help="True failure rate, 0..1 [default: the SLO p0]"
)
@click.option(
    "--budget", type=click.Choice(list(BUDGETS)), default="swift", show_default=True, help="Named exposure budget."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same rollouts.")
@click.option("--devices", type=click.IntRange(50), default=SMALL_FLEET, show_default=True, help="Size of the fleet.")
@click.option("--family", type=click.FloatRange(0, 1), default=0.0, help="Failure rate of the 8 % family alone, 0..1.")
@click.option("--late", type=click.FloatRange(0, 1), default=0.0, help="Share that fails hours later, 0..1.")
@click.option(
    "--weather",
    type=click.Choice(list(WEATHERS)),
    default="rough",
    show_default=True,
    help="Whether sites go dark and devices fall silent without any release.",
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes [default: one per core]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    releases: int,
    p: float | None,
    budget: str,
    seed: int,
    devices: int,
    family: float,
    late: float,
    weather: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Play many rollouts through the production gate.

    At p = p0 at most 1 % may be halted, however often the gate looks; at p = p1 at most 5 % may be certified.
    """
    gate = gate_of(budget)
    share = gate.p0_ppm / PPM if p is None else p
    defect = Defect(share, RARE if family else "", family, late)
    case = Case(gate, defect, devices, WEATHERS[weather], SMALL_FLEET_TICK_MIN if devices <= SMALL_FLEET else 1)
    ended = []
    with counted(f"{releases} rollouts", releases) as add:
        for each in play(case, releases, seed=seed, workers=workers or os.cpu_count() or 1):
            ended.append(each)
            add(1)
    summary = Summary(
        releases=releases,
        p=share,
        budget=budget,
        devices=devices,
        weather=weather,
        seed=seed,
        halted_share=round(mean(each.halted_at is not None for each in ended), 5),
        certified_share=round(mean(each.certified_at is not None for each in ended), 5),
        harmed_mean=round(mean(each.harmed for each in ended), 2),
        harmed_p95=percentile_95([each.harmed for each in ended]),
        exposed_mean=round(mean(each.exposed for each in ended), 1),
        hours_to_90_median=hours([each.at_90 for each in ended]),
        hours_to_halt_median=hours([each.halted_at for each in ended]),
    )
    screen = Screen(as_json=as_json)
    if as_json:
        screen.data(summary)
    else:
        screen.facts(told(summary))


def told(summary: Summary) -> list[tuple[str, str]]:
    """Return a summary as names and values for people."""

    def h(value: float | None) -> str:
        return "not half of them" if value is None else f"{value:g} h (median)"

    return [
        (
            "rollouts",
            f"{summary.releases} of {summary.devices} devices, {summary.weather} weather, seed {summary.seed}",
        ),
        ("true failure rate", f"{summary.p:.3%} at budget {summary.budget}"),
        ("halted", f"{summary.halted_share:.2%}"),
        ("certified", f"{summary.certified_share:.2%}"),
        ("harmed", f"{summary.harmed_mean:g} devices in the mean, {summary.harmed_p95} at the 95th percentile"),
        ("exposed", f"{summary.exposed_mean:g} devices in the mean"),
        ("90 % of the fleet", h(summary.hours_to_90_median)),
        ("halt", h(summary.hours_to_halt_median)),
    ]


def counted(label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Return a context that shows a person how far a count is; it gives a function that adds to it."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _more: None)
    return _bar(label, total)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
