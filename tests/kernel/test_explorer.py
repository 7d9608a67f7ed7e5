"""The crash explorer over every story: each step, torn tails at each byte, and a second cut during the recovery."""

import pytest

from tests.kernel.both import crash, stories
from tests.kernel.both.world import PowerCut

# Seconds of work; a crowded machine may stand still for minutes.
pytestmark = pytest.mark.timeout(300)

ALL_KEPT = 1_000_000


def violations(name: str, cuts: list[int], kept_bytes: int) -> list[str]:
    story, allowed = stories.ALL[name]
    where = f"{name}, cuts {cuts}, {kept_bytes} bytes kept"
    return [f"{where}: {fault}" for fault in crash.faults(crash.live(story, cuts, kept_bytes), allowed)]


@pytest.mark.parametrize("name", sorted(stories.ALL))
def test_cut_at_each_step_ends_confirmed_or_back(name: str) -> None:
    steps = crash.steps_of(stories.ALL[name][0])

    found = [each for at in range(1, steps + 1) for kept in (0, ALL_KEPT) for each in violations(name, [at], kept)]

    assert not found


def appended(name: str) -> list[tuple[int, int]]:
    """Return (step, bytes) of every sync of a story: where a cut may tear what was appended before it."""
    story, _ = stories.ALL[name]
    found = []
    for at in range(1, crash.steps_of(story) + 1):
        world = story()
        world.cut_at = world.steps + at
        try:
            world.run(crash.END_MS, until=crash.is_over)
        except PowerCut:
            size = sum(map(len, world.disk.pending.values()))
            if size:
                found.append((at, size))
    return found


@pytest.mark.parametrize("name", ["good_all", "bad_all", "drill"])
def test_tail_torn_at_many_bytes_ends_confirmed_or_back(name: str) -> None:
    tears = [(at, kept) for at, size in appended(name) for kept in range(1, size, 211)]

    found = [each for at, kept in tears for each in violations(name, [at], kept)]

    assert len(tears) > 30
    assert not found


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["good_all", "bad_all", "drill"])
def test_tail_torn_at_every_byte_ends_confirmed_or_back(name: str) -> None:
    found = [each for at, size in appended(name) for kept in range(1, size) for each in violations(name, [at], kept)]

    assert not found


@pytest.mark.parametrize("name", sorted(stories.ALL))
def test_second_cut_during_the_recovery_ends_confirmed_or_back(name: str) -> None:
    steps = crash.steps_of(stories.ALL[name][0])

    found = [
        each
        for first in range(1, steps + 1, 5)
        for second in range(1, 12, 3)
        for each in violations(name, [first, second], 0)
    ]

    assert not found


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(stories.ALL))
def test_second_cut_at_every_step_ends_confirmed_or_back(name: str) -> None:
    steps = crash.steps_of(stories.ALL[name][0])

    found = [
        each
        for first in range(1, steps + 1)
        for second in range(1, steps + 1)
        for each in violations(name, [first, second], (0, 9, ALL_KEPT)[(first + second) % 3])
    ]

    assert not found
