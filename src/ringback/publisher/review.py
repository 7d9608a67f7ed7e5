"""Looks at a package before it is published: the last time that a mistake costs nothing.

What it decides: whether a model is a model and decides what its labels say, whether an app holds the files it starts,
and whether a config fits the schema of the app that will read it.
What it never does: change the package, or stand in for the device; each device checks again before it activates.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from ringback.publisher import golden, sniff
from ringback.publisher.errors import FileMissing, ManifestRefused, ModelRefused
from ringback.publisher.manifest import Package
from ringback.spec.canonical import Json
from ringback.spec.config import check_config

IN_SLOT: Final = re.compile(r"\{dir\}/([A-Za-z0-9._/-]+)")
# In a model's meta: why it was published although it fails its own quality check.
QUALITY_SKIPPED: Final = "quality_skipped"


def review(package: Package, *, schema: bytes | None = None) -> list[str]:
    """Check a package of any kind.

    Args:
        schema: for a config, the JSON Schema of the app that will read it; None when it is not known here, and the
            server and the device check alone.

    Returns: what was checked, and what could not be, in words for the publisher.
    Raises: PublishRefused, SpecError.
    """
    kind = package.artifact.kind
    if kind == "model":
        return _review_model(package)
    if kind == "config":
        return _review_config(package, schema)
    return _review_app(package)


def signature_of(model: Path) -> Json:
    """A model's own signature, as it goes into `meta.signature`. Raises ModelUnreadable."""
    found = sniff.sniff(model)
    return {
        "opset": found.opset,
        "ir_version": found.ir_version,
        "producer": found.producer,
        "operators": found.operators,
        "quantised": list(found.quantised),
        "inputs": [_port(port) for port in found.inputs],
        "outputs": [_port(port) for port in found.outputs],
    }


def _port(port: sniff.Port) -> Json:
    return {"name": port.name, "element": port.element, "shape": list(port.shape)}


def _review_model(package: Package) -> list[str]:
    meta = json.loads(package.artifact.meta)
    said = []
    models = package.of_role("model")
    if meta.get("format") == "onnx":
        for path, file in models:
            signature = signature_of(file)
            if meta.get("signature", signature) != signature:
                raise ModelRefused(
                    f"{package.artifact}: {path} has the signature {signature}; the manifest says {meta['signature']}",
                    "pack the model again",
                )
            said.append(f"{path} is an ONNX model")
    else:
        said.append("its format is not known here: only its bytes are checked")
    if not models:
        raise ManifestRefused(f"{package.artifact} has no file in the role model", "give the model file the role model")
    said += [
        _review_golden(package, path, file, meta.get(QUALITY_SKIPPED, "")) for path, file in package.of_role("golden")
    ]
    if not package.of_role("golden"):
        said.append("it has no golden set: devices whose rules ask for replay will refuse it")
    return said


def _review_golden(package: Package, path: str, file: Path, skipped: str) -> str:
    document = file.read_bytes()
    inputs = dict(package.of_role("input"))
    questions = golden.questions_of(document, lambda name: inputs.get(_beside(path, name)))
    answers = golden.answers_of(document)
    found = golden.quality(questions, answers)
    share = f"{found.agree_ppm / 10_000:.1f} % of {found.n} samples as labelled"
    if found.passes:
        return f"it decides {share}"
    if not skipped:
        raise golden.refusal_of(found)
    return f"it decides only {share}; published all the same: {skipped}"


def _review_config(package: Package, schema: bytes | None) -> list[str]:
    configs = package.of_role("config")
    if len(configs) != 1:
        raise ManifestRefused(
            f"{package.artifact} has {len(configs)} files in the role config", "a config plane is one file"
        )
    path, file = configs[0]
    if schema is None:
        return [f"the schema of the app that reads {path} is not known here: server and devices check it"]
    check_config(file.read_bytes(), schema, source=path, schema_source="the app's schema")
    return [f"{path} fits the app's schema"]


def _review_app(package: Package) -> list[str]:
    held = {file.path for file in package.artifact.files}
    meta = json.loads(package.artifact.meta)
    command_lines = {service.name: service.argv for service in package.artifact.services}
    if "replay" in meta:
        command_lines["replay"] = tuple(meta["replay"]["argv"])
    for name, argv in command_lines.items():
        for part in argv:
            for path in IN_SLOT.findall(part):
                if path not in held and not any(file.startswith(f"{path}/") for file in held):
                    raise FileMissing(
                        f"{package.artifact}: {name} starts {path}, which is not among its files", "add it"
                    )
    services = ", ".join(service.name for service in package.artifact.services)
    return [f"it holds what it starts: {services}"] if services else ["it starts no services"]


def _beside(path: str, name: str) -> str:
    """The path in the artifact of a file that lies beside another one."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"
