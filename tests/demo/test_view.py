"""The screen says everything in words and numbers, and never loses the truth line."""

import io

import pytest
from rich.console import Console

from ringback.demo.scene import Door, PlaneLine, RingBar, Scene
from ringback.demo.view import BAR_CELLS, bar, cells_of, draw, words


def drawn(scene: Scene) -> str:
    console = Console(file=io.StringIO(), width=110, force_terminal=False)
    console.print(draw(scene))
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue()


@pytest.mark.parametrize("act", range(11))
def test_the_truth_line_is_on_every_screen(act: int) -> None:
    assert "people seen at the door, 27 of 27" in drawn(Scene(act=act, door=Door(27, 27, 0, 306)))


def test_blind_doors_are_counted_beside_it() -> None:
    assert str(Door(27, 27, 306, 306)) == "people seen at the door, 27 of 27 · 306 of 306 doors blind"


def test_the_screen_says_that_windows_are_short() -> None:
    assert "seconds here instead of hours" in drawn(Scene())


def test_a_verdict_keeps_its_word_and_reasons() -> None:
    scene = Scene(
        release="face-lens-cap",
        state="rolled back",
        rings=(RingBar("canary", 12, proven=0, failed=3, is_open=True),),
        verdict="FAIL: model/face",
        reasons=("3 of 3 devices failed",),
        planes=(PlaneLine("model/face", {"1.0.0": 303, "1.2.0": 3}),),
        recovering=tuple(f"orin-{n}" for n in range(9)),
    )

    text = drawn(scene)

    assert "FAIL: model/face" in text
    assert "3 of 3 devices failed" in text
    assert "0/12 proven, 3 failed" in text
    assert "1.0.0 on 303" in text
    assert "and 3 more" in text


def test_a_bar_is_as_long_as_its_cells_and_shows_even_one_device() -> None:
    ring = RingBar("everyone", 306, proven=300, failed=1, trial=5)

    assert len(bar(ring).plain) == BAR_CELLS
    assert "✗" in bar(RingBar("everyone", 306, failed=1)).plain
    assert cells_of(0, 306) == 0


def test_a_ring_in_words() -> None:
    assert words(RingBar("canary", 12, proven=4, trial=2, note="drill")) == "4/12 proven, 2 on trial, drill"
