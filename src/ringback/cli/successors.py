"""From a file and a device to an artifact: the next version of what the device runs on the plane that the file fits.

Decides: plane, version, and which app answers a model's golden set. Never: runs code that came from the server: the app
is the caller's own folder, or one that was published from this machine and has not changed since.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ringback.cli import ledger
from ringback.errors import InputError

if TYPE_CHECKING:
    from ringback.cli.session import Session
    from ringback.client.models import Artifact, Device
    from ringback.publisher.manifest import Package

MODEL_SUFFIXES = frozenset({".onnx", ".tflite", ".rknn"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller said about a file; "" and None: to be found out."""

    plane: str = ""
    version: str = ""
    app: Path | None = None
    skip_quality: str = ""


def package_of(session: "Session", file: Path, device_id: str, *, wish: Wish, workspace: Path) -> "Package | Artifact":
    """Return the artifact that a file becomes, or the published one that holds these very bytes already.

    Args:
        workspace: an empty folder that lives until the package is uploaded.

    Raises:
        InputError: RB-CLI-040 the plane is not plain; RB-CLI-041 nothing runs there that it could follow; RB-CLI-042
            the app is not here; or the publisher refuses it (RB-PUB-NNN).
    """
    device = session.client.device(device_id)
    plane = _plane(session, file, device, wish.plane)
    running = next((each for each in device.planes if each.plane == plane), None)
    if running is None or not running.running_digest or running.is_unknown:
        raise InputError(
            "RB-CLI-041",
            f"no published artifact runs on {plane} of {device_id}, so there is nothing that {file.name} could follow",
            hint=f"describe it in a folder with an artifact.yaml; then: ringback push FOLDER --to {device_id}",
        )
    before = session.client.artifact(running.running_digest)
    same = _published_already(session, file, before) if not wish.version else None
    if same is not None:
        return same
    version = wish.version or next_version(session, before)
    if before.kind == "config":
        return _config(file, before, version)
    return _model(session, file, before, version, device=device, wish=wish, workspace=workspace)


def next_version(session: "Session", before: "Artifact") -> str:
    """Return the version after the newest one that was published under a name: 1.2.0 -> 1.2.1."""
    from ringback.spec.versions import Version, parse_version

    known = session.client.artifacts(plane=before.plane, name=before.name, limit=10_000).items
    newest = max((parse_version(each.version) for each in known), default=parse_version(before.version))
    return str(Version(newest.major, newest.minor, newest.patch if newest.prerelease else newest.patch + 1))


def _plane(session: "Session", file: Path, device: "Device", named: str) -> str:
    """Return the plane that a file is for: the named one, the only one of its kind, or the one whose inputs fit."""
    kind = "model" if file.suffix in MODEL_SUFFIXES else "config"
    planes = session.client.device_class(device.device_class).planes
    fitting = [plane.name for plane in planes if plane.kind == kind]
    if named:
        if named not in fitting:
            raise InputError(
                "RB-CLI-040",
                f"{named} is no {kind} plane of {device.device_class}, for which {file.name} is",
                hint=f"it has {', '.join(fitting)}" if fitting else f"it has no plane for a {kind}",
            )
        return named
    if kind == "model" and len(fitting) > 1:
        fitting = _with_the_inputs_of(session, file, device, fitting)
    if len(fitting) != 1:
        raise InputError(
            "RB-CLI-040",
            f"{file.name} could be for {', '.join(fitting) if fitting else 'no plane'} of {device.id}",
            hint="say which with --plane",
        )
    return fitting[0]


def _with_the_inputs_of(session: "Session", file: Path, device: "Device", planes: list[str]) -> list[str]:
    """Return the planes whose running model takes what this one takes; all of them where none or nobody says so."""
    from ringback.publisher.review import signature_of

    if file.suffix != ".onnx":
        return planes
    signature = signature_of(file)
    assert isinstance(signature, dict)
    found = []
    for each in device.planes:
        if each.plane in planes and each.running_digest and not each.is_unknown:
            meta = json.loads(session.client.artifact(each.running_digest).manifest)["meta"]
            if meta.get("signature", {}).get("inputs") == signature["inputs"]:
                found.append(each.plane)
    return found or planes


def _published_already(session: "Session", file: Path, before: "Artifact") -> "Artifact | None":
    """Return the published artifact whose payload is this file: a push that is repeated makes no new version."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for each in session.client.artifacts(plane=before.plane, name=before.name, limit=10_000).items:
        if any(part.sha256 == digest and part.role in ("model", "config") for part in each.files):
            return each
    return None


def _config(file: Path, before: "Artifact", version: str) -> "Package":
    from ringback.publisher.manifest import pack
    from ringback.publisher.review import review

    found = checked(before, Path())
    (path, _), *_ = found.of_role("config") or (("config.json", file),)
    identity = dataclasses.replace(found.identity, version=version)
    package = pack(identity, {path: ("config", file)}, json.loads(before.manifest)["meta"])
    review(package)
    return package


def _model(
    session: "Session",
    file: Path,
    before: "Artifact",
    version: str,
    *,
    device: "Device",
    wish: Wish,
    workspace: Path,
) -> "Package":
    from ringback.publisher.successor import successor

    old = checked(before, workspace / "before")
    app, app_dir = _app(session, device, wish.app, workspace)
    download(session, old)
    return successor(
        file,
        old,
        version,
        workspace / "after",
        app=app,
        app_dir=app_dir,
        skip_quality=wish.skip_quality,
    )


def _app(session: "Session", device: "Device", folder: Path | None, workspace: Path) -> "tuple[Package, Path]":
    """Return the app that answers a golden set here, and the folder of its files."""
    from ringback.publisher import recipe
    from ringback.publisher.manifest import unpack

    if folder is not None:
        place = workspace / "app"
        place.mkdir()
        return recipe.package_of(folder, place), folder
    running = _running_app(session, device)
    known = ledger.folder_of(running.digest) if running is not None else None
    if running is None or known is None:
        name = running.ref if running is not None else "the app"
        raise InputError(
            "RB-CLI-042",
            f"the model has to answer its golden set under {name}, which was not published from this machine",
            hint="give the folder of the app with --app; code that comes from a server is never run here",
        )
    return unpack(checked(running, known).artifact.manifest, known), known


def _running_app(session: "Session", device: "Device") -> "Artifact | None":
    for each in device.planes:
        if each.running_digest and not each.is_unknown:
            found = session.client.artifact(each.running_digest)
            if found.kind == "firmware" and "replay" in json.loads(found.manifest)["meta"]:
                return found
    return None


def download(session: "Session", package: "Package") -> None:
    """Fetch what the next version keeps: everything but the model itself. Every file is hashed on arrival."""
    from ringback.publisher.manifest import measure_file

    wanted = [part for part in package.artifact.files if part.role != "model"]
    with session.screen.progress(package.artifact.ref, sum(part.size_bytes for part in wanted)) as bar:
        for part in wanted:
            target = package.blobs[part.sha256]
            target.parent.mkdir(parents=True, exist_ok=True)
            session.client.get_blob(part.sha256, target, bar.add)
            if measure_file(part.path, target)[1] != part.sha256:
                raise _changed_on_the_way(f"{part.path} of {package.artifact.ref}")


def checked(artifact: "Artifact", folder: Path) -> "Package":
    """Return a published artifact as a package whose files lie, or will lie, under a folder.

    The manifest is the server's word until its bytes have the digest that it is named by; then its paths and command
    lines are the publisher's.

    Raises:
        InputError: RB-CLI-043: the bytes have another digest; or they are no manifest (RB-SPEC-NNN).
    """
    from ringback.publisher.manifest import Package
    from ringback.spec.artifact import parse_manifest

    parsed = parse_manifest(artifact.manifest.encode(), artifact.ref)
    if parsed.digest != artifact.digest:
        raise _changed_on_the_way(f"the manifest of {artifact.ref}")
    return Package(parsed, {part.sha256: folder / part.path for part in parsed.files})


def _changed_on_the_way(what: str) -> InputError:
    return InputError(
        "RB-CLI-043",
        f"{what} arrived with another hash than it is named by",
        hint="try again; if it stays so, the server or something before it changes files: trust neither",
    )
