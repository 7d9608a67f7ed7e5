"""An artifact as a folder that people keep in git: its files, and one `artifact.yaml` that says what they are.

    artifact: model/face/blazeface@1.1.0
    kind: model
    classes: [rk3566-door]
    requires: {app: ">=1.0.0"}        # optional
    epoch: 0                          # optional
    roles: {"*.labels": labels}       # optional; what the names below do not say
    meta: {format: onnx}              # optional; an app's services, for example

What it decides: the role of each file, and the artifact's identity. What it never does: check content (see `review`).

A file's role is the first of `roles` that matches its path, else what its name says: `*.onnx`, `*.tflite`, `*.rknn`
model, `golden.json` golden, `inputs/*` input, `config.json` config, `*.schema.json` schema, `*.py` code, else asset.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from ringback.publisher.errors import FileRefused
from ringback.publisher.manifest import Identity, Package, pack
from ringback.publisher.review import signature_of
from ringback.spec import names, nodes, read
from ringback.spec.canonical import Json
from ringback.spec.codes import BAD_REFERENCE
from ringback.spec.problem import refuse, shown

DESCRIPTION: Final = "artifact.yaml"
DESCRIPTION_BYTES_MAX: Final = 64 * 1024
ROLES_BY_NAME: Final = (
    ("golden.json", "golden"),
    ("config.json", "config"),
    ("inputs/*", "input"),
    ("*.schema.json", "schema"),
    ("*.onnx", "model"),
    ("*.tflite", "model"),
    ("*.rknn", "model"),
    ("*.py", "code"),
    ("*", "asset"),
)


def package_folder(folder: Path, *, extra_meta: Mapping[str, Json] | None = None) -> Package:
    """Pack the artifact that `artifact.yaml` in `folder` describes. Hidden files and byte code are left out.

    Args:
        extra_meta: what the publisher adds on the command line, such as why a quality check was skipped.

    Raises: SpecError for the description or the manifest, FileRefused for files, ModelUnreadable for a broken model.
    """
    source = folder / DESCRIPTION
    try:
        text = source.read_bytes()[: DESCRIPTION_BYTES_MAX + 1].decode()
    except (OSError, UnicodeDecodeError) as cause:
        raise FileRefused(f"{source} can't be read: {cause}", f"an artifact folder has a file {DESCRIPTION}") from cause
    top = read.keys(
        nodes.from_yaml(text, str(source)),
        "",
        required=["artifact", "kind", "classes"],
        optional=["requires", "epoch", "roles", "meta"],
    )
    roles = _roles(top)
    files = {path: (role_of(path, roles), folder / path) for path in _paths(folder)}
    meta = {**_meta(top), **(extra_meta or {})}
    identity = _identity(top)
    models = [file for role, file in files.values() if role == "model"]
    if identity.kind == "model" and meta.get("format", "onnx") == "onnx" and len(models) == 1:
        meta = {"format": "onnx", **meta, "signature": signature_of(models[0])}
    return pack(identity, files, meta)


def role_of(path: str, roles: Sequence[tuple[str, str]] = ()) -> str:
    """The role of a file by its path: the first pattern that matches, own ones first."""
    return next(role for pattern, role in (*roles, *ROLES_BY_NAME) if fnmatch.fnmatchcase(path, pattern))


def _identity(top: nodes.Mapping) -> Identity:
    node = read.need(top, "artifact")
    ref = names.reference(read.text(node, "artifact"))
    if ref is None:
        expected = "plane/name@version"
        raise refuse(BAD_REFERENCE, node.place, "artifact", found=shown(read.text(node, "artifact")), expected=expected)
    epoch = top.get("epoch")
    requires = top.get("requires")
    return Identity(
        plane=ref.plane,
        kind=read.word(read.need(top, "kind"), "kind", names.KINDS),
        name=ref.name,
        version=ref.version,
        classes=tuple(
            read.ident(item, where, "a device class")
            for item, where in read.items(read.need(top, "classes"), "classes", least=1)
        ),
        requires={
            subject: read.text(node, where)
            for subject, node, where, _ in (read.pairs(requires, "requires") if requires is not None else [])
        },
        epoch=read.integer(epoch, "epoch") if epoch is not None else 0,
    )


def _roles(top: nodes.Mapping) -> list[tuple[str, str]]:
    node = top.get("roles")
    return (
        []
        if node is None
        else [(pattern, read.text(role, where)) for pattern, role, where, _ in read.pairs(node, "roles")]
    )


def _meta(top: nodes.Mapping) -> dict[str, Json]:
    node = top.get("meta")
    return {} if node is None else cast(dict[str, Json], nodes.plain(read.mapping(node, "meta")))


def _paths(folder: Path) -> list[str]:
    found = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
        if file.is_file() and not hidden and path.as_posix() != DESCRIPTION:
            found.append(path.as_posix())
    return found
