"""The control group: which sites are dark, when listening begins again, and at which odds a silence happened."""

from __future__ import annotations

from dataclasses import replace

from ringback.health import ControlGroup, Deployment, Outcome
from ringback.health.control_group import missing_after_ms
from ringback.stats import ODDS_MAX_PPM, RiskSet

T0 = 1_700_000_000_000


def group(control: int = 4, watched: int = 2, site: str = "mill") -> ControlGroup:
    made = ControlGroup()
    for _ in range(control):
        made.joined("door", site)
    for number in range(watched):
        made.changed(None, updated(number), site)
    return made


def updated(number: int = 0, **changes: object) -> Deployment:
    """A device under watch."""
    return replace(
        Deployment("r1", f"d{number}", "door", 0, granted_at_ms=T0, heard_at_ms=T0, entered_at_ms=T0),
        outcome=Outcome.INSTALLED,
        **changes,
    )


def test_a_site_is_dark_from_the_moment_half_of_its_control_devices_are_missing() -> None:
    site = group(4)
    assert site.listening_since_ms("mill", T0) == 0

    site.missed("mill")
    assert site.listening_since_ms("mill", T0) == 0
    site.missed("mill")

    assert site.listening_since_ms("mill", T0) == T0
    assert site.listening_since_ms("another", T0) == 0


def test_after_a_dark_site_is_heard_again_everyone_has_a_whole_heartbeat_to_be_heard() -> None:
    site = group(2)
    site.missed("mill")
    site.heard("door", "mill", T0 + 5_000, was_silent=False)

    assert site.listening_since_ms("mill", T0 + 9_000) == T0 + 5_000


def test_a_site_without_control_counts_as_one_device() -> None:
    alone = group(0)
    silent = replace(updated(), outcome=Outcome.SILENT, counted_silent=True)
    assert alone.listening_since_ms("mill", T0) == 0

    alone.changed(updated(), silent, "mill")
    assert alone.listening_since_ms("mill", T0) == T0
    alone.changed(silent, replace(silent, outcome=Outcome.INSTALLED), "mill")

    assert alone.listening_since_ms("mill", T0) == 0


def test_control_that_received_the_release_is_no_control_any_more() -> None:
    site = group(2)
    site.missed("mill")
    site.left("door", "mill")

    assert site.listening_since_ms("mill", T0) == T0
    assert site.odds_ppm("door") == 1 << 21


def test_odds_follow_the_devices_at_risk_on_both_sides() -> None:
    site = group(4, watched=2)
    assert site.odds_ppm("door") == 1 << 19

    site.missed("mill")
    assert site.fell_silent("door", "mill") == 1 << 19
    assert site.odds_ppm("door") == 1 << 20
    for number in range(2):
        site.changed(updated(number), replace(updated(number), outcome=Outcome.PROVEN), "mill")
    assert site.odds_ppm("door") == 1
    site.heard("door", "mill", T0, was_silent=True)
    site.changed(None, updated(), "mill")

    assert site.odds_ppm("door") == 1 << 18
    assert site.odds_ppm("unheard-of") == ODDS_MAX_PPM


def test_a_control_silence_that_its_whole_site_shares_is_left_out_and_one_of_its_own_is_not() -> None:
    shared, alone, single = group(3), group(3), group(1)
    for _ in range(3):
        shared.missed("mill")
    alone.missed("mill")
    single.missed("mill")

    assert shared.fell_silent("door", "mill") is None
    assert alone.fell_silent("door", "mill") is not None
    assert single.fell_silent("door", "mill") is not None


def test_a_device_of_an_unknown_site_shares_its_fate_with_nobody() -> None:
    nowhere = group(3, site="")
    nowhere.missed("")
    nowhere.changed(updated(), replace(updated(), outcome=Outcome.SILENT, counted_silent=True), "")

    assert nowhere.listening_since_ms("", T0) == 0
    assert nowhere.fell_silent("door", "") is not None
    nowhere.heard("door", "", T0, was_silent=True)


def test_a_device_is_missing_before_it_is_silent() -> None:
    assert missing_after_ms(15_000) == 10_000


def dark_after(control: int, missing: int, *, is_touched: bool) -> tuple[RiskSet, ...]:
    """Two quiet sites beside one that loses ``missing`` of its control devices."""
    seen = ControlGroup()
    for site in ("mill", "quiet", "calm"):
        for _ in range(control):
            seen.joined("door", site)
    if is_touched:
        seen.changed(None, updated(), "mill")
    for _ in range(missing):
        seen.missed("mill")
    return seen.dark_sites().risks


def test_a_site_that_goes_dark_as_a_whole_is_an_event_against_sites_that_did_not() -> None:
    assert dark_after(3, 3, is_touched=True) == (RiskSet(1 << 19, 1, 0),)
    assert dark_after(3, 3, is_touched=False) == (RiskSet(1, 0, 1),)


def test_a_site_with_one_control_device_or_one_device_left_does_not_go_dark_as_a_whole() -> None:
    assert dark_after(3, 2, is_touched=True) == ()
    assert dark_after(1, 1, is_touched=True) == ()


def test_a_site_goes_dark_once_until_it_was_heard_again() -> None:
    seen = group(2)
    for _ in range(2):
        seen.missed("mill")
    assert sum(each.treated for each in seen.dark_sites().risks) == 1

    seen.heard("door", "mill", T0, was_silent=False)
    seen.missed("mill")

    assert sum(each.treated for each in seen.dark_sites().risks) == 2
