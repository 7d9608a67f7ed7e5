"""`ringback sim esp32`: cuts the power of emulated boards, hunts seeded bugs, and replays what was found."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from ringback.errors import RingbackError
from ringback.sim.esp32 import vectors
from ringback.sim.esp32.campaign import Outcome, explore_all, hunt_all
from ringback.sim.esp32.explore import Replay, parse_line, replay
from ringback.sim.esp32.firmware import Workshop
from ringback.sim.esp32.mutants import MUTANTS
from ringback.sim.esp32.process import Processes
from ringback.sim.esp32.scenarios import SCENARIOS, stage
from ringback.sim.esp32.world import Tools, World

SHOWN_MAX = 5
EXIT_VIOLATION = 1
EXIT_INPUT = 2


@click.command("esp32")
@click.option("--lives", type=click.IntRange(0), default=1000, show_default=True, help="How many lives to spend.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of every chance.")
@click.option(
    "--vectors",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Recordings of a bootloader to hold the emulated one to (default: those of ESP-IDF v5.5.5 that come with it).",
)
@click.option("--scenario", "names", multiple=True, type=click.Choice(sorted(SCENARIOS)), help="Only this one; repeat.")
@click.option("--mutants/--no-mutants", default=True, show_default=True, help="Hunt the seeded bugs, too.")
@click.option("--replay", "line", help="Run the cuts of one line that a violation printed, and show what happened.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(
    *, lives: int, seed: int, file: Path | None, names: tuple[str, ...], mutants: bool, line: str | None, as_json: bool
) -> None:
    """Emulated ESP32 boards: the real agent on the real MicroPython, power cut at every operation of the flash."""
    try:
        recorded = vectors.check(vectors.load(file) if file else vectors.recorded())
        with tempfile.TemporaryDirectory(prefix="ringback-esp32-") as folder, Processes() as processes:
            tools = Tools(processes, Workshop(Path(folder)))
            if line is not None:
                sys.exit(_show_replay(line, tools))
            say = _progress(quiet=as_json)
            outcome = explore_all(tools, seed=seed, lives=lives, say=say, names=names) if lives else Outcome()
            if mutants and lives:
                outcome.mutants = hunt_all(tools, seed=seed, say=say)
    except RingbackError as error:
        click.echo(f"{error.code}: {error.message}\nhint: {error.hint}", err=True)
        sys.exit(EXIT_INPUT)
    if as_json:
        click.echo(json.dumps(_to_json(outcome, recorded)))
    else:
        _print(outcome, recorded)
    missed = any(verdict.caught is None for verdict in outcome.mutants)
    sys.exit(EXIT_VIOLATION if recorded.mismatches or outcome.violations or missed else 0)


def _to_json(outcome: Outcome, recorded: vectors.Result) -> dict[str, object]:
    return {
        "lives": outcome.lives,
        "cuts": outcome.cuts,
        "violations": [{"replay": each.line, "texts": list(each.texts)} for each in outcome.violations],
        "vectors": {"passed": recorded.passed, "total": recorded.total},
        "mutants": {
            "tried": len(outcome.mutants),
            "caught": sum(verdict.caught is not None for verdict in outcome.mutants),
            "by": {each.mutant.name: each.caught.line if each.caught else None for each in outcome.mutants},
        },
        "scenarios": {name: {"lives": lives, "cuts": cuts} for name, (lives, cuts) in outcome.by_scenario.items()},
        "pruned": outcome.pruned,
    }


def _print(outcome: Outcome, recorded: vectors.Result) -> None:
    click.echo(f"bootloader: {recorded.passed} of {recorded.total} recordings reproduced")
    for mismatch in recorded.mismatches[:SHOWN_MAX]:
        click.echo(f"  recording {mismatch.index}: expected {mismatch.expected}")
        click.echo(f"  {'':>{len(str(mismatch.index)) + 10}}  found    {mismatch.found}")
    click.echo(f"lives: {outcome.lives}, power cuts: {outcome.cuts}, states seen before: {outcome.pruned}")
    for name, (lives, cuts) in outcome.by_scenario.items():
        click.echo(f"  {name:<26}{lives:>7} lives {cuts:>7} cuts")
    click.echo(f"violations: {len(outcome.violations)}")
    for violation in outcome.violations[:SHOWN_MAX]:
        click.echo(f"  {violation.texts[0]}\n    replay: ringback sim esp32 --replay '{violation.line}'")
    if outcome.mutants:
        caught = [verdict for verdict in outcome.mutants if verdict.caught]
        click.echo(f"seeded bugs: {len(caught)} of {len(outcome.mutants)} caught")
        for verdict in outcome.mutants:
            shown = f"'{verdict.caught.line}'" if verdict.caught else "NOT CAUGHT"
            click.echo(f"  {verdict.mutant.name:<40} {shown}")


def _progress(*, quiet: bool) -> Callable[[str], None]:
    """Talk on stderr, once every two seconds at most."""
    last = [0.0]

    def say(text: str) -> None:
        now_s = time.monotonic()
        if not quiet and now_s - last[0] > 2:
            last[0] = now_s
            click.echo(text, err=True)

    return say


def _show_replay(line: str, tools: Tools) -> int:
    """Run one line and tell its lives; returns the exit code."""
    try:
        what = parse_line(line)
        patches = next((each.patches for each in MUTANTS if what.name.startswith(f"{each.name}/")), ())
        scenario = SCENARIOS[what.name.rpartition("/")[2]]
    except (KeyError, ValueError) as error:
        click.echo(
            f"RB-SIM-403: {line!r} is no replay line: {error}\nhint: copy the line a violation printed", err=True
        )
        return EXIT_INPUT
    world, texts = replay(stage(scenario, tools, bundle=tools.workshop.bundle(patches)), tools, what)
    _tell(world, what)
    for text in texts:
        click.echo(f"violation {text}")
    return EXIT_VIOLATION if texts else 0


def _tell(world: World, what: Replay) -> None:
    for number, lived in enumerate(world.history):
        end = lived.end
        cut = next((str(each) for each in what.cuts if each.life == number), "")
        click.echo(f"life {number}: {end.booted or 'nothing'} booted, ended in {end.kind} {cut}".rstrip())
        for name, why in end.refusals:
            click.echo(f"  {name} was refused: {why}")
        for text in end.output.splitlines():
            click.echo(f"  | {text}")
    click.echo(f"otadata: {' and '.join(str(entry) for entry in world.entries())}")
