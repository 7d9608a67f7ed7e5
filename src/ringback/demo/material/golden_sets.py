"""What the demo asks of its models: 45 views of five pictures, and the windows of two clips.

What it decides: the samples, their labels, and the tolerances.
What it never does: take a label from the model under test. Faces are labelled by what the pictures show; speech by the
newest published model under the app that feeds it right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ringback.demo.material import data
from ringback.demo.material.door import faces, shapes, voice
from ringback.publisher import golden
from ringback.spec.canonical import Json

INPUT_FOLDER: Final = "inputs"
# Measured on every variant of measure.py: good models decide 93 to 100 % like the reference, bad ones at most 64 %.
# Values of the same model differ by rounding only; 8 % also lets another CPU's int8 kernels pass.
FACE_TOLERANCE: Final = golden.Tolerance(
    fidelity_min_agree_ppm=930_000, fidelity_max_mean_abs_ppm=80_000, quality_min_agree_ppm=900_000
)
VOICE_TOLERANCE: Final = golden.Tolerance(
    fidelity_min_agree_ppm=930_000, fidelity_max_mean_abs_ppm=80_000, quality_min_agree_ppm=930_000
)


def face_questions() -> golden.Questions:
    """45 frames: 27 with a person, 18 without."""
    inputs = tuple(_input(picture) for picture in data.PICTURES)
    samples: tuple[Mapping[str, Json], ...] = tuple(
        {"input": index, "view": list(view)} for index in range(len(inputs)) for view in shapes.VIEWS
    )
    return golden.Questions(
        task="face",
        preprocess=faces.PREPROCESS,
        runtime=runtime(),
        threshold_ppm=faces.DEFAULT_THRESHOLD_PPM,
        inputs=inputs,
        samples=samples,
        labels=tuple(picture.people for picture in data.PICTURES for _ in shapes.VIEWS),
        tolerance=FACE_TOLERANCE,
    )


def voice_questions(replay_argv: Sequence[str], *, app: Path, reference: Path) -> golden.Questions:
    """All whole windows of both clips, labelled by the reference model (Silero VAD 6.2).

    Args: app: an app that feeds the reference the context it needs (1.1 or later), with its replay entry.
    """
    inputs = tuple(_input(clip) for clip in data.CLIPS)
    samples: tuple[Mapping[str, Json], ...] = tuple(
        {"input": index, "window": window}
        for index, clip in enumerate(data.CLIPS)
        for window in range(len(shapes.windows(clip.file)))
    )
    unlabelled = golden.Questions(
        task="voice",
        preprocess=voice.PREPROCESS,
        runtime=runtime(),
        threshold_ppm=voice.DEFAULT_THRESHOLD_PPM,
        inputs=inputs,
        samples=samples,
        labels=tuple(index % 2 for index in range(len(samples))),
        tolerance=VOICE_TOLERANCE,
    )
    answers = golden.ask(unlabelled, replay_argv, app=app, model=reference)
    return dataclasses.replace(unlabelled, labels=answers.decisions)


def runtime() -> str:
    """The runtime of this build host, for people who look into a difference."""
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def _input(source: data.Source) -> golden.Input:
    return golden.Input(f"{INPUT_FOLDER}/{source.name}", source.file, source.licence)
