"""The promise of the whole verdict, by simulation: families, pool, prefixes and silence, looked at all the time.

300 seeded releases of 500 devices in three families at true p = p0 (must hardly ever FAIL) and p = p1 (must hardly ever
PASS), with failures that report early, successes that report late, and silent devices.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from math import sqrt

from ringback.health import (
    Budget,
    Deployment,
    GateParams,
    Ledger,
    Outcome,
    Result,
    ResultKind,
    Verdict,
    VerdictKind,
    judge,
)
from ringback.health.params import MINUTE_MS

GATE = GateParams(p0_ppm=10_000, p1_ppm=40_000, budgets=(Budget(30 * MINUTE_MS, 16),), heartbeat_ms=20 * MINUTE_MS)
RELEASES, DEVICES = 300, 500
FAMILIES = ("door", "gate", "mast")
T0 = 1_700_000_000_000


def played(seed: int, rate: float) -> Iterator[Verdict]:
    """One release, looked at after every failure and every ten minutes."""
    dice = random.Random(seed)
    ledger = Ledger(GATE, strata=FAMILIES, rings_count=1)
    happened: list[tuple[int, int, Deployment | None, Deployment | None]] = []
    for number in range(DEVICES):
        wave = 0 if number < 8 else 1 if number < 40 else 2 if number < 160 else 3
        entered_at_ms = T0 + int((wave * 90 + dice.uniform(0, 20)) * MINUTE_MS)
        family = dice.choices(FAMILIES, (60, 32, 8))[0]
        entered = Deployment(
            "r", f"d{number}", family, 0, granted_at_ms=entered_at_ms, heard_at_ms=entered_at_ms,
            entered_at_ms=entered_at_ms, outcome=Outcome.INSTALLED,
        )  # fmt: skip
        happened.append((entered_at_ms, number, None, entered))
        failed = dice.random() < rate
        if failed and dice.random() < 0.25:
            ended_at_ms = entered_at_ms + GATE.heartbeat_ms
            ended = replace(entered, outcome=Outcome.SILENT, outcome_at_ms=ended_at_ms, counted_silent=True)
        elif failed:
            ended_at_ms = entered_at_ms + int(dice.uniform(5, 15) * MINUTE_MS)
            ended = replace(
                entered, outcome=Outcome.FELL_BACK, outcome_at_ms=ended_at_ms, result=Result(ResultKind.REVERTED)
            )
        else:
            ended_at_ms = entered_at_ms + 25 * MINUTE_MS
            ended = replace(entered, confirmed_at_ms=ended_at_ms)
        happened.append((ended_at_ms, DEVICES + number, entered, ended))
    happened += [(T0 + minute * MINUTE_MS, 2 * DEVICES, None, None) for minute in range(0, 420, 10)]
    for at_ms, _order, before, after in sorted(happened, key=lambda each: each[:2]):
        if after is not None:
            ledger.change(before, after)
        if after is None or after.is_failed:
            yield judge(GATE, ledger.strata(), at_ms, changed=("app",))


def share(kind: VerdictKind, rate: float) -> float:
    return sum(any(verdict.kind is kind for verdict in played(seed, rate)) for seed in range(RELEASES)) / RELEASES


def ceiling(error_rate: float) -> float:
    return error_rate + 3 * sqrt(error_rate * (1 - error_rate) / RELEASES)


def test_a_release_at_its_slo_fails_at_most_alpha_of_the_time_however_often_one_looks() -> None:
    assert share(VerdictKind.FAIL, 0.01) <= ceiling(GATE.alpha)


def test_a_release_at_p1_passes_at_most_beta_of_the_time() -> None:
    assert share(VerdictKind.PASS, 0.04) <= ceiling(GATE.beta)


def test_a_clearly_bad_release_fails_and_a_clearly_good_one_passes() -> None:
    assert all(any(verdict.kind is VerdictKind.FAIL for verdict in played(seed, 0.1)) for seed in range(20))
    assert all(any(verdict.kind is VerdictKind.PASS for verdict in played(seed, 0.0)) for seed in range(5))
