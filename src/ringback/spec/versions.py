"""Versions (SemVer 2.0 order) and constraints on them: what one plane requires of another, or of the hardware.

Decides: what is a version, how a constraint is written, and whether any version at all could satisfy it. Never: which
versions exist, and never whether one satisfies: that is the kernel's one evaluator, the same on every device.

- A version is MAJOR.MINOR.PATCH with an optional prerelease, which sorts below its release. Build metadata is refused:
  two artifacts that compare equal but differ could not both be "the newest".
- A constraint is a comma list of ``>= <= > < == !=`` and a version; missing parts are 0; all must hold.
- A capability is constrained by the same operators (an integer is a version with one part) or by ``a|b|c``, one of.
- A constraint that excludes itself (``>=2,<1``) is refused where it is written, not on the device.

Source: semver.org 2.0.0 section 11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from typing import Final

from ringback_kernel import constraints
from ringback_kernel.errors import KernelError

VERSION: Final = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(?:-([0-9A-Za-z.-]{1,64}))?")
LOOSE: Final = re.compile(
    r"(0|[1-9][0-9]{0,8})(?:\.(0|[1-9][0-9]{0,8}))?(?:\.(0|[1-9][0-9]{0,8}))?(?:-([0-9A-Za-z.-]{1,64}))?"
)
COMPARISON: Final = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*")
WORDS: Final = re.compile(r"\s*[A-Za-z0-9._-]+(\s*\|\s*[A-Za-z0-9._-]+)*\s*")
CONSTRAINT: Final = re.compile(r"[ -~]{1,128}")
"""Printable ASCII, as the device reads it: a signed document holds no escapes."""
COMPARISONS_MAX: Final = 8
"""Longest constraint. A range with holes needs four; the device reads this too."""


class BadVersion(ValueError):
    """A text that is no version or constraint; the message says what was expected."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version in SemVer order. ``prerelease`` is empty for a release."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{self.prerelease}" if self.prerelease else core

    def __lt__(self, other: Version) -> bool:
        return self.rank() < other.rank()

    def rank(self) -> tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]:
        """Return a key that sorts as SemVer says: a release above its prereleases, numbers below words."""
        parts = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease.split(".") if part
        )
        return (self.major, self.minor, self.patch, 0 if self.prerelease else 1, parts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator and the version it compares with."""

    operator: str
    version: Version


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is required of a plane's version, or of a capability.

    Attributes:
        text: as it was written.
        comparisons: all must hold; empty for a list of words.
        words: one of these; empty for comparisons.
    """

    text: str
    comparisons: tuple[Comparison, ...] = ()
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    def allows(self, version: Version) -> bool:
        """Say whether a version satisfies every comparison."""
        return not self.words and _satisfies(self.text, str(version))

    def allows_value(self, value: int | str) -> bool:
        """Say whether a capability's value satisfies the constraint. A word that is no version fails comparisons."""
        return _satisfies(self.text, value)

    def is_satisfiable(self) -> bool:
        """Say whether any version at all could pass: bounds that cross, or exclude each other, leave none."""
        if self.words:
            return True
        return any(self.allows(candidate) for candidate in self._candidates())

    def _candidates(self) -> list[Version]:
        """Return versions of which one passes if any does: each bound, just below and just above it.

        Between a version and its next patch lie the patch's prereleases; ``-0`` is the lowest of them.
        """
        found: list[Version] = [Version(0, 0, 0, "0")]
        for comparison in self.comparisons:
            bound = comparison.version
            found += [bound, Version(bound.major, bound.minor, bound.patch, "0")]
            found += [
                Version(bound.major, bound.minor, bound.patch + step, pre) for step in (1, 2) for pre in ("", "0")
            ]
            if bound.prerelease:
                found += [Version(bound.major, bound.minor, bound.patch, bound.prerelease + ".0")]
                found += [Version(bound.major, bound.minor, bound.patch)]
            found.append(Version(bound.major + 10**9))
        return found


@lru_cache(maxsize=16_384)
def _satisfies(text: str, value: int | str) -> bool:
    """Ask the device's own evaluator; what it cannot compare satisfies nothing."""
    try:
        return bool(constraints.satisfies(text, value))
    except KernelError:
        return False


@lru_cache(maxsize=4096)
def parse_version(text: str) -> Version:
    """Return a complete version such as 1.4.0 or 2.0.0-rc.1. Raises BadVersion."""
    return _version(text, VERSION, "MAJOR.MINOR.PATCH such as 1.4.0 or 2.0.0-rc.1")


@lru_cache(maxsize=4096)
def loose_version(text: str) -> Version:
    """Return a version whose missing parts are 0, as in constraints. Raises BadVersion."""
    return _version(text, LOOSE, "a version such as 1, 1.4 or 1.4.0")


def _version(text: str, pattern: re.Pattern[str], expected: str) -> Version:
    match = pattern.fullmatch(text)
    if match is None:
        raise BadVersion(expected)
    prerelease = match[4] or ""
    parts = prerelease.split(".") if prerelease else []
    if any(not part or (part.isdigit() and part != str(int(part))) for part in parts):
        raise BadVersion(f"{expected}, with no empty or zero-padded part after the dash")
    return Version(int(match[1]), int(match[2] or 0), int(match[3] or 0), prerelease)


@lru_cache(maxsize=4096)
def parse_constraint(text: str, *, on_capability: bool = False) -> Constraint:
    """Return a constraint such as ``>=1.1,<2`` or, on a capability only, ``rk3566|rk3568``. Raises BadVersion."""
    if not CONSTRAINT.fullmatch(text) or '"' in text or "\\" in text:
        raise BadVersion("1 to 128 characters of plain ASCII, such as >=1.1,<2")
    if on_capability and WORDS.fullmatch(text):
        return Constraint(text, words=tuple(word.strip() for word in text.split("|")))
    parts = text.split(",")
    if len(parts) > COMPARISONS_MAX:
        raise BadVersion(f"at most {COMPARISONS_MAX} comparisons")
    found: list[Comparison] = []
    for part in parts:
        match = COMPARISON.fullmatch(part)
        if match is None:
            raise BadVersion("comparisons such as >=1.1,<2 with the operators >= <= > < == !=")
        found.append(Comparison(match[1], loose_version(match[2])))
    constraint = Constraint(text, tuple(found))
    if not constraint.is_satisfiable():
        raise BadVersion("a constraint that some version can satisfy; these comparisons exclude each other")
    return constraint
