"""One device, one outcome: what each report, each silence and each drill does to the unit of evidence."""

from __future__ import annotations

import pytest

from ringback.health import Deployment, Drill, Heard, Outcome, Result, ResultKind, after_report, after_silence
from ringback.health.deployment import granted_again, silence_due_at_ms, withdrawn

T0 = 1_700_000_000_000
CONFIRMED = Result(ResultKind.CONFIRMED)
FELL_BACK = Result(
    ResultKind.REVERTED, rule="latency", plane="model/face", operator="<=", reading=16_500, limit=8_000, healthy=True
)


def offered(drill: Drill = Drill.NONE) -> Deployment:
    return Deployment("r1", "box-1", "door", 0, granted_at_ms=T0, heard_at_ms=T0, drill=drill)


def told(deployment: Deployment, *reports: Heard, at_ms: int = T0 + 1_000) -> Deployment:
    for report in reports:
        deployment = after_report(deployment, report, at_ms)
    return deployment


def silence(deployment: Deployment, now_ms: int, *, listening_since_ms: int = T0) -> Deployment:
    return after_silence(
        deployment, listening_since_ms=listening_since_ms, heartbeat_ms=5_000, horizon_ms=60_000, now_ms=now_ms
    )


def test_an_offer_becomes_downloading_then_entered_then_confirmed_then_proven() -> None:
    downloading = told(offered(), Heard(1, downloading=True))
    entered = told(downloading, Heard(1, entered=True))
    confirmed = told(entered, Heard(1, entered=True, result=CONFIRMED), at_ms=T0 + 3_000)
    heard_late = told(confirmed, Heard(1, entered=True, result=CONFIRMED), at_ms=T0 + 61_000)
    proven = silence(heard_late, T0 + 61_000)

    assert [each.outcome for each in (downloading, entered, confirmed, proven)] == [
        Outcome.DOWNLOADING,
        Outcome.INSTALLED,
        Outcome.INSTALLED,
        Outcome.PROVEN,
    ]
    assert entered.entered_at_ms == T0 + 1_000
    assert confirmed.confirmed_at_ms == T0 + 3_000
    assert [each.is_moving for each in (downloading, entered, confirmed)] == [True, True, False]
    assert proven.is_good


def test_delivered_alone_is_neither_good_nor_failed() -> None:
    entered = told(offered(), Heard(1, entered=True))

    assert not entered.is_good
    assert not entered.is_failed


def test_a_replayed_report_changes_nothing_but_last_heard() -> None:
    once = told(offered(), Heard(1, entered=True, result=FELL_BACK))
    twice = told(once, Heard(1, entered=True, result=FELL_BACK), at_ms=T0 + 1_000)

    assert twice == once
    assert once.outcome is Outcome.FELL_BACK
    assert once.is_failed


def test_reports_about_another_attempt_change_nothing_but_last_heard() -> None:
    stale = told(offered(), Heard(7, entered=True, result=FELL_BACK))

    assert stale.outcome is Outcome.OFFERED
    assert stale.heard_at_ms == T0 + 1_000


def test_late_receipt_never_moves_last_heard_backwards() -> None:
    late = told(offered(), Heard(1), at_ms=T0 - 500)

    assert late.heard_at_ms == T0


def test_a_failure_after_confirmation_takes_the_confirmation_back() -> None:
    confirmed = told(offered(), Heard(1, entered=True, result=CONFIRMED))
    failed = told(confirmed, Heard(1, entered=True, result=FELL_BACK), at_ms=T0 + 9_000)

    assert confirmed.is_good
    assert failed.is_failed
    assert failed.confirmed_at_ms is None
    assert failed.entered_at_ms == confirmed.entered_at_ms


def test_a_refusal_by_a_health_rule_enters_and_fails_at_that_moment() -> None:
    blind = Result(ResultKind.REFUSED, rule="golden-face", plane="model/face", reading=0, limit=900_000)
    refused = told(offered(), Heard(1, downloading=True, result=blind))

    assert refused.outcome is Outcome.REFUSED
    assert refused.entered_at_ms == T0 + 1_000
    assert refused.is_failed


@pytest.mark.parametrize("kind", [ResultKind.REFUSED, ResultKind.FAILED])
def test_an_unsuitable_device_that_never_entered_is_no_failure_of_the_release(kind: ResultKind) -> None:
    unsuitable = told(offered(), Heard(1, downloading=True, result=Result(kind, code="RB-FETCH-003")))

    assert unsuitable.entered_at_ms is None
    assert not unsuitable.is_failed
    assert not unsuitable.is_moving


def test_failing_to_activate_is_a_failure() -> None:
    failed = told(offered(), Heard(1, entered=True, result=Result(ResultKind.FAILED, code="RB-ACT-001")))

    assert failed.outcome is Outcome.FAILED
    assert failed.is_failed


def test_silence_past_the_heartbeat_after_entry_is_a_failure_and_stays_one_when_the_device_comes_back() -> None:
    entered = told(offered(), Heard(1, entered=True))
    waiting = silence(entered, T0 + 5_999)
    silent = silence(entered, T0 + 6_000)
    back = told(silent, Heard(1, entered=True, result=CONFIRMED), at_ms=T0 + 20_000)

    assert waiting == entered
    assert silent.outcome is Outcome.SILENT
    assert silent.is_failed
    assert back.outcome is Outcome.INSTALLED
    assert back.is_failed and not back.is_good
    assert silence_due_at_ms(entered, listening_since_ms=T0, heartbeat_ms=5_000) == T0 + 6_000


def test_a_device_that_came_back_is_watched_again_and_can_still_be_proven_or_fall_silent_again() -> None:
    confirmed = told(offered(), Heard(1, entered=True, result=CONFIRMED))
    silent = silence(confirmed, T0 + 10_000)
    back = told(silent, Heard(1, entered=True, result=CONFIRMED), at_ms=T0 + 20_000)

    assert not silent.is_returned and silent.is_failed
    assert back.is_returned and back.is_failed and back.is_watched
    assert silence(back, T0 + 24_999) == back
    again = silence(back, T0 + 25_000)
    assert again.outcome is Outcome.SILENT and not again.is_returned
    proven = silence(told(back, Heard(1), at_ms=T0 + 61_000), T0 + 61_000)
    assert proven.outcome is Outcome.PROVEN and proven.is_returned


def test_the_odds_of_the_first_silence_are_kept() -> None:
    entered = told(offered(), Heard(1, entered=True))
    watch = {"listening_since_ms": 0, "heartbeat_ms": 5_000, "horizon_ms": 60_000}
    silent = after_silence(entered, **watch, now_ms=T0 + 10_000, odds_ppm=64)
    back = told(silent, Heard(1), at_ms=T0 + 11_000)
    again = after_silence(back, **watch, now_ms=T0 + 20_000, odds_ppm=1_024)

    assert silent.silent_odds_ppm == 64
    assert again.outcome is Outcome.SILENT
    assert again.silent_odds_ppm == 64


def test_an_outage_of_the_server_is_nobodys_silence() -> None:
    entered = told(offered(), Heard(1, entered=True))
    hour_later_ms = T0 + 3_600_000

    assert silence(entered, hour_later_ms, listening_since_ms=hour_later_ms - 1_000) == entered
    assert silence(entered, hour_later_ms, listening_since_ms=hour_later_ms - 5_000).counted_silent


def test_a_confirmed_device_that_falls_silent_before_the_horizon_failed_and_a_proven_one_did_not() -> None:
    confirmed = told(offered(), Heard(1, entered=True, result=CONFIRMED))
    proven = silence(told(confirmed, Heard(1), at_ms=T0 + 61_000), T0 + 61_000)

    assert silence(confirmed, T0 + 30_000).is_failed
    assert silence(proven, T0 + 10_000_000) == proven
    assert silence_due_at_ms(proven, listening_since_ms=T0, heartbeat_ms=5_000) is None


@pytest.mark.parametrize(
    "untouched",
    [
        offered(),
        told(offered(), Heard(1, entered=True, result=FELL_BACK)),
        told(offered(), Heard(1, result=Result(ResultKind.REFUSED))),
    ],
)
def test_silence_of_a_device_that_never_entered_or_already_ended_changes_nothing(untouched: Deployment) -> None:
    assert silence(untouched, T0 + 10_000_000) == untouched
    assert silence_due_at_ms(untouched, listening_since_ms=T0, heartbeat_ms=5_000) is None


def test_a_refused_device_that_had_entered_before_is_not_watched_for_silence() -> None:
    entered = told(offered(), Heard(1, entered=True))
    again = granted_again(entered, 2, drill=False, now_ms=T0 + 2_000)
    refused = told(again, Heard(2, result=Result(ResultKind.REFUSED, code="RB-FROZEN")))

    assert silence(refused, T0 + 10_000_000) == refused


def test_a_drill_goes_forward_fails_comes_back_and_goes_forward_again_without_a_failure() -> None:
    injected = Result(ResultKind.REVERTED, drill=True, rule="latency", healthy=True, detect_ms=900, recover_ms=80)
    drilled = told(offered(Drill.PENDING), Heard(1, entered=True), Heard(1, entered=True, result=injected))
    again = granted_again(drilled, 2, drill=False, now_ms=T0 + 2_000)
    confirmed = told(again, Heard(2, entered=True), Heard(2, entered=True, result=CONFIRMED), at_ms=T0 + 3_000)

    assert drilled.drill is Drill.PASSED
    assert not drilled.is_failed
    assert drilled.recover_ms == 80
    assert again.outcome is Outcome.OFFERED
    assert confirmed.is_good
    assert confirmed.entered_at_ms == T0 + 3_000
    assert confirmed.drill is Drill.PASSED


def test_a_drill_that_does_not_come_back_healthy_fails_the_drill_and_not_the_release() -> None:
    lost = Result(ResultKind.REVERTED, drill=True, rule="latency", healthy=False)
    drilled = told(offered(Drill.PENDING), Heard(1, entered=True, result=lost))

    assert drilled.drill is Drill.FAILED
    assert drilled.is_lost_in_drill
    assert not (drilled.is_failed or drilled.is_good or drilled.is_moving)


def test_a_drill_that_notices_nothing_fails_the_drill() -> None:
    unnoticed = told(offered(Drill.PENDING), Heard(1, entered=True, result=CONFIRMED))

    assert unnoticed.drill is Drill.FAILED
    assert not (unnoticed.is_failed or unnoticed.is_good or unnoticed.is_moving)


def test_a_genuine_failure_during_a_drill_that_does_not_heal_fails_both() -> None:
    broken = Result(ResultKind.REVERTED, rule="latency", plane="model/face", healthy=False)
    lost = told(offered(Drill.PENDING), Heard(1, entered=True, result=broken))

    assert lost.drill is Drill.FAILED
    assert lost.is_failed


def test_a_genuine_failure_during_a_drill_proves_recovery_and_counts_against_the_release() -> None:
    genuine = told(offered(Drill.PENDING), Heard(1, entered=True, result=FELL_BACK))

    assert genuine.drill is Drill.PASSED
    assert genuine.outcome is Outcome.FELL_BACK
    assert genuine.is_failed


def test_withdrawing_stops_offers_only_and_a_device_beyond_recall_still_counts() -> None:
    taken_back = withdrawn(told(offered(), Heard(1, downloading=True)), T0 + 2_000)
    activated_all_the_same = told(taken_back, Heard(1, entered=True, result=FELL_BACK), at_ms=T0 + 3_000)
    refused = told(taken_back, Heard(1, result=Result(ResultKind.REFUSED, code="RB-FROZEN")), at_ms=T0 + 3_000)
    entered = told(offered(), Heard(1, entered=True))

    assert taken_back.outcome is Outcome.WITHDRAWN
    assert not taken_back.is_moving
    assert activated_all_the_same.is_failed
    assert refused.outcome is Outcome.WITHDRAWN
    assert withdrawn(entered, T0 + 2_000) == entered
