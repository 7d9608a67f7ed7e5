"""From deployments to a verdict: the fold, the levels, the blame and the words."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ringback.health import (
    BUDGETS,
    BlameBasis,
    Budget,
    Cause,
    Deployment,
    Drill,
    GateParams,
    Ledger,
    Level,
    Outcome,
    Prefix,
    Result,
    ResultKind,
    StratumEvidence,
    Verdict,
    VerdictKind,
    judge,
    words,
)
from ringback.health.blame import blamed
from ringback.health.ledger import CAUSES_MAX, bucket_ms
from ringback.health.params import MINUTE_MS
from ringback.stats import RiskSet, Tally

T0 = 1_700_000_000_000
GATE = GateParams(p0_ppm=20_000, p1_ppm=100_000, budgets=(Budget(3_200, 16),), heartbeat_ms=5_000)
OLD = T0 - 60_000
CHANGED = ("config", "model/face", "app")


def slow(observed: int = 16_500, *, rung: tuple[str, ...] = (), healthy: bool = True) -> Result:
    return Result(
        ResultKind.REVERTED,
        rule="latency-face",
        plane="model/face",
        operator="<=",
        reading=observed,
        limit=8_000,
        rung=rung,
        healthy=healthy,
    )


def device(number: int, stratum: str = "door", *, at_ms: int = OLD, result: Result | None = None) -> Deployment:
    failed = result is not None and result.kind is not ResultKind.CONFIRMED
    return Deployment(
        "r1",
        f"d{number}",
        stratum,
        ring=0,
        granted_at_ms=at_ms,
        heard_at_ms=at_ms,
        entered_at_ms=at_ms,
        outcome=Outcome.FELL_BACK if failed else Outcome.INSTALLED,
        outcome_at_ms=at_ms + 500,
        confirmed_at_ms=at_ms + 500 if result is not None and not failed else None,
        result=result,
    )


GOOD = Result(ResultKind.CONFIRMED)


def folded(*deployments: Deployment, strata: tuple[str, ...] = ("door", "gate", "mast")) -> Ledger:
    ledger = Ledger(GATE, strata=strata, rings_count=1)
    for deployment in deployments:
        ledger.change(None, deployment)
    return ledger


def verdict_of(*deployments: Deployment, changed: tuple[str, ...] = CHANGED) -> Verdict:
    return judge(GATE, folded(*deployments).strata(), T0, changed=changed)


def test_no_evidence_is_waiting_and_says_what_is_missing() -> None:
    verdict = verdict_of()

    assert verdict.kind is VerdictKind.WAITING
    assert verdict.level is Level.QUIET
    assert verdict.u_ppm == 1_000_000
    assert verdict.still_needed == 33
    assert verdict.blame is None
    assert verdict.reasons == (
        "No device has matured yet, so nothing is shown about the failure rate.",
        "33 more clean devices are needed for the 10 % certificate.",
    )


def test_enough_matured_clean_devices_pass_and_one_fewer_waits() -> None:
    enough = verdict_of(*(device(number, result=GOOD) for number in range(33)))
    too_few = verdict_of(*(device(number, result=GOOD) for number in range(32)))

    assert enough.kind is VerdictKind.PASS
    assert enough.reasons == ("Certified: below 10 % failures (95 %) after 33 devices, no failure.",)
    assert too_few.kind is VerdictKind.WAITING
    assert too_few.reasons[-1] == "1 more clean device is needed for the 10 % certificate."


def test_young_devices_certify_nothing() -> None:
    young = verdict_of(*(device(number, at_ms=T0 - 8_100, result=GOOD) for number in range(60)))

    assert young.kind is VerdictKind.WAITING
    assert young.matured == 0
    assert young.entered == 60


def test_old_devices_that_never_confirmed_are_no_evidence_for_the_release() -> None:
    unresolved = verdict_of(*(device(number) for number in range(60)))

    assert unresolved.kind is VerdictKind.WAITING
    assert unresolved.matured_open == 60
    assert unresolved.failed == 0
    assert unresolved.e_milli == 1000


def test_failures_climb_watch_pause_and_halt_and_each_level_says_so() -> None:
    good = [device(number, result=GOOD) for number in range(40)]
    bad = [device(100 + number, result=slow()) for number in range(6)]
    levels = [verdict_of(*good, *bad[:count]).level for count in range(7)]

    assert levels[0] is Level.QUIET
    assert levels[-1] is Level.HALT
    assert levels == sorted(levels, key=[Level.QUIET, Level.WATCH, Level.PAUSE, Level.HALT].index)
    assert set(levels) == set(Level)


def test_a_halt_names_rule_reading_limit_plane_and_the_odds() -> None:
    verdict = verdict_of(*(device(number, result=slow(16_000 + number)) for number in range(4)))

    assert verdict.kind is VerdictKind.FAIL
    assert verdict.blame is not None
    assert (verdict.blame.plane, verdict.blame.basis) == ("model/face", BlameBasis.RULE)
    assert verdict.cause == Cause("latency-face", "model/face", "<=", 8_000, (), 16_003, 4)
    assert verdict.reasons[0].startswith(
        "4 of 4 devices failed; a release inside its SLO of 2 % gets here at most once"
    )
    assert verdict.reasons[1:] == (
        "Failing rule: latency-face, observed 16003, must be <= 8000.",
        "Plane model/face is blamed: its health rules failed on 4 of 4 devices.",
    )


def test_every_verdict_shows_observed_operator_and_limit() -> None:
    names = [measure.name for measure in verdict_of().measures]

    assert names == [
        "evidence against the release",
        "evidence for the certificate",
        "upper bound of the failure rate",
    ]
    assert [(m.observed, m.operator, m.limit) for m in verdict_of().measures] == [
        ("1", "<", "100"),
        ("1", ">=", "20"),
        ("100 %", "<", "10 %"),
    ]


def test_a_defect_of_one_family_is_named_and_one_of_all_families_is_not() -> None:
    others = [device(number, "gate", result=GOOD) for number in range(40)]
    rare = [device(200 + number, "mast", result=slow()) for number in range(5)]
    everywhere = [device(300 + number, "gate", result=slow()) for number in range(30)]

    assert verdict_of(*others, *rare).family == "mast"
    assert "Only hardware family mast is affected." in verdict_of(*others, *rare).reasons
    assert verdict_of(*others, *rare, *everywhere).family == ""
    assert verdict_of(*rare).family == ""


def test_the_prefix_rule_sees_an_early_burst_that_late_young_devices_would_dilute() -> None:
    burst = [device(number, at_ms=T0 - 20_000, result=slow() if number < 5 else GOOD) for number in range(20)]
    young = [device(100 + number, at_ms=T0 - 100) for number in range(400)]

    assert verdict_of(*burst).kind is VerdictKind.FAIL
    assert verdict_of(*burst, *young).kind is VerdictKind.FAIL


def test_blame_prefers_the_rule_then_the_rung_then_the_cheapest_plane() -> None:
    by_rule = Cause("latency", "model/face", "<=", 1, ("config",), 2, 1)
    by_rung = Cause("", "", "", None, ("config", "app"), None, 9)
    other_plane = Cause("gps", "radio", "<=", 1, (), 2, 5)

    assert blamed([by_rule, by_rung], CHANGED).plane == "model/face"
    assert blamed([by_rung, other_plane], CHANGED).plane == "app"
    assert blamed([by_rung], CHANGED).basis is BlameBasis.RUNG
    assert blamed([other_plane], CHANGED).plane == "config"
    assert blamed([other_plane], CHANGED).basis is BlameBasis.GUESS
    assert blamed([other_plane], ()).basis is BlameBasis.NONE


def test_a_tie_of_votes_goes_to_the_plane_that_is_cheaper_to_take_back() -> None:
    one = Cause("schema", "config", "<=", 1, (), 2, 3)
    other = Cause("latency", "model/face", "<=", 1, (), 2, 3)

    assert blamed([other, one], CHANGED).plane == "config"


def test_the_worst_reading_is_the_largest_for_an_upper_and_the_smallest_for_a_lower_limit() -> None:
    blind = Result(ResultKind.REFUSED, rule="golden", plane="model/face", operator=">=", reading=5, limit=9)
    lower = folded(*(device(n, result=replace(blind, reading=5 - n)) for n in range(3))).strata()[0].causes
    upper = folded(*(device(n, result=slow(10 + n)) for n in range(3))).strata()[0].causes

    assert lower[0].observed == 3
    assert upper[0].observed == 12


def test_a_lying_fleet_cannot_grow_the_state() -> None:
    liars = (device(number, result=replace(slow(), limit=number)) for number in range(500))

    causes = folded(*liars).strata()[0].causes

    assert len(causes) <= CAUSES_MAX + 1
    assert sum(cause.devices for cause in causes) == 500


def test_the_fold_of_changes_equals_the_fold_of_the_final_state_in_any_order() -> None:
    dice = random.Random(5)
    finals = []
    walked = Ledger(GATE, strata=("door", "gate", "mast"), rings_count=1)
    for number in range(300):
        stratum = dice.choice(("door", "gate", "mast"))
        offered = Deployment("r1", f"d{number}", stratum, 0, granted_at_ms=OLD, heard_at_ms=OLD)
        entered = device(number, stratum, at_ms=OLD + dice.randrange(50_000))
        final = dice.choice([offered, entered, replace(entered, confirmed_at_ms=T0), replace(entered, result=slow())])
        if final.result is not None:
            final = replace(final, outcome=Outcome.FELL_BACK)
        for before, after in ((None, offered), (offered, entered), (entered, final), (final, final)):
            walked.change(before, after)
        finals.append(final)
    dice.shuffle(finals)

    rebuilt = folded(*finals)

    assert [replace(s, last_failed_at_ms=None) for s in walked.strata()] == [
        replace(s, last_failed_at_ms=None) for s in rebuilt.strata()
    ]
    assert walked.rings() == rebuilt.rings()


STANDARD = GateParams(budgets=BUDGETS["standard"], heartbeat_ms=15 * MINUTE_MS)


def a_week_of_entries(count: int) -> list[Deployment]:
    dice = random.Random(count)
    return [
        device(number, at_ms=T0 + int(dice.uniform(0, 7 * 24 * 60) * MINUTE_MS), result=GOOD) for number in range(count)
    ]


def test_buckets_grow_with_age_so_that_a_week_of_entries_stays_small() -> None:
    ledger = Ledger(STANDARD, strata=("door",), rings_count=1)
    for deployment in sorted(a_week_of_entries(5_000), key=lambda each: each.entered_at_ms or 0):
        ledger.change(None, deployment)

    assert len(ledger.strata()[0].prefixes) <= 46 + 17 + 17 + 1
    assert ledger.strata()[0].entered == 5_000


@pytest.mark.parametrize("horizon", range(3))
def test_no_horizon_is_blurred_by_more_than_a_sixteenth_and_never_to_the_unsafe_side(horizon: int) -> None:
    fed = a_week_of_entries(2_000)
    ledger = Ledger(STANDARD, strata=("door",), rings_count=1)
    for deployment in sorted(fed, key=lambda each: each.entered_at_ms or 0):
        ledger.change(None, deployment)
    now_ms = max(each.entered_at_ms or 0 for each in fed)
    horizon_ms = STANDARD.budgets[horizon].horizon_ms

    seen = ledger.strata()[0].entered_before(now_ms - horizon_ms).devices

    def entered_by(instant_ms: int) -> int:
        return sum((each.entered_at_ms or 0) <= instant_ms for each in fed)

    assert entered_by(now_ms - horizon_ms - horizon_ms // 16 - MINUTE_MS) <= seen <= entered_by(now_ms - horizon_ms)


def test_the_order_of_feeding_does_not_matter_and_a_late_failure_still_finds_its_bucket() -> None:
    fed = a_week_of_entries(500)
    late = replace(fed[0], outcome=Outcome.FELL_BACK, confirmed_at_ms=None, result=slow())
    walked, rebuilt = (Ledger(STANDARD, strata=("door",), rings_count=1) for _ in range(2))
    for deployment in sorted(fed, key=lambda each: each.entered_at_ms or 0):
        walked.change(None, deployment)
    walked.change(fed[0], late)
    for deployment in [*reversed(fed[1:]), late]:
        rebuilt.change(None, deployment)

    assert walked.strata() == rebuilt.strata()
    assert walked.strata()[0].failed == 1


def test_prefixes_are_never_older_than_their_youngest_device() -> None:
    deployment = device(1, at_ms=OLD + 1)
    prefix = folded(deployment).strata()[0].prefixes[0]

    assert OLD + 1 <= prefix.by_ms <= OLD + 1 + bucket_ms(GATE)
    assert bucket_ms(GATE) == 200
    assert bucket_ms(GateParams()) == 60_000


def test_a_silence_remembers_its_odds_and_one_of_control_is_counted_beside_it() -> None:
    silent = replace(device(1), outcome=Outcome.SILENT, counted_silent=True, silent_odds_ppm=1_024)
    ledger = folded(silent, device(2))
    ledger.control_fell_silent("door", 1_024)
    ledger.control_fell_silent("door", 4_096)

    assert ledger.strata()[0].risks == (RiskSet(1_024, 1, 1), RiskSet(4_096, 0, 1))
    ledger.change(silent, None)
    assert ledger.strata()[0].risks == (RiskSet(1_024, 0, 1), RiskSet(4_096, 0, 1))


def test_a_device_that_came_back_counts_against_halting_and_not_against_the_certificate() -> None:
    back = replace(device(1, result=GOOD), counted_silent=True)
    prefix = folded(back, device(2, result=GOOD)).strata()[0].everyone

    assert (prefix.failed, prefix.good, prefix.returned) == (1, 1, 1)
    assert prefix.for_halting == Tally(2, 1)
    assert prefix.for_certifying == Tally(2, 0)


def test_ring_counts_follow_offers_drills_refusals_and_withdrawals() -> None:
    offered = Deployment("r1", "a", "door", 0, granted_at_ms=OLD, heard_at_ms=OLD)
    pending = replace(device(1), drill=Drill.PENDING)
    passed = replace(device(2, result=GOOD), drill=Drill.PASSED, recover_ms=80)
    lost = replace(device(3, result=slow()), drill=Drill.FAILED)
    unsuitable = replace(offered, outcome=Outcome.REFUSED)
    taken_back = replace(offered, outcome=Outcome.WITHDRAWN)

    ring = folded(offered, pending, passed, lost, unsuitable, taken_back).rings()[0]

    assert (ring.offered, ring.moving, ring.good, ring.failed) == (1, 2, 1, 1)
    assert (ring.refused, ring.withdrawn) == (1, 1)
    assert (ring.drills_pending, ring.drills_passed, ring.drills_failed) == (1, 1, 1)
    assert ring.slowest_recovery_ms == 80


def test_silence_counts_as_failure_without_naming_a_plane() -> None:
    silent = replace(device(1), outcome=Outcome.SILENT, counted_silent=True)
    stratum = folded(silent).strata()[0]

    assert stratum.prefixes[0] == Prefix(stratum.prefixes[0].by_ms, 1, 0, 1, 1)
    assert stratum.causes == (Cause("", "", "", None, (), None, 1),)


def test_evidence_without_any_stratum_is_waiting_and_does_not_crash() -> None:
    assert judge(GATE, (), T0, changed=CHANGED).kind is VerdictKind.WAITING
    assert judge(GATE, (StratumEvidence("door"),), T0, changed=CHANGED).kind is VerdictKind.WAITING


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (words.share(4_000), "0.4 %"),
        (words.share(21_738), "2.17 %"),
        (words.once_in(1_234_000), "1000"),
        (words.once_in(26_040), "20"),
        (words.once_in(100), "1"),
        (words.bounded(120, 0, 21_738, 100_000), "120 devices without a failure: below 2.17 % (90 %)."),
        (words.bounded(1, 1, 1_000_000, 100_000), "1 device with 1 failure or open ends: below 100 % (90 %)."),
        (words.needed(None, 10_000), "No number of further clean devices gives the 1 % certificate."),
        (words.rule_failed("mute", None, "", None), "Failing rule: mute."),
        (words.blame("", "none", 0, 0), "The release changed no plane, so none is blamed."),
        (
            words.blame("app", "rung", 3, 4),
            "Plane app is blamed: 3 of 4 devices became healthy when it had gone back.",
        ),
        (
            words.blame("config", "guess", 0, 0),
            "Plane config is suspected: no rule and no rung named one, and it is the cheapest to take back.",
        ),
        (
            words.certified(10_000, 50_000, 904, 2),
            "Certified: below 1 % failures (95 %) after 904 devices, 2 failures.",
        ),
    ],
)
def test_the_words_are_the_ones_people_were_promised(said: object, text: str) -> None:
    assert str(said) == text
