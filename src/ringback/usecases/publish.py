"""What is published: device classes, blobs, artifacts, releases. All of it immutable.

Decides: whether something may carry its name. Never: changes what was published; the same name with other content is
refused and the name keeps its first meaning, the same content again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from ringback.errors import ConflictError, InputError
from ringback.plan.catalog import Catalog, resolve
from ringback.ports.blobs import Blobs
from ringback.ports.changes import Change, Insert, Put
from ringback.ports.rows import ArtifactRow, BlobRow, DeviceClassRow, ReleaseRow
from ringback.spec.artifact import Artifact, parse_manifest
from ringback.spec.config import CONFIG_BYTES_MAX, SCHEMA_BYTES_MAX, check_config
from ringback.spec.device_class import DeviceClass, parse_class
from ringback.spec.problem import did_you_mean
from ringback.spec.release import Release, parse_release
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome

APP_PLANE = "app"


def create_class(fleet: Fleet, text: str, *, now_ms: int) -> Outcome[DeviceClass]:
    """Register one version of a device class.

    Args:
        text: the document, YAML or JSON.

    Raises:
        SpecError: it is no device class (RB-SPEC-NNN).
        ConflictError: this version is known with other content (RB-CLASS-002), or not above the newest (RB-CLASS-003).
    """
    made = parse_class(text)
    known = fleet.catalog.classes.get(made.id)
    if known is not None and known.version == made.version and known.digest == made.digest:
        return Outcome((), known)
    if known is not None and known.version >= made.version:
        code = "RB-CLASS-002" if known.version == made.version else "RB-CLASS-003"
        raise ConflictError(
            code,
            f"class {made.id} is at version {known.version}; version {made.version} with other content would change "
            "what was planned on",
            hint=f"give the changed class version {known.version + 1}",
        )
    row = DeviceClassRow(fleet.tenant_id, made.id, made.version, text.encode(), now_ms)
    return Outcome((Insert(row),), made)


def note_blob(fleet: Fleet, sha256: str, *, size_bytes: int, now_ms: int) -> Outcome[int]:
    """Note that this tenant uploaded a blob; answers its size."""
    if fleet.published.blobs.get(sha256) == size_bytes:
        return Outcome((), size_bytes)
    return Outcome((Put(BlobRow(fleet.tenant_id, sha256, size_bytes, now_ms)),), size_bytes)


def publish_artifact(fleet: Fleet, manifest: bytes, *, blobs: Blobs, now_ms: int) -> Outcome[Artifact]:
    """Publish an artifact whose files are uploaded.

    Args:
        manifest: the exact bytes; their SHA-256 becomes the artifact's digest.

    Raises:
        SpecError: no canonical manifest (RB-SPEC-NNN), or a config that breaks the schema of its app (RB-SPEC-018).
        ConflictError: the name means other bytes already (RB-ARTIFACT-002).
        InputError: a class or plane is unknown (RB-ARTIFACT-003), a file is not uploaded or has another size
            (RB-ARTIFACT-004).
    """
    artifact = parse_manifest(manifest)
    known = fleet.catalog.by_ref.get(artifact.ref)
    if known is not None:
        if known.digest == artifact.digest:
            return Outcome((), known)
        raise ConflictError(
            "RB-ARTIFACT-002",
            f"{artifact.ref} is published with other bytes ({known.digest}); the name keeps them",
            hint="publish the changed bytes under a new version",
            fields={"published": known.digest, "offered": artifact.digest},
        )
    _check_home(fleet.catalog, artifact)
    for file in artifact.files:
        found = fleet.published.blobs.get(file.sha256)
        if found != file.size_bytes:
            what = "is not uploaded" if found is None else f"has {found} bytes, the manifest says {file.size_bytes}"
            raise InputError(
                "RB-ARTIFACT-004",
                f"file {file.path} of {artifact.ref} (sha256:{file.sha256}) {what}",
                hint="upload all files first: ringback artifact publish does",
            )
    _check_configs(fleet.catalog, artifact, blobs)
    changes: list[Change] = [
        Insert(
            ArtifactRow(
                tenant_id=fleet.tenant_id,
                digest=artifact.digest,
                reference=artifact.ref,
                plane=artifact.plane,
                document=manifest,
                published_at_ms=now_ms,
            )
        )
    ]
    return Outcome(tuple(changes), artifact)


def create_release(fleet: Fleet, text: str, *, now_ms: int) -> Outcome[Release]:
    """Register a release.

    Args:
        text: the document as its author wrote it.

    Raises:
        SpecError: it is no release, or names what nobody published (RB-SPEC-NNN, RB-PLAN-02N).
        ConflictError: the id means another document already (RB-RELEASE-002).
    """
    release = parse_release(text)
    known = fleet.published.releases.get(release.id)
    if known is not None and known.yaml == text:
        return Outcome((), release)
    if known is not None:
        raise ConflictError(
            "RB-RELEASE-002",
            f"release {release.id} is registered with other content",
            hint="give the changed release an id of its own",
        )
    resolve(release, fleet.catalog)
    return Outcome((Insert(ReleaseRow(fleet.tenant_id, release.id, text, now_ms)),), release)


def _check_home(catalog: Catalog, artifact: Artifact) -> None:
    """Refuse an artifact for classes that nobody registered or that have no such plane."""
    for class_id in artifact.classes:
        device_class = catalog.classes.get(class_id)
        if device_class is None:
            raise InputError(
                "RB-ARTIFACT-003",
                f"{artifact.ref} is for the class {class_id}, which nobody registered",
                hint=did_you_mean(class_id, catalog.classes) or "register it with: ringback class create",
            )
        plane = device_class.plane(artifact.plane)
        if plane is None or plane.kind != artifact.kind:
            has = ", ".join(f"{each.name} ({each.kind})" for each in device_class.planes)
            raise InputError(
                "RB-ARTIFACT-003",
                f"{artifact.ref} is for the plane {artifact.plane} ({artifact.kind}); class {class_id} has {has}",
                hint=did_you_mean(artifact.plane, [each.name for each in device_class.planes]),
            )


def _check_configs(catalog: Catalog, artifact: Artifact, blobs: Blobs) -> None:
    """Refuse a config that an app it allows cannot read.

    Whatever its `requires` allows may meet it on a device, so every published app that it allows must accept it.
    """
    if artifact.kind != "config":
        return
    for app in _apps_for(catalog, artifact):
        schema = app.file(app.config_schema)
        assert schema is not None, "the spec checks that the schema is one of the files"
        rules = blobs.read(schema.sha256, limit_bytes=SCHEMA_BYTES_MAX)
        for file in artifact.files:
            if file.role == "config":
                content = blobs.read(file.sha256, limit_bytes=CONFIG_BYTES_MAX)
                check_config(content, rules, source=f"{artifact.ref} {file.path}", schema_source=app.ref)


def _apps_for(catalog: Catalog, config: Artifact) -> Iterator[Artifact]:
    needs = [need.constraint for need in config.requires if need.subject == APP_PLANE]
    for app in catalog.on_plane(APP_PLANE):
        allowed = all(constraint.allows(app.version) for constraint in needs)
        if app.config_schema and allowed and set(app.classes) & set(config.classes):
            yield app
