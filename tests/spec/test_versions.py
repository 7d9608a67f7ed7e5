"""Versions in SemVer order, constraints, and the constraints that nobody could satisfy."""

from __future__ import annotations

import itertools
from operator import eq, ge, gt, le, lt, ne

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ringback.spec.versions import BadVersion, Version, loose_version, parse_constraint, parse_version

# semver.org, section 11, with the neighbours that matter here.
IN_ORDER = (
    "0.9.9",
    "1.0.0-0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.9.0",
    "1.10.0",
    "2.0.0",
)

COMPARE = {">=": ge, "<=": le, ">": gt, "<": lt, "==": eq, "!=": ne}


def compares(version: Version, operator: str, bound: Version) -> bool:
    """Compare by rank, apart from the kernel's evaluator that constraints ask."""
    return COMPARE[operator](version.rank(), bound.rank())


versions = some.builds(
    Version,
    some.integers(0, 3),
    some.integers(0, 3),
    some.integers(0, 3),
    some.sampled_from(["", "", "0", "alpha", "rc.1", "rc.2"]),
)


def test_versions_sort_as_semver_says() -> None:
    for lower, higher in itertools.combinations(IN_ORDER, 2):
        assert parse_version(lower) < parse_version(higher), (lower, higher)


@pytest.mark.parametrize(
    "text", ["1", "1.0", "01.0.0", "1.0.0+build", "1.0.0-", "1.0.0-a..b", "1.0.0-01", "v1.0.0", ""]
)
def test_what_is_no_complete_version_is_refused(text: str) -> None:
    with pytest.raises(BadVersion):
        parse_version(text)


@pytest.mark.parametrize(("text", "expected"), [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2.3-rc.1", "1.2.3-rc.1")])
def test_missing_parts_are_zero_in_constraints(text: str, expected: str) -> None:
    assert str(loose_version(text)) == expected


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        (">=1.1", ["1.1.0", "1.1.1", "2.0.0"], ["1.0.9", "1.1.0-rc.1"]),
        (">=1.1,<2", ["1.1.0", "1.99.0", "2.0.0-rc.1"], ["2.0.0", "1.0.0"]),
        ("==1.10", ["1.10.0"], ["1.1.0", "1.10.1"]),
        ("!=1.5.0", ["1.4.9", "1.5.1"], ["1.5.0"]),
        (" > 1 , <= 1.2 ", ["1.0.1", "1.2.0"], ["1.0.0", "1.2.1"]),
        ("<1", ["0.9.9", "1.0.0-rc.1"], ["1.0.0"]),
    ],
)
def test_a_constraint_allows_what_all_its_comparisons_allow(
    constraint: str, allowed: list[str], refused: list[str]
) -> None:
    need = parse_constraint(constraint)

    assert all(need.allows(parse_version(text)) for text in allowed)
    assert not any(need.allows(parse_version(text)) for text in refused)


@pytest.mark.parametrize(
    "text",
    ["", "1.0", "~1", "^1.0", ">=", ">=1,", ">=1,,<2", "=1", ">=x", "rk3566", ">=1.0.0.0", ",".join([">=1"] * 9)],
)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(BadVersion):
        parse_constraint(text)


@pytest.mark.parametrize("text", [">=2,<1", ">1,<1", "==1,==2", "==1,!=1", ">=1.0.0,<=1.0.0,!=1", "<0.0.0-0"])
def test_a_constraint_that_no_version_satisfies_is_refused_where_it_is_written(text: str) -> None:
    with pytest.raises(BadVersion, match="exclude each other"):
        parse_constraint(text)


@given(some.lists(some.tuples(some.sampled_from([">=", "<=", ">", "<", "==", "!="]), versions), min_size=1, max_size=4))
def test_a_constraint_is_refused_as_impossible_only_when_no_version_of_a_dense_grid_passes(comparisons) -> None:
    text = ",".join(f"{operator}{version}" for operator, version in comparisons)
    grid = [
        Version(major, minor, patch, pre)
        for major, minor, patch in itertools.product(range(5), repeat=3)
        for pre in ("", "0", "0.0", "alpha", "alpha.0", "rc.1", "rc.1.0", "rc.2", "rc.2.0")
    ]
    try:
        need = parse_constraint(text)
    except BadVersion:
        assert not any(all(compares(version, op, bound) for op, bound in comparisons) for version in grid)
    else:
        assert need.is_satisfiable()
        for version in grid:
            assert need.allows(version) == all(compares(version, op, bound) for op, bound in comparisons)


def test_a_capability_is_one_of_several_words_or_compared_as_a_number() -> None:
    assert parse_constraint("rk3566|rk3568", on_capability=True).allows_value("rk3568")
    assert not parse_constraint("rk3566|rk3568", on_capability=True).allows_value("rk3588")
    assert parse_constraint(">=256", on_capability=True).allows_value(256)
    assert not parse_constraint(">=256", on_capability=True).allows_value(255)
    assert parse_constraint(">=0.9.6", on_capability=True).allows_value("0.9.8")
    assert not parse_constraint(">=256", on_capability=True).allows_value("plenty")
