"""`ringback class`: device classes, one immutable version after the other."""

from pathlib import Path

import click

from ringback.cli import base, complete, options, words
from ringback.cli.session import Session, command
from ringback.cli.texts import class_text

group = base.noun("class", "Create and see device classes.")


@group.register
@command("create", examples=["ringback class create -f rk3566-door.yaml"])
@options.document("A device class (YAML).")
def create(session: Session, file: Path) -> None:
    """Create a device class, or its next version. A version never changes."""
    made = session.client.create_class(class_text(file))
    screen = session.screen
    if screen.as_json:
        screen.data(made)
        return
    screen.facts(
        [
            ("class", f"{made.id} version {made.version}"),
            ("family", made.family),
            ("planes", ", ".join(plane.name for plane in made.planes)),
        ]
    )
    screen.next("ringback claim create")


@group.register
@command("list", examples=["ringback class list"])
@options.limit
def list_classes(session: Session, limit: int) -> None:
    """List device classes."""
    page = session.client.classes(limit=limit)
    screen = session.screen
    if screen.as_json:
        screen.data(page)
        return
    rows = [
        (each.id, str(each.version), each.family, ", ".join(plane.name for plane in each.planes), str(each.devices))
        for each in page.items
    ]
    screen.table(("CLASS", "VERSION", "FAMILY", "PLANES", "DEVICES"), rows, empty="There is no device class yet.")
    options.say_if_more(session, page.next, len(page.items))
    if page.items:
        screen.next(base.typed("ringback", "class", "show", page.items[0].id))
    else:
        screen.next("ringback class create -f class.yaml")


@group.register
@command("show", examples=["ringback class show rk3566-door"])
@click.argument("device_class", metavar="CLASS", shell_complete=complete.classes)
def show(session: Session, device_class: str) -> None:
    """Show the newest version of a device class."""
    found = session.client.device_class(device_class)
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(
        [
            ("class", f"{found.id} version {found.version}"),
            ("family", found.family),
            ("devices", str(found.devices)),
            ("capabilities", ", ".join(f"{name}={value}" for name, value in sorted(found.capabilities.items()))),
            ("polls every", words.duration(found.poll_ms)),
            ("digest", found.digest),
        ]
    )
    screen.heading("Planes")
    rows = [(plane.name, plane.kind, plane.backend, words.duration(plane.cost_ms)) for plane in found.planes]
    screen.table(("PLANE", "KIND", "BACKEND", "COST OF A SWITCH"), rows, empty="It has no planes.")
    screen.next(base.typed("ringback", "device", "list", "--where", f"class={found.id}"))
