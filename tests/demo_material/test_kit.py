"""What the demo claims of its models is measured, and these are the claims."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.demo.material import artifacts, fetch, golden_sets, measurements, variants
from ringback.demo.material import kit as kits
from ringback.publisher import golden
from ringback.publisher.errors import ManifestRefused, QualityRefused, ReplayFailed


def row(kit: kits.Kit, model: str, app: str = "1.1.0") -> measurements.Row:
    return next(one for one in kit.measured if one.model == model and one.app == app)


def size_bytes(kit: kits.Kit, model: str) -> int:
    return (kit.folders[model] / "model.onnx").stat().st_size


def needs_voice(kit: kits.Kit) -> None:
    if kit.no_voice is not None:
        pytest.skip(f"no speech models: {kit.no_voice.reason}")


def test_the_published_face_model_sees_all_27_people_and_nobody_in_18_empty_frames(kit: kits.Kit) -> None:
    one = row(kit, "face-fp32")
    assert (one.seen, one.seen_total, one.false_people, one.n) == (27, 27, 0, 45)


def test_the_well_calibrated_model_is_a_third_smaller_and_decides_the_same(kit: kits.Kit) -> None:
    one = row(kit, "face-int8")
    assert (one.seen, one.false_people, one.passes) == (27, 0, True)
    assert size_bytes(kit, "face-int8") < size_bytes(kit, "face-fp32") * 65 // 100


def test_the_lens_cap_model_has_the_same_size_and_sees_nobody(kit: kits.Kit) -> None:
    one = row(kit, "face-int8-lens-cap")
    assert abs(size_bytes(kit, "face-int8-lens-cap") - size_bytes(kit, "face-int8")) <= 2
    assert (one.seen, one.passes) == (0, False)


def test_only_quality_finds_the_lens_cap_model_because_it_reproduces_itself_perfectly(kit: kits.Kit) -> None:
    one = row(kit, "face-int8-lens-cap")
    assert one.fidelity_ppm == 1_000_000
    assert one.quality_ppm < golden_sets.FACE_TOLERANCE.quality_min_agree_ppm


def test_the_lens_cap_model_runs_as_fast_as_the_good_one(kit: kits.Kit) -> None:
    assert row(kit, "face-int8-lens-cap").p50_us < row(kit, "face-int8").p50_us * 3 // 2


def test_the_dynamic_model_is_half_the_size_passes_replay_and_is_several_times_slower(kit: kits.Kit) -> None:
    one = row(kit, "face-int8-dynamic")
    assert one.passes
    assert size_bytes(kit, "face-int8-dynamic") < size_bytes(kit, "face-fp32") // 2
    assert one.p50_us > 3 * row(kit, "face-int8").p50_us


def test_both_apps_see_the_same_because_they_share_the_face_preprocessing(kit: kits.Kit) -> None:
    for name in kits.FACE_VERSIONS:
        old, new = row(kit, name, "1.0.0"), row(kit, name, "1.1.0")
        assert (old.seen, old.fidelity_ppm) == (new.seen, new.fidelity_ppm)


def test_the_old_speech_model_works_under_both_apps(kit: kits.Kit) -> None:
    needs_voice(kit)
    assert row(kit, "voice-5", "1.0.0").passes
    assert row(kit, "voice-5", "1.1.0").passes


def test_the_new_speech_model_is_stone_deaf_without_the_context_only_the_new_app_feeds(kit: kits.Kit) -> None:
    needs_voice(kit)
    deaf, well = row(kit, "voice-6.2", "1.0.0"), row(kit, "voice-6.2", "1.1.0")
    assert (deaf.positives, deaf.passes) == (0, False)
    assert (well.positives, well.passes) == (well.seen_total, True)


def test_the_new_speech_model_declares_what_it_needs_and_its_twin_does_not(kit: kits.Kit) -> None:
    needs_voice(kit)
    assert [str(need) for need in kit.packages["voice-6.2"].artifact.requires] == ["app >=1.1.0"]
    assert kit.packages["voice-6.2-undeclared"].artifact.requires == ()


def test_a_model_that_fails_its_quality_check_is_refused_without_a_reason(kit: kits.Kit, tmp_path: Path) -> None:
    covered = next(one for one in variants.face_variants() if one.name == "face-int8-lens-cap")
    app = artifacts.App(kit.packages["app-1.1"], kit.folders["app-1.1"])
    with pytest.raises(QualityRefused, match=r"decides 40.0 % of 45 samples .* wants 90.0 %") as refused:
        artifacts.pack_model(covered, "1.2.0", tmp_path / "model", app=app, questions=golden_sets.face_questions())
    assert refused.value.code == "RB-PUB-022"


def test_switching_the_quality_check_off_stays_on_record_in_the_manifest(kit: kits.Kit) -> None:
    meta = json.loads(kit.packages["face-int8-lens-cap"].manifest)["meta"]
    assert meta["quality_skipped"] == kits.LENS_CAP_REASON
    assert "quality_skipped" not in json.loads(kit.packages["face-int8"].manifest)["meta"]


def test_a_variant_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    for variant in variants.face_variants()[1:]:
        made = tmp_path / variant.name
        variant.make(variant.source, made)
        assert made.read_bytes() == variant.file().read_bytes(), variant.name


def test_what_goes_to_microcontrollers_has_a_manifest_they_can_read(kit: kits.Kit) -> None:
    small = {name: package for name, package in kit.packages.items() if "esp32s3-door" in package.artifact.classes}
    assert {"app-1.0", "face-fp32", "face-int8", "config-good"} <= set(small)
    assert not any(name.startswith("voice") for name in small)
    assert max(len(package.manifest) for package in small.values()) <= 4096


def test_a_kit_with_a_changed_file_is_refused_and_the_file_is_named(kit: kits.Kit, tmp_path: Path) -> None:
    app = artifacts.pack_app(artifacts.APP_1_1, tmp_path / "app-1.1", classes=artifacts.LINUX_CLASSES)
    (tmp_path / "app-1.1.manifest.json").write_bytes(app.package.manifest)
    (tmp_path / kits.KIT_FILE).write_text(json.dumps({"artifacts": ["app-1.1"], "measured": [], "no_voice": None}))
    assert kits.load(tmp_path).packages["app-1.1"].digest == kit.packages["app-1.1"].digest
    (tmp_path / "app-1.1" / "run.py").write_text("changed")
    with pytest.raises(ManifestRefused, match="run.py has SHA-256"):
        kits.load(tmp_path)


def test_replay_refuses_inputs_that_are_not_the_ones_of_the_golden_set(kit: kits.Kit, tmp_path: Path) -> None:
    questions = golden_sets.face_questions()
    other = replace(questions.inputs[0], file=questions.inputs[1].file)
    answers = golden.Answers(questions.labels, tuple((0,) for _ in questions.labels))
    for one in (other, *questions.inputs[1:]):
        (tmp_path / one.path).parent.mkdir(exist_ok=True)
        (tmp_path / one.path).write_bytes(one.file.read_bytes())
    (tmp_path / "golden.json").write_bytes(golden.seal(questions, answers))
    argv, app = artifacts.REPLAY_ARGV, kit.folders["app-1.1"]
    with pytest.raises(ReplayFailed, match="RB-DOOR-006.*hopper.jpg has SHA-256"):
        golden.replay(argv, app=app, model_dir=kit.folders["face-fp32"], golden=tmp_path / "golden.json")


@pytest.mark.full  # packs and measures every face model again
def test_a_kit_without_speech_models_says_why_and_has_all_the_rest(kit: kits.Kit, tmp_path: Path) -> None:
    why = fetch.Unavailable("RB-DEMO-001", "no index", "connect")
    kits.build(tmp_path, why)
    without = kits.load(tmp_path)
    assert without.no_voice == why
    assert set(without.packages) == {name for name in kit.packages if not name.startswith("voice")}
