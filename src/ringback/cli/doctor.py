"""`ringback doctor`: looks for what goes wrong between a person and a fleet: settings, server, clock, keys, disk.

Decides: what is a warning and what a failure. Never: changes anything.

- A check that can't be made because an earlier one failed is not shown as passed; it is not shown.
"""

import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringback import __version__
from ringback.cli import settings, words
from ringback.cli.exits import ExitCode, leave
from ringback.cli.session import Session, command
from ringback.errors import RingbackError

if TYPE_CHECKING:
    from ringback.client.models import Status

OK, WARNING, FAIL = "ok", "warning", "fail"
# Ages on screen are wrong by the offset; a minute is what a person notices. Nothing is decided by this clock.
CLOCK_OFFSET_MAX_MS = 60_000
# The journal and uploads need room; below this a person has an hour or so on a busy server.
DISK_FREE_MIN_BYTES = 1_000_000_000
DISK_USED_MAX_PPM = 950_000
SILENT_MAX_PPM = 50_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its result is ok, warning or fail; `found` says what was seen, `hint` what to do."""

    check: str
    result: str
    found: str
    hint: str = ""


@command("doctor", examples=["ringback doctor", "ringback doctor --json"])
def doctor(session: Session) -> None:
    """Check settings, server, clock, keys, disk and fleet.

    Exit code 1 if a check fails; warnings do not count.
    """
    findings = list(examine(session))
    screen = session.screen
    if screen.as_json:
        screen.data(findings)
    else:
        screen.table(
            ("CHECK", "RESULT", "FOUND"), [(each.check, each.result, each.found) for each in findings], empty=""
        )
        for each in findings:
            if each.hint:
                screen.line(f"hint ({each.check}): {each.hint}")
    if any(each.result == FAIL for each in findings):
        raise leave(ExitCode.REFUSED)
    screen.next("ringback status")


def examine(session: Session) -> Iterator[Finding]:
    """Yield every finding, the first cause first."""
    try:
        found = session.settings
    except RingbackError as error:
        yield Finding("settings", FAIL, f"{error.code}: {error.message}", error.hint)
        return
    yield Finding("settings", OK, f"server from {found.server_from}, token from {found.token_from}")
    yield from secrecy(found)
    before_ms = time.time() * 1000
    try:
        health = session.client.ready()
        status = session.client.status()
    except RingbackError as error:
        yield Finding("server", FAIL, f"{error.code}: {error.message}", error.hint)
        return
    after_ms = time.time() * 1000
    parts = ", ".join(f"{name}: {text}" for name, text in health.checks.items() if text != OK)
    yield Finding("server", OK if health.ok else FAIL, f"{found.server}" + (f"; {parts}" if parts else ", ready"))
    yield version(status.version)
    yield clock(status.now_at_ms, before_ms=int(before_ms), after_ms=int(after_ms))
    yield from of_status(status)


def secrecy(found: settings.Settings) -> Iterator[Finding]:
    """Yield how a token could become known to others."""
    if found.token and found.server.startswith("http://") and not settings.is_loopback(found.server):
        yield Finding("token", WARNING, f"it travels in the open to {found.server}", "use https")
    file = settings.config_file()
    if found.token_from == str(file) and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding("token", WARNING, f"others on this machine can read {file}", f"chmod 600 {file}")


def version(server: str) -> Finding:
    """Return whether server and command are of the same version."""
    if server == __version__:
        return Finding("version", OK, f"{server}, like this command")
    return Finding(
        "version", WARNING, f"the server is {server}, this command {__version__}", "use the same version of both"
    )


def clock(server_ms: int, *, before_ms: int, after_ms: int) -> Finding:
    """Return how far this machine's clock is from the server's; the answer was made between the two instants."""
    offset_ms = server_ms - min(max(server_ms, before_ms), after_ms)
    if abs(offset_ms) <= CLOCK_OFFSET_MAX_MS:
        return Finding("clock", OK, f"{words.duration(abs(offset_ms))} from the server's")
    side = "behind" if offset_ms > 0 else "ahead of"
    found = f"this machine is {words.duration(abs(offset_ms))} {side} the server"
    return Finding("clock", WARNING, found, "ages on screen are wrong by that; nothing is decided by this clock")


def of_status(status: "Status") -> Iterator[Finding]:
    """Yield what the server's own account of itself gives reason to say."""
    disk = status.disk
    is_full = disk.free_bytes < DISK_FREE_MIN_BYTES or disk.used_ppm > DISK_USED_MAX_PPM
    room = f"{words.size(disk.free_bytes)} free, {words.share(disk.used_ppm)} used"
    yield Finding("disk", WARNING if is_full else OK, room, "make room for the journal and uploads" if is_full else "")
    devices = status.devices
    heard = f"{words.count(devices.total, 'device')}, {devices.silent} silent, {devices.safe_mode} in safe mode"
    is_quiet = devices.silent * 1_000_000 > devices.accepted * SILENT_MAX_PPM
    hint = "see which with: ringback device list" if is_quiet or devices.safe_mode else ""
    yield Finding("fleet", WARNING if hint else OK, heard, hint)
    for warning in status.warnings:
        name, _, text = warning.partition(": ")
        yield Finding(name if text else "server", WARNING, text or warning)
