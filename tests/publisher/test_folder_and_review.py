"""From a folder in git to a package that may be published, and each mistake that is found on the way."""

import json
import shutil
from pathlib import Path

import pytest

from ringback.demo.material import artifacts, data
from ringback.demo.material import kit as kits
from ringback.publisher import folder as folders
from ringback.publisher import golden, manifest
from ringback.publisher.errors import (
    FileMissing,
    FileRefused,
    GoldenRefused,
    ModelRefused,
    ModelUnreadable,
    QualityRefused,
)
from ringback.publisher.review import review
from ringback.publisher.successor import successor
from ringback.spec.problem import SpecError

DESCRIPTION = """\
artifact: model/face/blazeface@1.1.0   # the ref as people write it
kind: model
classes: [rk3566-door]
requires: {app: ">=1.0.0"}
meta: {preprocess: blazeface-128, task: face}
"""


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


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_folder_with_a_description_becomes_a_package_with_roles_and_signature(folder: Path) -> None:
    (folder / ".git").write_text("not for devices")
    package = folders.package_folder(folder)
    assert package.artifact.ref == "model/face/blazeface@1.1.0"
    assert {file.path: file.role for file in package.artifact.files} == {
        "golden.json": "golden",
        "model.onnx": "model",
        **{f"inputs/{picture.name}": "input" for picture in data.PICTURES},
    }
    meta = json.loads(package.artifact.meta)
    assert (meta["format"], meta["preprocess"], meta["signature"]["opset"]) == ("onnx", "blazeface-128", 13)
    assert review(package) == ["model.onnx is an ONNX model", "it decides 100.0 % of 45 samples as labelled"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (DESCRIPTION.replace("requires", "require"), "did you mean 'requires'"),
        (DESCRIPTION.replace("kind: model", ""), "the key 'kind'"),
        (DESCRIPTION.replace("kind: model", "kind: modell"), "artifact.yaml:2.*modell"),
        (DESCRIPTION.replace("@1.1.0", ""), "expected plane/name@version"),
        (DESCRIPTION.replace("@1.1.0", "@1.1"), "version"),
        (DESCRIPTION.replace(">=1.0.0", "latest"), "requires.app"),
        ("artifact: [", "artifact.yaml"),
        ("", "artifact.yaml"),
    ],
)
def test_a_wrong_description_says_where_and_what_to_write(folder: Path, text: str, reason: str) -> None:
    write(folder / "artifact.yaml", text)
    with pytest.raises(SpecError, match=reason):
        folders.package_folder(folder)


def test_a_folder_without_a_description_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="an artifact folder has a file artifact.yaml"):
        folders.package_folder(tmp_path)


def test_own_roles_come_before_what_a_name_says(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"more")
    write(folder / "artifact.yaml", DESCRIPTION + 'roles: {"*.bin": labels}\n')
    package = folders.package_folder(folder)
    assert [path for path, _ in package.of_role("labels")] == ["weights.bin"]


def test_a_model_file_that_is_no_model_is_refused_while_packing(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"<html>404</html>")
    with pytest.raises(ModelUnreadable, match="is no ONNX model"):
        folders.package_folder(folder)


def test_a_model_that_is_not_the_one_described_is_refused(kit: kits.Kit, folder: Path) -> None:
    package = folders.package_folder(folder)
    shutil.copyfile(kit.folders["face-fp32"] / "model.onnx", folder / "model.onnx")
    files = {file.path: (file.role, folder / file.path) for file in package.artifact.files}
    identity = manifest.Identity("model/face", "model", "blazeface", "1.1.0", ("rk3566-door",))
    with pytest.raises(ModelRefused, match="has the signature"):
        review(manifest.pack(identity, files, json.loads(package.artifact.meta)))


def test_a_model_that_fails_its_labels_is_refused_unless_a_reason_is_on_record(kit: kits.Kit, folder: Path) -> None:
    for name in ("model.onnx", "golden.json"):
        shutil.copyfile(kit.folders["face-int8-lens-cap"] / name, folder / name)
    with pytest.raises(QualityRefused, match=r"decides 40.0 % of 45 samples"):
        review(folders.package_folder(folder))
    package = folders.package_folder(folder, extra_meta={"quality_skipped": "to see it fail"})
    assert (
        review(package)[1] == "it decides only 40.0 % of 45 samples as labelled; published all the same: to see it fail"
    )


def test_a_golden_set_without_its_inputs_is_refused(folder: Path) -> None:
    (folder / "inputs" / "hopper.jpg").unlink()
    with pytest.raises(GoldenRefused, match="inputs/hopper.jpg: found no file"):
        review(folders.package_folder(folder))


def test_a_model_without_a_golden_set_is_told_what_devices_will_say(folder: Path) -> None:
    (folder / "golden.json").unlink()
    assert "it has no golden set: devices whose rules ask for replay will refuse it" in review(
        folders.package_folder(folder)
    )


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
