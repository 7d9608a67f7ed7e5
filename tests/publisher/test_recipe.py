"""A folder with an artifact.yaml becomes an artifact, and every mistake in it names its line and its fix."""

import hashlib
import json
from pathlib import Path

import pytest

from ringback.demo.material import variants
from ringback.publisher import golden, manifest, recipe
from ringback.publisher.errors import ManifestRefused, QualityRefused, ReplayFailed
from ringback.spec.problem import SpecError

CONFIG = 'plane: config\nname: door\nversion: 1.10.0\nclasses: [door]\nrequires: {app: ">=1.0.0"}\n'
MODEL = "plane: model/face\nname: blazeface\nversion: 1.0.0\nclasses: [door]\nmeta: {task: face}\n"
APP = (
    'plane: app\nname: door\nversion: 1.0.0\nclasses: [door]\nmeta: {replay: {argv: ["{python}", "{dir}/replay.py"]}}\n'
)
TOLERANCE = golden.Tolerance(
    fidelity_min_agree_ppm=930_000, fidelity_max_mean_abs_ppm=80_000, quality_min_agree_ppm=900_000
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "artifact.yaml").write_text(CONFIG)
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Returns the folder of a model with a golden set that another model answered."""
    folder = tmp_path / "model"
    (folder / "inputs").mkdir(parents=True)
    (folder / "artifact.yaml").write_text(MODEL)
    (folder / "model.onnx").write_bytes(variants.face_variants()[0].file().read_bytes())
    picture = folder / "inputs" / "picture.jpg"
    picture.write_bytes(b"pixels")
    questions = golden.Questions(
        task="face",
        preprocess="blazeface-128",
        runtime="a runtime",
        threshold_ppm=600_000,
        inputs=(golden.Input("inputs/picture.jpg", picture, "CC0-1.0"),),
        samples=({"input": 0}, {"input": 0}),
        labels=(1, 0),
        tolerance=TOLERANCE,
    )
    sealed = golden.seal(questions, golden.Answers((1, 0), ((1,), (0,))))
    (folder / "golden.json").write_bytes(sealed)
    return folder


def app(tmp_path: Path, decisions: list[int], description: str = APP) -> Path:
    """Returns the folder of an app whose replay always decides the same."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "artifact.yaml").write_text(description)
    answer = {"decisions": decisions, "values": [[700_000] for _ in decisions], "n": len(decisions)}
    (folder / "replay.py").write_text(f"print({json.dumps(json.dumps(answer))})")
    return folder


def test_a_described_folder_becomes_an_artifact_of_its_files(config: Path, tmp_path: Path) -> None:
    package = recipe.package_of(config, tmp_path)
    assert package.identity.ref == "config/door@1.10.0"
    assert json.loads(package.manifest)["files"] == [
        {"path": "config.json", "role": "config", "sha256": hashlib.sha256(b"{}").hexdigest(), "size_bytes": 2}
    ]
    assert json.loads(package.manifest)["requires"] == {"app": ">=1.0.0"}


def test_hidden_files_caches_and_the_description_stay_at_home(config: Path, tmp_path: Path) -> None:
    (config / ".git").mkdir()
    (config / ".git" / "HEAD").write_text("x")
    (config / "__pycache__").mkdir()
    (config / "__pycache__" / "a.pyc").write_text("x")
    assert recipe.package_of(config, tmp_path).blobs.keys() == {hashlib.sha256(b"{}").hexdigest()}


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("model.onnx", "model"),
        ("golden.json", "golden"),
        ("inputs/a.jpg", "input"),
        ("labels.txt", "labels"),
        ("door/config.schema.json", "schema"),
        ("door/main.py", "code"),
        ("scene.bin", "asset"),
    ],
)
def test_a_file_has_the_role_that_its_name_says(tmp_path: Path, path: str, role: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("x")
    assert recipe.files_in(tmp_path, "model")[path][0] == role


def test_a_role_in_the_description_wins_over_the_name(tmp_path: Path, config: Path) -> None:
    (config / "artifact.yaml").write_text(CONFIG + 'files: {"*.json": asset}\n')
    assert recipe.read_folder(config).files["config.json"][0] == "asset"


@pytest.mark.parametrize(("plane", "kind"), [("model/face", "model"), ("config", "config"), ("app", "firmware")])
def test_the_kind_follows_from_the_plane(plane: str, kind: str) -> None:
    assert recipe.kind_of(plane) == kind


def test_every_mistake_in_the_description_comes_with_its_line(config: Path) -> None:
    (config / "artifact.yaml").write_text(CONFIG + "epok: 1\n")
    with pytest.raises(SpecError) as refusal:
        recipe.read_folder(config)
    assert "artifact.yaml:6:1" in refusal.value.message
    assert refusal.value.hint == "did you mean 'epoch'?"


def test_a_version_that_is_none_is_refused_here_and_not_by_the_server(config: Path, tmp_path: Path) -> None:
    (config / "artifact.yaml").write_text(CONFIG.replace("1.10.0", "1.10"))
    with pytest.raises(SpecError) as refusal:
        recipe.package_of(config, tmp_path)
    assert refusal.value.code == "RB-SPEC-011"


def test_a_folder_without_a_description_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused) as refusal:
        recipe.package_of(tmp_path, tmp_path)
    assert refusal.value.hint == "describe the artifact there: plane, name, version, classes"


def test_what_was_packed_before_is_published_as_it_was(config: Path, tmp_path: Path) -> None:
    package = recipe.package_of(config, tmp_path)
    (config / "artifact.yaml").unlink()
    recipe.packed_manifest(config).write_bytes(package.manifest)
    assert recipe.package_of(config, tmp_path).manifest == package.manifest
    (config / "config.json").write_text("{ }")
    with pytest.raises(ManifestRefused, match="an artifact never changes"):
        recipe.package_of(config, tmp_path)


def test_a_model_says_its_format_and_signature_itself(model: Path) -> None:
    meta = recipe.read_folder(model).meta
    assert (meta["task"], meta["format"]) == ("face", "onnx")
    assert isinstance(meta["signature"], dict)


def test_a_golden_set_is_answered_anew_by_the_app_that_will_run_the_model(model: Path, tmp_path: Path) -> None:
    sealing = recipe.sealing_with(app(tmp_path, [1, 0]))
    package = recipe.package_of(model, tmp_path, sealing)
    entry = next(each for each in json.loads(package.manifest)["files"] if each["role"] == "golden")
    sealed = json.loads(package.blobs[entry["sha256"]].read_bytes())
    assert sealed["fidelity"]["values"] == [[700_000], [700_000]]
    assert sealed["quality"]["decisions"] == [1, 0]
    assert json.loads((model / "golden.json").read_bytes())["fidelity"]["values"] == [[1], [0]]


def test_a_model_that_fails_its_labels_is_refused_unless_a_reason_stays_on_record(model: Path, tmp_path: Path) -> None:
    folder = app(tmp_path, [1, 1])
    with pytest.raises(QualityRefused):
        recipe.package_of(model, tmp_path, recipe.sealing_with(folder))
    package = recipe.package_of(model, tmp_path, recipe.sealing_with(folder, "to show it"))
    assert json.loads(package.manifest)["meta"]["quality_skipped"] == "to show it"


def test_a_golden_set_that_its_model_failed_is_refused_also_when_it_is_published_as_it_lies_there(
    model: Path, tmp_path: Path
) -> None:
    questions = golden.questions_of((model / "golden.json").read_bytes(), model.joinpath)
    failed = golden.seal(questions, golden.Answers((1, 1), ((1,), (1,))), skip_quality="at home")
    (model / "golden.json").write_bytes(failed)
    with pytest.raises(QualityRefused):
        recipe.package_of(model, tmp_path)


def test_an_app_without_a_replay_entry_can_answer_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReplayFailed, match="has no replay entry"):
        recipe.sealing_with(app(tmp_path, [1], APP.split("meta", maxsplit=1)[0]))


def test_a_packed_app_can_answer_too(tmp_path: Path) -> None:
    folder = app(tmp_path, [1, 0])
    package = recipe.package_of(folder, tmp_path)
    (folder / "artifact.yaml").unlink()
    recipe.packed_manifest(folder).write_bytes(package.manifest)
    assert recipe.sealing_with(folder).argv == ("{python}", "{dir}/replay.py")


def test_two_models_in_one_artifact_can_not_share_one_golden_set(model: Path, tmp_path: Path) -> None:
    (model / "other.tflite").write_bytes(b"x")
    with pytest.raises(ManifestRefused, match="2 files of the role model"):
        recipe.package_of(model, tmp_path, recipe.sealing_with(app(tmp_path, [1, 0])))


def test_a_model_without_a_golden_set_has_nothing_to_seal(model: Path, tmp_path: Path) -> None:
    (model / "golden.json").unlink()
    with pytest.raises(ManifestRefused, match=r"has no golden\.json to seal"):
        recipe.package_of(model, tmp_path, recipe.sealing_with(app(tmp_path, [1, 0])))


def test_the_same_folder_gives_the_same_artifact_twice(config: Path, tmp_path: Path) -> None:
    first, second = (recipe.package_of(config, tmp_path) for _ in range(2))
    assert first.manifest == second.manifest
    assert isinstance(first, manifest.Package)
