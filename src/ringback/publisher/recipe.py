"""A folder described by an `artifact.yaml`: what a person keeps in git and publishes from.

What it decides: which files go into the artifact and in which role, and what may be left out of the description.
What it never does: talk to a server, or change a file of the folder; a golden set that is sealed on the way lies in the
`workspace` of the caller.

    plane: model/face            # required, as are name, version and classes
    name: blazeface
    version: 1.1.0
    classes: [rk3566-door]
    kind: model                  # default: by the plane's first word; firmware where that is neither model nor config
    requires: {app: ">=1.0.0"}
    epoch: 0
    files: {"inputs/*": input}   # roles, where the usual ones (ROLES) do not fit; every file of the folder is taken
    meta: {task: face}           # what the kind adds; a model's format and signature come from the model itself
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, cast

from ringback.publisher import golden, manifest
from ringback.publisher.errors import ManifestRefused, ReplayFailed
from ringback.publisher.review import QUALITY_SKIPPED, review, signature_of
from ringback.spec import names, nodes, read
from ringback.spec.artifact import ROLES as KNOWN_ROLES
from ringback.spec.artifact import parse_requirements
from ringback.spec.canonical import Json

RECIPE: Final = "artifact.yaml"
GOLDEN: Final = "golden.json"
ROLES: Final[tuple[tuple[str, str], ...]] = (
    ("*.onnx", "model"),
    ("*.tflite", "model"),
    ("*.rknn", "model"),
    (GOLDEN, "golden"),
    ("inputs/*", "input"),
    ("labels.*", "labels"),
    ("*.schema.json", "schema"),
    ("config.json", "config"),
    ("*.py", "code"),
    ("*", "asset"),
)
"""The role of a file by its path, first match; a config plane's files are `config` unless said otherwise."""
IGNORED: Final = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a folder would be published as. `files`: path in the artifact to (role, file here)."""

    identity: manifest.Identity
    files: Mapping[str, tuple[str, Path]]
    meta: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Sealing:
    """How a model's golden set is answered on the way.

    Attributes:
        argv: the replay entry of the app that will run the model; app: the folder of that app's files.
        skip_quality: why a model is published that fails its own quality check; "" = it is refused.
    """

    argv: tuple[str, ...]
    app: Path
    skip_quality: str = ""


def packed_manifest(folder: Path) -> Path:
    """Return where the manifest of a folder lies that was packed before: beside it."""
    return folder.with_name(f"{folder.name}.manifest.json")


def package_of(folder: Path, workspace: Path, sealing: Sealing | None = None) -> manifest.Package:
    """Return what a folder is published as, looked at once more: packed before, or described by an `artifact.yaml`.

    Args and raises: as `build` and `review`; also ManifestRefused: it is neither, or what was packed has changed since.
    """
    packed = packed_manifest(folder)
    if not (folder / RECIPE).is_file() and packed.is_file():
        if sealing is not None:
            raise ManifestRefused(f"{folder} is packed already", f"seal it from a folder with an {RECIPE}")
        package = manifest.unpack(packed.read_bytes(), folder)
    else:
        package = build(read_folder(folder), workspace, sealing)
    review(package)
    return package


def sealing_with(app: Path, skip_quality: str = "") -> Sealing:
    """Return the sealing with the app of a folder, packed or described.

    Raises:
        ReplayFailed: the app has no replay entry.
        ManifestRefused, SpecError: the folder is no artifact.
    """
    packed = packed_manifest(app)
    if not (app / RECIPE).is_file() and packed.is_file():
        meta: Json = json.loads(packed.read_bytes())["meta"]
    else:
        meta = dict(read_folder(app).meta)
    return Sealing(_replay_argv(meta, app), app, skip_quality)


def read_folder(folder: Path) -> Recipe:
    """Return what a folder with an `artifact.yaml` would be published as.

    Raises:
        ManifestRefused: no description there (RB-PUB-010).
        SpecError: the description has mistakes; all of them with line and hint.
        ModelUnreadable: a model file is none.
    """
    path = folder / RECIPE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise ManifestRefused(
            f"{path} can't be read: {cause}", "describe the artifact there: plane, name, version, classes"
        ) from cause
    root = nodes.from_yaml(text, str(path))
    top = read.keys(
        root,
        "",
        required=["plane", "name", "version", "classes"],
        optional=["kind", "requires", "epoch", "files", "meta"],
    )
    plane = read.plane(read.need(top, "plane"), "plane")
    kind_node, epoch, requires = top.get("kind"), top.get("epoch"), top.get("requires")
    kind = kind_of(plane) if kind_node is None else read.word(kind_node, "kind", names.KINDS)
    identity = manifest.Identity(
        plane=plane,
        kind=kind,
        name=read.ident(read.need(top, "name"), "name", "an artifact"),
        version=read.text(read.need(top, "version"), "version"),
        classes=tuple(
            read.ident(item, where, "a device class")
            for item, where in read.items(read.need(top, "classes"), "classes", least=1)
        ),
        requires={} if requires is None else _requires(requires),
        epoch=0 if epoch is None else read.integer(epoch, "epoch"),
    )
    files = files_in(folder, kind, _roles(top.get("files")))
    meta = top.get("meta")
    given = {} if meta is None else cast(dict[str, Json], nodes.plain(read.mapping(meta, "meta")))
    return Recipe(identity, files, given | _sniffed(kind, files, given))


def kind_of(plane: str) -> str:
    """Return the kind that a plane's first word says: model, config, else firmware."""
    first = plane.split("/", maxsplit=1)[0]
    return first if first in ("model", "config") else "firmware"


def files_in(folder: Path, kind: str, roles: tuple[tuple[str, str], ...] = ()) -> dict[str, tuple[str, Path]]:
    """Return every file of a folder with its role, by path. Hidden files and the description itself are left out."""
    usual = (("*", "config"),) if kind == "config" else ROLES
    found = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        is_hidden = any(part.startswith(".") or part in IGNORED for part in path.parts)
        if file.is_file() and not is_hidden and path.as_posix() != RECIPE:
            name = path.as_posix()
            role = next(role for pattern, role in (*roles, *usual) if fnmatchcase(name, pattern))
            found[name] = (role, file)
    return found


def build(recipe: Recipe, workspace: Path, sealing: Sealing | None = None) -> manifest.Package:
    """Return the package of a recipe, checked as the server will check it.

    Args:
        workspace: an empty folder that lives until the package is uploaded.
        sealing: answer the golden set anew with this app; None: take the set as it lies there.

    Raises:
        PublishRefused: as `manifest.pack` and `golden.seal` do.
        SpecError: the manifest would be refused, with path and reason.
    """
    files, meta = dict(recipe.files), dict(recipe.meta)
    if sealing is not None:
        files[GOLDEN] = ("golden", _sealed(recipe, workspace / GOLDEN, sealing))
        if sealing.skip_quality:
            meta[QUALITY_SKIPPED] = sealing.skip_quality
    return manifest.pack(recipe.identity, files, meta)


def model_of(recipe: Recipe) -> tuple[str, Path]:
    """Return path and file of the one model of a recipe. Raises ManifestRefused: none, or several."""
    models = [(path, file) for path, (role, file) in recipe.files.items() if role == "model"]
    if len(models) != 1:
        raise ManifestRefused(
            f"{recipe.identity.ref} has {len(models)} files of the role model, a golden set is about one",
            "say under `files` which one it is",
        )
    return models[0]


def _sealed(recipe: Recipe, place: Path, sealing: Sealing) -> Path:
    if GOLDEN not in recipe.files:
        raise ManifestRefused(f"{recipe.identity.ref} has no {GOLDEN} to seal", "put the golden set beside the model")
    source = recipe.files[GOLDEN][1]
    questions = golden.questions_of(source.read_bytes(), source.parent.joinpath)
    path, model = model_of(recipe)
    answers = golden.ask(questions, sealing.argv, app=sealing.app, model=model, named=path)
    place.write_bytes(golden.seal(questions, answers, skip_quality=sealing.skip_quality))
    return place


def _replay_argv(meta: Json, app: Path) -> tuple[str, ...]:
    found = meta.get("replay") if isinstance(meta, dict) else None
    argv = found.get("argv") if isinstance(found, dict) else None
    if not isinstance(argv, list) or not argv or not all(isinstance(part, str) for part in argv):
        raise ReplayFailed(
            f"{app} has no replay entry", f"give the app's folder, with meta.replay.argv in its {RECIPE}"
        )
    return tuple(str(part) for part in argv)


def _requires(node: nodes.Node) -> dict[str, str]:
    parse_requirements(node, "requires")
    return {subject: read.text(value, where) for subject, value, where, _ in read.pairs(node, "requires")}


def _roles(node: nodes.Node | None) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    return tuple(
        (pattern, read.word(value, where, KNOWN_ROLES)) for pattern, value, where, _ in read.pairs(node, "files")
    )


def _sniffed(kind: str, files: Mapping[str, tuple[str, Path]], given: Mapping[str, Json]) -> dict[str, Json]:
    """Return what an ONNX model says about itself, where the description does not."""
    model = next((file for role, file in files.values() if role == "model" and file.suffix == ".onnx"), None)
    if kind != "model" or model is None:
        return {}
    found: dict[str, Json] = {"format": "onnx", "signature": signature_of(model)}
    return {key: value for key, value in found.items() if key not in given}
