"""Measures what the demo claims: what each model sees and hears under each app, how fast it is, how large it is.

Latency is CPU time of the thread that runs the model, on this machine; nothing is scaled or assumed.

What it decides: nothing. What it never does: use a figure that was not measured here.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.demo.material import artifacts, data
from ringback.demo.material.door import faces, frames, meter, service, shapes, slots, voice
from ringback.publisher import golden

PPM: Final = 1_000_000
# Two loops of the camera warm caches; three are measured, and the median of the middle one is steady to a few percent.
WARM_ROUNDS: Final = 2
ROUNDS: Final = 3
CHILD_TIMEOUT_S: Final = 120
# A box must overlap the fp32 model's by this much to count as the same face.
SAME_BOX_PPM: Final = 600_000


@dataclass(frozen=True, slots=True)
class Row:
    """One model under one app.

    p50_us, p95_us: CPU time of one run. load_kb: memory the loaded model adds. quality_ppm, fidelity_ppm: agreement
    with labels and with the build host. positives of n decisions; seen of seen_total people, false_people besides.
    """

    app: str
    app_digest: str
    model: str
    model_digest: str
    slot: str
    size_bytes: int
    p50_us: int
    p95_us: int
    load_kb: int
    n: int
    positives: int
    seen: int
    seen_total: int
    false_people: int
    quality_ppm: int
    fidelity_ppm: int
    passes: bool

    def to_json(self) -> dict[str, int | str]:
        """The row as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, int | str]) -> Row:
        """The opposite of `to_json`."""
        return cls(**row)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one model costs to run here."""

    p50_us: int
    p95_us: int
    load_kb: int


def table(apps: Sequence[artifacts.App], models: Mapping[str, artifacts.Model]) -> list[Row]:
    """One row per app and model, in order. Each model file's cost is measured once, in its own process."""
    files = {name: model.folder / slots.MODEL_FILE for name, model in models.items()}
    digests = {name: data.sha256_of(file) for name, file in files.items()}
    costs: dict[str, Cost] = {}
    for name, model in models.items():
        if digests[name] not in costs:
            costs[digests[name]] = measure_cost(files[name], _slot(model))
    pairs = [(app, name) for name in models for app in apps]
    # Replays count decisions and not time, so they may share the machine; costs above are measured one by one.
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda pair: row(pair[0], pair[1], models[pair[1]], costs[digests[pair[1]]]), pairs))


def row(app: artifacts.App, name: str, model: artifacts.Model, cost: Cost) -> Row:
    """Replay a model's golden set under an app, and count."""
    path = model.folder / "golden.json"
    answers = golden.replay(artifacts.REPLAY_ARGV, app=app.folder, model_dir=model.folder, golden=path)
    document = json.loads(path.read_bytes())
    labels, recorded = document["quality"]["decisions"], document["fidelity"]
    quality_ppm = agreement_ppm(answers.decisions, labels)
    fidelity_ppm = agreement_ppm(answers.decisions, recorded["decisions"])
    pairs = list(zip(answers.decisions, labels, strict=True))
    return Row(
        app=str(app.package.artifact.version),
        app_digest=app.package.digest,
        model=name,
        model_digest=model.package.digest,
        slot=_slot(model),
        size_bytes=(model.folder / slots.MODEL_FILE).stat().st_size,
        p50_us=cost.p50_us,
        p95_us=cost.p95_us,
        load_kb=cost.load_kb,
        n=len(pairs),
        positives=sum(answers.decisions),
        seen=sum(1 for decision, label in pairs if decision and label),
        seen_total=sum(labels),
        false_people=sum(1 for decision, label in pairs if decision and not label),
        quality_ppm=quality_ppm,
        fidelity_ppm=fidelity_ppm,
        passes=quality_ppm >= document["quality"]["min_agree_ppm"] and fidelity_ppm >= recorded["min_agree_ppm"],
    )


def agreement_ppm(decisions: Sequence[int], expected: Sequence[int]) -> int:
    """How many decisions are the expected ones, in ppm."""
    return sum(1 for one, other in zip(decisions, expected, strict=True) if one == other) * PPM // len(expected)


def measure_cost(model: Path, slot: str) -> Cost:
    """Measure one model in a fresh process, so that its memory is its own."""
    command = [sys.executable, "-m", __spec__.name, slot, str(model)]
    # The child must find this package also where it is used without being installed.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    done = subprocess.run(command, check=True, capture_output=True, timeout=CHILD_TIMEOUT_S, env=environment)
    return Cost(**json.loads(done.stdout))


def _measure_one(slot: str, model: Path) -> Cost:
    before_kb = service.rss_kb()
    session = slots.open_session(model)
    load_kb = service.rss_kb() - before_kb
    run = _face_round(session) if slot == slots.FACE else _voice_round(session)
    for _ in range(WARM_ROUNDS):
        run(meter.Latency())
    summaries = []
    for _ in range(ROUNDS):
        latency = meter.Latency()
        run(latency)
        summaries.append(latency.summary())
    middle = sorted(summaries, key=lambda summary: summary["p50_us"])[ROUNDS // 2]
    return Cost(middle["p50_us"], middle["p95_us"], load_kb)


def _face_round(session: faces.Session) -> Callable[[meter.Latency], None]:
    tensors = [faces.tensor(frame) for picture in data.PICTURES for frame in frames.views(picture.file)]

    def run(latency: meter.Latency) -> None:
        for tensor in tensors:
            began_ns = time.thread_time_ns()
            faces.look(session, tensor)
            latency.add(time.thread_time_ns() - began_ns)

    return run


def _voice_round(session: faces.Session) -> Callable[[meter.Latency], None]:
    windows = [window for clip in data.CLIPS for window in shapes.windows(clip.file)]

    def run(latency: meter.Latency) -> None:
        listener = voice.Listener(session, context_samples=64)
        for window in windows:
            began_ns = time.thread_time_ns()
            listener.hear(window)
            latency.add(time.thread_time_ns() - began_ns)

    return run


def _slot(model: artifacts.Model) -> str:
    return model.package.artifact.plane.removeprefix("model/")


if __name__ == "__main__":
    # The child of `measure_cost`: <slot> <model file>
    sys.stdout.write(json.dumps(dataclasses.asdict(_measure_one(sys.argv[1], Path(sys.argv[2])))))
