"""`ringback plan`: what a release would do to this fleet, before it does anything.

Decides: order and layout of a plan. Never: a number in it; the server plans.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringback.cli import base, complete, words
from ringback.cli.exits import ExitCode, leave
from ringback.cli.output import Screen
from ringback.cli.session import Session, command
from ringback.cli.texts import release_text

if TYPE_CHECKING:
    from ringback.client.models import Cause, Plan, PlanHop, PlanRing, PlanTrack

# More ways than this are a list for a program (--json), not for a person.
TRACKS_SHOWN = 12


@command(
    "plan",
    examples=["ringback plan -f face-int8.yaml", "ringback plan --release face-int8 --reason 'fixes night scenes'"],
)
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="A release (YAML); - is stdin.",
)
@click.option(
    "--release",
    default="",
    metavar="RELEASE",
    shell_complete=complete.releases,
    help="A release that the server has already.",
)
@click.option("--reason", default="", metavar="TEXT", help="The reason you would give at the start.")
def plan(session: Session, file: Path | None, release: str, reason: str) -> None:
    """Show what a release would do to this fleet, and change nothing.

    Devices per ring and family, steps and hops, what is blocked and why, bytes to move, one-way doors, what a rollback
    would cost, and what the rings can prove. Exit code 1: there is no plan; the causes are shown.
    """
    if (file is None) == (not release):
        raise click.UsageError("name a file with -f, or a release with --release")
    text = release_text(file) if file is not None else ""
    found = session.client.plan(text=text, release=release, reason=reason)
    screen = session.screen
    if screen.as_json:
        screen.data(found)
    else:
        show(screen, found)
    if found.refused:
        raise leave(ExitCode.REFUSED)
    if release:
        screen.next(base.typed("ringback", "rollout", "start", release))
    else:
        screen.next(base.typed("ringback", "release", "create", "-f", str(file)))


def show(screen: Screen, found: "Plan") -> None:
    """Print a plan or a refusal."""
    if found.refused:
        screen.line(f"There is no plan for {found.release}, because:")
        _causes(screen, found.causes)
        return
    screen.facts(_facts(found))
    screen.heading("Rings")
    columns = ("RING", "DEVICES", "FAMILIES", "TO MOVE", "BLOCKED", "DRILL")
    screen.table(columns, [_ring(ring) for ring in found.rings], empty="It has no rings.")
    screen.heading("Steps")
    for track in found.tracks[:TRACKS_SHOWN]:
        _track(screen, track)
    if len(found.tracks) > TRACKS_SHOWN:
        screen.line(f"... and {len(found.tracks) - TRACKS_SHOWN} more kinds of devices (--json has all).")
    if found.blocked:
        screen.heading("Blocked")
        _causes(screen, found.blocked)
    _doors(screen, found)
    _rollback(screen, found)
    _classes(screen, found)
    if found.evidence:
        screen.heading("What the rings can show")
        rows = [(each.ring, str(each.devices), each.text) for each in found.evidence]
        screen.table(("RING", "DEVICES", "AT BEST"), rows, empty="")
    if found.warnings:
        screen.heading("Warnings")
        for warning in found.warnings:
            screen.line(f"  {warning.code} {warning.device_class}: {warning.text}")


def _facts(found: "Plan") -> Iterator[tuple[str, str]]:
    devices = found.devices
    yield "release", found.release
    yield "brings", ", ".join(f"{each.plane} {each.artifact.removeprefix(f'{each.plane}/')}" for each in found.changes)
    yield "devices", f"{devices.going:,} of {devices.targeted:,} targeted go ({devices.fleet:,} in the fleet)"
    yield "done", f"{words.count(devices.done, 'device')} run it already" if devices.done else ""
    yield "blocked", words.count(devices.blocked, "device") if devices.blocked else ""
    yield "to move", words.size(sum(ring.bytes for ring in found.rings))
    yield "queued behind", ", ".join(found.queued_behind)


def _ring(ring: "PlanRing") -> tuple[str, ...]:
    families = ", ".join(f"{family} {number:,}" for family, number in ring.families.items())
    return (
        ring.name,
        f"{ring.devices:,}",
        families,
        words.size(ring.bytes),
        f"{ring.blocked:,}" if ring.blocked else "",
        "yes" if ring.drill else "",
    )


def _track(screen: Screen, track: "PlanTrack") -> None:
    example = f", such as {track.examples[0]}" if track.examples else ""
    screen.line(f"  {words.count(track.devices, 'device')} of {track.device_class}{example}:")
    for index, hop in enumerate(track.hops, start=1):
        screen.line(f"    {index}. {_hop(hop)}")
        back = "; then ".join(" + ".join(rung.planes) for rung in hop.ladder)
        screen.line(f"       way back: {back}")


def _hop(hop: "PlanHop") -> str:
    """Return one generation in a line: planes that switch together are joined by +, one after another by an arrow."""
    groups = " -> ".join(
        " + ".join(f"{plane} {_short(hop.brings.get(plane, ''))}" for plane in group) for group in hop.order
    )
    inserted = ", inserted so that the next step is possible" if hop.inserted else ""
    return f"{groups} ({words.duration(hop.switch_ms)}){inserted}"


def _short(reference: str) -> str:
    return reference.rpartition("/")[2]


def _causes(screen: Screen, causes: "list[Cause]") -> None:
    for cause in causes:
        screen.line(f"  {cause.code}: {cause.text}")
        if cause.hint:
            screen.line(f"    hint: {cause.hint}")


def _doors(screen: Screen, found: "Plan") -> None:
    if not found.doors:
        return
    screen.heading("One-way doors")
    for door in found.doors:
        screen.line(f"  {door.code} {door.plane}: {door.text}")


def _rollback(screen: Screen, found: "Plan") -> None:
    if not found.rollback.ladder:
        return
    screen.heading("The way back")
    screen.line("  " + "; then ".join(" + ".join(rung) for rung in found.rollback.ladder))
    rows = [
        (
            cost.device_class,
            cost.plane,
            words.duration(cost.ms),
            words.size(cost.bytes),
            "yes" if cost.reboots else "no",
        )
        for cost in found.rollback.costs
    ]
    screen.table(("CLASS", "PLANE", "TAKES", "TO MOVE", "REBOOT"), rows, empty="")


def _classes(screen: Screen, found: "Plan") -> None:
    if not found.classes:
        return
    screen.heading("Device classes")
    rows = [
        (
            each.device_class,
            words.duration(each.poll_ms),
            words.duration(each.trial_ms),
            str(each.generations),
            "one by one" if each.one_plane_per_deployment else "together",
            ", ".join(each.drill_rules) or "none",
        )
        for each in found.classes
    ]
    screen.table(("CLASS", "POLLS", "TRIAL", "STEPS", "PLANES", "DRILL ON"), rows, empty="")
    for each in found.classes:
        for wear in each.flash:
            screen.line(
                f"  {each.device_class}: {wear.plane} erases "
                f"{words.count(wear.sectors * wear.erases, 'flash sector')}; the flash endures "
                f"{wear.releases_endured:,} such releases."
            )
