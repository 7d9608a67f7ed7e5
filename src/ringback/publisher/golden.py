"""Golden sets: samples whose decisions a device must reproduce before it activates a model.

Two checks, and a bad model passes at most one of them:
- *fidelity*: this device gives the outputs the build host got from this very model. Catches a wrong app, runtime, NPU.
- *quality*: the decisions are those of labels or a trusted reference, never the candidate's own. Catches a bad model.

What it decides: the golden document of a model, and whether the publisher may publish the model.
What it never does: preprocess. Outputs come from the app's own replay entry, run here as a device will run it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.publisher.errors import GoldenRefused, QualityRefused, ReplayFailed
from ringback.spec.canonical import Json, encode

FORMAT: Final = 1
PPM: Final = 1_000_000
# A replay of 45 frames takes a tenth of a second of CPU; a minute is a hang, also on a loaded machine.
REPLAY_TIMEOUT_S: Final = 60
OUTPUT_LIMIT_BYTES: Final = 4 * 1024 * 1024
ERROR_TEXT_LIMIT: Final = 400


@dataclass(frozen=True, slots=True)
class Input:
    """One file the samples are cut from. `path` is relative to the golden file."""

    path: str
    file: Path
    licence: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a device may be from the build host and from the labels. All in ppm.

    Decisions are compared, not tensors: int8 and NPU outputs never match bit by bit.
    """

    fidelity_min_agree_ppm: int
    fidelity_max_mean_abs_ppm: int
    quality_min_agree_ppm: int


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of a model: the golden set before anybody answered.

    `samples` are the app's own words for what to cut from which input; `labels` say what is right, one per sample, or
    are the decisions of a reference that is trusted. `runtime` is named for people who look into a difference.
    """

    task: str
    preprocess: str
    runtime: str
    threshold_ppm: int
    inputs: tuple[Input, ...]
    samples: tuple[Mapping[str, Json], ...]
    labels: tuple[int, ...]
    tolerance: Tolerance


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said to each sample: a decision (0 or 1) and its values in ppm."""

    decisions: tuple[int, ...]
    values: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How a model did on the labels."""

    agree_ppm: int
    min_agree_ppm: int
    n: int

    @property
    def passes(self) -> bool:
        """Whether enough decisions are the labels'."""
        return self.agree_ppm >= self.min_agree_ppm


def replay(argv: Sequence[str], *, app: Path, model_dir: Path, golden: Path) -> Answers:
    """Run an app's replay entry on a model, as a device does.

    Args:
        argv: the entry from the app's manifest, with its placeholders {python}, {dir}, {model_dir} and {golden}.
        app: the folder of the app's files.

    Raises ReplayFailed: it ended with an error, took longer than REPLAY_TIMEOUT_S, or printed something else.
    """
    places = {"{python}": sys.executable, "{dir}": str(app), "{model_dir}": str(model_dir), "{golden}": str(golden)}
    command = [_fill(part, places) for part in argv]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=REPLAY_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise ReplayFailed(f"the replay entry of {app.name} did not run: {cause}") from cause
    if done.returncode != 0:
        text = " ".join(done.stderr.decode(errors="replace").split())[-ERROR_TEXT_LIMIT:]
        raise ReplayFailed(f"the replay entry of {app.name} ended with code {done.returncode}: {text}")
    return _answers(done.stdout)


def ask(questions: Questions, argv: Sequence[str], *, app: Path, model: Path, named: str = "model.onnx") -> Answers:
    """Replay the questions on a model file that has no golden set yet.

    Args:
        named: the model's path in the artifact, where the app will look for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / named).parent.mkdir(parents=True, exist_ok=True)
        (place / named).symlink_to(model.resolve())
        for one in questions.inputs:
            (place / one.path).parent.mkdir(parents=True, exist_ok=True)
            (place / one.path).symlink_to(one.file.resolve())
        golden = place / "golden.json"
        golden.write_bytes(encode(_document(questions)))
        return replay(argv, app=app, model_dir=place, golden=golden)


def quality(questions: Questions, answers: Answers) -> Quality:
    """How many decisions are the labels'."""
    pairs = list(zip(answers.decisions, questions.labels, strict=True))
    right = sum(1 for decision, label in pairs if decision == label)
    return Quality(right * PPM // len(pairs), questions.tolerance.quality_min_agree_ppm, len(pairs))


def refusal_of(found: Quality) -> QualityRefused:
    """The error for a model that fails its own quality check."""
    return QualityRefused(
        f"the model decides {found.agree_ppm / 10_000:.1f} % of {found.n} samples as labelled; "
        f"its own quality check wants {found.min_agree_ppm / 10_000:.1f} %",
        "do not release it; to show what a device would do, give a reason with --skip-quality",
    )


def seal(questions: Questions, answers: Answers, *, skip_quality: str = "") -> bytes:
    """The golden document of the model that gave these answers.

    Args:
        skip_quality: why a model that fails its own quality check is sealed all the same; stays on record in the
            manifest. The device still makes the check.

    Raises QualityRefused: the answers are not the labels', and no reason is given.
    """
    document = _document(questions)
    found = quality(questions, answers)
    if not found.passes and not skip_quality:
        raise refusal_of(found)
    tolerance = questions.tolerance
    document["fidelity"] = {
        "decisions": list(answers.decisions),
        "values": [list(values) for values in answers.values],
        "min_agree_ppm": tolerance.fidelity_min_agree_ppm,
        "max_mean_abs_ppm": tolerance.fidelity_max_mean_abs_ppm,
    }
    document["quality"] = {"decisions": list(questions.labels), "min_agree_ppm": tolerance.quality_min_agree_ppm}
    return encode(document)


def questions_of(document: bytes, find: Callable[[str], Path | None]) -> Questions:
    """The questions of a sealed golden set, to be asked of another model: a new version, or one pushed by hand.

    Args:
        document: the golden file's bytes.
        find: where an input lies on this machine, by its path in the golden set; None when it is not there.

    Raises GoldenRefused: not a golden set, or its inputs are missing or other files.
    """
    try:
        found = json.loads(document)
        questions = Questions(
            task=str(found["task"]),
            preprocess=str(found["preprocess"]),
            runtime=str(found["runtime"]),
            threshold_ppm=int(found["threshold_ppm"]),
            inputs=tuple(_input(find, one["path"], one["licence"], one["sha256"]) for one in found["inputs"]),
            samples=tuple(found["samples"]),
            labels=tuple(int(label) for label in found["quality"]["decisions"]),
            tolerance=Tolerance(
                fidelity_min_agree_ppm=int(found["fidelity"]["min_agree_ppm"]),
                fidelity_max_mean_abs_ppm=int(found["fidelity"]["max_mean_abs_ppm"]),
                quality_min_agree_ppm=int(found["quality"]["min_agree_ppm"]),
            ),
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise _unreadable(cause) from cause
    return questions


def answers_of(document: bytes) -> Answers:
    """What the model said when the golden set was sealed. Raises GoldenRefused."""
    try:
        recorded = json.loads(document)["fidelity"]
        return Answers(
            tuple(int(decision) for decision in recorded["decisions"]),
            tuple(tuple(int(value) for value in values) for values in recorded["values"]),
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise _unreadable(cause) from cause


def _unreadable(cause: Exception) -> GoldenRefused:
    return GoldenRefused(f"the golden set can't be read: {cause!r}", "take the golden.json of a published model")


def _input(find: Callable[[str], Path | None], path: str, licence: str, sha256: str) -> Input:
    file = find(path)
    found = hashlib.sha256(file.read_bytes()).hexdigest() if file is not None and file.is_file() else "no file"
    if file is None or found != sha256:
        raise GoldenRefused(f"{path}: found {found}, expected SHA-256 {sha256}", "take the golden set with its inputs")
    return Input(path, file, licence)


def _document(questions: Questions) -> dict[str, Json]:
    if not questions.samples or len(questions.samples) != len(questions.labels):
        found = f"{len(questions.samples)} samples and {len(questions.labels)} labels"
        raise GoldenRefused(f"a golden set needs one label per sample; found {found}")
    if len(set(questions.labels)) < 2:
        raise GoldenRefused("all labels are the same", "a set without negatives passes a model that always says yes")
    return {
        "v": FORMAT,
        "task": questions.task,
        "preprocess": questions.preprocess,
        "runtime": questions.runtime,
        "threshold_ppm": questions.threshold_ppm,
        "inputs": [
            {"path": one.path, "sha256": hashlib.sha256(one.file.read_bytes()).hexdigest(), "licence": one.licence}
            for one in questions.inputs
        ],
        "samples": [dict(sample) for sample in questions.samples],
    }


def _fill(part: str, places: Mapping[str, str]) -> str:
    for placeholder, value in places.items():
        part = part.replace(placeholder, value)
    return part


def _answers(output: bytes) -> Answers:
    try:
        if len(output) > OUTPUT_LIMIT_BYTES:
            raise ValueError(f"more than {OUTPUT_LIMIT_BYTES} bytes")
        found = json.loads(output)
        decisions = tuple(int(decision) for decision in found["decisions"])
        values = tuple(tuple(int(value) for value in row) for row in found["values"])
        if len(decisions) != len(values) or len(decisions) != found["n"]:
            raise ValueError("decisions, values and n do not agree")
    except (ValueError, KeyError, TypeError) as cause:
        raise ReplayFailed(f"the replay entry printed no result: {cause}") from cause
    return Answers(decisions, values)
