"""What is wrong in a document, where, and what to do: one value per problem, one error for all of them.

Decides: how a problem is worded. Never: whether there is one; that is for the readers.

- Every problem names its file, line and column (where the text has lines), the path inside the document, what was found
  and what was expected, and a hint.
- A document is read to its end: an operator sees every problem at once, not the first of ten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from ringback.errors import InputError

FOUND_CHARS_MAX = 80
"""How much of an offending text a message repeats: documents are hostile input, a log line is no place for 64 KiB."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands. ``line`` and ``column`` count from 1; 0 means the source has no lines (canonical JSON)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: stable ``code``, ``path`` inside the document ("" = all of it), and words for people."""

    code: str
    place: Place
    path: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: {self.path}" if self.path else str(self.place)
        return f"{where}: found {self.found}, expected {self.expected}."


class SpecError(InputError):
    """A document that is refused. ``problems`` has at least one entry; the first gives the error its code and hint.

    ``message`` is about the first problem, ``str()`` lists them all, one per line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=_position))
        first = self.problems[0]
        message = str(first)
        fields = {"source": first.place.source, "path": first.path, "found": first.found, "expected": first.expected}
        if first.place.line:
            fields |= {"line": str(first.place.line), "column": str(first.place.column)}
        if len(self.problems) > 1:
            fields["more"] = str(len(self.problems) - 1)
        super().__init__(first.code, message, hint=first.hint, fields=fields)

    def __str__(self) -> str:
        """Return every problem with its code and hint, one per line, in the order of the document."""
        return "\n".join(f"{problem.code}: {_with_hint(problem)}" for problem in self.problems)


def refuse(code: str, place: Place, path: str, *, found: str, expected: str, hint: str = "") -> SpecError:
    """Return (not raise) the error for one problem."""
    return SpecError([Problem(code, place, path, found, expected, hint)])


def shown(text: str) -> str:
    """Return a text in quotes as a message may repeat it: escaped, and cut where it is long."""
    cut = text if len(text) <= FOUND_CHARS_MAX else text[: FOUND_CHARS_MAX - 3] + "..."
    return "'" + cut.encode("unicode_escape").decode("ascii").replace("'", "\\'") + "'"


def did_you_mean(word: str, known: Iterable[str], *, list_all: bool = True) -> str:
    """Return a hint naming the closest known word; else, with ``list_all``, all words where there are few; else ""."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if list_all and 0 < len(words) <= 24:
        return f"known here: {', '.join(words)}"
    return ""


def _with_hint(problem: Problem) -> str:
    return f"{problem} Hint: {problem.hint}" if problem.hint else str(problem)


def _position(problem: Problem) -> tuple[str, int, int, str]:
    """Return where a problem stands, so that an operator walks through the document once, from top to bottom."""
    return (problem.place.source, problem.place.line, problem.place.column, problem.path)
