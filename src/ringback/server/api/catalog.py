"""`/v1/classes`, `/v1/artifacts`, `/v1/releases`: what is published."""

from __future__ import annotations

from typing import Any

from ringback.client import models
from ringback.errors import NotFoundError
from ringback.server.api.calls import PAGING, Call, Operation
from ringback.server.api.paging import page
from ringback.spec.artifact import Artifact
from ringback.spec.device_class import DeviceClass
from ringback.spec.release import parse_release
from ringback.usecases.fleet import Fleet
from ringback.usecases.publish import create_class, create_release, publish_artifact
from ringback.usecases.work import Outcome, UseCase

# --- device classes ---------------------------------------------------------------------------------------------------


def _create_class(call: Call) -> UseCase[Any]:
    text = call.body(models.TextRequest).yaml

    def carry_out(fleet: Fleet) -> Outcome[models.DeviceClass]:
        made = create_class(fleet, text, now_ms=call.now_ms)
        return Outcome(made.changes, _shown_class(fleet, made.answer, text))

    return carry_out


async def _classes(call: Call) -> models.Page[models.DeviceClass]:
    fleet = call.context.fleet
    classes = sorted(fleet.catalog.classes.values(), key=lambda each: each.id)
    return page(call, classes, key=lambda each: each.id, shown=lambda each: _shown_class(fleet, each))


async def _class(call: Call) -> models.DeviceClass:
    fleet, class_id = call.context.fleet, call.path["class_id"]
    found = fleet.catalog.classes.get(class_id)
    if found is None:
        raise NotFoundError("RB-CLASS-001", f"no class {class_id[:64]!r} here", hint="ringback class list")
    return _shown_class(fleet, found, fleet.published.classes[class_id].document.decode())


def _shown_class(fleet: Fleet, each: DeviceClass, text: str = "") -> models.DeviceClass:
    return models.DeviceClass(
        id=each.id,
        version=each.version,
        family=each.family,
        digest=each.digest,
        capabilities=dict(each.capabilities),
        planes=[models.ClassPlane(plane.name, plane.kind, plane.backend, plane.cost_ms) for plane in each.planes],
        poll_ms=each.policy.poll_ms,
        devices=fleet.by_class[each.id],
        yaml=text,
    )


# --- artifacts --------------------------------------------------------------------------------------------------------


def _publish(call: Call) -> UseCase[Any]:
    def carry_out(fleet: Fleet) -> Outcome[models.Artifact]:
        blobs = call.context.blobs
        made = publish_artifact(fleet, call.raw, blobs=blobs, now_ms=call.now_ms)
        artifact = made.answer
        sha256 = artifact.digest.removeprefix("sha256:")
        if blobs.size_bytes(sha256) is None:  # devices fetch the manifest like any other blob, by its hash
            upload = blobs.upload(sha256, announced_bytes=len(call.raw), limit_bytes=len(call.raw))
            upload.write(call.raw)
            upload.finish()
        files = tuple((file.path, file.sha256, file.size_bytes) for file in artifact.files)
        blobs.name(artifact.ref, digest=sha256, files=files)
        return Outcome(made.changes, _shown_artifact(fleet, artifact, published_at_ms=call.now_ms))

    return carry_out


async def _artifacts(call: Call) -> models.Page[models.Artifact]:
    fleet = call.context.fleet
    plane, name = call.query.get("plane"), call.query.get("name")
    artifacts = sorted(
        (
            each
            for each in fleet.catalog.artifacts.values()
            if (plane is None or each.plane == plane) and (name is None or each.name == name)
        ),
        key=lambda each: each.ref,
    )
    return page(call, artifacts, key=lambda each: each.ref, shown=lambda each: _shown_artifact(fleet, each))


async def _artifact(call: Call) -> models.Artifact:
    fleet, named = call.context.fleet, call.path["digest"]
    found = artifact_named(fleet, named)
    return _shown_artifact(fleet, found, manifest=found.manifest.decode())


def artifact_named(fleet: Fleet, named: str) -> Artifact:
    """Return the artifact with this digest or reference.

    Raises:
        NotFoundError: nobody published it (RB-ARTIFACT-001).
    """
    found = fleet.catalog.artifacts.get(named) or fleet.catalog.by_ref.get(named)
    if found is None:
        raise NotFoundError("RB-ARTIFACT-001", f"nobody published {named[:160]!r}", hint="ringback artifact list")
    return found


def _shown_artifact(fleet: Fleet, each: Artifact, *, manifest: str = "", published_at_ms: int = 0) -> models.Artifact:
    row = fleet.published.artifacts.get(each.digest)
    return models.Artifact(
        digest=each.digest,
        ref=each.ref,
        plane=each.plane,
        kind=each.kind,
        name=each.name,
        version=str(each.version),
        classes=list(each.classes),
        epoch=each.epoch,
        requires={need.subject: need.constraint.text for need in each.requires},
        size_bytes=each.size_bytes,
        files=[models.ArtifactFile(file.path, file.role, file.size_bytes, file.sha256) for file in each.files],
        published_at_ms=published_at_ms if row is None else row.published_at_ms,
        is_frozen=(each.plane, each.digest) in fleet.frozen,
        devices=fleet.running_count(each.digest),
        manifest=manifest,
    )


# --- releases ---------------------------------------------------------------------------------------------------------


def _create_release(call: Call) -> UseCase[Any]:
    text = call.body(models.TextRequest).yaml

    def carry_out(fleet: Fleet) -> Outcome[models.Release]:
        made = create_release(fleet, text, now_ms=call.now_ms)
        row = fleet.published.releases.get(made.answer.id)
        created_at_ms = call.now_ms if row is None else row.created_at_ms
        return Outcome(made.changes, _shown_release(fleet, text, created_at_ms))

    return carry_out


async def _releases(call: Call) -> models.Page[models.Release]:
    fleet = call.context.fleet
    rows = sorted(fleet.published.releases.values(), key=lambda row: row.release_id)
    return page(
        call,
        rows,
        key=lambda row: row.release_id,
        shown=lambda row: _shown_release(fleet, row.yaml, row.created_at_ms, is_brief=True),
    )


async def _release(call: Call) -> models.Release:
    fleet, release_id = call.context.fleet, call.path["release_id"]
    row = fleet.published.releases.get(release_id)
    if row is None:
        raise NotFoundError("RB-RELEASE-001", f"no release {release_id[:64]!r} here", hint="ringback release list")
    return _shown_release(fleet, row.yaml, row.created_at_ms)


def _shown_release(fleet: Fleet, text: str, created_at_ms: int, *, is_brief: bool = False) -> models.Release:
    release = parse_release(text)
    classes = ", ".join(release.targets.classes) or "every class"
    where = str(release.targets.where)
    return models.Release(
        id=release.id,
        versions={pick.plane: str(pick) for pick in release.versions},
        targets=f"{classes} where {where}" if where else classes,
        rings=[ring.name for ring in release.rings],
        reason=release.reason,
        created_at_ms=created_at_ms,
        rollouts=fleet.rollouts_of(release.id),
        yaml="" if is_brief else text,
    )


OPERATIONS = (
    Operation(
        "POST",
        "/v1/classes",
        "Register a version of a device class",
        models.DeviceClass,
        change=_create_class,
        request=models.TextRequest,
        status=201,
        role="releaser",
    ),
    Operation("GET", "/v1/classes", "List device classes", models.Page[models.DeviceClass], ask=_classes, query=PAGING),
    Operation("GET", "/v1/classes/{class_id}", "Show a device class", models.DeviceClass, ask=_class),
    Operation(
        "POST",
        "/v1/artifacts",
        "Publish an artifact: the body is its manifest, exact bytes; its files are uploaded already",
        models.Artifact,
        change=_publish,
        raw_type="application/json",
        status=201,
        role="releaser",
    ),
    Operation(
        "GET",
        "/v1/artifacts",
        "List artifacts",
        models.Page[models.Artifact],
        ask=_artifacts,
        query=(("plane", "only this plane"), ("name", "only this name"), *PAGING),
    ),
    Operation(
        "GET", "/v1/artifacts/{digest:path}", "Show an artifact, by digest or reference", models.Artifact, ask=_artifact
    ),
    Operation(
        "POST",
        "/v1/releases",
        "Register a release",
        models.Release,
        change=_create_release,
        request=models.TextRequest,
        status=201,
        role="releaser",
    ),
    Operation("GET", "/v1/releases", "List releases", models.Page[models.Release], ask=_releases, query=PAGING),
    Operation("GET", "/v1/releases/{release_id}", "Show a release", models.Release, ask=_release),
)
