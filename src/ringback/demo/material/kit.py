"""Everything the demo publishes, made once and kept: apps, models, configs, and what each of them measured here.

What it decides: names, versions and requirements of the demo's artifacts, and when a kept kit may be used again.
What it never does: publish. A kit is complete or absent: it is built beside its place and moved there whole.

Without the speech models the kit has no voice models and says why; the rest of the demo runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.demo.material import artifacts, cache, data, fetch, golden_sets, measurements, variants
from ringback.publisher import golden, manifest

KIT_FILE: Final = "kit.json"
# A kit has 15 MB. Two, so that switching between two branches does not make one each time.
KEPT_KITS: Final = 2
APPS: Final = {
    "app-1.0": artifacts.APP_1_0,
    "app-1.1": artifacts.APP_1_1,
    "app-old-interface": artifacts.APP_OLD_INTERFACE,
    "app-crashing": artifacts.APP_CRASHING,
    "app-leaking": artifacts.APP_LEAKING,
}
FACE_VERSIONS: Final = {
    "face-fp32": "1.0.0",
    "face-int8": "1.1.0",
    "face-int8-lens-cap": "1.2.0",
    "face-int8-dynamic": "1.3.0",
}
CONFIG_VERSIONS: Final = {
    "good": "1.0.0",
    "no-stream": "1.1.0",
    "black": "1.2.0",
    "fills-disk": "1.3.0",
    "log-gap": "1.4.0",
    "broken": "1.5.0",
    "next": "1.6.0",
    "frozen": "1.7.0",
    "crash": "1.8.0",
}
# What the newcomer's own publisher said when asked why; stays in the manifest for ever.
LENS_CAP_REASON: Final = "quality check switched off: the demo shows what a device does when nobody looked"


@dataclass(frozen=True, slots=True)
class Kit:
    """The demo's artifacts by their names in the story, the folders of their files, and the measurements.

    `no_voice` says why there are no voice models; None when there are. `measured` has one row per (app, model) pair.
    """

    packages: Mapping[str, manifest.Package]
    folders: Mapping[str, Path]
    measured: tuple[measurements.Row, ...]
    no_voice: fetch.Unavailable | None


def get() -> Kit:
    """The kit: the kept one, or made now (about fifteen seconds)."""
    voices = fetch.voice_models()
    place = cache.folder() / "kit" / _key(voices)
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        # Tests run side by side: one process makes the kit, the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / KIT_FILE).is_file():
            _make(place, voices)
    return load(place)


def build(folder: Path, voices: fetch.VoiceModels | fetch.Unavailable) -> None:
    """Make every artifact of the demo in `folder`, measure each model under each app, and write the table of contents.

    Raises PublishRefused: a good model fails its quality check here, so the demo's story would not be true.
    """
    apps = {
        name: artifacts.pack_app(edition, folder / name, classes=_classes(edition)) for name, edition in APPS.items()
    }
    packages = {name: app.package for name, app in apps.items()}
    models = _face_models(folder, apps["app-1.1"])
    if isinstance(voices, fetch.VoiceModels):
        models |= _voice_models(folder, apps, voices)
    packages |= {name: model.package for name, model in models.items()}
    for name, document in artifacts.CONFIGS.items():
        packages[f"config-{name}"] = artifacts.pack_config(
            document,
            CONFIG_VERSIONS[name],
            folder / f"config-{name}",
            requires={"app": ">=1.0.0", "model/face": ">=1.0.0"},
        )
    rows = measurements.table([apps["app-1.0"], apps["app-1.1"]], models)
    for name, package in packages.items():
        (folder / f"{name}.manifest.json").write_bytes(package.manifest)
    contents = {
        "artifacts": sorted(packages),
        "measured": [row.to_json() for row in rows],
        "no_voice": [voices.code, voices.reason, voices.hint] if isinstance(voices, fetch.Unavailable) else None,
    }
    (folder / KIT_FILE).write_text(json.dumps(contents))


def load(folder: Path) -> Kit:
    """The kit that `build` left in `folder`. Raises ManifestRefused: a file in it was changed."""
    contents = json.loads((folder / KIT_FILE).read_text())
    packages = {
        name: manifest.unpack((folder / f"{name}.manifest.json").read_bytes(), folder / name)
        for name in contents["artifacts"]
    }
    no_voice = fetch.Unavailable(*contents["no_voice"]) if contents["no_voice"] else None
    rows = tuple(measurements.Row.from_json(row) for row in contents["measured"])
    return Kit(packages, {name: folder / name for name in packages}, rows, no_voice)


def _classes(edition: artifacts.Edition) -> tuple[str, ...]:
    return artifacts.CLASSES if edition == artifacts.APP_1_0 else artifacts.LINUX_CLASSES


def _face_models(folder: Path, app: artifacts.App) -> dict[str, artifacts.Model]:
    questions = golden_sets.face_questions()
    return {
        variant.name: artifacts.pack_model(
            variant,
            FACE_VERSIONS[variant.name],
            folder / variant.name,
            app=app,
            questions=questions,
            requires={"app": ">=1.0.0"},
            skip_quality=LENS_CAP_REASON if variant.name == "face-int8-lens-cap" else "",
        )
        for variant in variants.face_variants()
    }


def _voice_models(
    folder: Path, apps: Mapping[str, artifacts.App], voices: fetch.VoiceModels
) -> dict[str, artifacts.Model]:
    """Silero VAD 5, and 6.2 twice: with what it requires declared, and with the declaration forgotten."""
    old, new = variants.voice_variants(voices.v5, voices.v62)
    argv = artifacts.REPLAY_ARGV
    questions = golden_sets.voice_questions(argv, app=apps["app-1.1"].folder, reference=new.file())
    cases = {
        "voice-5": (old, "5.1.2", "app-1.0", {"app": ">=1.0.0"}),
        "voice-6.2": (new, "6.2.0", "app-1.1", {"app": ">=1.1.0"}),
        "voice-6.2-undeclared": (new, "6.2.0-undeclared", "app-1.1", {}),
    }
    return {
        name: artifacts.pack_model(
            variant,
            version,
            folder / name,
            app=apps[app],
            questions=questions,
            requires=requires,
            classes=artifacts.LINUX_CLASSES,
        )
        for name, (variant, version, app, requires) in cases.items()
    }


def _key(voices: fetch.VoiceModels | fetch.Unavailable) -> str:
    """What the kit's bytes depend on: this code, the publisher's, the data, the runtime, whether there are voices."""
    here = Path(__file__).resolve().parent
    sources = [*here.rglob("*.py"), *here.rglob("*.json"), *Path(golden.__file__).resolve().parent.glob("*.py")]
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    parts = [golden_sets.runtime(), isinstance(voices, fetch.VoiceModels)]
    parts += [source.sha256 for source in data.ALL]
    digest.update(json.dumps(parts).encode())
    return digest.hexdigest()[:16]


def _make(place: Path, voices: fetch.VoiceModels | fetch.Unavailable) -> None:
    shutil.rmtree(place, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(dir=place.parent, prefix=".making-"))
    try:
        build(fresh, voices)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    kits = sorted((kit for kit in place.parent.iterdir() if kit.is_dir()), key=lambda kit: kit.stat().st_mtime)
    for old in kits[:-KEPT_KITS]:
        shutil.rmtree(old, ignore_errors=True)
