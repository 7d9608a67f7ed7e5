"""What every command has in common: how its help and its errors read.

Decides: the shape of help and errors. Never: what a command does.

- A command ends with a documented code (`ringback.cli.exits`).
- An error is one line with its code and one line with a hint, also when the command line itself is wrong.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from ringback.cli import output
from ringback.cli.exits import ExitCode, code_of, leave
from ringback.errors import RingbackError


class Command(click.Command):
    """A command whose every error reads the same, also a mistake in the command line."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        with _told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with _told():
            return super().invoke(ctx)


class Noun(Command, click.Group):
    """A noun with subcommands: `ringback device list`."""

    def register(self, command: click.Command) -> click.Command:
        """Add a subcommand; a decorator."""
        self.add_command(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            better = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{better}", ctx) from error


def noun(name: str, text: str) -> Noun:
    """Return a group of commands about one kind of thing."""
    return Noun(name, help=text, short_help=text, context_settings=CONTEXT)


def epilog(examples: Sequence[str]) -> str:
    """Return the end of a help text: command lines as one would type them."""
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@contextmanager
def _told() -> Iterator[None]:
    """Turn what went wrong into text on stderr and an exit code."""
    try:
        yield
    except click.UsageError as error:
        _complain_about_usage(error)
    except RingbackError as error:
        output.complain(error)
        raise leave(code_of(error)) from error
    except click.Abort as error:
        output.talk("not done: stopped at the question")
        raise leave(ExitCode.INTERRUPTED) from error
    except KeyboardInterrupt as error:
        output.talk("stopped; what the server was asked to do goes on")
        raise leave(ExitCode.INTERRUPTED) from error


def _complain_about_usage(error: click.UsageError) -> NoReturn:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        raise leave(ExitCode.USAGE) from error
    if error.ctx is not None:
        output.talk(error.ctx.get_usage())
    path = error.ctx.command_path if error.ctx else "ringback"
    output.talk(f"Error: RB-CLI-002: {error.format_message()}")
    output.talk(f"hint: see what it takes with: {path} --help")
    raise leave(ExitCode.USAGE) from error


def typed(*parts: str) -> str:
    """Return a command line as one would type it, quoted where the shell needs it."""
    return shlex.join(parts)
