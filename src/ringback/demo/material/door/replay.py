"""The replay entry: run a model on its golden samples with this app's own preprocessing, and print what came out.

What it decides: nothing. It prints decisions and values as one line of JSON; the device's kernel compares them.
What it never does: read the expected outputs. So a model that needs other preprocessing than this app has is found out.

Exit code 0: printed. 3: the model or the golden set can't be used; the reason is on stderr.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import edition, faces, frames, shapes, slots, voice

EXIT_UNFIT = 3


class Output(NamedTuple):
    """One decision (0 or 1) and its values (ppm) per sample, in the order of the samples."""

    decisions: list[int]
    values: list[list[int]]


class GoldenUnfit(ValueError):
    """The golden set can't be replayed here. The next action is to fix the artifact."""


def replay_faces(session: faces.Session, golden: dict[str, Any], inputs: list[Path]) -> Output:
    """Values: score, left, top, right, bottom; the box is 0 where no face is seen, as it means nothing there."""
    faces.check(session)
    threshold_ppm = golden.get("threshold_ppm", faces.DEFAULT_THRESHOLD_PPM)
    output = Output([], [])
    for sample in golden["samples"]:
        frame = frames.view(inputs[sample["input"]], *sample["view"])
        sighting = faces.look(session, faces.tensor(frame))
        seen = sighting.is_face(threshold_ppm)
        output.decisions.append(int(seen))
        output.values.append([sighting.score_ppm, *(sighting.box_ppm if seen else (0, 0, 0, 0))])
    return output


def replay_voice(session: faces.Session, golden: dict[str, Any], inputs: list[Path]) -> Output:
    """Values: the probability of speech. The samples are whole clips, window by window, in order."""
    voice.check(session)
    threshold_ppm = golden.get("threshold_ppm", voice.DEFAULT_THRESHOLD_PPM)
    listener = voice.Listener(session, edition.VOICE_CONTEXT_SAMPLES)
    clips = [shapes.windows(path) for path in inputs]
    output = Output([], [])
    for sample in golden["samples"]:
        if sample["window"] == 0:
            listener.restart()
        likelihood_ppm = listener.hear(clips[sample["input"]][sample["window"]])
        output.decisions.append(int(likelihood_ppm > threshold_ppm))
        output.values.append([likelihood_ppm])
    return output


TASKS: dict[str, Callable[[faces.Session, dict[str, Any], list[Path]], Output]] = {
    slots.FACE: replay_faces,
    slots.VOICE: replay_voice,
}


def replay(model_dir: Path, golden_path: Path) -> Output:
    """Run the model of `model_dir` on the golden set. Inputs lie beside the golden file and are checked by digest.

    Raises GoldenUnfit, ModelUnfit.
    """
    golden = json.loads(golden_path.read_bytes())
    if golden["task"] not in TASKS:
        raise GoldenUnfit(f"this app replays {sorted(TASKS)}; the golden set is for {golden['task']!r}")
    inputs = []
    for entry in golden["inputs"]:
        path = golden_path.parent / entry["path"]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise GoldenUnfit(f"{entry['path']} has SHA-256 {found}; the golden set was made with {entry['sha256']}")
        inputs.append(path)
    session = slots.open_session(model_dir / slots.MODEL_FILE)
    return TASKS[golden["task"]](session, golden, inputs)


def main() -> None:
    """`replay <model folder> <golden file>`"""
    model_dir, golden_path = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        output = replay(model_dir, golden_path)
    except (GoldenUnfit, faces.ModelUnfit, *slots.LOAD_ERRORS) as cause:
        sys.stderr.write(f"RB-DOOR-006: replay is not possible: {cause}\n")
        raise SystemExit(EXIT_UNFIT) from cause
    line = {"decisions": output.decisions, "values": output.values, "n": len(output.decisions)}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
