"""`ringback recover`: brings devices back to what is known to be good, or stops their workload.

Decides: what is shown before it is done. Never: what is good; the server knows each device's last-known-good set.
"""

import click

from ringback.cli import base, options, words
from ringback.cli.session import Session, command

STABLE, SAFE_MODE, NORMAL = "stable", "safe-mode", "normal"
WHAT = {
    STABLE: "go back to their last-known-good versions",
    SAFE_MODE: "stop their workload and keep only the agent",
    NORMAL: "leave safe mode",
}
EXAMPLES_SHOWN = 5


@command(
    "recover",
    examples=[
        "ringback recover --to-stable --plane model/face --where region=eu",
        "ringback recover --safe-mode --where device=box-7 --yes",
        "ringback recover --normal --where device=box-7",
    ],
)
@click.option("--to-stable", "to", flag_value=STABLE, help="Back to the last-known-good set.")
@click.option("--safe-mode", "to", flag_value=SAFE_MODE, help="Stop the workload; the agent stays reachable.")
@click.option("--normal", "to", flag_value=NORMAL, help="Leave safe mode.")
@click.option(
    "--plane", "planes", multiple=True, metavar="PLANE", help="Only this plane (with --to-stable); repeatable."
)
@options.where(text="Which devices: labels, or device=, class=, family=.", required=True)
@options.reason(default=options.BY_HAND)
@options.dry_run
@options.yes
def recover(
    session: Session, *, to: str | None, planes: tuple[str, ...], where: str, reason: str, dry_run: bool, yes: bool
) -> None:
    """Bring devices back to stable, or into safe mode, or out of it.

    The agent does it by itself at its next check-in, also while the workload is broken.
    """
    if not to:
        raise click.UsageError("say what to recover to: --to-stable, --safe-mode or --normal")
    client, screen = session.client, session.screen
    found = client.recover(to, planes=planes, where=where, reason=reason, dry_run=True)
    if not dry_run:
        named = ", ".join(found.changed[:EXAMPLES_SHOWN]) + (", ..." if len(found.changed) > EXAMPLES_SHOWN else "")
        screen.say(
            f"{len(found.changed)} of {words.count(found.devices, 'device')} {WHAT[to]}"
            + (f" on {', '.join(found.planes)}" if found.planes else "")
            + (f": {named}." if named else ".")
        )
        again = ["ringback", "recover", f"--to-{to}" if to == STABLE else f"--{to}", "--where", where]
        again += [part for plane in planes for part in ("--plane", plane)]
        again += ["--reason", reason] if reason != options.BY_HAND else []
        screen.confirmed("Go on?", is_agreed=yes, again=base.typed(*again, "--yes"))
        found = client.recover(to, planes=planes, where=where, reason=reason)
    if screen.as_json:
        screen.data(found)
        return
    screen.facts(
        [
            ("recover", to + (" (dry run: nothing was done)" if found.dry_run else "")),
            ("where", where),
            ("devices", f"{len(found.changed)} of {found.devices}"),
            ("planes", ", ".join(found.planes)),
        ]
    )
    screen.next(base.typed("ringback", "device", "list", "--where", where))
