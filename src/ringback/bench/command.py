"""`ringback bench`: every benchmark, alone or all of them with a table in docs/benchmarks.md.

Decides: which benchmarks there are and where their table goes. Never: whether a figure is good.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from ringback.bench import checkin, control, gates, revert
from ringback.bench.machine import Machine, machine
from ringback.server import logs

PAGE: Final = Path("docs/benchmarks.md")

HEAD: Final = """# Benchmarks

Written by `make bench`. Each part runs alone: `ringback bench checkin | ring | tick | plan | revert | gates [--json]`.
Times of a shared machine vary; figures per core are CPU time of the whole server process, which a busy neighbour
disturbs least.

"""


@click.group("bench", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Measure this machine; without a part: all of them, and write the table."""
    logs.configure("error")
    if context.invoked_subcommand is None:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(HEAD + "\n".join(_all()) + "\n", encoding="utf-8")
        click.echo(f"wrote {PAGE}")


for part in (checkin.command, control.ring, control.tick, control.plan, revert.command, gates.command):
    command.add_command(part)


def _all() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        seen = machine(Path(name))
    table = ["| what | measured | wanted |", "|---|---|---|"]
    steps: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("check-ins", lambda: checkin.lines(checkin.measure())),
        ("rings", lambda: list(control.ring_lines(control.measure_ring()))),
        ("tick", lambda: list(control.tick_lines(control.measure_tick()))),
        ("plan", lambda: list(control.plan_lines(control.measure_plan()))),
        ("reverts", _revert_lines),
        ("gates", gates.figures),
    )
    for name, step in steps:
        click.echo(f"measuring {name} ...", err=True)
        table += step()
    return [*_named(seen), "", *table]


def _revert_lines() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="ringback-revert-") as name:
        planes = revert.measure(Path(name), revert.RUNS)
    return [
        f"| {name} revert on a box, verdict to healthy, p50 (max) of {plane.runs} | {plane.p50_ms} ms "
        f"({plane.max_ms} ms) | - |"
        for name, plane in planes.items()
    ]


def _named(seen: Machine) -> list[str]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    what = f"{seen.cpu}, {seen.cores} cores, {seen.system}, Python {seen.python}, SQLite {seen.sqlite}"
    state = f"one sync of 8 KiB takes {seen.sync_p50_ms} ms; load average before the run {seen.load}"
    return [f"{today}: {what}; {state}."]
