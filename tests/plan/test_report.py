"""A plan in numbers, with stable keys: rings, bytes, ways, costs of coming back, windows, wear."""

from __future__ import annotations

import json

from ringback.plan.inventory import DeviceFacts, take_stock, targeted
from ringback.plan.planner import Plan, plan
from ringback.plan.report import Evidence, report
from tests.plan.fleet import artifact, facts, planes, release
from tests.plan.scene import APP_10, APP_11, CATALOG, CONFIG_1, FACE_1, FACE_2, NEWER, OLD, VOICE_62, planned

FAMILIES = {"door": "rk3566", "sensor": "esp32"}


def bytes_of(*artifacts) -> int:  # type: ignore[no-untyped-def]
    return sum(one.size_bytes + len(one.manifest) for one in artifacts)


def test_rings_count_devices_by_family_and_the_bytes_that_they_move() -> None:
    wanted = release(
        [FACE_2.ref],
        targets="{where: 'site in (lab,yard)'}",
        more="rings: [{name: internal, where: 'site=lab'}, {name: ten, percent: 10}]\n",
    )
    sensors = planes(APP_10, FACE_1, CONFIG_1)
    kept = DeviceFacts("keeper", "door", {"site": "lab"}, OLD, planes(FACE_2))
    fleet = [
        *facts(4, OLD, site="lab"),
        kept,
        *facts(6, OLD, prefix="yard", site="yard"),
        *facts(5, sensors, class_id="sensor", prefix="esp", site="yard"),
        *facts(3, OLD, prefix="else", site="moon"),
    ]
    chosen = targeted(fleet, wanted.targets, FAMILIES)
    stock = take_stock(
        chosen,
        fleet_size=len(fleet),
        ring_of=lambda one: 0 if one.labels["site"] == "lab" else 1 if one.device_id == "yard-1" else 2,
    )
    made = plan(stock, wanted, CATALOG)
    assert isinstance(made, Plan)

    said = report(made, CATALOG)

    assert said["devices"] == {"fleet": 19, "targeted": 16, "going": 16, "done": 0, "blocked": 0}
    each = bytes_of(FACE_2)
    assert said["rings"] == [
        {
            "index": 0,
            "name": "internal",
            "devices": 5,
            "families": {"rk3566": 5},
            "bytes": 4 * each,
            "blocked": 0,
            "drill": False,
        },
        {
            "index": 1,
            "name": "ten",
            "devices": 1,
            "families": {"rk3566": 1},
            "bytes": each,
            "blocked": 0,
            "drill": False,
        },
        {
            "index": 2,
            "name": "full",
            "devices": 10,
            "families": {"esp32": 5, "rk3566": 5},
            "bytes": 10 * each,
            "blocked": 0,
            "drill": False,
        },
    ]


def test_ways_name_hops_and_ladders_by_reference() -> None:
    wanted = release([VOICE_62.ref], more="via: [app/door@1.1.0]\n")
    made = planned([*facts(112, OLD), *facts(3, NEWER, prefix="new")], wanted)

    said = report(made, CATALOG)

    tracks = said["tracks"]
    assert isinstance(tracks, list)
    assert [(one["class"], one["family"], one["devices"], len(one["hops"])) for one in tracks] == [
        ("door", "rk3566", 112, 2),
        ("door", "rk3566", 3, 1),
    ]
    assert tracks[0]["from"]["app"] == "app/door@1.0.0"
    assert tracks[0]["to"]["app"] == "app/door@1.1.0"
    assert tracks[0]["hops"][0] == {
        "order": [["app"]],
        "brings": {"app": "app/door@1.1.0"},
        "inserted": True,
        "switch_ms": 3000,
        "ladder": [{"planes": ["app"], "back_to": {"app": "app/door@1.0.0"}}],
        "first": {"app": 0},
        "doors": [],
    }
    assert said["changes"] == [
        {"plane": "model/voice", "artifact": VOICE_62.ref, "digest": VOICE_62.digest},
        {"plane": "app", "artifact": APP_11.ref, "digest": APP_11.digest},
    ]


def test_coming_back_costs_time_by_plane_and_no_bytes_while_a_slot_holds_the_old_version() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"})
    of = type(CATALOG)(CATALOG.classes, CATALOG.artifacts | {app_3.digest: app_3}, CATALOG.by_ref | {app_3.ref: app_3})
    wanted = release([app_3.ref, FACE_2.ref], more="via: [app/door@1.1.0]\none_way: true\n")

    said = report(planned(facts(2, OLD), wanted, of), of)

    assert said["rollback"] == {
        "ladder": [["model/face"], ["app"], ["model/face", "app"]],
        "first": {"app": 1, "model/face": 0},
        "costs": [
            {"class": "door", "plane": "model/face", "kind": "model", "ms": 200, "bytes": 0, "reboots": 0},
            {"class": "door", "plane": "app", "kind": "firmware", "ms": 3000, "bytes": bytes_of(APP_10), "reboots": 0},
        ],
    }
    doors = said["doors"]
    assert isinstance(doors, list)
    assert [door["code"] for door in doors] == ["RB-PLAN-030"]


def test_a_microcontroller_class_shows_other_windows_polls_drill_and_its_wear() -> None:
    start = planes(APP_10, FACE_1, CONFIG_1)
    wanted = release([APP_11.ref, FACE_2.ref], targets="{classes: [door, sensor]}", more="health: {trial: 9s}\n")
    made = planned([*facts(2, OLD), *facts(2, start, class_id="sensor", prefix="esp")], wanted)

    said = report(made, CATALOG, evidence=[Evidence("full", 4, "4 devices can show at best: below 53 %")])

    classes = said["classes"]
    assert isinstance(classes, list)
    door, sensor = classes
    assert (door["class"], door["poll_ms"], door["trial_ms"], door["generations"]) == ("door", 500, 9_000, 1)
    assert (sensor["class"], sensor["poll_ms"], sensor["trial_ms"], sensor["generations"]) == (
        "sensor",
        900_000,
        600_000,
        2,
    )
    assert door["drill_rules"] == ["consistent"]
    assert sensor["drill_rules"] == []
    assert door["flash"] == []
    assert sensor["flash"] == [
        {"plane": "app", "sectors": 1, "erases": 1, "cycles": 100_000, "releases_endured": 200_000},
        {"plane": "model/face", "sectors": 2, "erases": 1, "cycles": 100_000, "releases_endured": 200_000},
    ]
    assert sensor["one_plane_per_deployment"]
    rollback = said["rollback"]
    assert isinstance(rollback, dict)
    assert [cost["reboots"] for cost in rollback["costs"] if cost["class"] == "sensor"] == [0, 1]
    assert said["evidence"] == [{"ring": "full", "devices": 4, "text": "4 devices can show at best: below 53 %"}]


def test_blocked_devices_stand_in_the_report_with_their_reasons() -> None:
    made = planned([*facts(112, OLD), *facts(3, NEWER, prefix="new")], release([VOICE_62.ref]))

    said = report(made, CATALOG)

    assert said["devices"] == {"fleet": 115, "targeted": 115, "going": 3, "done": 0, "blocked": 112}
    blocked = said["blocked"]
    assert isinstance(blocked, list)
    assert blocked[0]["text"].startswith("model/voice/silero@6.2.0 needs app >=1.1; 112 devices")
    assert blocked[0]["hint"] == "add app/door@1.1.0 to via, or release it first"


def test_the_report_is_json_with_the_keys_that_the_reference_names() -> None:
    said = report(planned(facts(2, OLD), release([FACE_2.ref])), CATALOG)

    assert list(said) == [
        "refused",
        "release",
        "devices",
        "changes",
        "rings",
        "tracks",
        "blocked",
        "doors",
        "queued_behind",
        "rollback",
        "classes",
        "evidence",
        "warnings",
    ]
    assert json.loads(json.dumps(said)) == said
