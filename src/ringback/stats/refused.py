"""Refuses numbers that are no evidence, before a gate can be misled by one.

Decides: whether a count, a rate or a measurement may enter a test. Never: repairs, rounds or drops one silently, and
never raises: a bad number is a value that the caller counts and shows, because a gate that crashes on a hostile
report is a gate that the report switched off.

- NaN, infinities, negative counts, fractions of devices and counters that run backwards all become a ``BadNumber``.
- No function of this package turns a ``BadNumber`` into evidence for or against a release.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

COUNT_MAX = 10**12
"""Largest count believed. Far above any fleet, far below where float exponents of the tests lose whole devices."""

NOT_A_COUNT = "RB-STATS-001"
MORE_FAILURES_THAN_DEVICES = "RB-STATS-002"
COUNTER_RAN_BACKWARDS = "RB-STATS-003"
NOT_FINITE = "RB-STATS-004"
OUT_OF_RANGE = "RB-STATS-005"
EVENT_FROM_EMPTY_SIDE = "RB-STATS-006"
WEIGHTS_ABOVE_ONE = "RB-STATS-007"
PREFIXES_NOT_NESTED = "RB-STATS-008"
WRONG_NUMBER_OF_CONTROLS = "RB-STATS-009"


@dataclass(frozen=True, slots=True)
class BadNumber:
    """A number refused as evidence.

    ``code`` is stable (RB-STATS-NNN), ``field`` names the input, ``found`` and ``expected`` are for people.
    """

    code: str
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.code}: {self.field} is {self.found}, expected {self.expected}; the number is ignored"


def bad_count(field: str, value: object) -> BadNumber | None:
    """Say why ``value`` is not a count of devices or events (a whole number, 0 to ``COUNT_MAX``), or None."""
    if type(value) is not int:  # bool is an int to Python, but "True devices" is a bug upstream
        return BadNumber(NOT_A_COUNT, field, repr(value), "a whole number")
    if value < 0 or value > COUNT_MAX:
        return BadNumber(NOT_A_COUNT, field, str(value), f"0 to {COUNT_MAX}")
    return None


def bad_finite(field: str, value: object) -> BadNumber | None:
    """Say why ``value`` is not a finite measurement, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return BadNumber(NOT_FINITE, field, repr(value), "a number")
    if isinstance(value, int) and abs(value) > COUNT_MAX:
        return BadNumber(NOT_FINITE, field, str(value), f"at most {COUNT_MAX} in size")
    if not isfinite(value):
        return BadNumber(NOT_FINITE, field, str(value), "a finite number")
    return None


def bad_rate(field: str, value: object, *, above: float, below: float) -> BadNumber | None:
    """Say why ``value`` is not a finite number strictly between ``above`` and ``below``, or None."""
    refused = bad_finite(field, value)
    if refused is not None:
        return refused
    assert isinstance(value, (int, float))
    if not above < value < below:
        return BadNumber(OUT_OF_RANGE, field, str(value), f"more than {above:g} and less than {below:g}")
    return None
