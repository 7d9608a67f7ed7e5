"""What is told between two looks at a rollout, and when waiting for it ends."""

import msgspec
import pytest

from ringback.cli import story
from ringback.cli.exits import ExitCode
from ringback.client.models import Returning, Rollout, RolloutRing, WaitingFor
from ringback.control.table import State


def ring(index, name, **counts):
    usual = dict.fromkeys(
        "left busy offered moving good failed refused withdrawn drills_pending drills_passed drills_failed".split(), 0
    )
    fixed = {"kind": "ring", "state": "open", "where": "", "drill": False, "needs_approval": False, "bake_ms": 0}
    return RolloutRing(
        index=index, name=name, members=10, opened_at_ms=None, slowest_recovery_ms=None, **fixed, **usual | counts
    )


def rollout(state, *, at=0, rings=(), **more):
    return msgspec.convert(
        {
            "id": "01a2109a-a8c3-71a7-91cc-9d81eaf56fbd",
            "release": "face-int8",
            "state": state,
            "generation": 1,
            "ring": at,
            "created_at_ms": 0,
            "since_at_ms": 0,
            **dict.fromkeys(("reason", "cause", "blamed", "family", "awaiting"), ""),
            **{name: [] for name in ("queued_behind", "planes", "families", "reasons", "waiting_on")},
            "outcomes": {},
            "harmed": 0,
            "grants_left": 0,
            "verdict": None,
            "returning": None,
            "next_wakeup_at_ms": None,
            "plan": None,
            "rings": [msgspec.to_builtins(each) for each in rings],
            **more,
        },
        Rollout,
    )


def test_the_first_look_tells_state_reasons_and_what_it_waits_for():
    now = rollout(
        "canary",
        rings=[ring(0, "canary", offered=3, good=1, moving=2)],
        reasons=["12 devices without a failure."],
        waiting_on=[{"kind": "devices", "text": "Ring canary: 2 under way.", "until_ms": None}],
    )
    assert list(story.changes(None, now)) == [
        "canary, ring canary",
        "  12 devices without a failure.",
        "  ring canary: 1 of 10 devices good, 2 on the way",
        "  waits for: Ring canary: 2 under way.",
    ]


def test_a_look_that_sees_nothing_new_tells_nothing():
    now = rollout(
        "canary", rings=[ring(0, "canary", offered=3)], waiting_on=[{"kind": "x", "text": "x", "until_ms": 1}]
    )
    assert list(story.changes(now, now)) == []


def test_progress_of_a_ring_is_told_without_repeating_the_rest():
    before = rollout("canary", rings=[ring(0, "canary", offered=3, moving=3)], reasons=["a"])
    after = rollout("canary", rings=[ring(0, "canary", offered=3, good=2, failed=1)], reasons=["b"])
    assert list(story.changes(before, after)) == ["  ring canary: 2 of 10 devices good, 1 failed"]


def test_a_ring_that_nobody_was_offered_is_not_worth_a_line():
    assert story.progress(ring(0, "full")) == ""


def test_going_back_is_told_in_numbers():
    back = Returning(planes=["model/face"], left=1, moving=2, reverted=3, unhealthy=0, unreachable=4)
    before, after = rollout("stopped"), rollout("rolling_back", returning=msgspec.to_builtins(back))
    assert list(story.changes(before, after)) == [
        "rolling back",
        "  going back: 3 back, 2 on the way, 5 to be told",
    ]


def test_a_new_thing_to_wait_for_is_told_once():
    first = WaitingFor("devices", "one", None)
    before = rollout("ring", waiting_on=[msgspec.to_builtins(first)])
    after = rollout("ring", waiting_on=[msgspec.to_builtins(first), {"kind": "time", "text": "two", "until_ms": None}])
    assert list(story.changes(before, after)) == ["  waits for: two"]


@pytest.mark.parametrize("state", list(State))
def test_every_state_either_ends_the_waiting_or_goes_on(state):
    good = {State.ROLLBACK_WINDOW, State.CLOSED}
    bad = {State.ROLLED_BACK, State.FROZEN, State.INVESTIGATING, State.SUPERSEDED}
    expected = ExitCode.DONE if state in good else ExitCode.ENDED_BADLY if state in bad else None
    assert story.ended(state.value) is expected


def test_another_state_can_be_waited_for():
    assert story.ended("canary", "canary") is ExitCode.DONE
    assert story.ended("paused", "canary") is None
