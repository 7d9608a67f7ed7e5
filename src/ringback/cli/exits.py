"""What the command's exit code says, and which code an error leaves with.

Decides: the codes. Never: text. The table is the source of docs/reference/cli.md.

A script can tell "fix the input" from "try again" and from "someone else was faster" without reading a word.
"""

from enum import IntEnum

import click

from ringback.errors import (
    BugError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    RetryLaterError,
    RingbackError,
)


class ExitCode(IntEnum):
    """Exit codes of every `ringback` command that talks to a server."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    NOT_ALLOWED = 6
    ENDED_BADLY = 7
    STILL_GOING = 8
    BUG = 9
    INTERRUPTED = 130


MEANING: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.REFUSED: "refused: the input, the plan or a check does not allow it; the same input is refused again",
    ExitCode.USAGE: "the command line is wrong, or a change was not confirmed (`--yes`)",
    ExitCode.UNREACHABLE: "the server can't be reached or is too busy: nothing is wrong with the input, try again",
    ExitCode.NOT_FOUND: "a name means nothing to the server",
    ExitCode.CONFLICT: "it contradicts what is already there, or someone else was faster",
    ExitCode.NOT_ALLOWED: "the token is missing, wrong, or has not the right to do this",
    ExitCode.ENDED_BADLY: "what was waited for ended in a revert, a refusal or a failure",
    ExitCode.STILL_GOING: "what was waited for has not ended within `--timeout`",
    ExitCode.BUG: "our own fault: please report it",
    ExitCode.INTERRUPTED: "stopped with Ctrl-C; what the server was asked to do goes on",
}


class NotConfirmed(InputError):
    """A change was shown and not confirmed: nothing was done."""

    def __init__(self, message: str, again: str) -> None:
        super().__init__("RB-CLI-020", message, hint=f"to do it without being asked: {again}")


_BY_ERROR: tuple[tuple[type[RingbackError], ExitCode], ...] = (
    (NotConfirmed, ExitCode.USAGE),
    (NotFoundError, ExitCode.NOT_FOUND),
    (ConflictError, ExitCode.CONFLICT),
    (NotAllowedError, ExitCode.NOT_ALLOWED),
    (RetryLaterError, ExitCode.UNREACHABLE),
    (BugError, ExitCode.BUG),
    (RingbackError, ExitCode.REFUSED),
)


def code_of(error: RingbackError) -> ExitCode:
    """Return the exit code of an error."""
    return next(code for kind, code in _BY_ERROR if isinstance(error, kind))


def leave(code: ExitCode) -> click.exceptions.Exit:
    """Return the exception that ends the command with a code; raise it."""
    return click.exceptions.Exit(int(code))
