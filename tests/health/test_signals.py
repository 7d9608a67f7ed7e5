"""Signals beside the outcome: rates, ranks, changes on one device, their shares of alpha, and what they blame."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import pytest

from ringback.health import (
    BlameBasis,
    Changes,
    GateParams,
    Level,
    Signal,
    SignalKind,
    SignalSeen,
    StratumEvidence,
    Verdict,
    VerdictKind,
    Worse,
    change_ppm,
    drift_ppm,
    judge,
)
from ringback.health.signals import judged, weights
from ringback.stats import BadNumber, RiskSet
from tests.control.scenes import family

NOW = 1_700_000_000_000
GATE = GateParams()
LATENCY = Signal("latency/face.p95_us", SignalKind.RANK, "model/face")
CRASHES = Signal("crashes", SignalKind.RATE, "app")
MEMORY = Signal("memory.rss_kb", SignalKind.RANK, "app")
STRATA = (StratumEvidence("door"), StratumEvidence("gate"))


def verdict(*seen: SignalSeen, signals: tuple[Signal, ...] = (LATENCY, CRASHES), strata=STRATA) -> Verdict:
    return judge(GATE, strata, NOW, changed=("config", "model/face", "app"), signals=signals, seen=seen)


def worst_of(count: int, stratum: str = "door", signal: Signal = LATENCY) -> SignalSeen:
    """``count`` updated devices that exceed all four of their controls."""
    return SignalSeen(signal.name, stratum, ranks=(0, 0, 0, 0, count))


def test_outcomes_have_all_of_alpha_until_other_signals_are_watched() -> None:
    assert weights([]) == (1.0, ())
    assert weights([CRASHES]) == (0.8, (0.2,))
    assert weights([LATENCY, CRASHES, MEMORY]) == (0.5, (0.15, 0.2, 0.15))


@pytest.mark.parametrize("signals", [[LATENCY], [CRASHES], [LATENCY, MEMORY, CRASHES], []])
def test_shares_never_exceed_alpha(signals: list[Signal]) -> None:
    left, shares = weights(signals)

    assert left + sum(shares) == pytest.approx(1.0)


def test_a_measurement_that_is_the_worst_of_five_on_device_after_device_halts_and_blames_its_plane() -> None:
    found = verdict(worst_of(12))

    assert found.kind is VerdictKind.FAIL
    assert found.blame is not None
    assert (found.blame.plane, found.blame.basis) == ("model/face", BlameBasis.SIGNAL)
    assert found.reasons[0].startswith(
        "latency/face.p95_us is worse than on control devices (12 devices ranked among four each)"
    )
    assert found.reasons[1] == "Plane model/face is blamed: a signal that indicts it is worse than on control devices."
    assert [each.is_cause for each in found.signals] == [True, False]


def test_the_ladder_of_one_signal_is_watch_then_pause_then_halt() -> None:
    levels = [verdict(worst_of(count)).level for count in range(12)]

    assert levels == sorted(levels, key=[Level.QUIET, Level.WATCH, Level.PAUSE, Level.HALT].index)
    assert set(levels) == set(Level)


def test_a_signal_halts_at_its_share_and_not_at_all_of_alpha() -> None:
    found = verdict(worst_of(6), signals=(LATENCY,))
    (shown,) = found.signals

    assert 100_000 <= shown.e_milli < shown.halts_at_milli == 333_334
    assert found.level is Level.PAUSE


def test_events_at_ten_times_the_rate_of_control_halt_and_at_the_same_rate_do_not() -> None:
    worse = SignalSeen("crashes", "door", risks=(RiskSet(1 << 17, 12, 4),))
    alike = SignalSeen("crashes", "door", risks=(RiskSet(1 << 20, 12, 12),))

    assert verdict(worse).kind is VerdictKind.FAIL
    assert (
        verdict(worse).reasons[0].startswith("crashes is worse than on control devices (12 events on updated devices)")
    )
    assert verdict(alike).level is Level.QUIET


def test_a_rule_that_failed_on_devices_is_blamed_before_a_signal() -> None:
    failing = (family("door", 3, 3, at_ms=NOW), StratumEvidence("gate"))

    found = verdict(worst_of(40, signal=MEMORY), signals=(MEMORY,), strata=failing)

    assert found.blame is not None
    assert (found.blame.plane, found.blame.basis) == ("model/face", BlameBasis.RULE)


def test_a_signal_without_a_plane_of_the_release_blames_nobody() -> None:
    stranger = replace(LATENCY, plane="radio")

    assert verdict(worst_of(12), signals=(stranger,)).blame is None


def test_signals_nobody_watches_and_families_nobody_planned_are_no_evidence() -> None:
    unknown = (worst_of(30, stratum="elsewhere"), SignalSeen("noise", "door", ranks=(0, 0, 0, 0, 30)))

    assert verdict(*unknown).level is Level.QUIET
    assert judged([LATENCY], [SignalSeen(LATENCY.name, "door", ranks=(1, 2))], ["door"])[0].evidence == 1.0


def test_a_family_alone_is_named_and_values_that_were_no_evidence_are_shown() -> None:
    (shown,) = judged([LATENCY], [worst_of(9, "gate"), SignalSeen(LATENCY.name, "door", refused=7)], ["door", "gate"])

    assert shown.family == "gate"
    assert shown.refused == 7
    assert shown.updated == 9


@pytest.mark.parametrize(
    ("before", "after", "worse", "expected"),
    [
        (1_000, 1_000, Worse.HIGHER, -30_000),
        (1_000, 2_000, Worse.HIGHER, 693_147 - 30_000),
        (1_000, 500, Worse.HIGHER, -693_147 - 30_000),
        (1_000, 500, Worse.LOWER, 693_147 - 30_000),
        (1_000, 500, Worse.EITHER, 693_147 - 30_000),
        (1, 10**12, Worse.HIGHER, 27_631_021 - 30_000),
    ],
)
def test_a_change_is_a_log_ratio_less_the_margin(before: int, after: int, worse: Worse, expected: int) -> None:
    assert change_ppm(before, after, margin_ppm=30_000, worse=worse) == expected


@pytest.mark.parametrize("bad", [0, -5, float("nan"), float("inf"), -float("inf"), None, "12", True, 10**13])
def test_what_cannot_be_a_measurement_is_refused_on_either_side(bad: object) -> None:
    assert isinstance(change_ppm(bad, 100, margin_ppm=0, worse=Worse.HIGHER), BadNumber)
    assert isinstance(change_ppm(100, bad, margin_ppm=0, worse=Worse.HIGHER), BadNumber)


def test_drift_is_nothing_for_the_same_shares_and_grows_with_the_difference() -> None:
    same = drift_ppm([800, 150, 50], [1_600, 300, 100])
    little, much = drift_ppm([800, 150, 50], [750, 170, 80]), drift_ppm([800, 150, 50], [100, 150, 750])
    assert isinstance(same, int) and isinstance(little, int) and isinstance(much, int)

    assert same < 100 < little < much
    assert isinstance(drift_ppm([1, 2], [1, 2, 3]), BadNumber)
    assert isinstance(drift_ppm([], []), BadNumber)
    assert isinstance(drift_ppm([1, 2], [1, -2]), BadNumber)
    assert isinstance(drift_ppm([1, 2], [1, float("nan")]), BadNumber)
    assert isinstance(drift_ppm([0, 0], [0, 5]), int)


def test_an_updated_device_waits_for_four_fresh_controls_of_its_family_and_hour() -> None:
    changes = Changes(LATENCY.name)
    changes.updated("u1", "door", 7, 900)
    for number in range(3):
        changes.control(f"c{number}", "door", 7, number)
    changes.control("c3", "door", 8, 0)
    changes.control("c4", "gate", 7, 0)
    assert changes.seen() == ()

    changes.control("c5", "door", 7, 1_000)

    assert changes.seen() == (SignalSeen(LATENCY.name, "door", ranks=(0, 0, 0, 1, 0)),)


def test_a_device_counts_once_per_metric_on_either_side_and_a_control_is_never_used_twice() -> None:
    changes = Changes(LATENCY.name)
    for _ in range(3):
        changes.updated("u1", "door", 7, 900)
        for number in range(4):
            changes.control(f"c{number}", "door", 7, number)
    changes.updated("u2", "door", 7, 900)

    assert changes.seen() == (SignalSeen(LATENCY.name, "door", ranks=(0, 0, 0, 0, 1)),)


def test_values_that_are_no_changes_are_counted_and_never_ranked() -> None:
    changes = Changes(LATENCY.name)
    refused = change_ppm(0, 5, margin_ppm=0, worse=Worse.HIGHER)
    for number in range(4):
        changes.control(f"c{number}", "door", 7, 0)
    changes.updated("u1", "door", 7, refused)

    assert changes.seen() == (SignalSeen(LATENCY.name, "door", refused=1),)


def evidence_at_most(
    release: Callable[[random.Random], float], seed: int, devices: int = 300
) -> tuple[float, int | None]:
    """The largest evidence over a rollout of heavy-tailed changes, and after how many devices it halts."""
    dice = random.Random(seed)

    def heavy() -> float:  # Student's t with three degrees of freedom, a fifth of its usual width
        return 0.05 * dice.gauss(0, 1) / sqrt(sum(dice.gauss(0, 1) ** 2 for _ in range(3)) / 3)

    changes, largest, halted = Changes(LATENCY.name), 0.0, None
    for number in range(devices):
        for control in range(4):
            changes.control(f"c{number}-{control}", "door", number // 50, round(heavy() * 1e6))
        changes.updated(f"u{number}", "door", number // 50, round((heavy() + release(dice)) * 1e6))
        (shown,) = judged([LATENCY], changes.seen(), ["door"])
        largest = max(largest, shown.evidence)
        if halted is None and shown.evidence * shown.weight >= 100:
            halted = number + 1
    return largest, halted


def test_no_change_with_the_heaviest_tails_hardly_ever_halts_and_a_shift_of_two_widths_soon_does() -> None:
    innocent = [evidence_at_most(lambda _dice: 0.0, seed, 60)[1] for seed in range(60)]
    guilty = [evidence_at_most(lambda _dice: 0.1, seed, 60)[1] for seed in range(20)]

    assert sum(halted is not None for halted in innocent) <= 1
    assert sum(halted is not None and halted <= 40 for halted in guilty) >= 18
