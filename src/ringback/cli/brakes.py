"""`ringback pause`, `stop`, `freeze`, `resume`: what may not go on, and that it may again.

Decides: what is shown before it is done. Never: what a brake reaches; the server counts that, before and after.

- pause: a rollout does not widen. stop: nothing newly activates where a selector holds. freeze: nobody gets this.
- None of them takes anything back (`ringback rollback` and `ringback recover` do).
"""

import click

from ringback.cli import base, complete, find, options, rollout_view, words
from ringback.cli.session import Session, command
from ringback.errors import NotFoundError


@command("pause", examples=["ringback pause face-int8", "ringback pause face-int8 --reason 'looking at night scenes'"])
@click.argument("rollout", shell_complete=complete.rollouts)
@options.reason(default=options.BY_HAND)
def pause(session: Session, rollout: str, reason: str) -> None:
    """Let a rollout not widen.

    What was offered goes on, and so do its gates.

    A rollout is named by its id, the beginning of its id, or its release.
    """
    client, screen = session.client, session.screen
    changed = client.order_rollout(find.rollout(client, rollout), "pause", reason=reason)
    if screen.as_json:
        screen.data(changed)
        return
    rollout_view.brief(screen, changed)
    screen.next(rollout_view.following(changed.release, changed.state))


@command(
    "stop",
    examples=["ringback stop --where 'customer=acme,region=eu'", "ringback stop --where class=rk3566-door --yes"],
)
@options.where(text="Which devices: labels, or device=, class=, family=.", required=True)
@options.reason(default=options.BY_HAND)
@options.dry_run
@options.yes
def stop(session: Session, *, where: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Let nothing newly activate on the devices you name.

    Whatever was offered to them and not begun is taken back. Devices that are activating already are beyond recall;
    they end their trial by themselves. Holds until
    `ringback resume`.
    """
    client, screen = session.client, session.screen
    found = client.stop(where, reason=reason, dry_run=True)
    if not dry_run:
        screen.say(
            f"Where {where}: {words.count(found.devices, 'device')}; {words.count(found.withdrawn, 'offer')} taken "
            f"back, {words.count(found.beyond_recall, 'device')} beyond recall."
        )
        again = base.typed("ringback", "stop", "--where", where, *_reasoned(reason), "--yes")
        screen.confirmed("Stop them?", is_agreed=yes, again=again)
        found = client.stop(where, reason=reason)
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(
        [
            ("stop", found.id or "(dry run: nothing was done)"),
            ("where", found.where),
            ("devices", str(found.devices)),
            ("offers taken back", str(found.withdrawn)),
            ("beyond recall", str(found.beyond_recall)),
            ("reason", found.reason),
        ]
    )
    screen.next(base.typed("ringback", "resume", found.id) if found.id else f"{_stop(where)} --yes")


@command(
    "freeze",
    examples=[
        "ringback freeze model/face/blazeface@1.2.0",
        "ringback freeze 3f2a91bc --reason 'sees nobody at night' --yes",
    ],
)
@click.argument("artifact", shell_complete=complete.artifacts)
@options.reason(default=options.BY_HAND)
@options.dry_run
@options.yes
def freeze(session: Session, artifact: str, *, reason: str, dry_run: bool, yes: bool) -> None:
    """Let nobody newly activate an artifact, anywhere.

    Devices that are offline learn it when they come back. Devices that run it keep it. It is named by
    plane/name@version or by the beginning of its digest.
    """
    client, screen = session.client, session.screen
    named = find.artifact(client, artifact)
    found = client.freeze(named.digest, reason=reason, dry_run=True)
    if not dry_run:
        screen.say(
            f"{named.ref}: {words.count(found.devices, 'device')} run it and keep it, "
            f"{words.count(found.beyond_recall, 'device')} beyond recall; nobody else gets it."
        )
        again = base.typed("ringback", "freeze", artifact, *_reasoned(reason), "--yes")
        screen.confirmed("Freeze it?", is_agreed=yes, again=again)
        found = client.freeze(named.digest, reason=reason)
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(
        [
            ("freeze", found.id or "(dry run: nothing was done)"),
            ("artifact", found.artifact),
            ("digest", found.digest),
            ("run by", words.count(found.devices, "device")),
            ("beyond recall", str(found.beyond_recall)),
            ("reason", found.reason),
        ]
    )
    if found.id:
        screen.next(base.typed("ringback", "recover", "--to-stable", "--plane", found.plane, "--where", "..."))
    else:
        screen.next(base.typed("ringback", "freeze", artifact, "--yes"))


@command(
    "resume",
    examples=[
        "ringback resume face-int8",
        "ringback resume --where 'customer=acme,region=eu'",
        "ringback resume stop-8f3a",
        "ringback resume freeze-51c2",
    ],
)
@click.argument("brake", default="", metavar="[ROLLOUT|STOP|FREEZE]", shell_complete=complete.brakes)
@options.where(text="Lift the stops that were set with this selector.")
@options.reason(default=options.BY_HAND)
def resume(session: Session, brake: str, where: str, reason: str) -> None:
    """Let a paused rollout go on, or lift a stop or a freeze."""
    if bool(brake) == bool(where):
        raise click.UsageError("name a rollout, a stop or a freeze, or the --where of a stop")
    client, screen = session.client, session.screen
    if where:
        _lift(session, _stops_of(session, where))
        return
    if brake in {each.id for each in client.stops(limit=options.LIMIT_MAX).items}:
        _lift(session, [brake])
        return
    if brake in {each.id for each in client.freezes(limit=options.LIMIT_MAX).items}:
        freeze_lifted = client.lift_freeze(brake)
        if screen.as_json:
            screen.data(freeze_lifted)
            return
        screen.line(f"{freeze_lifted.artifact} is not frozen any more.")
        screen.next(base.typed("ringback", "artifact", "show", freeze_lifted.artifact))
        return
    changed = client.order_rollout(find.rollout(client, brake), "resume", reason=reason)
    if screen.as_json:
        screen.data(changed)
        return
    rollout_view.brief(screen, changed)
    screen.next(rollout_view.following(changed.release, changed.state))


def _stops_of(session: Session, where: str) -> list[str]:
    wanted = _selector(where)
    known = session.client.stops(limit=options.LIMIT_MAX).items
    found = [each.id for each in known if _selector(each.where) == wanted]
    if not found:
        raise NotFoundError(
            "RB-CLI-033", f"nothing is stopped where {where}", hint="see what is stopped with: ringback status"
        )
    return found


def _selector(where: str) -> tuple[str, ...]:
    """Return a selector so that spaces and the order of its parts make no difference."""
    from ringback.spec.selector import parse_selector

    return tuple(sorted(str(each) for each in parse_selector(where).requirements))


def _lift(session: Session, stop_ids: list[str]) -> None:
    lifted = [session.client.lift_stop(each) for each in stop_ids]
    if session.screen.as_json:
        session.screen.data(lifted)
        return
    for each in lifted:
        session.screen.line(f"{each.id} is lifted: what is wanted activates again where {each.where}.")
    session.screen.next("ringback status")


def _reasoned(reason: str) -> list[str]:
    return ["--reason", reason] if reason != options.BY_HAND else []


def _stop(where: str) -> str:
    return base.typed("ringback", "stop", "--where", where)
