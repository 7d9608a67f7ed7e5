"""Packs the demo's artifacts: apps, models and configs, each as files with roles and the manifest that names them.

What it decides: which files an artifact holds, what it requires, and the editions of the door app.
What it never does: publish; it gives `Package`s to whoever does.

Packing takes seconds (each model is replayed for its golden set), so packages are kept in a folder given by the caller.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.demo.material import data, golden_sets
from ringback.demo.material.variants import Variant
from ringback.publisher import golden, manifest, recipe, review
from ringback.spec.canonical import Json, encode

HERE: Final = Path(__file__).resolve().parent
DOOR: Final = HERE / "door"
# The real boxes are of the first class. The others are simulated: they run the same artifacts by what was measured of
# them here, scaled by the factor their family states. A microcontroller has no ear, and stays on the first app.
CLASSES: Final = ("rk3566-door", "orin-door", "nuc-door", "esp32s3-door")
LINUX_CLASSES: Final = CLASSES[:3]
SERVICES: Final = ("camera", "inference", "upload")
# From start to ready measured at 0.4 s alone and 1.5 s with the whole demo on two cores.
READY_MS: Final = 10_000
REPLAY_ARGV: Final = ("{python}", "{dir}/run.py", "replay", "{model_dir}", "{golden}")


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of the door app, and the mistake in it, if there is one."""

    version: str
    story: str
    voice_context_samples: int = 64
    inference_speaks: int = 2
    keeps_every_frame: bool = False
    forgotten_file: str = ""

    def source(self) -> str:
        """The text of the app's edition.py."""
        return (
            f'"""Door app {self.version}: {self.story}."""\n\n'
            f'VERSION = "{self.version}"\n'
            f"VOICE_CONTEXT_SAMPLES = {self.voice_context_samples}\n"
            f"INFERENCE_SPEAKS = {self.inference_speaks}\n"
            f"KEEP_EVERY_FRAME = {self.keeps_every_frame}\n"
        )


APP_1_0: Final = Edition("1.0.0", "feeds the voice model bare windows", voice_context_samples=0)
APP_1_1: Final = Edition("1.1.0", "feeds the voice model each window with the 64 samples before it")
APP_OLD_INTERFACE: Final = Edition(
    "1.2.0", "inference taken from an old build: it speaks interface 1 to upload", inference_speaks=1
)
APP_CRASHING: Final = Edition("1.2.1", "meter.py was forgotten when packaging", forgotten_file="meter.py")
APP_LEAKING: Final = Edition("1.2.2", "keeps every frame for a replay nobody asked for", keeps_every_frame=True)

CONFIGS: Final[Mapping[str, Json]] = {
    # The working one: ten frames a second.
    "good": {"camera": {"source": "door", "frame_interval_ms": 100}},
    # Valid by the schema; 0 pauses the stream. Somebody meant "as fast as possible".
    "no-stream": {"camera": {"source": "door", "frame_interval_ms": 0}},
    # Valid by the schema; nobody is seen through a covered lens.
    "black": {"camera": {"source": "black", "frame_interval_ms": 100}},
    # Valid by the schema; every frame is written to the disk.
    "fills-disk": {"camera": {"source": "door", "frame_interval_ms": 100}, "debug": {"save_frames": True}},
    # Valid by the schema; nine of ten log lines are dropped.
    "log-gap": {"camera": {"source": "door", "frame_interval_ms": 100}, "upload": {"log_keep_one_in": 10}},
    # Harmless changes, for what is shown of stopping, freezing and crashing.
    "next": {"camera": {"source": "door", "frame_interval_ms": 100}, "face": {"threshold_ppm": 590_000}},
    "frozen": {"camera": {"source": "door", "frame_interval_ms": 100}, "face": {"threshold_ppm": 580_000}},
    "crash": {"camera": {"source": "door", "frame_interval_ms": 100}, "face": {"threshold_ppm": 570_000}},
    # Breaks the schema: a number in quotes.
    "broken": {"camera": {"source": "door", "frame_interval_ms": "100"}},
}


@dataclass(frozen=True, slots=True)
class App:
    """A packed app and the folder its files lie in, laid out as in a slot."""

    package: manifest.Package
    folder: Path


@dataclass(frozen=True, slots=True)
class Model:
    """A packed model, the folder its files lie in, and how it did on its own quality check."""

    package: manifest.Package
    folder: Path
    quality: golden.Quality


def pack_app(edition: Edition, into: Path, *, classes: Sequence[str] = CLASSES) -> App:
    """Write an edition's files to `into` (made anew) and pack them."""
    shutil.rmtree(into, ignore_errors=True)
    (into / "door").mkdir(parents=True)
    shutil.copyfile(HERE / "door_run.py", into / "run.py")
    for file in sorted(DOOR.glob("*.py")):
        if file.name != edition.forgotten_file:
            shutil.copyfile(file, into / "door" / file.name)
    (into / "door" / "edition.py").write_text(edition.source())
    shutil.copyfile(DOOR / "config.schema.json", into / "door" / "config.schema.json")
    _copy((picture.file for picture in data.PICTURES), into / "pictures")
    _copy((clip.file for clip in data.CLIPS), into / "clips")
    (into / "scene.json").write_bytes(encode(_scene()))
    identity = manifest.Identity("app", "firmware", "door", edition.version, tuple(classes))
    meta: dict[str, Json] = {
        "services": [
            {
                "name": name,
                "argv": ["{python}", "{dir}/run.py", name],
                "after": list(SERVICES[:place]),
                "ready_ms": READY_MS,
            }
            for place, name in enumerate(SERVICES)
        ],
        "replay": {"argv": list(REPLAY_ARGV)},
        "config_schema": "door/config.schema.json",
        "interface": 2,
        "story": edition.story,
    }
    return App(manifest.pack(identity, recipe.files_in(into, identity.kind), meta), into)


def pack_model(
    variant: Variant,
    version: str,
    into: Path,
    *,
    app: App,
    questions: golden.Questions,
    requires: Mapping[str, str] | None = None,
    skip_quality: str = "",
    classes: Sequence[str] = CLASSES,
) -> Model:
    """Replay a model under an app, and write model, inputs and golden set to `into` (made anew).

    Raises QualityRefused: the model fails its own quality check and `skip_quality` gives no reason.
    """
    model = variant.file()
    answers = golden.ask(questions, REPLAY_ARGV, app=app.folder, model=model)
    sealed = golden.seal(questions, answers, skip_quality=skip_quality)
    shutil.rmtree(into, ignore_errors=True)
    _copy((one.file for one in questions.inputs), into / golden_sets.INPUT_FOLDER)
    shutil.copyfile(model, into / "model.onnx")
    (into / "golden.json").write_bytes(sealed)
    names = {"face": "blazeface", "voice": "silero-vad"}
    identity = manifest.Identity(
        f"model/{variant.slot}", "model", names[variant.slot], version, tuple(classes), dict(requires or {})
    )
    meta: dict[str, Json] = {
        "format": "onnx",
        "preprocess": questions.preprocess,
        "task": questions.task,
        "signature": review.signature_of(model),
        "story": variant.story,
    }
    if skip_quality:
        meta[review.QUALITY_SKIPPED] = skip_quality
    package = manifest.pack(identity, recipe.files_in(into, identity.kind), meta)
    return Model(package, into, golden.quality(questions, answers))


def pack_config(
    document: Json,
    version: str,
    into: Path,
    *,
    requires: Mapping[str, str] | None = None,
    classes: Sequence[str] = CLASSES,
) -> manifest.Package:
    """Write a config document to `into` (made anew) and pack it. Nothing is checked here: publishing does."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    (into / "config.json").write_bytes(encode(document))
    identity = manifest.Identity("config", "config", "door", version, tuple(classes), dict(requires or {}))
    return manifest.pack(identity, recipe.files_in(into, identity.kind), {"format": "json"})


def _scene() -> Json:
    return {
        "pictures": [{"file": picture.name, "people": picture.people} for picture in data.PICTURES],
        "clips": [{"file": clip.name} for clip in data.CLIPS],
    }


def _copy(files: Iterable[Path], into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, into / file.name)
