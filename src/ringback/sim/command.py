"""`ringback sim`: the simulator's programs, each loaded only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

PROGRAMS: Final = {
    "esp32": ("ringback.sim.esp32.command", "Cut the power of emulated ESP32 boards at every flash operation."),
}
"""Name: module that holds a click command called `command`, and its line in the help."""


class Programs(click.Group):
    """A group that imports a program when it is needed, and not for its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(PROGRAMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in PROGRAMS:
            return None
        found = import_module(PROGRAMS[cmd_name][0]).command
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Programs"):
            formatter.write_dl([(name, PROGRAMS[name][1]) for name in sorted(PROGRAMS)])


@click.command("sim", cls=Programs)
def command() -> None:
    """Simulated devices: the production code in a simulated world, held to its promises by oracles."""
