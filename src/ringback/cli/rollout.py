"""`ringback rollout`: a release moving over the fleet, and why it stands where it stands.

Decides: which rollout is meant, and how long one waits. Never: what it means; sentences and numbers are the server's.
"""

import time

import click

from ringback.cli import base, complete, find, options, rollout_view, story
from ringback.cli.exits import ExitCode, leave
from ringback.cli.session import Session, command

group = base.noun("rollout", "Start, watch and explain rollouts.")

# Twice a second: fast enough for people, nothing for a server.
LOOK_EVERY_S = 0.5


@group.register
@command(
    "start",
    examples=["ringback rollout start face-int8", "ringback rollout start face-int8 --reason 'fixes night scenes'"],
)
@click.argument("release", shell_complete=complete.releases)
@options.reason(default="")
def start(session: Session, release: str, reason: str) -> None:
    """Start to roll out a registered RELEASE, ring by ring.

    A reason is needed where another release's rollback window still holds the same planes on the same devices.
    """
    made = session.client.start_rollout(release, reason=reason)
    screen = session.screen
    if screen.as_json:
        screen.data(made)
        return
    rollout_view.brief(screen, made)
    screen.next(base.typed("ringback", "rollout", "watch", made.release))


@group.register
@command("list", examples=["ringback rollout list"])
@options.limit
def list_rollouts(session: Session, limit: int) -> None:
    """List rollouts, newest first."""
    screen = session.screen
    page = find.newest_first(session.client, limit)
    if screen.as_json:
        screen.data(page)
        return
    rows = [rollout_view.row(each) for each in page.items]
    screen.table(rollout_view.COLUMNS, rows, empty="No release was rolled out yet.")
    options.say_if_more(session, page.next, len(page.items))
    if page.items:
        screen.next(base.typed("ringback", "rollout", "show", page.items[0].release))
    else:
        screen.next("ringback rollout start RELEASE")


@group.register
@command("show", examples=["ringback rollout show face-int8", "ringback rollout show 0191d3a0 --json"])
@click.argument("rollout", shell_complete=complete.rollouts)
def show(session: Session, rollout: str) -> None:
    """Show a ROLLOUT: where it stands and why, its rings, its evidence, its planes.

    A rollout is named by its id, the beginning of its id, or its release (then the newest one is meant).
    """
    found = session.client.rollout(find.rollout(session.client, rollout))
    screen = session.screen
    if screen.as_json:
        screen.data(found)
        return
    rollout_view.show(screen, found)
    screen.next(rollout_view.after(found))


@group.register
@command("explain", examples=["ringback rollout explain face-int8"])
@click.argument("rollout", shell_complete=complete.rollouts)
def explain(session: Session, rollout: str) -> None:
    """Say why a ROLLOUT is where it is, and what would let it go on."""
    found = session.client.rollout(find.rollout(session.client, rollout))
    screen = session.screen
    if screen.as_json:
        screen.data(
            {
                "id": found.id,
                "state": found.state,
                "reasons": found.reasons,
                "waiting_on": found.waiting_on,
                "verdict": found.verdict,
            }
        )
        return
    rollout_view.explain(screen, found)
    screen.next(rollout_view.after(found))


@group.register
@command(
    "watch",
    examples=["ringback rollout watch face-int8", "ringback rollout watch face-int8 --until canary --timeout 1h"],
)
@click.argument("rollout", shell_complete=complete.rollouts)
@click.option("--until", default="", metavar="STATE", help="Also end in this state; without it, when full is covered.")
@options.timeout("7d")
def watch(session: Session, rollout: str, until: str, timeout_ms: int) -> None:
    """Follow a ROLLOUT until it has reached everyone, or was taken back.

    Exit code 0: reached; 7: taken back, frozen or given up; 8: it goes on, but --timeout is over.
    """
    client, screen = session.client, session.screen
    rollout_id = find.rollout(client, rollout)
    ends_s = time.monotonic() + timeout_ms / 1000
    before = None
    while True:
        found = client.rollout(rollout_id)
        if screen.as_json:
            if before != found:
                screen.data_line(found)
        else:
            for line in story.changes(before, found):
                screen.line(line)
            if found.state in story.NEEDS_A_PERSON and (before is None or before.state != found.state):
                screen.next(rollout_view.after(found))
        end = story.ended(found.state, until.replace("-", "_"))
        if end is not None or time.monotonic() >= ends_s:
            screen.next(rollout_view.after(found))
            raise leave(end if end is not None else ExitCode.STILL_GOING)
        before = found
        time.sleep(LOOK_EVERY_S)


@group.register
@command("decisions", examples=["ringback rollout decisions face-int8"])
@click.argument("rollout", shell_complete=complete.rollouts)
@options.limit
def decisions(session: Session, rollout: str, limit: int) -> None:
    """List what was decided about a ROLLOUT, by whom and why, oldest first."""
    client, screen = session.client, session.screen
    page = client.decisions(find.rollout(client, rollout), limit=limit)
    if screen.as_json:
        screen.data(page)
        return
    for each in page.items:
        rollout_view.decision(screen, each)
    if not page.items:
        screen.line("Nothing was decided yet.")
    options.say_if_more(session, page.next, len(page.items))
    screen.next(base.typed("ringback", "rollout", "explain", rollout))


@group.register
@command(
    "deployments",
    examples=["ringback rollout deployments face-int8", "ringback rollout deployments face-int8 --outcome fell-back"],
)
@click.argument("rollout", shell_complete=complete.rollouts)
@click.option(
    "--outcome", default="", metavar="OUTCOME", help="Only those with this outcome, such as failed or silent."
)
@options.limit
def deployments(session: Session, rollout: str, outcome: str, limit: int) -> None:
    """List the devices of a ROLLOUT and what became of it there."""
    client, screen = session.client, session.screen
    page = client.deployments(find.rollout(client, rollout), outcome=outcome, limit=limit)
    if screen.as_json:
        screen.data(page)
        return
    rows = [rollout_view.deployment_row(each) for each in page.items]
    empty = f"No device with the outcome {outcome}." if outcome else "No device was offered it yet."
    screen.table(("DEVICE", "FAMILY", "RING", "OUTCOME", "BECAUSE"), rows, empty=empty)
    options.say_if_more(session, page.next, len(page.items))
    if page.items:
        screen.next(base.typed("ringback", "device", "show", page.items[0].device))
    else:
        screen.next(base.typed("ringback", "rollout", "explain", rollout))


@group.register
@command("approve", examples=["ringback rollout approve face-int8 --reason 'seen on the bench'"])
@click.argument("rollout", shell_complete=complete.rollouts)
@options.reason()
def approve(session: Session, rollout: str, reason: str) -> None:
    """Say yes to what a ROLLOUT waits for: a ring, or full without a certificate. Stays on record."""
    order(session, rollout, "approve", reason, following=base.typed("ringback", "rollout", "watch", rollout))


@group.register
@command("close", examples=["ringback rollout close face-int8 --reason 'RB-1412: the calibration set was wrong'"])
@click.argument("rollout", shell_complete=complete.rollouts)
@options.reason()
def close(session: Session, rollout: str, reason: str) -> None:
    """Close the case of a ROLLOUT that was taken back, saying what was found."""
    order(session, rollout, "close", reason)


@group.register
@command("cancel", examples=["ringback rollout cancel face-int8 --reason 'superseded' --yes"])
@click.argument("rollout", shell_complete=complete.rollouts)
@options.reason()
@options.yes
def cancel(session: Session, rollout: str, reason: str, yes: bool) -> None:
    """End a ROLLOUT where it is: nobody else gets it, and nobody goes back.

    To take devices back, use `ringback rollback`.
    """
    client, screen = session.client, session.screen
    found = client.rollout(find.rollout(client, rollout))
    screen.say(f"{rollout_view.name(found)} ends here; devices that run it keep it ({rollout_view.outcomes(found)}).")
    again = base.typed("ringback", "rollout", "cancel", rollout, "--reason", reason, "--yes")
    screen.confirmed("Cancel it?", is_agreed=yes, again=again)
    order(session, found.id, "cancel", reason)


def order(session: Session, rollout: str, verb: str, reason: str, *, following: str = "") -> None:
    """Give a rollout an order and show what became of it; `following`: what to type next, "" = as its state says."""
    client, screen = session.client, session.screen
    changed = client.order_rollout(find.rollout(client, rollout), verb, reason=reason)
    if screen.as_json:
        screen.data(changed)
        return
    rollout_view.brief(screen, changed)
    screen.next(following or rollout_view.following(changed.release, changed.state))
