"""`ringback sim`: simulated devices against a real server, for development."""

from pathlib import Path

import click

from ringback.sim.esp32.command import command as esp32
from ringback.sim.gates import command as gates


@click.group(name="sim", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Simulated devices that run the production agent (development)."""


@command.command("fleet")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def fleet(file: Path) -> None:
    """Run the live fleet described in FILE (JSON) against the server it names.

    One order a line on standard input, one answer a line on standard output; the fleet ends with its input.
    """
    from ringback.sim.fleet import run

    run(file)


command.add_command(esp32)
command.add_command(gates)
