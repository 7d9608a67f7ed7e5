"""`ringback claim`: tokens that let devices enrol."""

import click

from ringback.cli import base, options, words
from ringback.cli.session import Session, command

group = base.noun("claim", "Make tokens that let devices enrol.")


@group.register
@command("create", examples=["ringback claim create", "ringback claim create --uses 200 --for 2d"])
@click.option("--uses", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Devices it lets in.")
@click.option(
    "--for",
    "lifetime_ms",
    callback=options.as_duration_ms,
    default="1d",
    show_default=True,
    metavar="DURATION",
    help="How long it works.",
)
@click.option(
    "--accept/--pending",
    "auto_accept",
    default=None,
    help="Devices join at once, or wait for `ringback device accept`; without either as the server is set up.",
)
def create(session: Session, uses: int, lifetime_ms: int, auto_accept: bool | None) -> None:
    """Make a token that lets devices enrol. It is shown once."""
    claim = session.client.create_claim(uses=uses, ttl_ms=lifetime_ms, auto_accept=auto_accept)
    screen = session.screen
    if screen.as_json:
        screen.data(claim)
        return
    screen.facts(
        [
            ("token", claim.token),
            ("lets in", words.count(claim.uses_left, "device")),
            ("until", words.instant(claim.expires_at_ms)),
            ("joins", "at once" if claim.auto_accept else "when accepted"),
        ]
    )
    screen.say("The token is not shown again.")
    screen.next(
        f"ringback agent run --state ./box --server {session.settings.server} --claim {claim.token} "
        "--serial SERIAL --class CLASS"
    )


@group.register
@command("list", examples=["ringback claim list"])
@options.limit
def list_claims(session: Session, limit: int) -> None:
    """List the tokens that let devices enrol, without the tokens themselves."""
    page = session.client.claims(limit=limit)
    screen = session.screen
    if screen.as_json:
        screen.data(page)
        return
    rows = [
        (each.id, str(each.uses_left), words.minute(each.expires_at_ms), "at once" if each.auto_accept else "accepted")
        for each in page.items
    ]
    screen.table(("CLAIM", "LETS IN", "UNTIL (UTC)", "JOINS"), rows, empty="There is no claim.")
    options.say_if_more(session, page.next, len(page.items))
    screen.next("ringback claim create")
