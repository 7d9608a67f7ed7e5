"""What a shell offers for a name: devices, rollouts, releases, artifacts of the server that the command would ask.

Decides: nothing. Never: an error: a server that does not answer within a second simply offers nothing.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from ringback.cli import settings
from ringback.errors import RingbackError

if TYPE_CHECKING:
    from ringback.client import Client

Completer = Callable[[click.Context, click.Parameter, str], list[str]]

# A person waits for the tab key.
TIMEOUT_S = 1.0
# More names than this are no help on a screen.
NAMES_MAX = 500


def from_server(names: "Callable[[Client], Iterable[str]]") -> Completer:
    """Return click's completion function that offers the names which begin as typed."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        from ringback.client import Client

        server, token = ctx.params.get("server"), ctx.params.get("token")
        try:
            found = settings.find(server, token)
            with Client(found.server, found.token, timeout_s=TIMEOUT_S) as client:
                return sorted({name for name in names(client) if name.startswith(incomplete)})
        except RingbackError:
            return []

    return complete


devices = from_server(lambda client: [each.id for each in client.devices(status="all", limit=NAMES_MAX).items])
releases = from_server(lambda client: [each.id for each in client.releases(limit=NAMES_MAX).items])
rollouts = from_server(lambda client: [each.release for each in client.rollouts(limit=NAMES_MAX).items])
artifacts = from_server(lambda client: [each.ref for each in client.artifacts(limit=NAMES_MAX).items])
classes = from_server(lambda client: [each.id for each in client.classes(limit=NAMES_MAX).items])
rollouts_and_devices = from_server(
    lambda client: [
        *(each.release for each in client.rollouts(limit=NAMES_MAX).items),
        *(each.id for each in client.devices(limit=NAMES_MAX).items),
    ]
)
brakes = from_server(
    lambda client: [
        *(each.release for each in client.rollouts(state="active", limit=NAMES_MAX).items),
        *(each.id for each in client.stops(limit=NAMES_MAX).items),
        *(each.id for each in client.freezes(limit=NAMES_MAX).items),
    ]
)
