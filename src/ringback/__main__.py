"""The `ringback` command: finds the commands, and loads only the one that was asked for.

Two kinds of commands, one list:

- programs (`server`, `agent`, `demo`, ...) are entry points of the group `ringback.commands`;
- everything else is the group `ringback.cli:group`, a client of the API.

Invariants:

- Calling a program imports that program and click, nothing else: the agent of a small device must not pay for what the
  server or the CLI imports.
- A command that cannot be loaded never breaks the others. One whose module is not installed is left out of the list;
  one that fails for another reason is listed with that reason.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

import click

from ringback import __version__

GROUP = "ringback.commands"
CLI_MODULE = "ringback.cli"
DEVELOPMENT = frozenset({"bench", "rehearse", "sim"})


class Unavailable(click.ClickException):
    """A command that is known but cannot be loaded here."""

    def __init__(self, name: str, cause: ImportError) -> None:
        super().__init__(
            f"RB-CLI-001: the command '{name}' cannot be loaded: {cause}\n"
            'hint: install what it needs, for example with: pip install "ringback[demo]"'
        )
        self.cause = cause


class Commands(click.Group):
    """A click group that looks its commands up when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_cli_commands(), *(point.name for point in _programs())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for point in _programs():
            if point.name == cmd_name:
                return _load(point)
        return _cli_commands().get(cmd_name) or super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            better = f" Did you mean '{near[0]}'?" if near else ""
            message = f"RB-CLI-002: No such command '{args[0]}'.{better}\nhint: see what there is with: ringback --help"
            raise click.UsageError(message, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes three sections: what operators type, what starts programs, what developers use."""
        programs = {point.name for point in _programs()}
        sections: dict[str, list[tuple[str, str]]] = {"Commands": [], "Programs": [], "Development": []}
        for name in self.list_commands(ctx):
            heading = "Development" if name in DEVELOPMENT else "Programs" if name in programs else "Commands"
            line = self._help_line(ctx, name)
            if line is not None:
                sections[heading].append((name, line))
        for heading, rows in sections.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def _help_line(self, ctx: click.Context, name: str) -> str | None:
        """Returns the one line of help, or None for a command that is hidden or not installed."""
        try:
            command = self.get_command(ctx, name)
        except Unavailable as error:
            return f"(not available here: {error.cause})"
        if command is None or command.hidden:
            return None
        return command.get_short_help_str(limit=90)


def _programs() -> Iterator[EntryPoint]:
    yield from entry_points(group=GROUP)


def _load(point: EntryPoint) -> click.Command | None:
    """Returns the command, or None when its module is not part of this installation."""
    try:
        command = point.load()
    except ModuleNotFoundError as error:
        if error.name is not None and f"{point.module}.".startswith(f"{error.name}."):
            return None
        raise Unavailable(point.name, error) from error
    except ImportError as error:
        raise Unavailable(point.name, error) from error
    if not isinstance(command, click.Command):
        raise TypeError(f"entry point {point.name} = {point.value} is a {type(command).__name__}, not a click command")
    return command


def _cli_commands() -> dict[str, click.Command]:
    """Returns the commands of the API client, or none where it is not installed (a device needs only the agent)."""
    try:
        group = import_module(CLI_MODULE).group
    except ModuleNotFoundError as error:
        if error.name == CLI_MODULE:
            return {}
        raise
    return dict(group.commands)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Start with: ringback demo",
)
@click.version_option(__version__, prog_name="ringback")
def main() -> None:
    """Over-the-air updates for edge-AI fleets that can be pulled back: by ring, by plane, by themselves."""


if __name__ == "__main__":
    sys.exit(main())
