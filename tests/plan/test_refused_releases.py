"""Why a whole release does not start: freezes, other rollouts, doors, names that mean nothing."""

from __future__ import annotations

import pytest

from ringback.plan.inventory import Other
from ringback.plan.planner import Freeze, Policy, plan
from ringback.spec.problem import SpecError
from ringback.spec.release import parse_release
from tests.plan.fleet import SENSOR, artifact, catalog, class_of, facts, planes, release, stock
from tests.plan.scene import (
    APP_10,
    APP_11,
    CATALOG,
    CONFIG_1,
    EVERYTHING,
    FACE_1,
    FACE_2,
    NEWER,
    OLD,
    VOICE_62,
    only,
    planned,
    refused,
)


def test_a_frozen_artifact_is_refused_with_the_reason_of_the_freeze() -> None:
    policy = Policy((Freeze("model/face", FACE_2.digest, "lens cap"),))

    assert only(refused(facts(2, OLD), release([FACE_2.ref]), policy=policy)) == (
        "RB-PLAN-014",
        "model/face/blazeface@1.1.0 is frozen (lens cap).",
        "release another version, or lift the freeze if its reason is gone",
    )


def test_a_frozen_artifact_in_via_is_refused_too() -> None:
    policy = Policy((Freeze("app", APP_11.digest, "crash loop"),))
    wanted = release([VOICE_62.ref], more="via: [app/door@1.1.0]\n")

    assert only(refused(facts(2, OLD), wanted, policy=policy))[0] == "RB-PLAN-014"


def other(state: str, *on: str, where: str = "{classes: [door]}") -> Other:
    targets = release([APP_11.ref], targets=where).targets
    return Other("0190-aaaa", "older", state, on, targets)


def test_two_releases_on_the_same_plane_of_the_same_devices_are_refused() -> None:
    refusal = refused(facts(3, OLD), release([FACE_2.ref]), others=[other("active", "model/face", "app")])

    assert only(refusal) == (
        "RB-PLAN-015",
        "model/face is being changed by older (rollout 0190-aaaa); it concerns 3 devices (e.g. cam-1).",
        "wait, stop it, or write when: queue into the release",
    )


def test_a_release_that_says_so_queues_behind_the_other() -> None:
    made = planned(facts(3, OLD), release([FACE_2.ref], more="when: queue\n"), others=[other("active", "model/face")])

    assert made.queued_behind == ("0190-aaaa",)


@pytest.mark.parametrize("one", [other("active", "config"), other("active", "model/face", where="{classes: [sensor]}")])
def test_releases_that_share_no_plane_or_no_device_do_not_meet(one: Other) -> None:
    made = planned(facts(3, OLD), release([FACE_2.ref]), others=[one])

    assert made.queued_behind == ()


def test_a_release_inside_anothers_rollback_window_needs_a_reason() -> None:
    window = [other("rollback-window", "model/face")]

    assert only(refused(facts(3, OLD), release([FACE_2.ref]), others=window)) == (
        "RB-PLAN-016",
        (
            "model/face may still be rolled back to before older (rollout 0190-aaaa), whose rollback window is "
            "open; it "
            "concerns 3 devices (e.g. cam-1)."
        ),
        "wait until it closes, or write a reason into the release: the earlier versions will be overwritten",
    )
    assert planned(facts(3, OLD), release([FACE_2.ref], more="reason: urgent fix\n"), others=window)


def test_a_rising_epoch_is_a_door_that_needs_one_way() -> None:
    secure = artifact("model/face/blazeface@2.0.0", epoch=1)
    of = catalog([*EVERYTHING, secure])
    code, text, hint = only(refused(facts(2, OLD), release([secure.ref]), of))

    assert code == "RB-PLAN-017"
    assert text == (
        "no way back: model/face/blazeface@2.0.0 raises the epoch of model/face from 0 to 1: once a device has "
        "confirmed "
        "it, no version below epoch 1 can run there again; it concerns 2 devices (e.g. cam-1)."
    )
    assert hint == "if that is wanted, write one_way: true into the release"
    made = planned(facts(2, OLD), release([secure.ref], more="one_way: true\n"), of)
    assert [door.code for door in made.doors] == ["RB-PLAN-029"]


def test_a_hop_that_overwrites_the_version_before_the_release_needs_one_way() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"})
    refusal = refused(
        facts(2, OLD), release([app_3.ref], more="via: [app/door@1.1.0]\n"), catalog([*EVERYTHING, app_3])
    )

    assert only(refusal)[0] == "RB-PLAN-017"
    assert "app is switched 2 times and has 2 slots: app/door@1.0.0 is overwritten" in refusal.text


def test_the_same_hop_is_no_door_on_a_class_with_three_slots() -> None:
    app_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"})
    roomy = class_of(SENSOR.replace("class: sensor", "class: door") + "  slots: 3\n")
    wanted = release([app_3.ref], more="via: [app/door@1.1.0]\n")
    start = planes(APP_10, FACE_1, CONFIG_1)

    assert planned(facts(1, start), wanted, catalog([*EVERYTHING, app_3], roomy)).doors == ()


def test_a_release_that_everybody_already_runs_has_nothing_to_do() -> None:
    assert only(refused(facts(3, NEWER), release([APP_11.ref]))) == (
        "RB-PLAN-018",
        "all 3 targeted devices already run this release.",
        "nothing needs to be done",
    )


def test_a_release_that_leaves_no_rule_to_prove_it_is_refused() -> None:
    rules = "[" + ", ".join(f"{{id: {rule.id}, level: wanted}}" for rule in class_of().rules) + "]"
    wanted = release([APP_11.ref], more=f"health: {{rules: {rules}}}\n")

    assert only(refused(facts(3, OLD), wanted)) == (
        "RB-PLAN-031",
        (
            "no required rule is judged in the trial, so nothing could prove the release; it concerns 3 devices "
            "(e.g. cam-1)."
        ),
        "keep at least one rule with level: required and at: [trial] that reads an installed plane",
    )


def test_a_manifest_that_a_small_device_cannot_read_is_refused_there() -> None:
    small = class_of(SENSOR.replace("manifest_bytes_max: 4096", "manifest_bytes_max: 512"))
    long = artifact("app/door@5.0.0", classes=["sensor", *(f"other-class-{index}" for index in range(30))])
    wanted = release([long.ref], targets="{classes: [sensor]}")
    start = planes(APP_10)

    code, text, hint = only(refused(facts(1, start, class_id="sensor"), wanted, catalog([*EVERYTHING, long], small)))

    assert code == "RB-PLAN-025"
    assert text == (
        f"the manifest of app/door@5.0.0 has {len(long.manifest)} bytes; 1 device (cam-1) is of class sensor, "
        f"which reads "
        "512 bytes."
    )
    assert hint == "put fewer files into the artifact"


def test_a_release_too_entangled_to_search_is_refused_and_not_planned_for_ever() -> None:
    names = [f"model/m{index:02d}" for index in range(16)]
    text = "class: door\nversion: 1\nfamily: rk3566\nplanes:\n" + "".join(
        f"  - {{name: {name}, kind: model, backend: directory, cost_ms: 10}}\n" for name in names
    )
    old = [artifact(f"{name}/net@1.0.0") for name in names]
    new = [artifact(f"{name}/net@2.0.0") for name in names[:-1]]
    # The last one may only replace a version that nobody can insert, so every combination of the others is tried.
    new.append(artifact(f"{names[-1]}/net@2.0.0", requires={names[-1]: ">=1.5"}))
    refusal = refused(facts(1, planes(*old)), release([one.ref for one in new]), catalog([*old, *new], class_of(text)))

    assert only(refusal)[0] == "RB-PLAN-019"


# --- names that mean nothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            release(["app/door@1.1.1"]),
            (
                "RB-PLAN-023: r.yaml:4:8: versions.app: found 'app/door@1.1.1', expected a published artifact. "
                "Hint: did you mean 'app/door@1.1.0'?"
            ),
        ),
        (
            release([APP_11.ref], targets="{classes: [dor]}"),
            (
                "RB-PLAN-021: r.yaml: targets.classes[0]: found 'dor', expected a registered class. "
                "Hint: did you mean 'door'?"
            ),
        ),
        (
            release(["model/fase/blazeface@1.1.0"]),
            (
                "RB-PLAN-022: r.yaml:4:15: versions.model/fase: found 'model/fase', expected a plane of the "
                "targeted device "
                "classes. Hint: did you mean 'model/face'?"
            ),
        ),
        (
            parse_release(
                f"release: under-test\ntargets: {{classes: [door]}}\nversions: {{app: '{FACE_2.digest}'}}\n", "r.yaml"
            ),
            (
                "RB-PLAN-024: r.yaml:3:17: versions.app: found model/face/blazeface@1.1.0, expected an artifact "
                "of the plane "
                "app."
            ),
        ),
        (
            release([APP_11.ref], more="health: {rules: [{id: services-upp, strikes: 2}]}\n"),
            (
                "RB-SPEC-015: r.yaml:5:18: health.rules[0]: found a new rule without probe, field, op, limit, "
                "expected a "
                "complete rule or a known id. Hint: did you mean 'services-up'?"
            ),
        ),
        (
            release([APP_11.ref], more="health: {rules: [{id: services-up, plane: apple}]}\n"),
            (
                "RB-PLAN-028: r.yaml:5:18: health.rules[0].plane: found 'apple', expected a plane of the "
                "targeted device "
                "classes. Hint: did you mean 'app'?"
            ),
        ),
    ],
)
def test_names_that_mean_nothing_here_are_refused_with_what_was_probably_meant(wanted, words: str) -> None:
    with pytest.raises(SpecError) as error:
        plan(stock(facts(1, OLD), release([APP_11.ref]), CATALOG), wanted, CATALOG)

    assert str(error.value) == words


def test_a_refusal_can_be_raised_as_an_error_and_shown_as_json() -> None:
    refusal = refused(facts(112, OLD), release([VOICE_62.ref]))
    error = refusal.to_error()

    assert error.code == "RB-PLAN-002"
    assert error.fields == {"release": "under-test", "causes": "1"}
    assert str(error).endswith("Hint: add app/door@1.1.0 to via, or release it first")
    assert refusal.to_json() == {
        "refused": True,
        "release": "under-test",
        "causes": [
            {
                "code": "RB-PLAN-002",
                "text": "model/voice/silero@6.2.0 needs app >=1.1; 112 devices (e.g. cam-1) run app/door@1.0.0.",
                "hint": "add app/door@1.1.0 to via, or release it first",
                "plane": "app",
                "devices": 112,
                "examples": ["cam-1", "cam-2", "cam-3"],
            }
        ],
    }
