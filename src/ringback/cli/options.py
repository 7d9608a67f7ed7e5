"""Options that several commands share, so that the same wish is spelt the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ringback.cli.session import Session

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

LIMIT_DEFAULT = 100
# A terminal is no database client; with --json a program can page by itself.
LIMIT_MAX = 10_000


def as_duration_ms(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Return a duration such as 90s or 10min in milliseconds. Raises BadParameter."""
    from ringback.spec import units

    if value is None:
        return None
    try:
        return units.duration_ms(value)
    except units.BadQuantity as error:
        raise click.BadParameter(f"{value!r} is no duration, which is {error.expected}", ctx, param) from error


limit: Decorator = click.option(
    "--limit",
    type=click.IntRange(1, LIMIT_MAX),
    default=LIMIT_DEFAULT,
    show_default=True,
    metavar="N",
    help="At most so many lines.",
)
yes: Decorator = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
dry_run: Decorator = click.option("--dry-run", is_flag=True, help="Only show what it would do.")


def where(*, text: str, required: bool = False) -> Decorator:
    """Return the option for a label selector."""
    if required:
        return click.option("--where", required=True, metavar="SELECTOR", help=text)
    return click.option("--where", default="", metavar="SELECTOR", help=text)


BY_HAND = "by hand"
"""The reason on record where nobody took the time to give one: a brake must not fail for want of words."""


def reason(*, default: str | None = None) -> Decorator:
    """Return the option for the reason that is kept on record; without a default it must be given."""
    text = "Why, for the record (at most 500 characters)."
    if default is None:  # click takes an explicit default, even None, for an answer
        return click.option("--reason", required=True, metavar="TEXT", help=text)
    return click.option("--reason", default=default, show_default=bool(default), metavar="TEXT", help=text)


def timeout(default: str) -> Decorator:
    """Return the option that bounds how long a command waits."""
    return click.option(
        "--timeout",
        "timeout_ms",
        callback=as_duration_ms,
        default=default,
        show_default=True,
        metavar="DURATION",
        help="How long to wait before leaving it to go on by itself (exit code 8).",
    )


def say_if_more(session: Session, cursor: str | None, shown: int) -> None:
    """Tell a person that a list goes on."""
    if cursor is not None:
        session.screen.say(f"These are the first {shown}; more with --limit.")


def document(text: str) -> Decorator:
    """Return the option that names a document."""
    return click.option(
        "-f", "--file", required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE", help=text
    )
