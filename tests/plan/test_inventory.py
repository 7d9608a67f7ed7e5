"""Devices become groups in one pass, and planning does not care how many there are."""

from __future__ import annotations

import pytest

from ringback.plan import planner
from ringback.plan.inventory import DeviceFacts, PlaneSet, take_stock, targeted, why_nobody
from ringback.spec.release import Targets
from ringback.spec.selector import parse_selector
from tests.plan.fleet import facts, release
from tests.plan.scene import CATALOG, NEWER, OLD, VOICE_62

FAMILIES = {"door": "rk3566", "sensor": "esp32"}


def names(devices: list[DeviceFacts]) -> list[str]:
    return [device.device_id for device in devices]


def test_targets_are_classes_and_labels_and_the_reserved_keys() -> None:
    fleet = [
        *facts(2, OLD, region="eu"),
        *facts(1, OLD, prefix="us", region="us"),
        *facts(1, OLD, class_id="sensor", prefix="esp", region="eu"),
    ]

    def chosen(where: str, *classes: str) -> list[str]:
        return names(targeted(fleet, Targets(classes, parse_selector(where)), FAMILIES))

    assert chosen("region=eu") == ["cam-1", "cam-2", "esp-1"]
    assert chosen("region=eu", "door") == ["cam-1", "cam-2"]
    assert chosen("family=esp32") == ["esp-1"]
    assert chosen("class!=door") == ["esp-1"]
    assert chosen("device in (cam-2,us-1)") == ["cam-2", "us-1"]
    assert chosen("", "sensor") == ["esp-1"]


def test_a_label_of_that_name_cannot_stand_in_for_a_reserved_key() -> None:
    liar = DeviceFacts("liar", "door", {"class": "sensor", "family": "esp32", "device": "cam-1"}, OLD)

    assert targeted([liar], Targets((), parse_selector("class=sensor")), FAMILIES) == []
    assert targeted([liar], Targets((), parse_selector("device=cam-1")), FAMILIES) == []


def test_devices_that_are_alike_are_one_group_with_three_examples() -> None:
    stock = take_stock([*facts(100, OLD), *facts(5, NEWER, prefix="new")], fleet_size=200)

    assert sorted((group.count, group.examples) for group in stock.groups) == [
        (5, ("new-1", "new-2", "new-3")),
        (100, ("cam-1", "cam-2", "cam-3")),
    ]
    assert (stock.targeted, stock.fleet_size) == (105, 200)


def test_devices_in_other_rings_or_with_other_kept_versions_are_other_groups() -> None:
    kept = DeviceFacts("keeper", "door", {}, OLD, NEWER)
    stock = take_stock([*facts(4, OLD), kept], fleet_size=5, ring_of=lambda device: int(device.device_id == "cam-1"))

    assert sorted((group.ring, group.kept, group.count) for group in stock.groups) == [
        (0, (), 3),
        (0, NEWER, 1),
        (1, (), 1),
    ]


def test_a_label_with_a_million_values_does_not_fill_the_explanation() -> None:
    fleet = [DeviceFacts(f"d{index}", "door", {"serial": f"s{index}"}, OLD) for index in range(3000)]

    said = why_nobody(fleet, Targets((), parse_selector("serial=none")), FAMILIES)

    assert said.startswith("no device has serial = none; devices have: s0, s1")
    assert len(said) < 200


def test_the_planner_works_once_per_kind_of_device_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = [
        DeviceFacts(f"cam-{index}", "door", {"region": "eu", "site": f"s{index % 500}"}, OLD if index % 3 else NEWER)
        for index in range(30_000)
    ]
    wanted = release([VOICE_62.ref], more="via: [app/door@1.1.0]\n", targets="{where: 'region=eu'}")
    asked: list[PlaneSet] = []
    real = planner.route

    def counted(device_class, running, wanted, of, *, kept):  # type: ignore[no-untyped-def]
        asked.append(running)
        return real(device_class, running, wanted, of, kept=kept)

    monkeypatch.setattr(planner, "route", counted)
    chosen = targeted(fleet, wanted.targets, FAMILIES)
    stock = take_stock(chosen, fleet_size=len(fleet), ring_of=lambda one: len(one.device_id) % 3)
    made = planner.plan(stock, wanted, CATALOG)

    assert isinstance(made, planner.Plan)
    assert sum(lane.group.count for lane in made.going) == 30_000
    assert sorted(asked) == sorted([OLD, NEWER])
