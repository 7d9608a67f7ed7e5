"""`ringback artifact`: what was published, and publishing."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringback.cli import base, complete, find, ledger, options, words
from ringback.cli.session import Session, command

if TYPE_CHECKING:
    from ringback.client.models import Artifact
    from ringback.publisher.manifest import Package

group = base.noun("artifact", "Publish artifacts, and see what was published.")


@group.register
@command(
    "publish",
    examples=[
        "ringback artifact publish ./door-app",
        "ringback artifact publish ./blazeface-int8 --app ./door-app",
        "ringback artifact publish ./blazeface-odd --app ./door-app --skip-quality 'to see what a device does'",
    ],
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--app",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="For a model: answer its golden set anew by the replay of this app.",
)
@click.option(
    "--skip-quality", default="", metavar="REASON", help="Publish a model that fails its own quality check; on record."
)
@options.dry_run
def publish(session: Session, folder: Path, *, app: Path | None, skip_quality: str, dry_run: bool) -> None:
    """Publish the artifact that a FOLDER with an artifact.yaml describes.

    It is hashed and checked here first: a model answers its golden set, an app holds what it starts. Bytes that the
    server has already are not sent again. A name and version stand for the same bytes for ever.
    """
    from ringback.publisher import recipe

    if skip_quality and app is None:
        raise click.UsageError("--skip-quality is about the check that --app makes; give both")
    with tempfile.TemporaryDirectory(prefix="ringback-") as workspace:
        sealing = recipe.sealing_with(app, skip_quality) if app is not None else None
        package = recipe.package_of(folder, Path(workspace), sealing)
        if dry_run:
            show_package(session, package)
            return
        published = send(session, package)
    ledger.remember(published.digest, folder)
    if session.screen.as_json:
        session.screen.data(published)
        return
    session.screen.facts([("published", published.ref), ("digest", published.digest)])
    session.screen.next(base.typed("ringback", "artifact", "show", published.ref))


@group.register
@command("list", examples=["ringback artifact list", "ringback artifact list --plane model/face"])
@click.option("--plane", default="", metavar="PLANE", help="Only of this plane, such as app or model/face.")
@options.limit
def list_artifacts(session: Session, plane: str, limit: int) -> None:
    """List published artifacts."""
    page = session.client.artifacts(plane=plane, limit=limit)
    screen = session.screen
    if screen.as_json:
        screen.data(page)
        return
    rows = [
        (
            each.ref,
            words.short(each.digest),
            words.size(each.size_bytes),
            str(each.devices),
            "frozen" if each.is_frozen else words.minute(each.published_at_ms),
        )
        for each in page.items
    ]
    screen.table(("ARTIFACT", "DIGEST", "SIZE", "RUN BY", "PUBLISHED (UTC)"), rows, empty="Nothing is published yet.")
    options.say_if_more(session, page.next, len(page.items))
    if page.items:
        screen.next(base.typed("ringback", "artifact", "show", page.items[-1].ref))
    else:
        screen.next("ringback artifact publish FOLDER")


@group.register
@command("show", examples=["ringback artifact show model/face/blazeface@1.1.0", "ringback artifact show 3f2a91bc"])
@click.argument("artifact", shell_complete=complete.artifacts)
def show(session: Session, artifact: str) -> None:
    """Show an ARTIFACT, named by plane/name@version or by the beginning of its digest."""
    found = find.artifact(session.client, artifact)
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    show_artifact(session, found)
    screen.next(base.typed("ringback", "freeze", found.ref) if not found.is_frozen else "ringback status")


def show_artifact(session: Session, artifact: "Artifact") -> None:
    """Print an artifact's facts and files."""
    screen = session.screen
    screen.facts(
        [
            ("artifact", artifact.ref),
            ("digest", artifact.digest),
            ("kind", artifact.kind),
            ("classes", ", ".join(artifact.classes)),
            ("requires", ", ".join(f"{subject} {text}" for subject, text in sorted(artifact.requires.items()))),
            ("epoch", str(artifact.epoch) if artifact.epoch else ""),
            ("size", words.size(artifact.size_bytes)),
            ("published", words.instant(artifact.published_at_ms)),
            ("run by", words.count(artifact.devices, "device")),
            ("state", "frozen" if artifact.is_frozen else ""),
        ]
    )
    screen.heading("Files")
    rows = [(each.path, each.role, words.size(each.size_bytes), each.sha256[:12]) for each in artifact.files]
    screen.table(("PATH", "ROLE", "SIZE", "SHA-256"), rows, empty="It has no files.")


def show_package(session: Session, package: "Package") -> None:
    """Print what would be published."""
    found = package.artifact
    rows = [(each.path, each.role, words.size(each.size_bytes), each.sha256[:12]) for each in found.files]
    if session.screen.as_json:
        session.screen.data({"reference": found.ref, "digest": found.digest, "manifest": found.manifest.decode()})
        return
    session.screen.facts(
        [("would publish", found.ref), ("digest", found.digest), ("size", words.size(found.size_bytes))]
    )
    session.screen.heading("Files")
    session.screen.table(("PATH", "ROLE", "SIZE", "SHA-256"), rows, empty="It has no files.")


def send(session: Session, package: "Package") -> "Artifact":
    """Upload what the server lacks, then publish the manifest; return what the server made of it."""
    client, artifact = session.client, package.artifact
    sizes = {each.sha256: each.size_bytes for each in artifact.files}
    missing = [sha256 for sha256 in sizes if not client.has_blob(sha256)]
    total = sum(sizes[sha256] for sha256 in missing)
    with session.screen.progress(artifact.ref, total) as bar:
        for sha256 in missing:
            client.put_blob(sha256, package.blobs[sha256], bar.add)
    return client.publish(artifact.manifest)
