"""A quiet machine stretches nothing; a late or crowded one stretches what it has to, within a bound."""

import pytest

from ringback.demo.lag import factor, runnable


@pytest.mark.parametrize(
    ("late_ms", "waiting", "processors", "expected"),
    [
        (0, 1, 2, 1.0),
        (30, 2, 2, 1.0),
        (280, 1, 2, 2.0),
        (0, 4, 2, 1.0),
        (0, 12, 2, 3.0),
        (10_000, 1, 2, 4.0),
        (0, 100, 2, 4.0),
    ],
)
def test_the_worse_sign_counts(late_ms: float, waiting: float, processors: int, expected: float) -> None:
    assert factor(late_ms, waiting, processors) == expected


def test_this_machine_says_how_many_want_to_run() -> None:
    assert runnable() >= 1
