"""Label selectors mean what Kubernetes means by them, and say at which character they stop making sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ringback.spec.selector import (
    BadSelector,
    Requirement,
    Selector,
    is_label_key,
    is_label_value,
    parse_selector,
    with_reserved,
)

EU = {"region": "eu", "customer": "acme"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("  ", True),
        ("region=eu", True),
        ("region==eu", True),
        ("region = eu , customer = acme", True),
        ("region=us", False),
        ("region!=us", True),
        ("region!=eu", False),
        ("site!=lab", True),
        ("region in (eu,us)", True),
        ("region in (us)", False),
        ("region notin (us, asia)", True),
        ("region notin (eu)", False),
        ("site notin (lab)", True),
        ("region", True),
        ("site", False),
        ("!site", True),
        ("! region", False),
        ("site=", False),
        ("region in (eu,us),customer=acme,!site", True),
        ("in in (a)", False),
        ("example.com/region!=eu", True),
    ],
)
def test_a_selector_matches_as_in_kubernetes(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(EU) is matches


@pytest.mark.parametrize(
    ("text", "position", "found"),
    [
        ("region in eu", 10, "'eu'"),
        ("region in (eu", 13, "the end"),
        ("region eu", 7, "'eu'"),
        ("=eu", 0, "'='"),
        ("region=eu,", 10, "the end"),
        ("region=eu us", 10, "'us'"),
        ("-region", 0, "'-region'"),
        ("region=-eu", 7, "'-eu'"),
        ("region=" + "x" * 64, 7, "'" + "x" * 64 + "'"),
        ("!", 1, "the end"),
        ("region in (eu),,site", 15, "','"),
        ("UPPER.Example/region", 0, "'UPPER.Example/region'"),
        ("x" * 1001, 0, "1001 characters"),
    ],
)
def test_a_broken_selector_names_the_character_and_what_stands_there(text: str, position: int, found: str) -> None:
    with pytest.raises(BadSelector) as refused:
        parse_selector(text)

    assert (refused.value.position, refused.value.found) == (position, found)


def test_more_than_a_hundred_values_are_refused() -> None:
    with pytest.raises(BadSelector) as refused:
        parse_selector(f"region in ({','.join(f'r{index}' for index in range(101))})")

    assert refused.value.found == "101 values"


def test_reserved_keys_come_from_the_server_and_not_from_the_device() -> None:
    labels = with_reserved({"class": "forged", "region": "eu"}, device="box-1", class_id="door", family="rk3566")

    assert labels == {"class": "door", "family": "rk3566", "device": "box-1", "region": "eu"}


def test_a_selector_says_which_labels_it_looks_at() -> None:
    assert parse_selector("b=1,a,!c,b!=2").keys == ("a", "b", "c")


names = some.from_regex(r"[a-z]([-a-z0-9_.]{0,5}[a-z0-9])?", fullmatch=True).filter(
    lambda text: text not in ("in", "notin")
)
requirements = some.one_of(
    some.builds(Requirement, names, some.sampled_from(["exists", "absent"])),
    some.builds(Requirement, names, some.sampled_from(["in", "notin"]), some.frozensets(names, min_size=1, max_size=3)),
)


@given(some.lists(requirements, min_size=1, max_size=4), some.dictionaries(names, names, max_size=4))
def test_a_selector_that_is_shown_reads_back_as_the_same(found: list[Requirement], labels: dict[str, str]) -> None:
    selector = Selector(tuple(found))

    assert parse_selector(str(selector)) == selector
    assert parse_selector(str(selector)).matches(labels) == all(one.matches(labels.get(one.key)) for one in found)


@pytest.mark.parametrize("text", ["", "a", "A.b-c_d", "9"])
def test_label_values_follow_the_grammar(text: str) -> None:
    assert is_label_value(text)


@pytest.mark.parametrize("text", ["-a", "a-", "a b", "x" * 64, "ä"])
def test_bad_label_values_are_refused(text: str) -> None:
    assert not is_label_value(text)
    assert not is_label_key(text)
