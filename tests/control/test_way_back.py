"""Decisions on the way back, and decisions of the past made again."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from ringback.control import (
    Command,
    CommandKind,
    Decision,
    Event,
    Interval,
    RollbackEvidence,
    RolloutEvidence,
    State,
    WaitKind,
    command,
    decide,
    decision_bytes,
    inputs_bytes,
    recomputed,
    rollout_bytes,
    rollout_from,
)
from tests.control.scenes import ALARMING, BAD, CLEAN, NOW, OLD, evidence, rollout, settled, wait_texts


def back(**counts: int) -> RolloutEvidence:
    return replace(BAD, rollback=RollbackEvidence(**counts))


def test_nothing_is_called_rolled_back_before_the_devices_are_counted() -> None:
    assert wait_texts(rollout(State.STOPPED, 2), BAD) == [
        (WaitKind.ROLLBACK, "Counting the devices that have to go back.")
    ]
    assert wait_texts(rollout(State.ROLLING_BACK, 2, rung=1), BAD) == [
        (WaitKind.ROLLBACK, "Counting the devices that have to go back.")
    ]


def test_a_stop_of_a_release_that_runs_nowhere_has_nothing_to_roll_back() -> None:
    decision = decide(rollout(State.STOPPED, 2), back(reverted=6), NOW)

    assert decision.event is Event.ROLLBACK_DONE
    assert decision.reasons == ("No device runs the release; there is nothing to roll back.",)


def test_the_blamed_plane_goes_back_first_and_the_whole_set_if_that_does_not_heal() -> None:
    stopped = rollout(State.STOPPED, 2, blamed="model/face", cause="Slow.")
    started = decide(stopped, back(left=30), NOW)
    escalated = decide(started.rollout, back(reverted=28, unhealthy=2), NOW + 1)
    failed = decide(escalated.rollout, back(reverted=2, unhealthy=28), NOW + 2)

    assert started.reasons == ("Rolling back model/face.", "Slow.")
    assert started.effects[0].planes == ("model/face",)
    assert escalated.event is Event.ROLLBACK_ESCALATED
    assert escalated.effects[0].planes == ("config", "model/face")
    assert escalated.reasons == ("2 devices not healthy after going back; rolling back config, model/face as well.",)
    assert failed.event is Event.ROLLBACK_FAILED
    assert failed.rollout.state is State.INVESTIGATING
    assert failed.reasons == (
        "The rollback itself fails: 28 of 30 devices not healthy.",
        "It is stopped; a person has to look.",
    )


def test_a_rollback_is_bounded_in_parallel_and_says_how_far_it_is() -> None:
    start = rollout(State.ROLLING_BACK, 2, rung=1, rollback_parallel=10)
    decision = decide(start, back(left=50, moving=8, reverted=30, unreachable=2), NOW)

    assert decision.rollback_grants == 2
    assert [each.text for each in decision.waiting_on] == ["30 back, 8 under way, 50 to go, 2 unreachable."]
    assert decide(start, back(left=50, moving=11), NOW).rollback_grants == 0


def test_a_finished_rollback_says_who_is_still_missing() -> None:
    decision = decide(rollout(State.ROLLING_BACK, 2, rung=2), back(reverted=300, unhealthy=1, unreachable=2), NOW)

    assert decision.event is Event.ROLLBACK_DONE
    assert decision.reasons == (
        "300 devices back on the previous versions.",
        "1 device not healthy: recover them one by one.",
        "2 devices unreachable: told when they come back.",
    )


def test_without_automatic_rollback_a_person_is_asked_and_their_word_starts_it() -> None:
    stopped = rollout(State.STOPPED, 2, auto_roll_back=False, cause="Slow.")
    ordered = command(stopped, Command(CommandKind.ROLLBACK, "kim", "yes"), NOW)
    assert isinstance(ordered, Decision)

    assert wait_texts(stopped, back(left=5)) == [(WaitKind.PERSON, "Stopped. Slow. Rolling back is left to a person.")]
    assert ordered.rollout.state is State.ROLLING_BACK


def test_rolled_back_waits_until_the_freeze_is_recorded_then_opens_a_case() -> None:
    start = rollout(State.ROLLED_BACK, 2, frozen=("model/face",), cause="Slow.")

    assert wait_texts(start, back(reverted=5)) == [
        (WaitKind.FREEZE, "Waiting for the freeze of model/face to be recorded.")
    ]
    recorded = settled(start, replace(back(reverted=5), frozen_digests=("sha256:f1",)), NOW)
    assert [each.event for each in recorded] == [Event.FREEZE_RECORDED, Event.CASE_OPENED, None]
    assert recorded[1].reasons == ("For investigation.", "Slow.")
    assert [each.text for each in recorded[2].waiting_on] == [
        "Under investigation. Slow. Close the case, or roll back again."
    ]


# --- decisions of the past ---


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("seen", [CLEAN, BAD, ALARMING, evidence(), back(left=3, unhealthy=1)])
def test_every_decision_can_be_made_again_byte_for_byte_from_what_was_stored(
    state: State, seen: RolloutEvidence
) -> None:
    start = rollout(state, 2, remembered=State.RING, awaiting="ring:2", rung=1, maintenance=(Interval(0, NOW * 2),))

    made = decision_bytes(decide(start, seen, NOW))

    assert recomputed(inputs_bytes(start, seen, NOW)) == made
    assert rollout_from(rollout_bytes(start)) == start


def test_inputs_of_another_format_are_refused_and_not_guessed() -> None:
    document = inputs_bytes(rollout(), CLEAN, NOW).replace(b'"format":1', b'"format":2')

    with pytest.raises(msgspec.ValidationError, match="format 2 found, 1 expected"):
        recomputed(document)


def test_the_same_inputs_give_the_same_decision_and_a_clock_that_jumps_back_gives_no_pass() -> None:
    start = rollout(State.STABILITY, 2)

    assert decide(start, CLEAN, NOW) == decide(start, CLEAN, NOW)
    assert decide(start, CLEAN, OLD - 10**9).event is None
