"""Numbers, times and texts as people read them in a terminal.

Decides: wording of values. Never: a value, and never a colour.

- Text from a server or a device is hostile: a control character in it could move the cursor, hide a line or retitle the
  window. `plain` makes every one visible.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SHORT_DIGEST = 12


def plain(text: str) -> str:
    """Return text with every control and formatting character shown as its code, so that none acts on the terminal.

    Unicode's categories Cc, Cf, Cs, Zl and Zp: escape sequences, and marks that reorder what is read.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{{{ord(char):x}}}" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
        for char in text
    )


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 device, 2 devices."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(size_bytes: int) -> str:
    """Return a size with a decimal unit and at most three digits: 442000 -> "442 kB"."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} TB"


def duration(span_ms: int) -> str:
    """Return a duration in its two largest units, rounded down; below a second in milliseconds."""
    if span_ms < 0:
        return "-" + duration(-span_ms)
    if span_ms < SECOND_MS:
        return f"{span_ms} ms"
    if span_ms < MINUTE_MS:
        tenths = span_ms // 100
        return f"{tenths // 10} s" if tenths % 10 == 0 or tenths >= 100 else f"{tenths // 10}.{tenths % 10} s"
    for unit_ms, unit, smaller_ms, smaller in (
        (DAY_MS, "d", HOUR_MS, "h"),
        (HOUR_MS, "h", MINUTE_MS, "min"),
        (MINUTE_MS, "min", SECOND_MS, "s"),
    ):
        if span_ms >= unit_ms:
            rest = span_ms % unit_ms // smaller_ms
            return f"{span_ms // unit_ms} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(span_ms)


def age(at_ms: int | None, now_ms: int) -> str:
    """Return how long ago an instant was by the server's clock; "never" for None."""
    if at_ms is None:
        return "never"
    return f"{duration(max(0, now_ms - at_ms))} ago"


def instant(at_ms: int) -> str:
    """Return a UTC instant to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(at_ms: int) -> str:
    """Return a UTC instant to the minute, for a column that says it is UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def short(digest: str) -> str:
    """Return the first digits of a digest: enough to tell artifacts apart, few enough to read."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]


def pairs(labels: Mapping[str, str]) -> str:
    """Return labels as a selector would name them: customer=acme, region=eu."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def observed(reading: int, operator: str, limit: int) -> str:
    """Return a reading and what it was compared with."""
    return f"{reading}, must be {operator} {limit}" if operator else f"{reading}, the limit is {limit}"


def share(ppm: int) -> str:
    """Return parts per million as a percentage with at most three significant digits: 4000 -> "0.4 %"."""
    return f"{ppm / 10_000:.3g} %"


def versions(picks: Mapping[str, str]) -> str:
    """Return what a release brings: model/face blazeface@1.1.0. A reference that names its plane is not said twice."""
    return ", ".join(f"{plane} {pick.removeprefix(f'{plane}/')}" for plane, pick in picks.items())
