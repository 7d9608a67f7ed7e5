"""Quantities: exact integers, or a refusal that says which units there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ringback.spec import units
from ringback.spec.units import BadQuantity


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("5s", 5_000),
        ("10m", 600_000),
        ("10 min", 600_000),
        ("1.5 h", 5_400_000),
        ("250ms", 250),
        ("2d", 172_800_000),
        ("1w", 604_800_000),
        ("0", 0),
        ("0.1 s", 100),
    ],
)
def test_durations_become_milliseconds(text: str, expected_ms: int) -> None:
    assert units.duration_ms(text) == expected_ms


@pytest.mark.parametrize(
    ("text", "expected_bytes"),
    [("256 MiB", 268_435_456), ("256MB", 256_000_000), ("1 kB", 1000), ("1 KB", 1000), ("1 GiB", 2**30), ("7 B", 7)],
)
def test_sizes_tell_powers_of_1000_from_powers_of_1024(text: str, expected_bytes: int) -> None:
    assert units.size_bytes(text) == expected_bytes


@pytest.mark.parametrize(("text", "expected_ppm"), [("2 %", 20_000), ("0.4%", 4_000), ("3 ‰", 3_000), ("7 ppm", 7)])
def test_shares_become_parts_per_million(text: str, expected_ppm: int) -> None:
    assert units.share_ppm(text) == expected_ppm


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("p95_us", "8 ms", 8_000),
        ("rss_kb", "256 MiB", 262_144),
        ("used_ppm", "90 %", 900_000),
        ("max_mdegc", "85 °C", 85_000),
        ("age_ms", "5s", 5_000),
        ("free_bytes", "1 MiB", 2**20),
    ],
)
def test_the_name_of_a_field_says_which_unit_its_limit_is_kept_in(field: str, text: str, expected: int) -> None:
    assert units.in_unit_of(field, text) == expected


@pytest.mark.parametrize(
    ("convert", "text", "expected"),
    [
        (units.duration_ms, "5", "a unit after the number (ms, s, m, min, h, d, w)"),
        (units.duration_ms, "5 MiB", "one of the units ms, s, m, min, h, d, w"),
        (units.duration_ms, "fast", "a number and a unit (ms, s, m, min, h, d, w)"),
        (units.duration_ms, "-5s", "a number and a unit (ms, s, m, min, h, d, w)"),
        (units.duration_ms, "1e3s", "a number and a unit (ms, s, m, min, h, d, w)"),
        (units.duration_ms, "0.0001s", "a whole number of ms"),
        (units.size_bytes, "1 mb", "one of the units B, kB, KB, MB, GB, KiB, MiB, GiB"),
        (units.size_bytes, "0.3 B", "a whole number of B"),
        (units.share_ppm, "2", "a unit after the number (%, ‰, ppm)"),
        (units.share_ppm, "0.00001 %", "a whole number of ppm"),
        (lambda text: units.in_unit_of("rss_kb", text), "1 kB", "a whole number of KiB"),
        (lambda text: units.in_unit_of("restarts", text), "2 s", "a whole number without a unit"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_would_be_one(convert, text: str, expected: str) -> None:
    with pytest.raises(BadQuantity) as refused:
        convert(text)

    assert refused.value.expected == expected
    assert refused.value.hint.startswith("write it like ")


@given(some.integers(min_value=0, max_value=10**12))
def test_a_duration_that_is_shown_reads_back_as_the_same(value_ms: int) -> None:
    assert units.duration_ms(units.show_duration(value_ms)) == value_ms


@given(some.integers(min_value=0, max_value=10**6))
def test_a_share_that_is_shown_reads_back_as_the_same(value_ppm: int) -> None:
    assert units.share_ppm(units.show_share(value_ppm)) == value_ppm


@pytest.mark.parametrize(
    ("value_bytes", "expected"),
    [(0, "0 B"), (999, "999 B"), (2_340_000, "2.3 MB"), (1_000, "1.0 kB"), (5 * 10**9, "5.0 GB")],
)
def test_sizes_are_shown_with_one_decimal(value_bytes: int, expected: str) -> None:
    assert units.show_size(value_bytes) == expected
