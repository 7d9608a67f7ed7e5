"""Why devices cannot go, in the words that an operator reads: constraints, hardware, epochs, prerequisites."""

from __future__ import annotations

import pytest

from ringback.plan.inventory import DeviceFacts
from tests.plan.fleet import artifact, catalog, facts, planes, release
from tests.plan.scene import (
    APP_10,
    APP_11,
    CONFIG_1,
    EVERYTHING,
    FACE_1,
    FACE_2,
    OLD,
    VOICE_5,
    VOICE_62,
    only,
    orders,
    planned,
    refused,
)


def test_one_device_is_named_in_the_singular() -> None:
    assert only(refused(facts(1, OLD), release([VOICE_62.ref])))[1] == (
        "model/voice/silero@6.2.0 needs app >=1.1; 1 device (cam-1) runs app/door@1.0.0."
    )


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ("{classes: [sensor]}", "no device has the class sensor; devices have: door"),
        ("{where: 'regoin=eu'}", "no device has the label 'regoin'; did you mean 'region'?"),
        ("{where: 'region=us'}", "no device has region = us; devices have: eu"),
        ("{where: 'region=eu,region!=eu'}", "every condition holds for some device, but all of them together for none"),
    ],
)
def test_a_release_that_targets_nobody_says_which_condition_failed(targets: str, reason: str) -> None:
    wanted = release([APP_11.ref], targets=targets)

    assert only(refused(facts(4, OLD, region="eu"), wanted)) == (
        "RB-PLAN-001",
        f"the release targets none of 4 devices: {reason}.",
        "look at the labels with: ringback device list",
    )


def test_an_empty_fleet_is_named_as_such() -> None:
    assert "there are no devices yet" in only(refused([], release([APP_11.ref])))[1]


def test_a_requirement_that_nobody_can_satisfy_says_what_to_publish() -> None:
    voice_9 = artifact("model/voice/silero@9.0.0", requires={"app": ">=9"})
    refusal = refused(facts(2, OLD), release([voice_9.ref]), catalog([*EVERYTHING, voice_9]))

    assert only(refusal) == (
        "RB-PLAN-002",
        "model/voice/silero@9.0.0 needs app >=9; 2 devices (e.g. cam-1) run app/door@1.0.0.",
        "publish a version of app that satisfies >=9 for the class door",
    )


def test_a_requirement_on_an_empty_plane_says_that_nothing_is_there() -> None:
    assert only(refused(facts(2, planes(APP_10)), release([CONFIG_1.ref]))) == (
        "RB-PLAN-003",
        "config/door@1.0.0 needs model/face >=1; 2 devices (e.g. cam-1) have nothing on model/face.",
        "add model/face/blazeface@1.0.0 to via, or release it first",
    )


@pytest.mark.parametrize(
    ("need", "text"),
    [
        ({"cap:ram_mb": ">=4096"}, "which has ram_mb = 2048"),
        ({"cap:gpu": "mali"}, "which has no gpu"),
        ({"cap:npu": "rk3588|rk3576"}, "which has npu = rk3566"),
    ],
)
def test_a_capability_that_the_hardware_lacks_is_named(need: dict[str, str], text: str) -> None:
    big = artifact("app/door@5.0.0", requires=need)
    code, said, hint = only(refused(facts(2, OLD), release([big.ref]), catalog([*EVERYTHING, big])))

    (name, constraint) = next(iter(need.items()))
    assert code == "RB-PLAN-004"
    assert said == (f"app/door@5.0.0 needs {name[4:]} {constraint}; 2 devices (e.g. cam-1) are of class door, {text}.")
    assert hint == "leave this class out of the targets, or publish a version that needs less"


def test_an_artifact_for_another_class_is_refused_there() -> None:
    other = artifact("app/door@5.0.0", classes=["sensor"])

    assert only(refused(facts(2, OLD), release([other.ref]), catalog([*EVERYTHING, other]))) == (
        "RB-PLAN-005",
        "app/door@5.0.0 is for the classes sensor; 2 devices (e.g. cam-1) are of class door.",
        "target only these classes, or publish a version of app for door",
    )


def test_a_plane_that_the_class_does_not_have_is_refused_there() -> None:
    wanted = release([VOICE_62.ref], targets="{where: 'site=a'}")
    start = planes(APP_11, FACE_1, CONFIG_1)

    assert only(refused(facts(2, start, class_id="sensor", site="a"), wanted)) == (
        "RB-PLAN-006",
        (
            "model/voice/silero@6.2.0 is for the plane model/voice (model); 2 devices (e.g. cam-1) are of class "
            "sensor, "
            "which has no plane model/voice."
        ),
        "target classes that have this plane",
    )


def test_a_requirement_on_a_plane_that_the_class_does_not_have_is_refused_there() -> None:
    deaf = artifact("app/door@5.0.0", requires={"model/voice": ">=5"})
    wanted = release([deaf.ref], targets="{classes: [sensor]}")
    start = planes(APP_11, FACE_1, CONFIG_1)

    code, text, _ = only(refused(facts(2, start, class_id="sensor"), wanted, catalog([*EVERYTHING, deaf])))

    assert code == "RB-PLAN-006"
    assert text == (
        "app/door@5.0.0 needs model/voice >=5; 2 devices (e.g. cam-1) are of class sensor, which has no plane "
        "model/voice."
    )


def test_two_artifacts_of_one_release_that_exclude_each_other_are_named() -> None:
    strict = artifact("model/voice/silero@8.0.0", requires={"app": "<1.1"})
    wanted = release([strict.ref, APP_11.ref])

    assert only(refused(facts(2, OLD), wanted, catalog([*EVERYTHING, strict]))) == (
        "RB-PLAN-007",
        (
            "model/voice/silero@8.0.0 needs app <1.1, and the release itself brings app/door@1.1.0; it concerns "
            "2 devices "
            "(e.g. cam-1)."
        ),
        "release a version of app that satisfies <1.1, or another model/voice",
    )


def test_requirements_that_go_round_in_a_circle_without_end_are_a_contradiction() -> None:
    first = artifact("app/door@7.0.0", requires={"model/voice": ">=8"})
    second = artifact("model/voice/silero@7.0.0", requires={"app": ">=8"})
    refusal = refused(facts(2, OLD), release([first.ref, second.ref]), catalog([*EVERYTHING, first, second]))

    assert [cause.code for cause in refusal.causes] == ["RB-PLAN-007", "RB-PLAN-007"]
    assert (
        "app/door@7.0.0 needs model/voice >=8, and the release itself brings model/voice/silero@7.0.0" in refusal.text
    )


def test_what_stays_on_the_device_and_does_not_go_with_what_comes_is_named_with_what_would() -> None:
    picky = artifact("config/door@1.5.0", requires={"model/face": "<1.1"})
    of = catalog([*EVERYTHING, picky])

    assert only(refused(facts(2, planes(APP_10, FACE_1, VOICE_5, picky)), release([FACE_2.ref]), of)) == (
        "RB-PLAN-026",
        (
            "model/face/blazeface@1.1.0 does not go with config/door@1.5.0, which needs model/face <1.1; 2 "
            "devices (e.g. "
            "cam-1) run config/door@1.5.0."
        ),
        "release config/door@2.0.0 with it",
    )


def test_planes_that_are_only_valid_together_are_refused_where_a_class_cannot_switch_them_so() -> None:
    new_app = artifact("app/door@3.0.0", requires={"model/face": ">=3"})
    new_face = artifact("model/face/blazeface@3.0.0", requires={"app": ">=3"})
    wanted = release([new_app.ref, new_face.ref], targets="{classes: [sensor]}")
    start = planes(APP_10, FACE_1, CONFIG_1)

    assert only(refused(facts(2, start, class_id="sensor"), wanted, catalog([*EVERYTHING, new_app, new_face]))) == (
        "RB-PLAN-008",
        (
            "app and model/face are only valid together, and the class sensor switches one plane at a time; it "
            "concerns 2 "
            "devices (e.g. cam-1)."
        ),
        "publish a version of one of them that works with both, and name it in via",
    )


def test_an_epoch_never_falls() -> None:
    secure = artifact("model/face/blazeface@2.0.0", epoch=3)
    start = planes(APP_10, secure, VOICE_5, CONFIG_1)

    assert only(refused(facts(2, start), release([FACE_2.ref]), catalog([*EVERYTHING, secure]))) == (
        "RB-PLAN-010",
        (
            "model/face/blazeface@1.1.0 has epoch 0, and the epoch of a plane never falls; 2 devices (e.g. cam-1) have "
            "confirmed epoch 3."
        ),
        "publish a version of model/face with epoch 3 or higher",
    )


def test_the_epoch_of_a_version_that_is_only_kept_still_counts() -> None:
    secure = artifact("model/face/blazeface@2.0.0", epoch=3)
    device = DeviceFacts("cam-1", "door", {}, OLD, planes(secure))

    assert only(refused([device], release([FACE_2.ref]), catalog([*EVERYTHING, secure])))[0] == "RB-PLAN-010"


def test_a_device_that_runs_what_nobody_published_is_blocked_and_the_others_go() -> None:
    stranger = ("model/face", "sha256:" + "f" * 64)
    start = tuple(sorted((*planes(APP_10, VOICE_5, CONFIG_1), stranger)))
    made = planned([*facts(2, start, prefix="odd"), *facts(1, OLD)], release([APP_11.ref]))

    assert [(cause.code, cause.text) for cause in made.causes] == [
        ("RB-PLAN-011", "nobody published what runs on model/face; 2 devices (e.g. odd-1) run sha256:ffffffffffff.")
    ]


def test_a_running_set_that_is_already_invalid_has_nothing_to_come_back_to() -> None:
    broken = planes(APP_10, FACE_1, VOICE_62, CONFIG_1)
    code, text, hint = only(refused(facts(2, broken), release([FACE_2.ref])))

    assert code == "RB-PLAN-012"
    assert text == (
        "the running set is already invalid: model/voice/silero@6.2.0 needs app >=1.1; 2 devices (e.g. cam-1) run "
        "app/door@1.0.0."
    )
    assert "one_way: true" in hint


def test_a_running_set_that_asks_for_hardware_that_is_not_there_is_invalid_too() -> None:
    greedy = artifact("app/door@1.0.9", requires={"cap:ram_mb": ">=4096"})
    start = planes(greedy, FACE_1, VOICE_5, CONFIG_1)
    refusal = refused(facts(2, start), release([FACE_2.ref]), catalog([*EVERYTHING, greedy]))

    assert only(refusal)[:2] == (
        "RB-PLAN-012",
        "the running set is already invalid: app/door@1.0.9 needs cap:ram_mb >=4096; 2 devices (e.g. cam-1) run it.",
    )
    assert refusal.causes[0].plane == "app"


def test_an_invalid_running_set_can_be_mended_when_the_release_says_one_way() -> None:
    broken = planes(APP_10, FACE_1, VOICE_62, CONFIG_1)
    made = planned(facts(2, broken), release([APP_11.ref], more="one_way: true\n"))

    assert [door.code for door in made.doors] == ["RB-PLAN-012"]
    assert [rung.planes for rung in made.lanes[0].track.hops[0].ladder.rungs] == [("app",)]


def test_a_prerequisite_holds_before_the_release_comes_in() -> None:
    wanted = release([FACE_2.ref], more="prerequisites: {app: '>=1.1'}\n")

    assert only(refused(facts(2, OLD), wanted)) == (
        "RB-PLAN-013",
        "the release wants app >=1.1 first; 2 devices (e.g. cam-1) run app/door@1.0.0.",
        "add app/door@1.1.0 to via, or release it first",
    )


def test_a_prerequisite_that_via_can_satisfy_becomes_a_hop() -> None:
    wanted = release([FACE_2.ref], more="prerequisites: {app: '>=1.1'}\nvia: [app/door@1.1.0]\n")

    assert orders(planned(facts(2, OLD), wanted)) == [[(("app",),), (("model/face",),)]]


def test_what_is_in_via_and_does_not_help_is_said() -> None:
    bad = artifact("app/door@1.2.0", requires={"config": ">=9"})
    wanted = release([VOICE_62.ref], more="via: [app/door@1.2.0]\n")

    assert only(refused(facts(2, OLD), wanted, catalog([APP_10, bad, FACE_1, VOICE_5, VOICE_62, CONFIG_1])))[2] == (
        "app/door@1.2.0 is in via but app/door@1.2.0 needs config >=9"
    )


def test_a_stepping_stone_is_named_with_what_stands_between() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"})

    assert only(refused(facts(2, OLD), release([app_3.ref]), catalog([*EVERYTHING, app_3]))) == (
        "RB-PLAN-020",
        "app/door@3.0.0 only replaces app >=1.1; 2 devices (e.g. cam-1) run app/door@1.0.0.",
        "add app/door@1.1.0 to via",
    )


def test_a_stepping_stone_that_nobody_published_is_asked_for() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=2.5"})

    assert only(refused(facts(2, OLD), release([app_3.ref]), catalog([APP_10, FACE_1, VOICE_5, CONFIG_1, app_3])))[
        2
    ] == ("publish a version of app that satisfies app >=2.5")
