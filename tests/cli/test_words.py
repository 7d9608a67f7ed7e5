"""How numbers, times and hostile texts read."""

import pytest

from ringback.cli import words


@pytest.mark.parametrize(
    ("given", "read"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (442_321, "442 kB"), (1_500_000, "1.5 MB"), (999_600, "1 MB")],
)
def test_a_size_has_a_decimal_unit_and_three_digits(given, read):
    assert words.size(given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1_250, "1.2 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (90_000_000, "1 d 1 h"),
        (-1_500, "-1.5 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(given, read):
    assert words.duration(given) == read


def test_an_age_is_by_the_clock_of_the_server_and_never_negative():
    assert words.age(1_000, 61_000) == "1 min ago"
    assert words.age(2_000, 1_000) == "0 ms ago"
    assert words.age(None, 1_000) == "never"


def test_one_device_is_not_called_devices():
    assert words.count(1, "device") == "1 device"
    assert words.count(1_204, "device") == "1,204 devices"


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "a\nb", "\u202egnp", "\u200b", "\x9b31m", "\u2028", "\ud800"],
)
def test_text_from_a_device_can_not_act_on_the_terminal(hostile):
    shown = words.plain(hostile)
    assert shown.isprintable()
    assert "\\u{" in shown


def test_ordinary_text_of_any_language_stays_as_it_is():
    assert words.plain("Zürich 東京 – ±2 %") == "Zürich 東京 – ±2 %"


def test_an_instant_is_utc_to_the_second():
    assert words.instant(1_764_000_000_999) == "2025-11-24 16:00:00 UTC"
