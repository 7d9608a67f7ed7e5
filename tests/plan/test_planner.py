"""Ways that exist: the order of switches, hops, joint switches, and the ladder back."""

from __future__ import annotations

from ringback.plan.planner import track_for
from ringback.plan.route import Blocked
from ringback.spec.release import parse_release
from tests.plan.fleet import artifact, catalog, facts, planes, release
from tests.plan.scene import (
    APP_10,
    APP_11,
    CATALOG,
    CONFIG_1,
    CONFIG_2,
    EVERYTHING,
    FACE_1,
    FACE_2,
    NEWER,
    OLD,
    VOICE_5,
    VOICE_62,
    orders,
    planned,
)


def test_one_model_is_one_hop_with_one_rung() -> None:
    made = planned(facts(3, OLD), release(["model/face/blazeface@1.1.0"]))

    assert orders(made) == [[(("model/face",),)]]
    hop = made.lanes[0].track.hops[0]
    assert [(rung.planes, dict(rung.set)) for rung in hop.ladder.rungs] == [
        (("model/face",), {"model/face": FACE_1.digest})
    ]
    assert dict(hop.ladder.first) == {"model/face": 0}
    assert hop.cost_ms == 200


def test_planes_switch_dearest_first_and_come_back_cheapest_first() -> None:
    wanted = release(["app/door@1.1.0", "model/face/blazeface@1.1.0", "config/door@2.0.0"])
    hop = planned(facts(1, OLD), wanted).lanes[0].track.hops[0]

    assert hop.order == (("app",), ("model/face",), ("config",))
    assert [rung.planes for rung in hop.ladder.rungs] == [
        ("config",),
        ("app",),
        ("config", "model/face"),
        ("config", "model/face", "app"),
    ]
    assert dict(hop.ladder.first) == {"app": 1, "config": 0, "model/face": 2}


def test_a_model_that_cannot_go_back_alone_takes_the_config_with_it() -> None:
    wanted = release(["model/face/blazeface@1.1.0", "config/door@2.0.0"])
    hop = planned(facts(1, OLD), wanted).lanes[0].track.hops[0]

    assert hop.order == (("model/face",), ("config",))
    assert [rung.planes for rung in hop.ladder.rungs] == [("config",), ("config", "model/face")]
    assert dict(hop.ladder.first) == {"config": 0, "model/face": 1}


def test_a_release_may_name_the_plane_that_goes_back_first() -> None:
    wanted = release(["app/door@1.1.0", "model/face/blazeface@1.1.0"], more="rollback: {order: [app, model]}\n")
    hop = planned(facts(1, OLD), wanted).lanes[0].track.hops[0]

    assert [rung.planes for rung in hop.ladder.rungs] == [("app",), ("model/face",), ("app", "model/face")]


def test_devices_with_the_old_app_take_the_hop_that_via_names_and_the_others_go_straight() -> None:
    wanted = release(["model/voice/silero@6.2.0"], more="via: [app/door@1.1.0]\n")
    made = planned([*facts(112, OLD), *facts(200, NEWER, prefix="new")], wanted)

    by_start = {lane.group.running: lane.track for lane in made.lanes}
    assert [hop.order for hop in by_start[OLD].hops] == [(("app",),), (("model/voice",),)]
    assert [hop.is_via for hop in by_start[OLD].hops] == [True, False]
    assert [hop.order for hop in by_start[NEWER].hops] == [(("model/voice",),)]
    assert by_start[OLD].hops[1].ladder.rungs[0].set == (("model/voice", VOICE_5.digest),)
    assert [rung.planes for rung in made.ladder.rungs] == [("model/voice",), ("model/voice", "app")]
    assert made.changes == (("model/voice", VOICE_62.digest), ("app", APP_11.digest))


def test_what_is_named_in_via_is_not_inserted_where_it_is_not_needed() -> None:
    wanted = release(["model/face/blazeface@1.1.0"], more="via: [app/door@1.1.0]\n")

    assert orders(planned(facts(1, OLD), wanted)) == [[(("model/face",),)]]


def test_planes_that_are_only_valid_together_switch_at_one_point() -> None:
    new_app = artifact("app/door@3.0.0", requires={"model/voice": ">=7"})
    new_voice = artifact("model/voice/silero@7.0.0", requires={"app": ">=3"})
    of = catalog([*EVERYTHING, new_app, new_voice])
    made = planned(facts(1, OLD), release([new_app.ref, new_voice.ref, FACE_2.ref]), of)

    hop = made.lanes[0].track.hops[0]
    assert hop.order == (("app", "model/voice"), ("model/face",))
    assert [rung.planes for rung in hop.ladder.rungs] == [
        ("model/face",),
        ("model/voice", "app"),
        ("model/face", "model/voice", "app"),
    ]
    assert dict(hop.ladder.first) == {"app": 1, "model/face": 0, "model/voice": 1}


def test_a_first_installation_goes_back_to_empty_planes() -> None:
    wanted = release([APP_11.ref, VOICE_62.ref, CONFIG_1.ref, FACE_1.ref])
    hop = planned(facts(1, ()), wanted).lanes[0].track.hops[0]

    assert hop.before == ()
    assert hop.order == (("app",), ("model/face",), ("model/voice",), ("config",))
    assert dict(hop.ladder.rungs[-1].set) == {"app": "", "config": "", "model/face": "", "model/voice": ""}
    assert ("config",) in [rung.planes for rung in hop.ladder.rungs]


def test_a_class_that_wants_one_plane_per_deployment_gets_a_generation_for_each() -> None:
    start = planes(APP_10, FACE_1, CONFIG_1)
    wanted = release([APP_11.ref, FACE_2.ref, CONFIG_2.ref], targets="{classes: [sensor]}")
    track = planned(facts(1, start, class_id="sensor"), wanted).lanes[0].track

    assert [hop.order for hop in track.hops] == [(("app",),), (("model/face",),), (("config",),)]
    assert all(len(hop.ladder.rungs) == 1 for hop in track.hops)


def test_a_stepping_stone_is_taken_when_via_names_it() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"})
    of = catalog([*EVERYTHING, app_3])
    wanted = release([app_3.ref], more="via: [app/door@1.1.0]\none_way: true\n")
    made = planned(facts(1, OLD), wanted, of)

    assert orders(made) == [[(("app",),), (("app",),)]]
    assert [door.code for door in made.doors] == ["RB-PLAN-030"]
    assert made.doors[0].text == (
        "app is switched 2 times and has 2 slots: app/door@1.0.0 is overwritten before the rollback window closes"
    )


def test_devices_that_already_run_it_are_counted_as_done() -> None:
    made = planned([*facts(2, OLD), *facts(3, NEWER, prefix="new")], release([APP_11.ref]))

    assert sorted((lane.group.count, lane.is_done) for lane in made.lanes) == [(2, False), (3, True)]


def test_health_rules_alone_are_a_hop_that_changes_no_plane() -> None:
    text = (
        "release: rules\ntargets: {classes: [door]}\nversions: {}\nhealth: {rules: [{id: services-up, strikes: 5}]}\n"
    )
    made = planned(facts(2, OLD), parse_release(text))

    hop = made.lanes[0].track.hops[0]
    assert (hop.order, hop.ladder.rungs, hop.before == hop.after) == ((), (), True)


def test_some_devices_are_blocked_and_the_others_go() -> None:
    made = planned([*facts(112, OLD), *facts(5, NEWER, prefix="new")], release([VOICE_62.ref]))

    assert [lane.group.count for lane in made.going] == [5]
    assert [cause.text for cause in made.causes] == [
        "model/voice/silero@6.2.0 needs app >=1.1; 112 devices (e.g. cam-1) run app/door@1.0.0."
    ]
    assert made.causes[0].hint == "add app/door@1.1.0 to via, or release it first"


def test_a_device_that_joins_later_gets_the_track_of_its_kind() -> None:
    made = planned(facts(1, NEWER), release([VOICE_62.ref], more="via: [app/door@1.1.0]\n"))

    track = track_for("door", OLD, made.wanted, CATALOG)

    assert not isinstance(track, Blocked)
    assert len(track.hops) == 2
    assert isinstance(track_for("nobody", OLD, made.wanted, CATALOG), Blocked)
