"""Orders to one device: shown, followed to their end, taken back.

Decides: how long one waits, and with which exit code one leaves. Never: whether a device is healthy; it says that.
"""

import time
from typing import TYPE_CHECKING

from ringback.cli import base, device, options, words
from ringback.cli.exits import ExitCode, leave
from ringback.cli.session import Session
from ringback.errors import NotFoundError

if TYPE_CHECKING:
    from ringback.client.models import Push

LOOK_EVERY_S = 0.5
DONE = "done"
ENDED_BADLY = frozenset({"failed", "refused", "withdrawn"})


def follow(session: Session, push: "Push", *, timeout_ms: int) -> None:
    """Tell each step of an order until it ends, then show how; leaves with code 7 or 8 if it did not end well."""
    if push.state == DONE and push.goal == push.before:
        session.screen.say(f"{push.device} runs it already: there was nothing to do.")
        show(session, push)
        return
    ends_s = time.monotonic() + timeout_ms / 1000
    told = ""
    while True:
        if push.text != told:
            told = push.text
            session.screen.say(f"{push.device}: {told}")
        is_over = push.state == DONE or push.state in ENDED_BADLY
        if is_over or time.monotonic() >= ends_s:
            show(session, push)
            if push.state in ENDED_BADLY:
                raise leave(ExitCode.ENDED_BADLY)
            if not is_over:
                raise leave(ExitCode.STILL_GOING)
            return
        time.sleep(LOOK_EVERY_S)
        push = session.client.push_state(push.id)


def show(session: Session, push: "Push") -> None:
    """Print an order and how it ended."""
    screen = session.screen
    if screen.as_json:
        screen.data(push)
        return
    screen.facts(
        [
            (push.kind.replace("-", " "), words.versions(push.goal)),
            ("device", push.device),
            ("state", f"{push.state}: {push.text}"),
            ("before", words.versions(push.before)),
            ("reason", push.reason),
        ]
    )
    if push.outcome is not None:
        screen.heading("The device says")
        screen.facts(device.outcome_facts(push.outcome))
    if push.state == DONE and push.kind == "push":
        screen.next(base.typed("ringback", "rollback", push.device))
    else:
        screen.next(base.typed("ringback", "device", "show", push.device))


def go_back(session: Session, device_id: str, *, reason: str, timeout_ms: int, dry_run: bool, yes: bool) -> None:
    """Take back the last push to a device that was not taken back yet, and follow it.

    Raises:
        NotFoundError: RB-CLI-036 nothing was pushed there.
    """
    client, screen = session.client, session.screen
    last = last_push(session, device_id)
    planned = client.push_back(last.id, reason=reason, dry_run=True)
    if dry_run:
        show(session, planned)
        return
    screen.say(f"{device_id} goes back from {words.versions(last.goal)} to {words.versions(planned.goal)}.")
    screen.confirmed("Go on?", is_agreed=yes, again=base.typed("ringback", "rollback", device_id, "--yes"))
    follow(session, client.push_back(last.id, reason=reason), timeout_ms=timeout_ms)


def last_push(session: Session, device_id: str) -> "Push":
    """Return the newest push to a device that is neither undone nor ended without an effect."""
    known = session.client.pushes(device=device_id, limit=options.LIMIT_MAX).items
    undone = {each.undoes for each in known if each.undoes}
    for each in reversed(known):
        is_standing = each.kind == "push" and each.id not in undone and each.state not in ENDED_BADLY
        if is_standing and each.goal != each.before:
            return each
    raise NotFoundError(
        "RB-CLI-036",
        f"nothing was pushed to {device_id} that could be taken back"
        + (f" ({words.count(len(known), 'order')} there so far)" if known else ""),
        hint=f"to go back to the last-known-good set: ringback recover --to-stable --where device={device_id}",
    )
