"""Reads values out of a tree of nodes: each function returns one typed value or refuses with path and hint.

Decides: types, ranges and closed lists. Never: what values mean together.

- Every path names the way from the top: ``rings[2].percent``.
- A mapping is read by naming all its keys, so a misspelt key is never a silently ignored wish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ringback.spec import names, units
from ringback.spec.codes import (
    BAD_NAME,
    BAD_UNIT,
    MISSING_KEY,
    OUT_OF_RANGE,
    UNKNOWN_KEY,
    UNKNOWN_WORD,
    WRONG_TYPE,
)
from ringback.spec.nodes import FLAGS, INTEGER_MAX, Mapping, Node, Scalar, Sequence, kind_name
from ringback.spec.problem import Place, Problem, SpecError, did_you_mean, refuse, shown

T = TypeVar("T")
Other = TypeVar("Other")

TEXT_CHARS_MAX = 1000
"""Longest free text: a reason, a selector, an argument."""
ITEMS_MAX = 500
"""Longest list in any document."""
FALSE_FRIENDS = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}
"""Words that YAML 1.1 read as flags. YAML 1.2 does not, and neither does this package."""


@dataclass(slots=True)
class Problems:
    """Collects problems, so that one reading shows all of them."""

    found: list[Problem] = field(default_factory=list)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the problems of a block that refuses, and go on behind it."""
        try:
            yield
        except SpecError as error:
            self.found.extend(error.problems)

    def attempt(self, read: Callable[[], T], otherwise: Other) -> T | Other:
        """Return what ``read`` returns; where it refuses, keep the problems and return ``otherwise``."""
        try:
            return read()
        except SpecError as error:
            self.found.extend(error.problems)
            return otherwise

    def add(self, error: SpecError) -> None:
        """Keep the problems of an error."""
        self.found.extend(error.problems)

    def raise_any(self) -> None:
        """Raise one SpecError for everything kept, if there is anything."""
        if self.found:
            raise SpecError(self.found)


def under(path: str, key: str) -> str:
    """Return the path of a key."""
    return f"{path}.{key}" if path else key


def mapping(node: Node, path: str) -> Mapping:
    """Return the node as a mapping, or refuse."""
    if not isinstance(node, Mapping):
        raise refuse(WRONG_TYPE, node.place, path, found=kind_name(node), expected="keys and values")
    return node


def keys(node: Node, path: str, *, required: Iterable[str], optional: Iterable[str]) -> Mapping:
    """Return the node as a mapping whose keys are all known and whose required keys are there, or refuse.

    Raises SpecError: with one problem for each unknown and each missing key.
    """
    found = mapping(node, path)
    known = [*required, *optional]
    problems: list[Problem] = []
    for key, _ in found.entries:
        if key.text not in known:
            hint = did_you_mean(key.text, known)
            said = f"the key {shown(key.text)}"
            problems.append(Problem(UNKNOWN_KEY, key.place, under(path, key.text), said, "a known key", hint))
    for name in required:
        if found.get(name) is None:
            said = "no such key"
            hint = f"add '{name}: ...'"
            problems.append(Problem(MISSING_KEY, found.place, under(path, name), said, f"the key '{name}'", hint))
    if problems:
        raise SpecError(problems)
    return found


def need(found: Mapping, key: str) -> Node:
    """Return the value of a key that ``keys`` has found to be there."""
    node = found.get(key)
    assert node is not None, key
    return node


def pairs(node: Node, path: str) -> list[tuple[str, Node, str, Place]]:
    """Return (key, value, path of the value, place of the key) for a mapping with free keys."""
    return [(key.text, value, under(path, key.text), key.place) for key, value in mapping(node, path).entries]


def items(node: Node, path: str, *, least: int = 0) -> list[tuple[Node, str]]:
    """Return (item, path of the item) for a list of at least ``least`` and at most ITEMS_MAX items."""
    if not isinstance(node, Sequence):
        raise refuse(
            WRONG_TYPE, node.place, path, found=kind_name(node), expected="a list", hint="write it like [a, b]"
        )
    if not least <= len(node.items) <= ITEMS_MAX:
        expected = f"{least} to {ITEMS_MAX} items"
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(node.items)} items", expected=expected)
    return [(item, f"{path}[{index}]") for index, item in enumerate(node.items)]


def scalar(node: Node, path: str, expected: str) -> Scalar:
    """Return the node as a scalar that is not null, or refuse."""
    if not isinstance(node, Scalar) or node.kind == "null":
        raise refuse(WRONG_TYPE, node.place, path, found=kind_name(node), expected=expected)
    return node


def text(node: Node, path: str, *, least: int = 0, most: int = TEXT_CHARS_MAX) -> str:
    """Return a text. Numbers are taken as they are written (1.10 stays 1.10); a flag is refused."""
    value = scalar(node, path, "text")
    if value.kind == "flag":
        hint = f'put it in quotes: "{value.text}"'
        raise refuse(WRONG_TYPE, value.place, path, found=f"the flag {value.text}", expected="text", hint=hint)
    if not least <= len(value.text) <= most:
        expected = f"{least} to {most} characters"
        raise refuse(OUT_OF_RANGE, value.place, path, found=f"{len(value.text)} characters", expected=expected)
    return value.text


def flag(node: Node, path: str) -> bool:
    """Return true or false; yes, no, on and off are refused with the word that is meant."""
    value = scalar(node, path, "true or false")
    if value.kind == "flag":
        return FLAGS[value.text]
    meant = FALSE_FRIENDS.get(value.text.lower())
    hint = f"write {meant}" if meant else "write true or false without quotes"
    raise refuse(WRONG_TYPE, value.place, path, found=kind_name(value), expected="true or false", hint=hint)


def integer(node: Node, path: str, *, least: int = 0, most: int = INTEGER_MAX) -> int:
    """Return a whole number in a range."""
    value = scalar(node, path, "a whole number")
    if value.kind != "integer":
        raise refuse(WRONG_TYPE, value.place, path, found=kind_name(value), expected="a whole number")
    number = int(value.text)
    if not least <= number <= most:
        raise refuse(OUT_OF_RANGE, value.place, path, found=str(number), expected=f"{least} to {most}")
    return number


def measured(node: Node, path: str, convert: Callable[[str], int], *, least: int = 0, most: int = INTEGER_MAX) -> int:
    """Return a quantity with a unit, converted by one of the functions of ``units``, in a range of the small unit."""
    value = scalar(node, path, "a number and a unit")
    try:
        number = convert(value.text)
    except units.BadQuantity as error:
        raise refuse(
            BAD_UNIT, value.place, path, found=kind_name(value), expected=error.expected, hint=error.hint
        ) from error
    if not least <= number <= most:
        show = SHOW.get(convert, str)
        expected = f"{show(least)} to {show(most)}"
        raise refuse(OUT_OF_RANGE, value.place, path, found=shown(value.text), expected=expected)
    return number


SHOW: dict[Callable[[str], int], Callable[[int], str]] = {
    units.duration_ms: units.show_duration,
    units.share_ppm: units.show_share,
    units.size_bytes: units.show_size,
}


def word(node: Node, path: str, known: Iterable[str]) -> str:
    """Return a word of a closed list."""
    choices = list(known)
    value = scalar(node, path, f"one of {', '.join(choices)}")
    if value.text not in choices:
        hint = did_you_mean(value.text, choices, list_all=False)  # the message lists them
        raise refuse(
            UNKNOWN_WORD,
            value.place,
            path,
            found=shown(value.text),
            expected=f"one of {', '.join(choices)}",
            hint=hint,
        )
    return value.text


def ident(node: Node, path: str, what: str) -> str:
    """Return an id; ``what`` says what it names, such as "a ring"."""
    value = text(node, path)
    if not names.is_id(value):
        expected = f"a name for {what}: 2 to 63 lower-case letters, digits and dashes"
        raise refuse(BAD_NAME, node.place, path, found=shown(value), expected=expected)
    return value


def plane(node: Node, path: str) -> str:
    """Return a plane's name."""
    value = text(node, path)
    check_plane(value, node.place, path)
    return value


def check_plane(value: str, place: Place, path: str) -> None:
    """Refuse a text that is no plane's name."""
    if not names.is_plane(value):
        expected = "a plane such as app, config or model/face"
        raise refuse(BAD_NAME, place, path, found=shown(value), expected=expected)
