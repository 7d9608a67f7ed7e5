"""Kubernetes label selectors: which devices a release, a ring or a brake is about.

Decides: whether labels match. Never: which labels a device has.

- Grammar and meaning as in Kubernetes: requirements separated by commas, all must hold: ``key`` (exists), ``!key``,
  ``key=value``, ``key==value``, ``key!=value``, ``key in (a,b)``, ``key notin (a,b)``. ``!=`` and ``notin`` also hold
  where the label is absent. An empty selector matches everything.
- Label keys and values follow Kubernetes' grammar: at most 63 characters, letters, digits, ``-_.``, a letter or digit
  at both ends; a key may have a DNS prefix of at most 253 characters and a slash.
- ``class``, ``family`` and ``device`` are reserved keys: the server fills them in, a device cannot claim them.

Source: kubernetes.io, "Labels and Selectors"; apimachinery pkg/labels (grammar re-stated, not copied).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RESERVED_KEYS: Final = ("class", "family", "device")
SELECTOR_CHARS_MAX: Final = 1000
VALUES_MAX: Final = 100
NAME_CHARS_MAX: Final = 63
PREFIX_CHARS_MAX: Final = 253

NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
TOKEN: Final = re.compile(r"\s*(?:(!=|==|[=!,()])|([^\s=!,()]+))")


class BadSelector(ValueError):
    """A text that is no selector: ``found`` at ``position`` (from 0), ``expected`` and a ``hint`` for people."""

    def __init__(self, position: int, *, found: str, expected: str, hint: str = "") -> None:
        super().__init__(f"{found} at character {position + 1}, expected {expected}")
        self.position = position
        self.found = found
        self.expected = expected
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition: ``operator`` is in, notin, exists or absent; ``=`` and ``!=`` are in and notin of one value."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, value: str | None) -> bool:
        """Say whether it holds for the value of its key; None means the label is absent."""
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        return (value is not None) == (self.operator == "exists")

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "absent":
            return f"!{self.key}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator == 'in' else '!='}{next(iter(self.values))}"
        return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold; none at all matches every device."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels satisfy every requirement."""
        return all(requirement.matches(labels.get(requirement.key)) for requirement in self.requirements)

    @property
    def keys(self) -> tuple[str, ...]:
        """The labels it looks at, sorted, each once. Two devices that agree on these get the same answer."""
        return tuple(sorted({requirement.key for requirement in self.requirements}))

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING: Final = Selector()


def is_label_key(text: str) -> bool:
    """Say whether a text may be the key of a label."""
    prefix, slash, name = text.rpartition("/")
    if slash and not (len(prefix) <= PREFIX_CHARS_MAX and PREFIX.fullmatch(prefix)):
        return False
    return len(name) <= NAME_CHARS_MAX and NAME.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Say whether a text may be the value of a label; it may be empty."""
    return text == "" or (len(text) <= NAME_CHARS_MAX and NAME.fullmatch(text) is not None)


def with_reserved(labels: Mapping[str, str], *, device: str, class_id: str, family: str) -> dict[str, str]:
    """Return labels as selectors see them: a device's own, with the reserved keys filled in over them."""
    return {**labels, "device": device, "class": class_id, "family": family}


def parse_selector(text: str) -> Selector:
    """Return the selector of a text.

    Raises BadSelector: with position, what was found, what was expected.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise BadSelector(0, found=f"{len(text)} characters", expected=f"at most {SELECTOR_CHARS_MAX}")
    return _Parser(text).selector()


class _Parser:
    """Reads tokens from left to right; every refusal names the position."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip()
        self.at = 0

    def selector(self) -> Selector:
        if not self.text:
            return EVERYTHING
        found = [self._requirement()]
        while self.at < len(self.text):
            self._symbol(",", "a comma between requirements")
            found.append(self._requirement())
        return Selector(tuple(found))

    def _peek(self) -> tuple[str, int, int]:
        """Return the next word with its start and end; ("", n, n) at the end."""
        match = TOKEN.match(self.text, self.at)
        if match is None:
            return "", len(self.text), len(self.text)
        group = 1 if match[1] is not None else 2
        return match[group], match.start(group), match.end(group)

    def _requirement(self) -> Requirement:
        word, _, end = self._peek()
        if word == "!":
            self.at = end
            return Requirement(self._key(), "absent")
        key = self._key()
        word, start, end = self._peek()
        if word in ("", ","):
            return Requirement(key, "exists")
        self.at = end
        if word in ("=", "=="):
            return Requirement(key, "in", frozenset([self._value()]))
        if word == "!=":
            return Requirement(key, "notin", frozenset([self._value()]))
        if word in ("in", "notin"):
            return Requirement(key, word, self._values())
        hint = "write it like: region in (eu,us),customer=acme"
        raise BadSelector(start, found=f"'{word}'", expected="one of = == != in notin, or a comma", hint=hint)

    def _key(self) -> str:
        word, start, end = self._peek()
        if not is_label_key(word):
            expected = "a label's key (letters, digits, - _ . up to 63 characters)"
            raise BadSelector(start, found=f"'{word}'" if word else "the end", expected=expected)
        self.at = end
        return word

    def _value(self) -> str:
        word, start, end = self._peek()
        if word in ("", ",", ")"):
            return ""
        if not is_label_value(word):
            expected = "a label's value (letters, digits, - _ . up to 63 characters)"
            raise BadSelector(start, found=f"'{word}'", expected=expected)
        self.at = end
        return word

    def _values(self) -> frozenset[str]:
        self._symbol("(", "an opening bracket after in or notin")
        found = [self._value()]
        while self._peek()[0] == ",":
            self.at = self._peek()[2]
            found.append(self._value())
        if len(found) > VALUES_MAX:
            raise BadSelector(self.at, found=f"{len(found)} values", expected=f"at most {VALUES_MAX}")
        self._symbol(")", "a comma or a closing bracket")
        return frozenset(found)

    def _symbol(self, symbol: str, expected: str) -> None:
        word, start, end = self._peek()
        if word != symbol:
            raise BadSelector(start, found=f"'{word}'" if word else "the end", expected=expected)
        self.at = end
