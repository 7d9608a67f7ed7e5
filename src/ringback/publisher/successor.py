"""The next version of a model from nothing but its file: everything else is what the version before had.

What it decides: that a model pushed by hand is asked exactly what its predecessor was asked, with the same labels.
What it never does: keep the predecessor's answers; the new model's own are recorded, by the app's replay, run here.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ringback.publisher import golden
from ringback.publisher.errors import ModelRefused, ReplayFailed
from ringback.publisher.manifest import Package, pack
from ringback.publisher.review import QUALITY_SKIPPED, signature_of
from ringback.spec.canonical import Json

# What the version before said about itself and about nobody else.
OWN_META: Final = ("signature", "story", QUALITY_SKIPPED)


def successor(
    model: Path, before: Package, version: str, into: Path, *, app: Package, app_dir: Path, skip_quality: str = ""
) -> Package:
    """Pack `model` as the next version of `before`.

    Args:
        before: a published model of the same plane, with its files.
        into: a folder for the new artifact's files; made anew.
        app: the app the model will run under, and `app_dir`: the folder of its files, laid out as in a slot.
        skip_quality: why a model that fails its quality check is packed all the same.

    Raises: ModelUnreadable, ModelRefused (it takes other inputs), ReplayFailed, QualityRefused, SpecError.
    """
    meta: dict[str, Json] = {key: value for key, value in _meta(before).items() if key not in OWN_META}
    signature = signature_of(model)
    _check_inputs(before, signature)
    meta["signature"] = signature
    if skip_quality:
        meta[QUALITY_SKIPPED] = skip_quality
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    files: dict[str, tuple[str, Path]] = {}
    for one in before.artifact.files:
        target = into / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        files[one.path] = (one.role, target)
        if one.role == "golden":
            sealed = _sealed_again(model, before, one.path, app=app, app_dir=app_dir, skip_quality=skip_quality)
            target.write_bytes(sealed)
        else:
            shutil.copyfile(model if one.role == "model" else before.blobs[one.sha256], target)
    return pack(dataclasses.replace(before.identity, version=version), files, meta)


def _sealed_again(model: Path, before: Package, path: str, *, app: Package, app_dir: Path, skip_quality: str) -> bytes:
    folder = path.rpartition("/")[0]
    inputs = dict(before.of_role("input"))
    document = dict(before.of_role("golden"))[path].read_bytes()
    questions = golden.questions_of(document, lambda name: inputs.get(f"{folder}/{name}" if folder else name))
    replay = _meta(app).get("replay")
    if not isinstance(replay, dict) or not isinstance(replay.get("argv"), list):
        raise ReplayFailed(f"{app.artifact} has no replay entry", "give an app that has one")
    argv = [str(part) for part in replay["argv"]]
    named = next(path for path, _ in before.of_role("model"))
    answers = golden.ask(questions, argv, app=app_dir, model=model, named=named)
    return golden.seal(questions, answers, skip_quality=skip_quality)


def _check_inputs(before: Package, signature: Json) -> None:
    """Another input name or shape needs another app: that is a release of its own, not a push."""
    old = _meta(before).get("signature")
    if isinstance(old, dict) and isinstance(signature, dict) and old.get("inputs") != signature["inputs"]:
        raise ModelRefused(
            f"the model takes {signature['inputs']}; {before.artifact} takes {old.get('inputs')}",
            "describe it in a folder with artifact.yaml, and say which app it requires",
        )


def _meta(package: Package) -> Mapping[str, Json]:
    found: Mapping[str, Json] = json.loads(package.artifact.meta)
    return found
