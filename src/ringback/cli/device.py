"""`ringback device`: the fleet device by device, and what one device is told.

Decides: how a device reads on a screen. Never: how it is; every word about its state comes from the server.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ringback.cli import base, complete, options, words
from ringback.cli.session import Session, command

if TYPE_CHECKING:
    from ringback.client.models import Device, DeviceBrief, DeviceOutcome, PlaneState

group = base.noun("device", "See, accept and command devices.")

STATUSES = ("accepted", "pending", "revoked", "all")
COMMANDS = ("reboot", "restart", "bundle")
# What a device is told while it works on its own is what stops people or cameras: it is asked for twice.
DISTURBING = ("reboot", "restart")


@group.register
@command(
    "list",
    examples=["ringback device list", "ringback device list --where 'region=eu,family=rk3566'"],
)
@options.where(text="Only devices with these labels; device=, class= and family= work, too.")
@click.option(
    "--status",
    type=click.Choice(STATUSES),
    default="all",
    show_default=True,
    help="Only devices that joined, wait to be accepted, or were revoked.",
)
@options.limit
def list_devices(session: Session, where: str, status: str, limit: int) -> None:
    """List devices: how each one is, what it runs, when it was last heard."""
    page = session.client.devices(where=where, status=status, limit=limit)
    screen = session.screen
    if screen.as_json:
        screen.data(page)
        return
    now_ms = now()
    rows = [
        (each.id, each.family, mood(each), running(each), words.age(each.last_report_at_ms, now_ms))
        for each in page.items
    ]
    empty = f"No device matches {where}." if where else "No device has enrolled yet."
    screen.table(("DEVICE", "FAMILY", "STATE", "RUNS", "HEARD"), rows, empty=empty)
    options.say_if_more(session, page.next, len(page.items))
    pending = [each.id for each in page.items if each.status == "pending"]
    if pending:
        screen.next(base.typed("ringback", "device", "accept", pending[0]))
    elif page.items:
        screen.next(base.typed("ringback", "device", "show", page.items[0].id))
    else:
        screen.next("ringback device list" if where else "ringback claim create")


@group.register
@command("show", examples=["ringback device show box-7"])
@click.argument("device", shell_complete=complete.devices)
def show(session: Session, device: str) -> None:
    """Show one device: its planes, how its last deployment ended, its newest readings."""
    found = session.client.device(device)
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(_facts(found, now()))
    columns = ("PLANE", "RUNS", "WANTED", "LAST GOOD", "STABLE", "BEFORE")
    screen.heading("Planes")
    screen.table(columns, [_plane(each) for each in found.planes], empty="It has not reported any plane yet.")
    if found.outcome is not None:
        screen.heading("Last deployment")
        screen.facts(outcome_facts(found.outcome))
    if found.readings:
        screen.heading("Readings")
        screen.facts((name, str(value)) for name, value in sorted(found.readings.items()))
    if found.commands:
        screen.heading("Commands")
        rows = [(str(each.id), f"{each.kind} {each.arg}".strip(), each.state) for each in found.commands]
        screen.table(("ID", "COMMAND", "STATE"), rows, empty="")
    screen.next(_after_show(found))


@group.register
@command("accept", examples=["ringback device accept box-7"])
@click.argument("device", shell_complete=complete.devices)
def accept(session: Session, device: str) -> None:
    """Let a device that has enrolled join the fleet."""
    found = session.client.accept_device(device)
    if session.screen.as_json:
        session.screen.data(found)
        return
    session.screen.line(f"{found.id} is {found.status}; it gets its first desired state at its next check-in.")
    session.screen.next(base.typed("ringback", "device", "show", found.id))


@group.register
@command("revoke", examples=["ringback device revoke box-7 --yes"])
@click.argument("device", shell_complete=complete.devices)
@options.yes
def revoke(session: Session, device: str, yes: bool) -> None:
    """Refuse everything a device asks from now on; it may enrol again with a new claim."""
    screen = session.screen
    found = session.client.device(device)
    screen.say(f"{found.id} ({words.pairs(found.labels)}) keeps running what it runs, and is not heard any more.")
    again = base.typed("ringback", "device", "revoke", device, "--yes")
    screen.confirmed(f"Revoke {found.id}?", is_agreed=yes, again=again)
    changed = session.client.revoke_device(device)
    if screen.as_json:
        screen.data(changed)
        return
    screen.line(f"{changed.id} is {changed.status}.")
    screen.next("ringback claim create")


@group.register
@command(
    "command",
    examples=["ringback device command box-7 bundle", "ringback device command box-7 restart inference --yes"],
)
@click.argument("device", shell_complete=complete.devices)
@click.argument("kind", type=click.Choice(COMMANDS))
@click.argument("arg", default="")
@options.yes
def send(session: Session, device: str, kind: str, arg: str, *, yes: bool) -> None:
    """Tell a device to reboot, to restart a service (ARG names it), or to send a bundle of diagnostics.

    It does so once, at its next check-in. A server can send nothing else: no command line, no path.
    """
    screen = session.screen
    if (kind == "restart") != bool(arg):
        raise click.UsageError("restart takes the name of a service; reboot and bundle take nothing")
    if kind in DISTURBING:
        screen.say(f"{device} will {kind} {arg}".rstrip() + "; its inference stops meanwhile.")
        again = base.typed("ringback", "device", "command", device, kind, *([arg] if arg else []), "--yes")
        screen.confirmed("Go on?", is_agreed=yes, again=again)
    queued = session.client.send_command(device, kind, arg)
    if screen.as_json:
        screen.data(queued)
        return
    screen.line(f"Command {queued.id} ({kind}) is {queued.state}; {device} takes it at its next check-in.")
    screen.next(base.typed("ringback", "device", "show", device))


def now() -> int:
    """Return UTC ms by this machine's clock, for ages; `ringback doctor` says how far it is from the server's."""
    return int(time.time() * 1000)


def mood(device: "DeviceBrief | Device") -> str:
    """Return how a device is in one or two words, the most urgent first."""
    if device.status != "accepted":
        return device.status
    flags = [flag.replace("_", " ") for flag in device.flags]
    return ", ".join([*(["silent"] if device.is_silent else []), *flags, *([device.state] if device.state else [])])


def running(device: "DeviceBrief") -> str:
    """Return the planes with the versions that a device runs."""
    return ", ".join(f"{plane} {version}" for plane, version in sorted(device.planes.items()))


def outcome_facts(outcome: "DeviceOutcome") -> Iterator[tuple[str, str]]:
    """Yield how a deployment ended, as names and values."""
    yield "ended", outcome.kind + (" (drill)" if outcome.drill else "")
    yield "rule", f"{outcome.rule} {outcome.code}".strip()
    if outcome.reading is not None and outcome.limit is not None:
        yield "observed", words.observed(outcome.reading, outcome.operator, outcome.limit)
    yield "plane", outcome.plane
    yield "went back", ", ".join(outcome.rung)
    if outcome.healthy is not None and outcome.rung:
        yield "healthy", "yes" if outcome.healthy else "no"
    yield "found in", "" if outcome.detect_ms is None else words.duration(outcome.detect_ms)
    yield "back in", "" if outcome.recover_ms is None else words.duration(outcome.recover_ms)
    yield "it says", outcome.text


def _facts(device: "Device", now_ms: int) -> Iterator[tuple[str, str]]:
    yield "device", device.id
    yield "state", mood(device)
    yield "heard", words.age(device.last_report_at_ms, now_ms)
    yield "class", f"{device.device_class} (family {device.family})" if device.family else device.device_class
    yield "labels", words.pairs(device.labels)
    yield "serial", device.serial
    yield "mode", device.mode if device.mode != "normal" else ""
    yield "agent", device.agent
    yield "boots", str(device.boots) if device.boots else ""
    yield "rollout", device.rollout
    behind = "" if device.have_generation >= device.generation else f", it has {device.have_generation} so far"
    yield "generation", f"{device.generation}{behind}" if device.generation else ""
    yield "unknown", ", ".join(words.short(digest) for digest in device.unknown_digests)


def _plane(plane: "PlaneState") -> tuple[str, ...]:
    runs = _name(plane.running, plane.running_digest)
    return (
        plane.plane,
        runs + (" (never published here)" if plane.is_unknown else ""),
        *(
            _beside(runs, _name(reference, digest))
            for reference, digest in (
                (plane.desired, plane.desired_digest),
                (plane.confirmed, plane.confirmed_digest),
                (plane.stable, plane.stable_digest),
                (plane.previous, plane.previous_digest),
            )
        ),
    )


def _name(reference: str, digest: str) -> str:
    """Return name and version without the plane, which is in another column."""
    is_published = "@" in reference
    return reference.rpartition("/")[2] if is_published else words.short(digest) or "-"


def _beside(runs: str, other: str) -> str:
    """Return the version alone where the name is that of what runs."""
    name, _, version = other.partition("@")
    return version if version and name == runs.partition("@")[0] else other


def _after_show(device: "Device") -> str:
    if device.status == "pending":
        return base.typed("ringback", "device", "accept", device.id)
    if device.rollout:
        return base.typed("ringback", "rollout", "show", device.rollout)
    if "safe_mode" in device.flags:
        return base.typed("ringback", "recover", "--to-stable", "--where", f"device={device.id}")
    return base.typed("ringback", "device", "command", device.id, "bundle")
