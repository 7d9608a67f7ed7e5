"""What is looked at before anything is published, and what becomes of a model file alone."""

import json
import shutil
from pathlib import Path

import pytest

from ringback.demo.material import artifacts
from ringback.demo.material import kit as kits
from ringback.publisher import golden, manifest, recipe
from ringback.publisher.errors import (
    FileMissing,
    GoldenRefused,
    ModelRefused,
    QualityRefused,
)
from ringback.publisher.review import review
from ringback.publisher.successor import successor
from ringback.spec.problem import SpecError

DESCRIPTION = """\
plane: model/face
name: blazeface
version: 1.1.0
classes: [rk3566-door]
requires: {app: ">=1.0.0"}
meta: {preprocess: blazeface-128, task: face}
"""


def packed(folder: Path, **more_meta: str) -> manifest.Package:
    found = recipe.read_folder(folder)
    return manifest.pack(found.identity, found.files, {**found.meta, **more_meta})


@pytest.fixture(scope="module")
def kit() -> kits.Kit:
    return kits.get()


@pytest.fixture
def folder(kit: kits.Kit, tmp_path: Path) -> Path:
    """A model with its golden set, as its publisher keeps it."""
    place = tmp_path / "face"
    shutil.copytree(kit.folders["face-int8"], place)
    (place / "artifact.yaml").write_text(DESCRIPTION)
    return place


def test_a_good_model_is_looked_at_and_said_to_be_one(folder: Path, tmp_path: Path) -> None:
    assert review(packed(folder)) == ["model.onnx is an ONNX model", "it decides 100.0 % of 45 samples as labelled"]


def test_a_model_that_is_not_the_one_described_is_refused(kit: kits.Kit, folder: Path) -> None:
    package = packed(folder)
    shutil.copyfile(kit.folders["face-fp32"] / "model.onnx", folder / "model.onnx")
    files = {file.path: (file.role, folder / file.path) for file in package.artifact.files}
    identity = manifest.Identity("model/face", "model", "blazeface", "1.1.0", ("rk3566-door",))
    with pytest.raises(ModelRefused, match="has the signature"):
        review(manifest.pack(identity, files, json.loads(package.artifact.meta)))


def test_a_model_that_fails_its_labels_is_refused_unless_a_reason_is_on_record(kit: kits.Kit, folder: Path) -> None:
    for name in ("model.onnx", "golden.json"):
        shutil.copyfile(kit.folders["face-int8-lens-cap"] / name, folder / name)
    with pytest.raises(QualityRefused, match=r"decides 40.0 % of 45 samples"):
        review(packed(folder))
    package = packed(folder, quality_skipped="to see it fail")
    assert (
        review(package)[1] == "it decides only 40.0 % of 45 samples as labelled; published all the same: to see it fail"
    )


def test_a_golden_set_without_its_inputs_is_refused(folder: Path) -> None:
    (folder / "inputs" / "hopper.jpg").unlink()
    with pytest.raises(GoldenRefused, match="inputs/hopper.jpg: found no file"):
        review(packed(folder))


def test_a_model_without_a_golden_set_is_told_what_devices_will_say(folder: Path) -> None:
    (folder / "golden.json").unlink()
    assert "it has no golden set: devices whose rules ask for replay will refuse it" in review(packed(folder))


def test_an_app_holds_what_it_starts_and_is_refused_when_it_does_not(kit: kits.Kit, tmp_path: Path) -> None:
    assert review(kit.packages["app-1.1"]) == ["it holds what it starts: camera, inference, upload"]
    app = artifacts.pack_app(artifacts.APP_1_1, tmp_path / "app")
    files = {
        file.path: (file.role, app.folder / file.path) for file in app.package.artifact.files if file.path != "run.py"
    }
    identity = manifest.Identity("app", "firmware", "door", "1.1.0", ("rk3566-door",))
    with pytest.raises(FileMissing, match="camera starts run.py, which is not among its files"):
        review(manifest.pack(identity, files, json.loads(app.package.artifact.meta)))


def test_a_config_that_breaks_the_schema_of_its_app_is_refused_with_path_and_reason(kit: kits.Kit) -> None:
    ((_, schema_file),) = kit.packages["app-1.1"].of_role("schema")
    schema = schema_file.read_bytes()
    assert review(kit.packages["config-good"], schema=schema) == ["config.json fits the app's schema"]
    assert review(kit.packages["config-no-stream"], schema=schema) == ["config.json fits the app's schema"]
    with pytest.raises(SpecError, match=r"camera.frame_interval_ms.*'100' is not of type 'integer'"):
        review(kit.packages["config-broken"], schema=schema)


def test_a_model_file_alone_becomes_the_next_version_with_its_predecessors_questions(
    kit: kits.Kit, tmp_path: Path
) -> None:
    before, app = kit.packages["face-fp32"], kit.packages["app-1.1"]
    model = kit.folders["face-int8"] / "model.onnx"
    made = successor(model, before, "1.0.1", tmp_path / "next", app=app, app_dir=kit.folders["app-1.1"])
    assert made.artifact.ref == "model/face/blazeface@1.0.1"
    assert [str(need) for need in made.artifact.requires] == ["app >=1.0.0"]
    assert review(made)[1] == "it decides 100.0 % of 45 samples as labelled"
    ((_, sealed),) = made.of_role("golden")
    assert sealed.read_bytes() == (kit.folders["face-int8"] / "golden.json").read_bytes()
    assert json.loads(made.artifact.meta)["signature"]["quantised"] != []


def test_a_bad_model_file_or_one_with_other_inputs_does_not_become_a_next_version(
    kit: kits.Kit, tmp_path: Path
) -> None:
    before, app = kit.packages["face-fp32"], kit.packages["app-1.1"]
    blind = kit.folders["face-int8-lens-cap"] / "model.onnx"
    with pytest.raises(QualityRefused):
        successor(blind, before, "1.0.1", tmp_path / "next", app=app, app_dir=kit.folders["app-1.1"])
    if "voice-5" in kit.packages:
        other = kit.folders["voice-5"] / "model.onnx"
        with pytest.raises(ModelRefused, match="say which app it requires"):
            successor(other, before, "1.0.1", tmp_path / "next", app=app, app_dir=kit.folders["app-1.1"])


def test_what_review_says_of_quality_is_what_the_sealed_answers_say(kit: kits.Kit) -> None:
    document = (kit.folders["face-int8-dynamic"] / "golden.json").read_bytes()
    answers = golden.answers_of(document)
    assert len(answers.decisions) == len(answers.values) == 45
