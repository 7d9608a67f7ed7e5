"""Everything a command prints: data on stdout, talk on stderr.

Decides: layout. Never: wording of results (that is the command's, or the server's), and never meaning by colour: every
colour repeats a word that is printed too.

- With `--json`, stdout carries JSON and nothing else; talk stays on stderr.
- A table fits the terminal (80 columns where there is none); what does not fit goes on in the next line. Nothing is cut
  off: a shortened id can't be pasted into the next command.
- NO_COLOR (https://no-color.org) and TERM=dumb switch colour off, as does a stdout that is no terminal.
"""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from ringback.cli.exits import NotConfirmed
from ringback.cli.words import plain, size
from ringback.errors import RingbackError

GAP = "  "
# A column of prose narrower than this is no longer read, but deciphered.
MIN_COLUMN_WIDTH = 12
# What ends sooner needs no bar; one that flashes by only disturbs.
BAR_AFTER_S = 2.0
BAR_EVERY_S = 0.1
BAR_WIDTH = 30

GOOD = frozenset("ok proven confirmed accepted pass full closed done ready healthy".split())
BAD = frozenset("fail failed fell-back silent reverted refused revoked stopped frozen rolling-back safe-mode".split())
UNDECIDED = frozenset("waiting warning pending paused trial canary bake drill offered downloading".split())


class Screen:
    """Where one command's output goes.

    Args:
        as_json: the caller asked for data that a program reads.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._width = max(40, shutil.get_terminal_size((80, 24)).columns)

    def data(self, value: object) -> None:
        """Print a value as one JSON document. `value` is what msgspec can encode."""
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def data_line(self, value: object) -> None:
        """Print a value as one line of JSON: for what goes on, one line per event."""
        import msgspec

        click.echo(msgspec.json.encode(value))
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """Print one line of a result, wrapped to the terminal; an indentation holds for the lines that follow."""
        indent = " " * (len(text) - len(text.lstrip()))
        lines = textwrap.wrap(
            plain(text.strip()),
            self._width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        click.echo("\n".join(lines))

    def document(self, text: str) -> None:
        """Print a text line by line as it is, so that it can be stored; what acts on a terminal is made visible."""
        click.echo(_lines(text))

    def heading(self, text: str) -> None:
        """Print the title of what follows, after an empty line."""
        click.echo()
        click.echo(self._styled(plain(text), bold=True))

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Print names and values below each other; a fact without a value is left out."""
        rows = [(name, plain(value)) for name, value in facts if value]
        name_width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            room = max(MIN_COLUMN_WIDTH, self._width - name_width - len(GAP))
            for index, part in enumerate(_wrapped(value, room)):
                label = name if index == 0 else ""
                click.echo(f"{label:<{name_width}}{GAP}{self._coloured(part)}".rstrip())

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
        """Print a table, or the sentence `empty` when there are no rows."""
        cells = [[plain(cell) for cell in row] for row in rows]
        if not cells:
            click.echo(plain(empty))
            return
        widths = fitted([list(columns), *cells], self._width)
        click.echo(self._styled(_joined([[column] for column in columns], widths), bold=True))
        for row in cells:
            parts = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
            click.echo(_joined(parts, widths, self._coloured))

    def say(self, text: str) -> None:
        """Tell a person something that is not part of the result."""
        talk(text)

    def next(self, command: str) -> None:
        """Name the one command to type next."""
        if not self.as_json:
            click.echo(self._styled(f"next: {plain(command)}", stream=sys.stderr, dim=True), err=True)

    def confirmed(self, question: str, *, is_agreed: bool, again: str) -> None:
        """Return if a change may be made: `--yes` was given, or a person at the terminal says so.

        Args:
            question: a yes-or-no question, shown after what the change would do.
            is_agreed: `--yes` was given.
            again: the option to add, for the hint.

        Raises:
            NotConfirmed: RB-CLI-020: nobody is there to ask, or the answer is no.
        """
        if is_agreed:
            return
        if not sys.stdin.isatty():
            raise NotConfirmed("not done: this needs a confirmation, and no one is at the terminal", again)
        if not click.confirm(question, default=False, err=True):
            raise NotConfirmed("not done: you said no", again)

    @contextmanager
    def progress(self, label: str, total_bytes: int) -> Iterator["Progress"]:
        """Show how far a transfer is, from the third second on and only to a person."""
        bar = Progress(label, total_bytes, self._width)
        try:
            yield bar
        finally:
            bar.close()

    def _coloured(self, cell: str) -> str:
        word = cell.strip().lower()
        colour = "green" if word in GOOD else "red" if word in BAD else "yellow" if word in UNDECIDED else None
        return self._styled(cell, fg=colour) if colour else cell

    @staticmethod
    def _styled(
        text: str, *, stream: TextIO | None = None, fg: str | None = None, bold: bool = False, dim: bool = False
    ) -> str:
        if not has_colour(stream or sys.stdout):
            return text
        return click.style(text, fg=fg, bold=bold or None, dim=dim or None)


class Progress:
    """A transfer that is under way. A terminal only; elsewhere it prints nothing."""

    def __init__(self, label: str, total_bytes: int, width: int) -> None:
        self._label = plain(label)
        self._total_bytes = max(1, total_bytes)
        self._width = width
        self._done_bytes = 0
        self._is_shown = False
        self._due_s = time.monotonic() + BAR_AFTER_S
        self._is_person = sys.stderr.isatty()

    def add(self, size_bytes: int) -> None:
        """Count bytes that have gone through."""
        self._done_bytes += size_bytes
        now_s = time.monotonic()
        if self._is_person and now_s >= self._due_s:
            self._due_s = now_s + BAR_EVERY_S
            self._is_shown = True
            text = bar_text(self._label, self._done_bytes, self._total_bytes)
            click.echo(f"\r{text[: self._width - 1]:<{self._width - 1}}", err=True, nl=False)

    def close(self) -> None:
        """Remove the bar."""
        if self._is_shown:
            click.echo("\r" + " " * (self._width - 1) + "\r", err=True, nl=False)


def bar_text(label: str, done_bytes: int, total_bytes: int) -> str:
    """Return one line: label, bar, percentage, sizes."""
    share = min(1.0, done_bytes / total_bytes)
    bar = "#" * int(share * BAR_WIDTH)
    return f"{label} [{bar:<{BAR_WIDTH}}] {int(share * 100)} % of {size(total_bytes)}"


def has_colour(stream: TextIO) -> bool:
    """Tell whether colour may be used on a stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def talk(text: str) -> None:
    """Print lines for people on stderr."""
    click.echo(_lines(text), err=True)


def complain(error: RingbackError) -> None:
    """Print an error as every command shows it: code and message, then what to do; each mistake of a document so."""
    from ringback.spec.problem import SpecError

    if isinstance(error, SpecError):
        for problem in error.problems:
            _complain(problem.code, str(problem), problem.hint or "write what is expected there")
    else:
        _complain(error.code, error.message, error.hint or "see what is going on with: ringback status")


def _complain(code: str, message: str, hint: str) -> None:
    click.echo(f"Error: {code}: {_lines(message)}", err=True)
    click.echo(f"hint: {_lines(hint)}", err=True)


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return column widths that fit into `width`: the widest column gives way, but no word is ever broken.

    Args:
        rows: all cells, the heading first. Words that are too long make the table wider than `width`.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    least = [min(natural, max(word, MIN_COLUMN_WIDTH)) for natural, word in zip(widths, words, strict=True)]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0:
        shrinkable = [index for index in range(len(widths)) if widths[index] > least[index]]
        if not shrinkable:
            break
        widest = max(shrinkable, key=lambda index: widths[index])
        widths[widest] -= 1
        excess -= 1
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(1, width), break_on_hyphens=False, break_long_words=False) or [""]


def _joined(cells: Sequence[Sequence[str]], widths: Sequence[int], style: Callable[[str], str] | None = None) -> str:
    height = max(len(lines) for lines in cells)
    printed = []
    for index in range(height):
        line = []
        for lines, width in zip(cells, widths, strict=True):
            part = lines[index] if index < len(lines) else ""
            shown = style(part) if style and len(lines) == 1 else part
            line.append(shown + " " * (width - len(part)))
        printed.append(GAP.join(line).rstrip())
    return "\n".join(printed)


def _lines(text: str) -> str:
    """Return a message with its own line breaks kept and everything else that acts on a terminal made visible."""
    return "\n".join(plain(line) for line in text.splitlines())
