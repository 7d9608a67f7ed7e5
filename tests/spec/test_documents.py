"""Documents as people write them: the good ones are read, the bad ones are refused with the very words on file.

Each file in `bad/` has a `.txt` beside it with every problem: code, file, line, column, path, found, expected, hint.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ringback.spec.device_class import DEFAULT_POLICY, parse_class
from ringback.spec.problem import SpecError
from ringback.spec.release import DEFAULT_GATE, DEFAULT_RINGS, DEFAULT_WINDOWS, Budget, Ring, parse_release
from ringback.spec.selector import parse_selector

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))


def good(name: str) -> str:
    return (HERE / "good" / name).read_text()


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_document_is_refused_with_the_words_on_file(file: Path) -> None:
    parse = parse_class if file.name.startswith("class_") else parse_release

    with pytest.raises(SpecError) as refused:
        parse(file.read_text(), file.name)

    assert str(refused.value) + "\n" == file.with_suffix(".txt").read_text()


def test_a_full_release_is_read_into_integers_with_units() -> None:
    release = parse_release(good("release_full.yaml"), "r.yaml")

    assert release.id == "face-int8"
    assert release.planes == ("model/face",)
    assert [str(pick) for pick in release.versions] == ["model/face/blazeface@1.1.0"]
    assert [str(pick) for pick in release.via] == ["app/door@1.1.0"]
    assert [str(need) for need in release.prerequisites] == ["app >=1.1", "cap:ram_mb >=512", "cap:npu rk3566|rk3568"]
    assert (release.trial_ms, release.hold_ms) == (5_000, 1_000)
    assert [(rule.id, rule.limit) for rule in release.rules] == [
        ("latency-face", 8_000),
        ("memory", 262_144),
        ("disk-free", None),
    ]
    assert release.rules[2].limit_text == "90 %"
    assert release.rollback_order == ("model/face", "config", "model", "firmware")
    assert release.rings[0] == Ring("internal", where=parse_selector("site=lab"), bake_ms=1_000)
    assert release.rings[1] == Ring("canary", count=12, is_drill=True, bake_ms=2_000, needs_approval=True)
    assert [ring.share_ppm for ring in release.rings] == [None, None, 100_000, 500_000]
    assert (release.gate.p0_ppm, release.gate.p1_ppm, release.gate.heartbeat_ms) == (20_000, 100_000, 5_000)
    assert (release.gate.budget_name, release.gate.budgets) == ("", (Budget(3_000, 16),))
    assert (release.windows.stability_ms, release.windows.rollback_ms) == (3_000, 10_000)
    assert (release.one_way, release.reason, release.when) == (False, "smaller and faster", "queue")


def test_a_short_release_gets_defaults_for_everything_else() -> None:
    release = parse_release(good("release_short.yaml"))

    assert release.rings == DEFAULT_RINGS
    assert release.gate == DEFAULT_GATE
    assert release.windows == DEFAULT_WINDOWS
    assert release.rollback_order == ("config", "model", "firmware")
    assert (release.one_way, release.when, release.reason, release.via) == (False, "now", "", ())


def test_a_release_of_health_rules_alone_needs_no_version() -> None:
    text = (
        "release: rules\ntargets: {classes: [ab]}\nversions: {}\nhealth: {rules: [{id: latency-face, limit: 9 ms}]}\n"
    )

    assert parse_release(text).versions == ()


def test_an_artifact_may_be_named_by_its_digest() -> None:
    digest = "sha256:" + "a" * 64
    release = parse_release(f"release: first\ntargets: {{classes: [ab]}}\nversions: {{app: '{digest}'}}\n")

    assert release.versions[0].digest == digest
    assert release.versions[0].reference is None


def test_a_class_without_rules_gets_the_standard_ones_for_its_planes() -> None:
    device_class = parse_class(good("class_linux.yaml"))
    rules = {rule.id: rule for rule in device_class.rules}

    assert rules["services-speak"].plane == "app"
    assert rules["golden-quality-voice"].plane == "model/voice"
    assert rules["golden-quality-voice"].at == ("preflight",)
    assert rules["input-alive"].plane == "config"
    assert rules["disk-free"].plane is None
    assert device_class.capability("rknpu_driver") == "0.9.8"
    assert device_class.policy.poll_ms == 500
    assert device_class.policy.slots == DEFAULT_POLICY.slots


def test_a_class_may_be_written_as_json_with_its_own_rules_and_policy() -> None:
    device_class = parse_class(good("class_esp32.json"))

    assert [plane.name for plane in device_class.planes] == ["firmware", "model/digits", "config"]
    assert device_class.policy.one_plane_per_deployment
    assert not device_class.policy.joint_switches
    assert [rule.id for rule in device_class.rules] == ["alive"]
    assert device_class.plane("app") is None
    assert device_class.capability("npu") is None


def test_the_digest_of_a_class_follows_its_content_and_not_its_comments() -> None:
    text = good("class_linux.yaml")

    assert parse_class(text).digest == parse_class("# a comment\n" + text).digest
    assert parse_class(text).digest != parse_class(text.replace("poll_ms: 500", "poll_ms: 501")).digest


def test_the_word_no_stays_a_region_and_a_version_keeps_its_zero() -> None:
    text = (
        "release: first\ntargets: {where: 'region=no'}\nversions: {app: door@1.10.0}\nprerequisites: {app: '==1.10'}\n"
    )
    release = parse_release(text)

    assert release.targets.where.matches({"region": "no"})
    assert release.prerequisites[0].constraint.text == "==1.10"


def test_a_document_of_more_than_256_kib_is_refused_before_it_is_read() -> None:
    with pytest.raises(SpecError) as refused:
        parse_release("# " + "x" * 300_000)

    assert refused.value.code == "RB-SPEC-002"
    assert "at most 262144 bytes" in refused.value.message


def test_a_plane_without_a_cost_gets_the_usual_one_of_its_kind_and_backend():
    text = (Path(__file__).parent / "good" / "class_linux.yaml").read_text()
    bare = re.sub(r", cost_ms: \d+", "", text).replace("backend: process", "backend: rauc")

    costs = {plane.name: plane.cost_ms for plane in parse_class(bare).planes}

    assert costs == {"app": 60_000, "model/face": 500, "model/voice": 500, "config": 50}
