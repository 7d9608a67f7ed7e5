"""The demo's classes and releases are what the product reads, and say what the story says."""

import pytest

from ringback.demo import documents, fleet
from ringback.demo.acts.program import ACTS, chosen
from ringback.spec.device_class import parse_class
from ringback.spec.release import parse_release

RELEASES = sorted(path.stem for path in (documents.HERE / "releases").glob("*.yaml"))


@pytest.mark.parametrize("name", documents.class_names())
def test_each_class_is_read_and_carries_the_limit_of_this_machine(name: str) -> None:
    read = parse_class(documents.device_class(name, latency_limit_us=4321), name)

    latency = next(rule for rule in read.rules if rule.id == "latency-face")
    assert latency.limit == (600_000 if name == "esp32s3-door" else 4321)


def test_every_family_of_the_fleet_has_a_class_and_the_other_way_round() -> None:
    assert set(documents.class_names()) == set(fleet.CLASSES)


def test_a_microcontroller_has_its_own_windows_polls_and_drills() -> None:
    small, box = (
        parse_class(documents.device_class(name, latency_limit_us=1)).policy for name in ("esp32s3-door", "rk3566-door")
    )

    assert small.poll_ms > box.poll_ms
    assert small.trial_ms > box.trial_ms
    assert small.one_plane_per_deployment
    assert (small.drill_kinds, box.drill_kinds) == (("config",), ("model", "config"))


@pytest.mark.parametrize("name", RELEASES)
def test_each_release_is_read_and_states_the_gate_of_the_demo(name: str) -> None:
    read = parse_release(documents.release(name), name)

    assert (read.gate.p0_ppm, read.gate.p1_ppm) == (20_000, 100_000)
    assert read.reason


def test_the_good_model_moves_by_the_rings_of_the_story_with_a_budget_of_16() -> None:
    read = parse_release(documents.release("face-int8"))

    assert [ring.name for ring in read.rings] == ["internal", "canary", "tenth", "europe"]
    assert [ring.is_drill for ring in read.rings] == [False, True, False, False]
    assert read.rings[2].share_ppm == 100_000
    assert [budget.devices for budget in read.gate.budgets] == [16]


def test_a_late_machine_gets_longer_heartbeats_and_nothing_else() -> None:
    usual, late = (parse_release(documents.release("face-int8", lag_factor=factor)) for factor in (1.0, 2.5))

    assert usual.gate.heartbeat_ms is not None
    assert late.gate.heartbeat_ms == usual.gate.heartbeat_ms * 2.5
    assert late.rings == usual.rings
    assert late.windows == usual.windows


def test_the_night_has_one_rule_and_no_rings() -> None:
    read = parse_class(documents.without_gates(documents.device_class("orin-door", latency_limit_us=1)))
    release = parse_release(documents.without_rings(documents.release("face-lens-cap")))

    assert [rule.id for rule in read.rules] == ["online"]
    assert release.rings == ()
    assert [budget.devices for budget in release.gate.budgets] == [1_000_000]


def test_a_change_that_finds_nothing_to_change_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not hold 'nothing like it'"):
        documents.release("face-int8", changes=(("nothing like it", ""),))


def test_the_programme_has_eleven_acts_and_one_act_alone_stands_on_the_baseline() -> None:
    assert [act.number for act in ACTS] == list(range(11))
    assert [act.number for act in chosen(None)] == list(range(11))
    assert [act.number for act in chosen(7)] == [1, 7]
    assert [act.number for act in chosen(1)] == [1]
    assert [act.number for act in chosen(0)] == [0]
