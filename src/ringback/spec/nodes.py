"""Text to a tree of nodes that know where they stand. YAML for people, canonical JSON for manifests; one tree for both.

Decides: what is well-formed, which kind a plain scalar is, how much is too much. Never: what a key means.

- YAML 1.2 core scalars only: ``no``, ``on`` and ``yes`` are text. The raw text of every scalar is kept, so a field that
  wants text gets ``1.10`` and not the number 1.1, and a field that wants a flag can say why ``no`` is none.
- Duplicate keys are errors, and so are tags, merge keys by accident, several documents, and aliases that contain
  themselves. Size, depth, number of aliases and number of nodes *after* expanding them are bounded before anything is
  built, so no document can cost more than it weighs.
- Nodes keep their span in the text: a rewrite replaces one value and leaves every other byte, comments included.

Source: YAML 1.2.2 section 10.3.2 (core schema); RFC 8259; events come from ruamel.yaml's round-trip parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ringback.spec.codes import DUPLICATE_KEY, NOT_CANONICAL, NOT_YAML, TOO_BIG, WRONG_TYPE
from ringback.spec.problem import Place, SpecError, refuse, shown

TEXT_BYTES_MAX: Final = 256 * 1024
"""A release is a page, a class document a few; 256 KiB is a hundred times that."""
DEPTH_MAX: Final = 32
"""The deepest document of this package has 7 levels; JSON Schemas inside a class do not exist."""
ALIASES_MAX: Final = 64
NODES_MAX: Final = 20_000
"""Nodes after every alias is expanded: nine levels of nine aliases would be a billion."""
INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that every JSON reader agrees about (RFC 8259 section 6)."""

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
FLAGS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER: Final = re.compile(r"[-+]?[0-9]{1,20}")
NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: its raw ``text``, its ``kind`` (text, integer, number, flag, null) and its span in the document."""

    text: str
    kind: str
    place: Place
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. ``is_flow`` is True for [a, b]."""

    items: tuple[Node, ...]
    place: Place
    start: int = 0
    end: int = 0
    is_flow: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys to values in the order of the text. ``is_flow`` is True for {a: b}."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place
    start: int = 0
    end: int = 0
    is_flow: bool = False

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None when the key is absent."""
        for name, node in self.entries:
            if name.text == key:
                return node
        return None


Node = Scalar | Sequence | Mapping


def kind_name(node: Node) -> str:
    """Return what a node is, in words for a message."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    names = {"text": "the text ", "integer": "the number ", "number": "the number ", "flag": "", "null": ""}
    if node.kind == "null":
        return "nothing"
    return names[node.kind] + (shown(node.text) if node.kind == "text" else node.text[:40])


def from_yaml(text: str, source: str) -> Node:
    """Return the tree of a YAML (or JSON) document.

    Args:
        text: the document.
        source: its name for messages, such as the file name.

    Raises SpecError: not YAML; too big, too deep or too entangled; a duplicate key; a refused feature.
    """
    place = Place(source, 1, 1)
    if len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES_MAX:
        raise refuse(TOO_BIG, place, "", found=f"{len(text)} characters", expected=f"at most {TEXT_BYTES_MAX} bytes")
    return _Builder(source).build(text)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; ``anchor`` names it for aliases, ``key`` waits for its value."""

    is_mapping: bool
    place: Place
    start: int
    is_flow: bool
    anchor: str
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    key: Scalar | None = None
    weight: int = 1


class _Builder:
    """Turns parser events into nodes without recursion, so that depth is a rule and not a crash."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.aliases = 0
        self.root: Node | None = None

    def build(self, text: str) -> Node:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        documents = 0
        try:
            for event in YAML(typ="rt", pure=True).parse(text):
                name = type(event).__name__
                if name == "DocumentStartEvent":
                    documents += 1
                    if documents > 1:
                        raise self._not_yaml(event, "a second document", "one document per file")
                else:
                    self._take(name, event)
        except MarkedYAMLError as error:
            raise self._broken(error) from error
        except YAMLError as error:
            place = Place(self.source, 1, 1)
            raise refuse(NOT_YAML, place, "", found=str(error).split("\n")[0], expected="YAML") from error
        if self.root is None:
            place = Place(self.source, 1, 1)
            raise refuse(NOT_YAML, place, "", found="an empty document", expected="keys and values")
        return self.root

    def _take(self, name: str, event: object) -> None:
        if name in ("MappingStartEvent", "SequenceStartEvent"):
            self._refuse_tag(event)
            self._open(name == "MappingStartEvent", event)
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(event)
        elif name == "ScalarEvent":
            self._refuse_tag(event)
            scalar = self._scalar(event)
            self._name_anchor(getattr(event, "anchor", None), scalar, 1)
            self._add(scalar, 1)
        elif name == "AliasEvent":
            self._alias(event)

    def _place(self, event: object) -> Place:
        mark = event.start_mark  # type: ignore[attr-defined]
        return Place(self.source, mark.line + 1, mark.column + 1)

    def _scalar(self, event: object) -> Scalar:
        text: str = event.value  # type: ignore[attr-defined]
        is_plain = not event.style  # type: ignore[attr-defined]
        start, end = event.start_mark.index, event.end_mark.index  # type: ignore[attr-defined]
        return Scalar(text, plain_kind(text) if is_plain else "text", self._place(event), start, end)

    def _refuse_tag(self, event: object) -> None:
        if getattr(event, "ctag", None) is not None:
            raise self._not_yaml(event, "a tag (such as !!str)", "plain values; text in quotes where needed")

    def _open(self, is_mapping: bool, event: object) -> None:
        if len(self.stack) >= DEPTH_MAX:
            place = self._place(event)
            raise refuse(TOO_BIG, place, "", found=f"more than {DEPTH_MAX} levels", expected="a flatter document")
        anchor: str = getattr(event, "anchor", None) or ""
        start = event.start_mark.index  # type: ignore[attr-defined]
        is_flow = bool(event.flow_style)  # type: ignore[attr-defined]
        self.stack.append(_Open(is_mapping, self._place(event), start, is_flow, anchor))

    def _close(self, event: object) -> None:
        done = self.stack.pop()
        end = event.end_mark.index  # type: ignore[attr-defined]
        node: Node
        if done.is_mapping:
            node = Mapping(tuple(done.entries), done.place, done.start, end, done.is_flow)
        else:
            node = Sequence(tuple(done.items), done.place, done.start, end, done.is_flow)
        self._name_anchor(done.anchor, node, done.weight)
        self._add(node, done.weight)

    def _name_anchor(self, anchor: str | None, node: Node, weight: int) -> None:
        if anchor:
            self.anchors[anchor] = (node, weight)

    def _alias(self, event: object) -> None:
        name: str = event.anchor  # type: ignore[attr-defined]
        self.aliases += 1
        if self.aliases > ALIASES_MAX:
            place = self._place(event)
            raise refuse(TOO_BIG, place, "", found=f"more than {ALIASES_MAX} aliases", expected="values written out")
        if any(opened.anchor == name for opened in self.stack):
            raise self._not_yaml(event, f"*{name} inside &{name}", "an alias that does not contain itself")
        if name not in self.anchors:
            raise self._not_yaml(event, f"the alias *{name}", f"an anchor &{name} before it")
        self._add(*self.anchors[name])

    def _add(self, node: Node, weight: int) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.weight += weight
        if sum(opened.weight for opened in self.stack) > NODES_MAX:
            raise refuse(TOO_BIG, node.place, "", found=f"more than {NODES_MAX} values", expected="a smaller document")
        if not top.is_mapping:
            top.items.append(node)
        elif top.key is None:
            top.key = self._new_key(top, node)
        else:
            top.entries.append((top.key, node))
            top.key = None

    def _new_key(self, top: _Open, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise refuse(WRONG_TYPE, node.place, "", found=f"{kind_name(node)} as a key", expected="a name")
        if node.text in top.keys:
            first = top.keys[node.text]
            found = f"the key {shown(node.text)} again (first in line {first})"
            raise refuse(
                DUPLICATE_KEY, node.place, "", found=found, expected="every key once", hint="remove one of them"
            )
        top.keys[node.text] = node.place.line
        return node

    def _not_yaml(self, event: object, found: str, expected: str) -> SpecError:
        return refuse(NOT_YAML, self._place(event), "", found=found, expected=expected)

    def _broken(self, error: object) -> SpecError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = Place(self.source, mark.line + 1, mark.column + 1) if mark else Place(self.source, 1, 1)
        said = str(getattr(error, "problem", None) or getattr(error, "context", None) or "broken YAML")
        hint = "YAML is indented with spaces, not tabs" if "'\\t'" in said else "check quotes, colons and indentation"
        return refuse(NOT_YAML, place, "", found=f"a syntax error ({said})", expected="YAML", hint=hint)


def plain_kind(text: str) -> str:
    """Return the kind of an unquoted scalar by the YAML 1.2 core schema."""
    if text in NULLS:
        return "null"
    if text in FLAGS:
        return "flag"
    if INTEGER.fullmatch(text):
        return "integer"
    if NUMBER.fullmatch(text):
        return "number"
    return "text"


def from_json(data: bytes, source: str, *, bytes_max: int) -> Node:
    """Return the tree of a JSON document without floats, with integers below 2**53 and every key once.

    Raises SpecError: not JSON, too big or too deep, a duplicate key, a float or a large integer.
    """
    place = Place(source)
    if len(data) > bytes_max:
        raise refuse(TOO_BIG, place, "", found=f"{len(data)} bytes", expected=f"at most {bytes_max} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=lambda pairs: _Pairs(tuple(pairs)),
            parse_float=lambda text: _refuse_number(place, text),
            parse_constant=lambda text: _refuse_number(place, text),
            parse_int=lambda text: _bounded_integer(place, text),
        )
    except (ValueError, RecursionError) as error:
        raise refuse(NOT_YAML, place, "", found=str(error), expected="JSON") from error
    return _json_node(value, place, 0)


@dataclass(frozen=True, slots=True)
class _Pairs:
    pairs: tuple[tuple[str, object], ...]


def _refuse_number(place: Place, text: str) -> object:
    raise refuse(NOT_CANONICAL, place, "", found=f"the number {text[:40]}", expected="integers only")


def _bounded_integer(place: Place, text: str) -> int:
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        raise refuse(NOT_CANONICAL, place, "", found=f"the number {text[:40]}", expected="less than 2^53 in size")
    return int(text)


def _json_node(value: object, place: Place, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise refuse(TOO_BIG, place, "", found=f"more than {DEPTH_MAX} levels", expected="a flatter document")
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, _ in value.pairs:
            if key in seen:
                found = f"the key {shown(key)} again"
                raise refuse(DUPLICATE_KEY, place, "", found=found, expected="every key once")
            seen.add(key)
        entries = ((Scalar(key, "text", place), _json_node(item, place, depth + 1)) for key, item in value.pairs)
        return Mapping(tuple(entries), place)
    if isinstance(value, list):
        return Sequence(tuple(_json_node(item, place, depth + 1) for item in value), place)
    if value is None:
        return Scalar("null", "null", place)
    if isinstance(value, bool):
        return Scalar("true" if value else "false", "flag", place)
    if isinstance(value, int):
        return Scalar(str(value), "integer", place)
    return Scalar(str(value), "text", place)


def plain(node: Node) -> object:
    """Return the tree as dicts, lists and values: for the border to JSON only."""
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if node.kind == "null":
        return None
    if node.kind == "flag":
        return FLAGS[node.text]
    return int(node.text) if node.kind == "integer" else node.text


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield (path, node) for a tree, outer nodes first."""
    yield path, node
    if isinstance(node, Mapping):
        for key, value in node.entries:
            yield from walk(value, f"{path}.{key.text}" if path else key.text)
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from walk(item, f"{path}[{index}]")
