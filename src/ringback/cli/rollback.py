"""`ringback rollback`: takes back a rollout, by plane or as a whole, or the last push to one device.

Decides: what is meant by a name. Never: how to go back; the ladder was compiled before anything went forward.
"""

from typing import TYPE_CHECKING

import click

from ringback.cli import base, complete, find, options, pushes, rollout_view, words
from ringback.cli.session import Session, command
from ringback.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from ringback.client import Client

# Outcomes of devices that never began to activate: nothing is to be taken back there.
UNTOUCHED = frozenset({"offered", "downloading", "refused", "withdrawn"})


@command(
    "rollback",
    examples=[
        "ringback rollback face-int8 --reason 'doors see nobody'",
        "ringback rollback face-int8 --plane model/face --reason 'doors see nobody' --yes",
        "ringback rollback box-7",
    ],
)
@click.argument("name", metavar="ROLLOUT|DEVICE", shell_complete=complete.rollouts_and_devices)
@click.option("--plane", "planes", multiple=True, metavar="PLANE", help="Only these planes of a rollout; repeatable.")
@options.reason(default=options.BY_HAND)
@options.timeout("10min")
@options.dry_run
@options.yes
def rollback(
    session: Session, name: str, *, planes: tuple[str, ...], reason: str, timeout_ms: int, dry_run: bool, yes: bool
) -> None:
    """Take back a rollout, or the last push to a device.

    A rollout is named by its id or its release. Its devices go back bounded in parallel, by the ladder that was
    planned before it began; follow them with
    `ringback rollout watch`. A device is followed until it is back.
    """
    rollout_id = meant(session.client, name)
    if rollout_id is None:
        if planes:
            raise click.UsageError("--plane is for rollouts; a push has one plane")
        pushes.go_back(session, name, reason=reason, timeout_ms=timeout_ms, dry_run=dry_run, yes=yes)
        return
    client, screen = session.client, session.screen
    found = client.rollout(rollout_id)
    touched = sum(number for outcome, number in found.outcomes.items() if outcome not in UNTOUCHED)
    again = ["ringback", "rollback", name, *(part for each in planes for part in ("--plane", each))]
    again += ["--reason", reason] if reason != options.BY_HAND else []
    checked = client.order_rollout(rollout_id, "rollback", reason=reason, planes=planes, dry_run=True)
    if dry_run:
        if screen.as_json:
            screen.data(checked)
            return
        screen.line(_would(found.release, touched, planes))
        screen.next(base.typed(*again, "--yes"))
        return
    screen.say(_would(found.release, touched, planes))
    screen.confirmed("Take it back?", is_agreed=yes, again=base.typed(*again, "--yes"))
    changed = client.order_rollout(rollout_id, "rollback", reason=reason, planes=planes)
    if screen.as_json:
        screen.data(changed)
        return
    rollout_view.brief(screen, changed)
    screen.next(base.typed("ringback", "rollout", "watch", changed.release))


def meant(client: "Client", name: str) -> str | None:
    """Return the id of the rollout that a name means, or None if it means a device.

    Raises:
        ConflictError: RB-CLI-034 both are called that.
        NotFoundError: RB-CLI-035 neither is.
    """
    rollout_id = find.rollout_or_none(client, name)
    try:
        client.device(name)
    except NotFoundError as cause:
        if rollout_id is None:
            raise NotFoundError(
                "RB-CLI-035",
                f"neither a rollout nor a device is called {name!r}",
                hint="see them with: ringback rollout list, ringback device list",
            ) from cause
        return rollout_id
    if rollout_id is not None:
        raise ConflictError(
            "RB-CLI-034",
            f"a device and a release are both called {name!r}",
            hint=f"name the rollout by its id, {rollout_id}, or the device with: ringback push --rollback --to {name}",
        )
    return None


def _would(release: str, touched: int, planes: tuple[str, ...]) -> str:
    what = ", ".join(planes) if planes else "all that it changed"
    return f"Takes back {release} ({what}) on {words.count(touched, 'device')} that activated it; nobody else gets it."
