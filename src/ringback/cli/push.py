"""`ringback push`: one artifact to one device, with the same trial and the same way back as a rollout, and no rings.

Decides: what is pushed. Never: whether it is good; the device's own trial says that.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringback.cli import artifact, complete, find, options, pushes, successors
from ringback.cli.session import Session, command
from ringback.errors import NotFoundError

if TYPE_CHECKING:
    from ringback.publisher.manifest import Package


@command(
    "push",
    examples=[
        "ringback push blazeface-int8.onnx --to box-7",
        "ringback push blazeface-int8.onnx --to box-7 --app ./door-app --version 1.4.0",
        "ringback push model/face/blazeface@1.1.0 --to box-7",
        "ringback push ./door-app --to box-7",
        "ringback push --rollback --to box-7",
    ],
)
@click.argument("what", default="", metavar="[FILE|FOLDER|ARTIFACT]")
@click.option("--to", "device", required=True, metavar="DEVICE", help="The device.", shell_complete=complete.devices)
@click.option("--plane", default="", metavar="PLANE", help="The plane of a FILE, where it is not plain.")
@click.option("--version", default="", metavar="VERSION", help="Its version; without it the next one after the newest.")
@click.option(
    "--app",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="The app that runs the model on the device: its replay answers the golden set here.",
)
@click.option(
    "--skip-quality", default="", metavar="REASON", help="Push a model that fails its own quality check; on record."
)
@click.option("--rollback", is_flag=True, help="Take the last push to the device back.")
@options.reason(default=options.BY_HAND)
@options.timeout("10min")
@options.dry_run
@options.yes
def push(
    session: Session,
    what: str,
    *,
    device: str,
    plane: str,
    version: str,
    app: Path | None,
    skip_quality: str,
    rollback: bool,
    reason: str,
    timeout_ms: int,
    dry_run: bool,
    yes: bool,
) -> None:
    """Bring a model, a config or an artifact to one device, and follow it.

    A model or config FILE is published as the next version of what the device runs. It is followed until the device has
    confirmed it, or has gone back and said why. A model is asked what the version
    before was asked (its golden set); the answers need the app that runs it: --app FOLDER, or nothing, if that app was
    published from this machine. A FOLDER with an artifact.yaml, or an ARTIFACT that is published already, work, too.

    Exit code 7: the device refused it or went back; 8: it goes on, but --timeout is over.
    """
    if rollback == bool(what):
        raise click.UsageError("name what to push, or --rollback")
    if rollback:
        pushes.go_back(session, device, reason=reason, timeout_ms=timeout_ms, dry_run=dry_run, yes=yes)
        return
    client = session.client
    with tempfile.TemporaryDirectory(prefix="ringback-") as folder:
        wish = successors.Wish(plane=plane, version=version, app=app, skip_quality=skip_quality)
        found = resolved(session, what, device, wish=wish, workspace=Path(folder))
        if not isinstance(found, str) and dry_run:
            artifact.show_package(session, found)
            return
        reference = found if isinstance(found, str) else artifact.send(session, found).ref
    if dry_run:
        pushes.show(session, client.push(reference, device, reason=reason, dry_run=True))
        return
    pushes.follow(session, client.push(reference, device, reason=reason), timeout_ms=timeout_ms)


def resolved(session: Session, what: str, device: str, *, wish: successors.Wish, workspace: Path) -> "Package | str":
    """Return what is to be pushed: a package to publish first, or the reference of what is published already.

    Raises:
        NotFoundError: RB-CLI-044: neither a file nor an artifact.
    """
    from ringback.publisher import recipe
    from ringback.publisher.manifest import Package

    path = Path(what)
    if path.is_dir():
        sealing = recipe.sealing_with(wish.app, wish.skip_quality) if wish.app is not None else None
        return recipe.package_of(path, workspace, sealing)
    if path.is_file():
        found = successors.package_of(session, path, device, wish=wish, workspace=workspace)
        if isinstance(found, Package):
            return found
        session.screen.say(f"{what} is published already, as {found.ref}.")
        return found.ref
    try:
        return find.artifact(session.client, what).ref
    except NotFoundError as cause:
        raise NotFoundError(
            "RB-CLI-044",
            f"{what!r} is no file here, and no artifact of that name was published",
            hint="see what there is with: ringback artifact list",
        ) from cause
