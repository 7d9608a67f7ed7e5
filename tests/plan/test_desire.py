"""Desired states: the exact canonical bytes, shared between devices, and what makes a new generation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from ringback.plan.desire import (
    NO_OVERLAY,
    Binding,
    Command,
    Directive,
    Overlay,
    compile_hop,
    compile_steady,
    drill_rule,
    rules_for,
    windows_for,
)
from ringback.plan.route import Wanted, route
from ringback.plan.track import Hop, Track
from ringback.spec.canonical import encode
from ringback.spec.rules import HealthRule
from ringback_kernel import desired, gates
from tests.plan.fleet import SENSOR, class_of, planes
from tests.plan.scene import APP_10, APP_11, CATALOG, CONFIG_1, CONFIG_2, FACE_1, FACE_2, OLD

DOOR = class_of()
SENSOR_CLASS = class_of(SENSOR)
BINDING = Binding("box-1", "acme", 7, 1_700_000_000_000, "2026-12-01T00:00:00Z")
RULES = (
    HealthRule("latency-face", "latency", "face", "p95_us", "<=", 8_000, plane="model/face", strikes=2, min_n=5),
    HealthRule("speaks", "service_speaks", "", "ok", ">=", 1, plane="app"),
    HealthRule("golden", "golden", "face", "quality_ppm", ">=", 900_000, plane="model/face", at=("preflight",)),
    HealthRule("input", "input", "", "age_ms", "<=", 5_000, plane="config", level="wanted"),
    HealthRule("uplink", "uplink", "", "ok", ">=", 1),
)
DIRECTIVE = Directive(release="face-int8", rollout="0190-aaaa", attempt=2, drill_rule="latency-face")


def hop(*goal: object, start=OLD, device_class=DOOR) -> Hop:  # type: ignore[no-untyped-def]
    track = route(device_class, start, Wanted(goal=tuple(goal)), CATALOG)  # type: ignore[arg-type]
    assert isinstance(track, Track)
    return track.hops[0]


def fragment(changed: Hop, directive: Directive = DIRECTIVE):  # type: ignore[no-untyped-def]
    windows = windows_for(DOOR, 8_000, None)
    return compile_hop(changed, CATALOG, rules=RULES, windows=windows, directive=directive)


def test_the_document_is_canonical_and_says_all_that_the_device_does() -> None:
    directive = replace(DIRECTIVE, frozen=(("model/face", FACE_1.digest),))
    data = fragment(hop(FACE_2, CONFIG_2), directive).document(BINDING)
    said = json.loads(data)

    assert encode(said) == data
    assert said["_type"] == "targets"
    assert said["spec_version"] == "1.0.31"
    assert said["version"] == 7
    assert said["expires"] == "2026-12-01T00:00:00Z"
    assert set(said["targets"]) == {
        "app/door/1.0.0",
        "config/door/2.0.0",
        "model/face/blazeface/1.1.0",
        "model/voice/silero/5.1.2",
    }
    assert said["targets"]["config/door/2.0.0"] == {
        "length": len(CONFIG_2.manifest),
        "hashes": {"sha256": CONFIG_2.digest.removeprefix("sha256:")},
        "custom": {
            "plane": "config",
            "kind": "config",
            "version": "2.0.0",
            "epoch": 0,
            "hw": ["door", "sensor"],
            "requires": {"model/face": ">=1.1"},
            "bytes": 1000,
        },
    }
    ota = said["ota"]
    assert {key: ota[key] for key in ("v", "device", "tenant", "release", "rollout", "attempt", "issued_ms")} == {
        "v": 1,
        "device": "box-1",
        "tenant": "acme",
        "release": "face-int8",
        "rollout": "0190-aaaa",
        "attempt": 2,
        "issued_ms": 1_700_000_000_000,
    }
    assert ota["order"] == [["model/face"], ["config"]]
    assert [rung["planes"] for rung in ota["ladder"]] == [["config"], ["config", "model/face"]]
    assert ota["ladder"][1]["set"]["model/face"] == FACE_1.digest
    assert ota["first"] == {"config": 0, "model/face": 1}
    assert ota["drill"] == {"rule": "latency-face"}
    assert ota["frozen"] == [["model/face", FACE_1.digest]]
    assert (ota["trial_ms"], ota["rules"]["hold_ms"], ota["rules"]["every_ms"], ota["uplink_ms"]) == (
        8_000,
        1_000,
        10_000,
        120_000,
    )
    assert [rule["id"] for rule in ota["rules"]["list"]] == ["latency-face", "speaks", "golden", "input", "uplink"]
    assert (ota["commands"], ota["updates_paused"], ota["safe_mode"]) == ([], False, False)


def test_a_device_reads_the_document_as_it_was_meant() -> None:
    changed = hop(APP_11, FACE_2, CONFIG_2, start=planes(FACE_1))
    overlay = Overlay((Command(3, "restart", "camera"),), updates_paused=True)

    read = desired.parse(fragment(changed).document(BINDING, overlay), "door")

    assert (read.gen, read.release, read.rollout, read.attempt) == (7, "face-int8", "0190-aaaa", 2)
    assert [tuple(group) for group in read.order] == list(changed.order)
    assert read.ladder == [(rung.planes, dict(rung.set)) for rung in changed.ladder.rungs]
    assert read.ladder[-1][1] == {"app": "", "config": "", "model/face": FACE_1.digest}
    assert read.first == dict(changed.ladder.first)
    assert read.drill_rule == "latency-face"
    assert {plane: target["digest"] for plane, target in read.targets.items()} == dict(changed.after)
    assert read.targets["config"]["requires"] == {"model/face": ">=1.1"}
    assert read.commands == [(3, "restart", "camera")]
    assert (read.paused, read.safe_mode) == (True, False)
    assert (read.trial_ms, read.hold_ms, read.every_ms, read.uplink_ms) == (8_000, 1_000, 10_000, 120_000)
    assert gates.has_proof(read.rules)


def test_an_overlay_reaches_the_document_and_makes_a_new_generation() -> None:
    shared = fragment(hop(FACE_2))
    overlay = Overlay((Command(3, "restart", "camera"),), updates_paused=True, safe_mode=True)
    data = shared.document(BINDING, overlay)

    assert encode(json.loads(data)) == data
    assert json.loads(data)["ota"]["commands"] == [{"id": 3, "kind": "restart", "arg": "camera"}]
    assert (json.loads(data)["ota"]["updates_paused"], json.loads(data)["ota"]["safe_mode"]) == (True, True)
    assert shared.state_digest() == shared.state_digest(NO_OVERLAY) == shared.digest
    assert shared.state_digest(overlay) != shared.digest
    assert shared.state_digest(overlay) != shared.state_digest(Overlay((Command(4, "restart", "camera"),)))


def test_the_fragment_is_the_same_for_every_device_and_moment() -> None:
    first, again = fragment(hop(FACE_2)), fragment(hop(FACE_2))

    assert first == again
    other = json.loads(first.document(Binding("box-2", "acme", 99, 5, "2027-01-01T00:00:00Z")))
    mine = json.loads(first.document(BINDING))
    for said in (other, mine):
        del said["version"], said["expires"], said["ota"]["device"], said["ota"]["issued_ms"]
    assert other == mine


@pytest.mark.parametrize(
    "directive",
    [
        replace(DIRECTIVE, attempt=3),
        replace(DIRECTIVE, drill_rule=""),
        replace(DIRECTIVE, release="other"),
        replace(DIRECTIVE, rollout="0190-bbbb"),
        replace(DIRECTIVE, frozen=(("app", APP_11.digest),)),
    ],
)
def test_whatever_the_server_adds_makes_another_fragment(directive: Directive) -> None:
    assert fragment(hop(FACE_2), directive).digest != fragment(hop(FACE_2)).digest


def test_another_target_makes_another_fragment() -> None:
    assert fragment(hop(FACE_2)).digest != fragment(hop(APP_11)).digest


def test_a_device_that_shall_stay_as_it_is_gets_no_order_and_no_ladder() -> None:
    running = (*OLD, ("system", "sha256:" + "f" * 64))
    windows = windows_for(DOOR, None, None)
    steady = compile_steady(running, CATALOG, rules=RULES, windows=windows, directive=Directive())
    said = json.loads(steady.document(BINDING))

    assert (said["ota"]["order"], said["ota"]["ladder"], said["ota"]["first"], said["ota"]["drill"]) == (
        [],
        [],
        {},
        None,
    )
    assert steady.planes == OLD
    assert len(said["targets"]) == len(OLD)


def test_a_first_installation_says_that_planes_go_back_to_empty() -> None:
    said = json.loads(fragment(hop(APP_11, FACE_2, start=())).document(BINDING))

    assert said["ota"]["ladder"][-1]["set"] == {"app": "", "model/face": ""}


def test_rules_about_what_is_not_installed_are_left_out() -> None:
    left = rules_for(planes(APP_11), RULES)

    assert [rule.id for rule in left] == ["speaks", "uplink"]


@pytest.mark.parametrize(
    ("change", "is_replayed"),
    [
        (lambda: hop(APP_11, FACE_2, CONFIG_2, start=planes(APP_11, FACE_2, CONFIG_1)), False),
        (lambda: hop(APP_11, FACE_2, CONFIG_2, start=planes(APP_11, FACE_1, CONFIG_1)), True),
        (lambda: hop(APP_11, FACE_2, CONFIG_2, start=planes(APP_10, FACE_2, CONFIG_2)), True),
    ],
    ids=["only the config", "the model", "the app"],
)
def test_a_golden_set_is_replayed_when_its_model_or_the_app_changes(
    change: Callable[[], Hop], is_replayed: bool
) -> None:
    said = json.loads(fragment(change()).document(BINDING))

    assert ("golden" in [rule["id"] for rule in said["ota"]["rules"]["list"]]) is is_replayed


def test_a_release_may_lengthen_the_windows_of_a_class_and_never_shorten_them() -> None:
    assert windows_for(SENSOR_CLASS, 5_000, 1_000).trial_ms == 600_000
    assert windows_for(SENSOR_CLASS, 900_000, 200_000).trial_ms == 900_000
    assert windows_for(SENSOR_CLASS, 900_000, 200_000).hold_ms == 200_000


def test_a_drill_fails_a_rule_of_the_changed_plane_that_is_cheapest_to_take_back() -> None:
    rules = (*RULES, HealthRule("input-required", "input", "", "age_ms", "<=", 5_000, plane="config"))

    assert drill_rule(DOOR, hop(FACE_2, CONFIG_2), rules) == "input-required"
    assert drill_rule(DOOR, hop(FACE_2), rules) == "latency-face"


def test_a_plane_without_a_rule_of_its_own_is_drilled_by_any_required_rule() -> None:
    assert drill_rule(DOOR, hop(FACE_2, CONFIG_2), RULES[1:2]) == "speaks"


@pytest.mark.parametrize("rules", [RULES, RULES[2:4]])
def test_no_drill_where_the_class_says_so_or_nothing_can_fail(rules: tuple[HealthRule, ...]) -> None:
    assert drill_rule(DOOR, hop(APP_11), RULES) == ""
    assert drill_rule(SENSOR_CLASS, hop(FACE_2, start=planes(APP_11, FACE_1), device_class=SENSOR_CLASS), rules) == ""
    assert drill_rule(DOOR, hop(FACE_2), RULES[2:4]) == ""
