"""Quantities as people write them (5s, 256 MiB, 2 %) to integers with a unit in their name, and back.

Decides: which units there are and what a bare number may mean. Never: rounds; a quantity that is no whole number of its
smallest unit is refused.

- A bare number has no unit and is refused, except 0.
- Decimal arithmetic on integers only: 0.1 s is 100 ms exactly.
- Sizes: k, M, G are powers of 1000, Ki, Mi, Gi powers of 1024 (IEC 80000-13). "256 MB" is not "256 MiB".
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

DURATIONS_MS: Final = {
    "ms": Fraction(1),
    "s": Fraction(1000),
    "m": Fraction(60_000),
    "min": Fraction(60_000),
    "h": Fraction(3_600_000),
    "d": Fraction(86_400_000),
    "w": Fraction(604_800_000),
}
TIMES_US: Final = {"us": Fraction(1), "µs": Fraction(1), "ms": Fraction(1000), "s": Fraction(1_000_000)}
SIZES_BYTES: Final = {
    "B": Fraction(1),
    "kB": Fraction(10**3),
    "KB": Fraction(10**3),
    "MB": Fraction(10**6),
    "GB": Fraction(10**9),
    "KiB": Fraction(2**10),
    "MiB": Fraction(2**20),
    "GiB": Fraction(2**30),
}
SIZES_KB: Final = {unit: factor / 1024 for unit, factor in SIZES_BYTES.items()}
"""Kilobytes as Linux counts them in /proc: 1024 bytes."""
SHARES_PPM: Final = {"%": Fraction(10_000), "‰": Fraction(1000), "ppm": Fraction(1)}
TEMPERATURES_MDEGC: Final = {"°C": Fraction(1000), "C": Fraction(1000), "mdegC": Fraction(1)}

BY_SUFFIX: Final[dict[str, tuple[dict[str, Fraction], str]]] = {
    "ms": (DURATIONS_MS, "5s"),
    "us": (TIMES_US, "8 ms"),
    "kb": (SIZES_KB, "256 MiB"),
    "bytes": (SIZES_BYTES, "256 MiB"),
    "ppm": (SHARES_PPM, "2 %"),
    "mdegc": (TEMPERATURES_MDEGC, "85 °C"),
}
"""Last part of a field's name to the units that it can be written in, and a good example."""

QUANTITY: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?\s*([^\s0-9.]*)")


class BadQuantity(ValueError):
    """A text that is no quantity of the wanted kind. ``expected`` and ``hint`` are for people."""

    def __init__(self, expected: str, hint: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


def quantity(text: str, units: dict[str, Fraction], example: str) -> int:
    """Return a quantity in its smallest unit.

    Args:
        text: such as "1.5 h" or "2%".
        units: unit to factor, one of the tables above.
        example: a good one, for the message.

    Raises BadQuantity: no number, no unit, another kind of unit, or not a whole number of the smallest unit.
    """
    known = ", ".join(units)
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise BadQuantity(f"a number and a unit ({known})", f"write it like {example}")
    whole, decimals, unit = match[1], match[2] or "", match[3]
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    if not unit:
        if value == 0:
            return 0
        raise BadQuantity(f"a unit after the number ({known})", f"write it like {example}")
    if unit not in units:
        raise BadQuantity(f"one of the units {known}", f"write it like {example}")
    scaled = value * units[unit]
    if scaled.denominator != 1:
        smallest = next(name for name, factor in units.items() if factor == 1)
        raise BadQuantity(f"a whole number of {smallest}", f"write it like {example}")
    return int(scaled)


def duration_ms(text: str) -> int:
    """Return a duration such as "5s", "10m" or "1.5 h" in milliseconds. Raises BadQuantity."""
    return quantity(text, DURATIONS_MS, "5s")


def size_bytes(text: str) -> int:
    """Return a size such as "256 MiB" in bytes. Raises BadQuantity."""
    return quantity(text, SIZES_BYTES, "256 MiB")


def share_ppm(text: str) -> int:
    """Return a share such as "2 %" in parts per million. Raises BadQuantity."""
    return quantity(text, SHARES_PPM, "2 %")


def in_unit_of(field: str, text: str) -> int:
    """Return a quantity in the unit that a field's name ends with, such as "8 ms" for p95_us. Raises BadQuantity."""
    units, example = BY_SUFFIX.get(field.rsplit("_", 1)[-1], ({}, ""))
    if not units:
        raise BadQuantity("a whole number without a unit", "write it like 5")
    return quantity(text, units, example)


def show_duration(value_ms: int) -> str:
    """Return milliseconds in the largest unit that keeps the number whole, such as "90s" or "2h"."""
    for unit in ("w", "d", "h", "m", "s"):
        factor = int(DURATIONS_MS[unit])
        if value_ms and value_ms % factor == 0:
            return f"{value_ms // factor}{unit}"
    return f"{value_ms}ms"


def show_size(value_bytes: int) -> str:
    """Return bytes for people, in powers of 1000 with one decimal, such as "2.3 MB"."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value_bytes >= factor:
            tenths = (value_bytes * 10 + factor // 2) // factor
            return f"{tenths // 10}.{tenths % 10} {unit}"
    return f"{value_bytes} B"


def show_share(value_ppm: int) -> str:
    """Return parts per million as a percentage without needless zeros, such as "0.4 %"."""
    whole, rest = divmod(value_ppm, 10_000)
    decimals = f"{rest:04d}".rstrip("0")
    return f"{whole}.{decimals} %" if decimals else f"{whole} %"
