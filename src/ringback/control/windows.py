"""Maintenance windows as UTC intervals: when may a rollout grow?

Decides: whether an instant lies in a window, and when that changes. Never: knows time zones; whoever reads the release
resolves local times to UTC intervals.

- No window at all means: always open. Windows bound growth only; stopping and rolling back never wait for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``start_at_ms`` (included) to ``end_at_ms`` (excluded), UTC ms."""

    start_at_ms: int
    end_at_ms: int


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether growth is allowed, and when that next changes (None = never again)."""

    is_open: bool
    changes_at_ms: int | None


def opening(intervals: Sequence[Interval], now_ms: int) -> Opening:
    """Return whether ``now_ms`` lies in a window. Overlapping windows are one; windows without length are none."""
    if not intervals:
        return Opening(True, None)
    ends_at_ms = now_ms
    for interval in sorted(intervals, key=lambda each: each.start_at_ms):
        if interval.start_at_ms <= ends_at_ms < interval.end_at_ms:
            ends_at_ms = interval.end_at_ms
    if ends_at_ms > now_ms:
        return Opening(True, ends_at_ms)
    starts = [each.start_at_ms for each in intervals if each.start_at_ms > now_ms and each.end_at_ms > each.start_at_ms]
    return Opening(False, min(starts, default=None))
