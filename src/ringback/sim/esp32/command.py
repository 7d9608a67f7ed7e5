"""`ringback sim esp32`: holds the emulated bootloader to recordings of a genuine one, and says what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ringback.errors import RingbackError
from ringback.sim.esp32 import vectors
from ringback.sim.esp32.vectors import Result

SHOWN_MAX = 5
EXIT_VIOLATION = 1
EXIT_INPUT = 2


@click.command("esp32")
@click.option(
    "--vectors",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Recordings of a bootloader to hold the emulated one to (default: those of ESP-IDF v5.5.5 that come with it).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(file: Path | None, as_json: bool) -> None:
    """Emulated ESP32 boards: the bootloader against its recordings."""
    try:
        result = vectors.check(vectors.load(file) if file else vectors.recorded())
    except RingbackError as error:
        click.echo(f"{error.code}: {error.message}\nhint: {error.hint}", err=True)
        sys.exit(EXIT_INPUT)
    if as_json:
        click.echo(json.dumps({"vectors": {"passed": result.passed, "total": result.total}}))
    else:
        _print(result)
    sys.exit(EXIT_VIOLATION if result.mismatches else 0)


def _print(result: Result) -> None:
    click.echo(f"bootloader: {result.passed} of {result.total} recordings reproduced")
    for mismatch in result.mismatches[:SHOWN_MAX]:
        click.echo(f"  recording {mismatch.index}: expected {mismatch.expected}")
        click.echo(f"  {'':>{len(str(mismatch.index)) + 10}}  found    {mismatch.found}")
