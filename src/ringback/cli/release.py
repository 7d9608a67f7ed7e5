"""`ringback release`: release documents, as their authors wrote them."""

from pathlib import Path

import click

from ringback.cli import base, complete, options, words
from ringback.cli.session import Session, command
from ringback.cli.texts import release_text, text_of

group = base.noun("release", "Create, check and see releases.")


@group.register
@command("validate", examples=["ringback release validate -f face-int8.yaml"])
@options.document("A release (YAML).")
def validate(session: Session, file: Path) -> None:
    """Check what a release says, here, without a server: every mistake with its line and what to write.

    Whether what it names was published, and whether it fits the fleet, is what `ringback plan` says.
    """
    from ringback.spec.release import parse_release

    found = parse_release(text_of(file), str(file))
    screen = session.screen
    if screen.as_json:
        screen.data({"release": found.id, "versions": {pick.plane: str(pick) for pick in found.versions}})
        return
    screen.line(f"{file} is well-formed: release {found.id}, {words.count(len(found.rings), 'ring')} before full.")
    screen.next(base.typed("ringback", "plan", "-f", str(file)))


@group.register
@command("create", examples=["ringback release create -f face-int8.yaml"])
@options.document("A release (YAML).")
def create(session: Session, file: Path) -> None:
    """Keep a release, so that it can be rolled out. It never changes: another text needs another name."""
    made = session.client.create_release(release_text(file))
    screen = session.screen
    if screen.as_json:
        screen.data(made)
        return
    screen.facts([("release", made.id), ("brings", words.versions(made.versions))])
    screen.next(base.typed("ringback", "plan", "--release", made.id))


@group.register
@command("list", examples=["ringback release list"])
@options.limit
def list_releases(session: Session, limit: int) -> None:
    """List releases."""
    page = session.client.releases(limit=limit)
    screen = session.screen
    if screen.as_json:
        screen.data(page)
        return
    rows = [
        (each.id, words.versions(each.versions), words.minute(each.created_at_ms), str(len(each.rollouts)))
        for each in page.items
    ]
    screen.table(("RELEASE", "BRINGS", "CREATED (UTC)", "ROLLOUTS"), rows, empty="There is no release yet.")
    options.say_if_more(session, page.next, len(page.items))
    if page.items:
        screen.next(base.typed("ringback", "plan", "--release", page.items[-1].id))
    else:
        screen.next("ringback release create -f release.yaml")


@group.register
@command("show", examples=["ringback release show face-int8", "ringback release show face-int8 > face-int8.yaml"])
@click.argument("release", shell_complete=complete.releases)
def show(session: Session, release: str) -> None:
    """Print a release as its author wrote it."""
    found = session.client.release(release)
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    screen.document(found.yaml)
    screen.next(base.typed("ringback", "plan", "--release", found.id))
