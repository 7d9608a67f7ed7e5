"""A golden set keeps what a model said apart from what is right, and a bad model does not get past its own labels."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from ringback.publisher import golden
from ringback.publisher.errors import GoldenRefused, QualityRefused, ReplayFailed

TOLERANCE = golden.Tolerance(
    fidelity_min_agree_ppm=930_000, fidelity_max_mean_abs_ppm=80_000, quality_min_agree_ppm=750_000
)


@pytest.fixture
def questions(tmp_path: Path) -> golden.Questions:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"pixels")
    return golden.Questions(
        task="face",
        preprocess="blazeface-128",
        runtime="a runtime",
        threshold_ppm=600_000,
        inputs=(golden.Input("inputs/picture.jpg", picture, "CC0-1.0"),),
        samples=tuple({"input": 0, "view": [number, 1]} for number in range(4)),
        labels=(1, 1, 0, 0),
        tolerance=TOLERANCE,
    )


def answers(*decisions: int) -> golden.Answers:
    return golden.Answers(decisions, tuple((decision * 900_000,) for decision in decisions))


def program(folder: Path, text: str) -> list[str]:
    (folder / "app").mkdir()
    (folder / "app" / "replay.py").write_text(text)
    return ["{python}", "{dir}/replay.py", "{model_dir}", "{golden}"]


def test_a_sealed_set_holds_inputs_by_digest_both_checks_and_their_tolerances(questions: golden.Questions) -> None:
    document = json.loads(golden.seal(questions, answers(1, 1, 0, 1)))
    assert document["inputs"] == [
        {"path": "inputs/picture.jpg", "sha256": hashlib.sha256(b"pixels").hexdigest(), "licence": "CC0-1.0"}
    ]
    assert document["fidelity"] == {
        "decisions": [1, 1, 0, 1],
        "values": [[900_000], [900_000], [0], [900_000]],
        "min_agree_ppm": 930_000,
        "max_mean_abs_ppm": 80_000,
    }
    assert document["quality"] == {"decisions": [1, 1, 0, 0], "min_agree_ppm": 750_000}
    assert (document["task"], document["preprocess"], document["runtime"]) == ("face", "blazeface-128", "a runtime")


def test_a_sealed_set_gives_back_its_questions_for_the_next_model(questions: golden.Questions, tmp_path: Path) -> None:
    sealed = golden.seal(questions, answers(1, 1, 0, 1))
    (tmp_path / "set" / "inputs").mkdir(parents=True)
    (tmp_path / "set" / "inputs" / "picture.jpg").write_bytes(b"pixels")
    again = golden.questions_of(sealed, (tmp_path / "set").joinpath)
    assert golden.answers_of(sealed) == answers(1, 1, 0, 1)
    assert golden.seal(again, golden.answers_of(sealed)) == sealed


@pytest.mark.parametrize("content", [None, b"other pixels"])
def test_questions_without_their_own_inputs_are_refused(
    questions: golden.Questions, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "inputs").mkdir()
    if content is not None:
        (tmp_path / "inputs" / "picture.jpg").write_bytes(content)
    with pytest.raises(GoldenRefused, match="inputs/picture.jpg: found .* expected SHA-256"):
        golden.questions_of(golden.seal(questions, answers(1, 1, 0, 1)), tmp_path.joinpath)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"task": 1}'])
def test_questions_are_not_read_from_anything_else(tmp_path: Path, document: bytes) -> None:
    with pytest.raises(GoldenRefused, match="can't be read"):
        golden.questions_of(document, tmp_path.joinpath)


def test_quality_is_the_share_of_labels_met_and_passes_at_its_limit(questions: golden.Questions) -> None:
    assert golden.quality(questions, answers(1, 1, 0, 1)) == golden.Quality(750_000, 750_000, 4)
    assert golden.quality(questions, answers(1, 1, 0, 1)).passes
    assert not golden.quality(questions, answers(0, 1, 0, 1)).passes


def test_a_model_below_its_limit_is_sealed_only_with_a_reason(questions: golden.Questions) -> None:
    with pytest.raises(QualityRefused, match=r"50.0 % of 4 samples .* wants 75.0 %"):
        golden.seal(questions, answers(0, 1, 0, 1))
    sealed = json.loads(golden.seal(questions, answers(0, 1, 0, 1), skip_quality="on purpose"))
    assert sealed["quality"]["decisions"] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("labels", "reason"), [((1, 1, 1, 1), "all labels are the same"), ((1, 0), "one label per sample")]
)
def test_a_set_without_negatives_or_with_missing_labels_is_refused(
    questions: golden.Questions, labels: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(GoldenRefused, match=reason):
        golden.seal(dataclasses.replace(questions, labels=labels), answers(1, 1, 0, 0), skip_quality="not looked at")


def test_the_questions_go_to_the_apps_own_program_without_the_answers(
    questions: golden.Questions, tmp_path: Path
) -> None:
    argv = program(
        tmp_path,
        "import json, sys, pathlib\n"
        "place, asked = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())\n"
        "assert 'quality' not in asked and 'fidelity' not in asked\n"
        "assert (place / 'model.onnx').read_bytes() == b'weights'\n"
        "assert (place / asked['inputs'][0]['path']).read_bytes() == b'pixels'\n"
        "print(json.dumps({'decisions': [1, 0, 0, 0], 'values': [[5]] * 4, 'n': 4}))\n",
    )
    (tmp_path / "weights").write_bytes(b"weights")
    found = golden.ask(questions, argv, app=tmp_path / "app", model=tmp_path / "weights")
    assert found == golden.Answers((1, 0, 0, 0), ((5,), (5,), (5,), (5,)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise SystemExit('no kernel for this operator')", "ended with code 1: no kernel for this operator"),
        ("print('hello')", "printed no result"),
        ('print(\'{"decisions": [1], "values": [], "n": 1}\')', "decisions, values and n do not agree"),
        ("print('{\"decisions\": [1]}')", "printed no result"),
    ],
)
def test_a_replay_that_fails_or_prints_something_else_is_refused_with_its_words(
    tmp_path: Path, text: str, reason: str
) -> None:
    argv = program(tmp_path, text)
    with pytest.raises(ReplayFailed, match=reason):
        golden.replay(argv, app=tmp_path / "app", model_dir=tmp_path, golden=tmp_path / "golden.json")


def test_a_replay_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayFailed, match="did not run"):
        golden.replay([str(tmp_path / "absent")], app=tmp_path, model_dir=tmp_path, golden=tmp_path)
