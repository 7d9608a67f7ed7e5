"""The story stops where an act fails, says why, and never calls a broken claim a success."""

import pytest

from ringback.demo.processes import DemoError
from ringback.demo.result import ActFailed, ActResult, Ledger
from ringback.demo.story import Act, play, play_all


class Stagehand:
    """What a story needs of the show: it writes down what happens."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, number: int, title: str, expected: str) -> None:
        self.told.append(f"begin {number}")

    def end(self, result: ActResult) -> None:
        self.told.append(f"end {result.number} {result.passed}")

    def rest(self, pause_s: float) -> None:
        self.told.append(f"rest {pause_s}")


def act(number: int, holds: bool = True) -> Act:
    def perform(show: object, ledger: Ledger) -> None:
        ledger.claim("it holds", holds, "it does" if holds else "it does not")
        ledger.happened = "something"

    return Act(number, f"act-{number}", "An act", "it holds", perform)


def test_acts_are_played_in_order_with_rests_between() -> None:
    show = Stagehand()

    results = play_all([act(1), act(2)], show, pause_s=3.0)

    assert [result.passed for result in results] == [True, True]
    assert show.told == ["begin 1", "end 1 True", "rest 3.0", "begin 2", "end 2 True", "rest 3.0"]


def test_the_story_ends_with_the_first_act_that_fails() -> None:
    results = play_all([act(1), act(2, holds=False), act(3)], Stagehand(), pause_s=0)

    assert [(result.number, result.passed) for result in results] == [(1, True), (2, False)]
    assert results[1].reason == "expected: it holds; happened: it does not"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ActFailed("expected: a verdict; happened: none"), "expected: a verdict; happened: none"),
        (DemoError("the simulated fleet has ended"), "the act broke off: the simulated fleet has ended"),
    ],
)
def test_an_act_that_breaks_off_has_failed_with_its_reason(error: Exception, reason: str) -> None:
    def perform(show: object, ledger: Ledger) -> None:
        raise error

    result = play(Act(4, "slow", "A slow model", "named", perform), Stagehand())

    assert (result.passed, result.reason) == (False, reason)


def test_a_skipped_act_passes_and_says_why_it_was_skipped() -> None:
    def perform(show: object, ledger: Ledger) -> None:
        ledger.skipped_because = "RB-DEMO-001: no speech models"

    result = play(Act(7, "dependencies", "Dependencies", "a hop", perform), Stagehand())

    assert (result.passed, result.skipped, result.happened) == (True, True, "RB-DEMO-001: no speech models")
