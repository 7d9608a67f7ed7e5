"""`ringback status`: the whole fleet on one page.

Decides: what comes first: what needs a person. Never: what is a problem; the server says that.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringback.cli import base, rollout_view, words
from ringback.cli.session import Session, command

if TYPE_CHECKING:
    from ringback.client.models import Status


@command("status", examples=["ringback status", "ringback status --json"])
def status(session: Session) -> None:
    """Show the fleet, and what is going on in it."""
    found = session.client.status()
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(_facts(found, session.settings.server))
    for warning in found.warnings:
        screen.line(f"warning: {warning}")
    if found.rollouts:
        screen.heading("Rollouts")
        screen.table(rollout_view.COLUMNS, [rollout_view.row(each) for each in found.rollouts], empty="")
    if found.stops:
        screen.heading("Stopped: nothing newly activates here")
        stops = [(each.id, each.where or "everywhere", each.reason) for each in found.stops]
        screen.table(("STOP", "WHERE", "REASON"), stops, empty="")
    if found.freezes:
        screen.heading("Frozen: nobody newly activates this")
        freezes = [(each.id, each.artifact, str(each.devices), each.reason) for each in found.freezes]
        screen.table(("FREEZE", "ARTIFACT", "RUN BY", "REASON"), freezes, empty="")
    screen.next(_after(found))


def _facts(found: "Status", server: str) -> Iterator[tuple[str, str]]:
    devices = found.devices
    yield (
        "server",
        f"{server}, version {found.version}, up {words.duration(found.now_at_ms - found.listening_since_at_ms)}",
    )
    parts = {
        "accepted": devices.accepted,
        "pending": devices.pending,
        "silent": devices.silent,
        "busy": devices.busy,
        "in safe mode": devices.safe_mode,
        "stopped": devices.stopped,
        "revoked": devices.revoked,
    }
    shown = ", ".join(f"{number:,} {name}" for name, number in parts.items() if number)
    yield "fleet", words.count(devices.total, "device") + (f": {shown}" if shown else "")
    yield "agents", ", ".join(f"{number:,} {name}" for name, number in sorted(found.states.items()))
    yield "disk", f"{words.size(found.disk.free_bytes)} free, {words.share(found.disk.used_ppm)} used"


def _after(found: "Status") -> str:
    if found.devices.total == 0:
        return "ringback claim create"
    if found.rollouts:
        return base.typed("ringback", "rollout", "show", found.rollouts[0].release)
    if found.devices.pending or found.devices.silent:
        return "ringback device list"
    return "ringback plan -f release.yaml"
