"""One call of one command: its options, where its output goes, and which server it asks.

Decides: the shape of a command that asks a server. Never: what a command does.

- Importing a command imports click and nothing heavy: HTTP, YAML and JSON come with the first request.
- Every command has `--json`, `--server` and `--token`, and a help text with an example.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ringback.cli import base, output, settings

if TYPE_CHECKING:
    from ringback.client import Client


class Session:
    """One call of one command: where its output goes and which server it asks."""

    def __init__(self, *, as_json: bool, server: str | None, token: str | None) -> None:
        self.screen = output.Screen(as_json=as_json)
        self._server = server
        self._token = token
        self._client: Client | None = None

    @functools.cached_property
    def settings(self) -> settings.Settings:
        """Server and token. Raises InputError (RB-CLI-010 to 012) when they are not well-formed."""
        return settings.find(self._server, self._token)

    @property
    def client(self) -> "Client":
        """The connection to the server; opened by the first use, closed with the session."""
        if self._client is None:
            from ringback.client import Client

            self._client = Client(self.settings.server, self.settings.token)
        return self._client

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()


def command(name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., None]], base.Command]:
    """Make a command of a function whose first argument is the session.

    Args:
        examples: command lines as one would type them; the help text shows them.
    """

    def decorate(function: Callable[..., None]) -> base.Command:
        @functools.wraps(function)
        def run(as_json: bool, server: str | None, token: str | None, **arguments: object) -> None:
            session = Session(as_json=as_json, server=server, token=token)
            try:
                function(session, **arguments)
            finally:
                session.close()

        made = click.command(name, cls=base.Command, epilog=base.epilog(examples), context_settings=base.CONTEXT)(run)
        made.params.extend(_SHARED)
        return made

    return decorate


_SHARED = (
    click.Option(["--json", "as_json"], is_flag=True, help="Print data for programs: JSON on stdout and nothing else."),
    click.Option(
        ["--server"], envvar="RINGBACK_SERVER", show_envvar=True, metavar="URL", help="Address of the Ringback server."
    ),
    click.Option(
        ["--token"], envvar="RINGBACK_TOKEN", show_envvar=True, metavar="TOKEN", help="Who you are, to that server."
    ),
)
SHARED_NAMES = frozenset(option.name for option in _SHARED)
"""Parameters that every command has; documented once."""
