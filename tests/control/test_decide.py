"""Decisions while a release grows: what each state waits for, in words, and the alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringback.control import (
    CERTIFICATE,
    NO_GRANTS,
    Command,
    CommandKind,
    Decision,
    EffectKind,
    Event,
    Interval,
    Ring,
    RingKind,
    State,
    Waiting,
    WaitKind,
    command,
    decide,
)
from ringback.health import RingEvidence
from tests.control.scenes import (
    ALARMING,
    BAD,
    CLEAN,
    NOW,
    RINGS,
    clean_with,
    cuts,
    evidence,
    family,
    rollout,
    settled,
    wait_texts,
    waits,
)

# --- what each state waits for ---


def test_a_draft_waits_to_be_started() -> None:
    assert wait_texts(rollout(started=False)) == [(WaitKind.START, "The rollout is a draft; start it.")]


def test_a_started_draft_opens_its_first_ring_on_the_empty_budget() -> None:
    decision = decide(rollout(), evidence(), NOW)

    assert decision.event is Event.INTERNAL_EARNED
    assert decision.rollout.ring == 0
    assert [(effect.kind, effect.ring) for effect in decision.effects] == [(EffectKind.OPEN_RING, 0)]
    assert decision.reasons[-1] == "Ring lab opens: 2 devices, within the exposure budget of 16."
    assert decision.grants.left == 16


def test_a_ring_waits_for_its_devices_and_says_where_they_are() -> None:
    seen = evidence(rings=(RingEvidence(0, left=1, moving=1, busy=2),))

    assert wait_texts(rollout(State.VALIDATING, 0), seen) == [
        (
            WaitKind.DEVICES,
            "Ring lab: 0 healthy, 0 failed, 1 under way, 1 not offered yet, 2 busy with another rollout.",
        )
    ]


def test_a_ring_of_which_no_device_was_ever_heard_is_not_covered() -> None:
    assert wait_texts(rollout(State.VALIDATING, 0), evidence())[0][0] is WaitKind.DEVICES


def test_a_ring_without_devices_is_covered_at_once() -> None:
    empty = (replace(RINGS[0], cuts=()), *RINGS[1:])

    assert decide(rollout(State.VALIDATING, 0, rings=empty), evidence(), NOW).event is Event.RING_COVERED


def test_a_used_up_budget_is_said_while_devices_are_left() -> None:
    seen = evidence(family("door", offered=16), rings=(RingEvidence(0, left=5, moving=16),))

    assert wait_texts(rollout(State.VALIDATING, 0), seen)[1] == (
        WaitKind.EVIDENCE,
        "The exposure budget is used: 16 unverified, at most 16 may be.",
    )


def test_a_drill_waits_for_every_device_and_needs_at_least_one_that_came_back() -> None:
    under_way = evidence(rings=(RingEvidence(1, left=1, moving=2, drills_pending=2, drills_passed=5),))
    none_came_back = evidence(rings=(RingEvidence(1, refused=8),))

    assert wait_texts(rollout(State.DRILL, 1), under_way) == [
        (WaitKind.DRILL, "Drill in ring canary: 5 came back, 2 under way, 1 not offered yet.")
    ]
    assert wait_texts(rollout(State.DRILL, 1), none_came_back)[0][0] is WaitKind.DRILL


def test_a_passed_drill_says_how_long_the_slowest_took() -> None:
    seen = evidence(rings=(RingEvidence(1, moving=8, drills_passed=8, slowest_recovery_ms=80),))

    assert decide(rollout(State.DRILL, 1), seen, NOW).reasons == (
        "Drill passed: 8 devices failed on purpose and came back by themselves, the slowest in 80 ms.",
    )


def test_a_drill_in_a_ring_without_devices_is_over_at_once() -> None:
    empty = (RINGS[0], replace(RINGS[1], cuts=()), *RINGS[2:])

    assert decide(rollout(State.DRILL, 1, rings=empty), evidence(), NOW).reasons == (
        "Ring canary has no devices to drill.",
    )


def test_baking_waits_until_its_time_is_over_whatever_the_evidence() -> None:
    assert waits(rollout(State.BAKE, 0), clean_with(RingEvidence(0, good=2)), NOW + 999) == (
        Waiting(WaitKind.TIME, "Ring lab bakes.", NOW + 1_000),
    )
    assert decide(rollout(State.BAKE, 0), clean_with(RingEvidence(0, good=2)), NOW + 1_000).event is not None


def test_a_ring_without_a_single_healthy_device_widens_only_by_a_persons_word() -> None:
    seen = evidence(family("door", 0, 1, at_ms=NOW - 20_000), rings=(RingEvidence(0, failed=1),))
    asked = decide(rollout(State.BAKE, 0), seen, NOW + 5_000)
    approved = replace(asked.rollout, approvals=("unproven:0",))

    assert asked.event is Event.APPROVAL_NEEDED
    assert asked.reasons == (
        "No device of ring lab is healthy on the release. Approve to widen all the same, or roll back.",
    )
    assert [each.event for each in settled(approved, seen, NOW + 5_000)] == [Event.APPROVED, Event.DRILL_EARNED, None]


def test_a_ring_larger_than_the_evidence_allows_waits_for_evidence_and_says_the_numbers() -> None:
    seen = evidence(family("door", 2, at_ms=NOW + 4_000), rings=(RingEvidence(1, good=8),))

    assert wait_texts(rollout(State.BAKE, 1), seen, NOW + 5_000) == [
        (
            WaitKind.EVIDENCE,
            (
                "Ring tenth would add 20 devices; 2 are unverified and at most 16 may be: "
                "the failure rate is only known to be below 100 %."
            ),
        )
    ]


def test_a_ring_that_never_fits_opens_rationed_once_everything_so_far_has_matured() -> None:
    large = (*RINGS[:2], replace(RINGS[2], cuts=cuts(500, 500)), RINGS[3])
    seen = evidence(family("door", 5), family("gate", 5), rings=(RingEvidence(1, good=10),))

    decision = decide(rollout(State.BAKE, 1, rings=large), seen, NOW + 5_000)

    assert decision.event is Event.RING_EARNED
    assert decision.grants.left < 1_000
    assert decision.reasons[-1] == (
        f"Ring tenth opens: 1000 devices, offered {decision.grants.left} at a time as the evidence allows."
    )


def test_one_family_alone_can_hold_a_ring_back() -> None:
    seen = evidence(family("door", 200), family("gate", 1, at_ms=NOW + 4_000), rings=(RingEvidence(1, good=8),))
    uneven = (*RINGS[:2], replace(RINGS[2], cuts=cuts(1, 16)), RINGS[3])

    assert wait_texts(rollout(State.BAKE, 1, rings=uneven), seen, NOW + 5_000)[0][0] is WaitKind.EVIDENCE


def test_approval_of_a_ring_is_asked_before_it_opens_and_found_afterwards() -> None:
    asking = (RINGS[0], replace(RINGS[1], needs_approval=True), *RINGS[2:])
    seen = clean_with(RingEvidence(0, good=2))
    asked = settled(rollout(State.BAKE, 0, rings=asking), seen, NOW + 5_000)
    waiting = asked[-1].rollout
    approved = command(waiting, Command(CommandKind.APPROVE, "kim", "looked fine"), NOW + 6_000)
    assert isinstance(approved, Decision)

    assert waiting.state is State.WAITING_APPROVAL
    assert [each.text for each in asked[-1].waiting_on] == [
        "Waiting for approval of ring:1. Ring canary opens only with approval."
    ]
    assert [each.event for each in settled(approved.rollout, seen, NOW + 6_000)] == [
        Event.APPROVED,
        Event.DRILL_EARNED,
        None,
    ]


def test_outside_the_maintenance_windows_nothing_opens_nothing_is_granted_and_patience_does_not_run_out() -> None:
    window = (Interval(NOW + 90_000_000, NOW + 99_000_000),)
    start = rollout(State.BAKE, 0, maintenance=window)
    decision = decide(start, clean_with(RingEvidence(0, good=2)), NOW + 80_000_000)

    assert decision.waiting_on == (
        Waiting(WaitKind.WINDOW, "Outside the maintenance windows; the next one opens.", NOW + 90_000_000),
    )
    assert decision.next_wakeup_ms == NOW + 90_000_000
    assert decision.grants == NO_GRANTS


def test_when_all_windows_are_over_a_person_has_to_add_one() -> None:
    start = rollout(State.BAKE, 0, maintenance=(Interval(0, 1),))

    assert wait_texts(start, clean_with(RingEvidence(0, good=2)), NOW + 5_000) == [
        (WaitKind.WINDOW, "All maintenance windows of this rollout are over; add one to go on.")
    ]


def test_a_decision_inside_a_window_is_made_again_when_it_closes() -> None:
    start = rollout(State.RING, 2, maintenance=(Interval(0, NOW + 700),))

    assert decide(start, clean_with(RingEvidence(2, moving=1)), NOW).next_wakeup_ms == NOW + 700


def test_stability_waits_for_its_time_then_for_the_certificate() -> None:
    young = evidence(family("door", 30), family("gate", 2, at_ms=NOW))

    assert waits(rollout(State.STABILITY, 2), CLEAN) == (
        Waiting(WaitKind.TIME, "The stability window before full runs.", NOW + 2_000),
    )
    assert wait_texts(rollout(State.STABILITY, 2), young, NOW + 5_000) == [
        (
            WaitKind.EVIDENCE,
            (
                "30 devices without a failure: below 8.4 % (90 %). "
                "3 more clean devices are needed for the 10 % certificate."
            ),
        )
    ]
    assert decide(rollout(State.STABILITY, 2), CLEAN, NOW + 5_000).event is Event.FULL_EARNED


def test_a_fleet_too_small_for_the_certificate_is_told_so_and_a_person_decides_on_record() -> None:
    small = (
        replace(RINGS[0], cuts=cuts(1, 1)),
        replace(RINGS[1], cuts=cuts(4, 4)),
        replace(RINGS[2], cuts=()),
        RINGS[3],
    )
    seen = evidence(family("door", 5), family("gate", 5))
    asked = decide(rollout(State.STABILITY, 2, rings=small), seen, NOW + 5_000)
    approved = replace(asked.rollout, approvals=(CERTIFICATE,))

    assert asked.event is Event.APPROVAL_NEEDED
    assert asked.rollout.awaiting == CERTIFICATE
    assert asked.reasons[-1] == (
        "The rings before full show at best: below 23 %. They hold 10 devices; the 10 % certificate needs 33 clean "
        "ones. Approve to go on without it, on record."
    )
    assert [each.event for each in settled(approved, seen, NOW + 5_000)] == [Event.APPROVED, Event.FULL_EARNED, None]


def test_a_push_to_one_device_needs_no_rings_and_no_certificate() -> None:
    start = rollout(rings=(Ring("box-7", RingKind.FULL, cuts=cuts(1, 0)),))

    assert decide(start, evidence(), NOW).event is Event.FULL_EARNED


def test_a_release_without_rings_to_many_devices_needs_a_persons_word() -> None:
    start = rollout(rings=(Ring("all", RingKind.FULL, cuts=cuts(200, 100)),))
    asked = decide(start, evidence(), NOW)
    approved = replace(asked.rollout, approvals=(CERTIFICATE,))

    assert asked.event is Event.APPROVAL_NEEDED
    assert asked.reasons == (
        (
            "There is no ring before full, and 300 devices exceed the exposure budget of 16. "
            "Define rings, or approve to go on without a certificate, on record."
        ),
    )
    assert [each.event for each in settled(approved, evidence(), NOW)] == [Event.APPROVED, Event.FULL_EARNED, None]


def test_the_rollback_window_runs_its_time_and_closes() -> None:
    assert waits(rollout(State.ROLLBACK_WINDOW, 3)) == (
        Waiting(WaitKind.TIME, "The rollback window is open.", NOW + 9_000),
    )
    assert decide(rollout(State.ROLLBACK_WINDOW, 3), CLEAN, NOW + 9_000).effects[0].kind is EffectKind.CLOSE


@pytest.mark.parametrize("state", [State.CLOSED, State.SUPERSEDED])
def test_a_rollout_that_ended_waits_for_nothing_and_never_wakes_up(state: State) -> None:
    decision = decide(rollout(state, 3), BAD, NOW + 10**12)

    assert decision.event is None
    assert decision.waiting_on == ()
    assert decision.next_wakeup_ms is None
    assert decision.grants == NO_GRANTS


# --- alarms ---


def test_after_a_failure_that_put_it_on_watch_nothing_grows_until_it_stays_quiet() -> None:
    seen = evidence(
        family("door", 15, 3, at_ms=NOW), family("gate", 10), rings=(RingEvidence(2, left=9, good=28, failed=3),)
    )
    held = decide(rollout(State.RING, 2), seen, NOW + 1_000)
    quiet = decide(rollout(State.RING, 2), seen, NOW + 6_500 + 9_000)

    assert held.grants == NO_GRANTS
    assert held.waiting_on[1] == Waiting(
        WaitKind.EVIDENCE, "On watch after a failure: nothing grows until it stays quiet.", NOW + 6_500
    )
    assert held.next_wakeup_ms is not None and held.next_wakeup_ms <= NOW + 6_500
    assert quiet.grants.left > 0


def test_evidence_a_person_has_accepted_alarms_again_only_when_it_has_doubled() -> None:
    alarmed = decide(rollout(State.RING, 2), ALARMING, NOW)
    resumed = command(alarmed.rollout, Command(CommandKind.RESUME, "kim", "known bad cable"), NOW)
    assert isinstance(resumed, Decision)

    assert alarmed.event is Event.EVIDENCE_ALARMED
    assert alarmed.reasons[-1] == "A person has to look: resume, or roll back."
    assert alarmed.effects[0].kind is EffectKind.PAGE
    assert resumed.rollout.accepted_e_milli == alarmed.rollout.paused_e_milli > 0
    assert decide(resumed.rollout, ALARMING, NOW).event is None
    assert decide(resumed.rollout, BAD, NOW).event is Event.VERDICT_FAILED


def test_a_paused_rollout_still_stops_on_a_failed_verdict_and_grants_nothing() -> None:
    paused = rollout(State.PAUSED, 2, remembered=State.RING, cause="Lunch.")

    assert wait_texts(paused) == [(WaitKind.PERSON, "Paused. Lunch. Resume, roll back or cancel.")]
    assert decide(paused, CLEAN, NOW).grants == NO_GRANTS
    assert decide(paused, BAD, NOW).event is Event.VERDICT_FAILED


def test_a_stop_names_family_and_plane_freezes_the_blamed_digest_only_and_tells_a_person() -> None:
    decision = decide(rollout(State.RING, 2), evidence(family("door", 5, 5), family("gate", 30)), NOW)

    assert decision.rollout.blamed == "model/face"
    assert decision.rollout.family == "door"
    assert [(effect.kind, effect.plane, effect.digest) for effect in decision.effects] == [
        (EffectKind.WITHDRAW_OFFERS, "", ""),
        (EffectKind.FREEZE, "model/face", "sha256:f1"),
        (EffectKind.PAGE, "", ""),
    ]
    assert decision.grants == NO_GRANTS


def test_a_guess_freezes_everything_the_release_changed() -> None:
    decision = decide(rollout(State.RING, 2), evidence(family("door", 0, 9, rule=""), family("gate", 3)), NOW)

    assert decision.rollout.blamed == "config"
    assert decision.rollout.frozen == ("config", "model/face")


def test_a_failed_drill_stops_a_healthy_release_without_freezing_it() -> None:
    decision = decide(rollout(State.DRILL, 1), evidence(rings=(RingEvidence(1, drills_failed=1, failed=1),)), NOW)

    assert decision.event is Event.DRILL_FAILED
    assert decision.rollout.state is State.STOPPED
    assert decision.reasons == (
        "The drill failed on 1 device, which did not come back healthy without help.",
        "The way back is not proven.",
    )
    assert not [effect for effect in decision.effects if effect.kind is EffectKind.FREEZE]


def test_running_out_of_patience_pauses_growth_and_says_what_was_missing() -> None:
    seen = evidence(rings=(RingEvidence(0, left=1, moving=1, good=1),))
    decision = decide(rollout(State.VALIDATING, 0), seen, NOW + 3_600_000)

    assert decision.event is Event.TIMED_OUT
    assert decision.rollout.state is State.PAUSED
    assert decision.reasons[0] == "Nothing has changed in state validating for 60 minutes."
    assert decision.reasons[1].startswith("Ring lab: 1 healthy")


@pytest.mark.parametrize(
    ("patience_ms", "text"), [(172_800_000, "2 days"), (7_200_000, "2 hours"), (90_000, "90 seconds")]
)
def test_patience_is_told_in_a_unit_people_use(patience_ms: int, text: str) -> None:
    stuck = rollout(State.INVESTIGATING, 2, patience_ms=patience_ms)

    reasons = decide(stuck, BAD, NOW + patience_ms).reasons

    assert reasons[0] == f"Nothing has changed in state investigating for {text}."


def test_a_reminder_comes_once_per_patience_and_keeps_since_when_the_state_holds() -> None:
    stuck = rollout(State.INVESTIGATING, 2)
    first = decide(stuck, BAD, NOW + 3_600_000)

    assert first.event is Event.TIMED_OUT
    assert first.rollout.since_at_ms == stuck.since_at_ms
    assert decide(first.rollout, BAD, NOW + 3_600_001).event is None
    assert decide(first.rollout, BAD, NOW + 2 * 3_600_000).event is Event.TIMED_OUT
