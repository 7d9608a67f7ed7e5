"""`ringback server`: starts one server and stays until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ringback.errors import RingbackError
from ringback.server.settings import MEANINGS, Settings

if TYPE_CHECKING:
    import uvicorn

LINGER_S: Final = 5
"""Time for requests in hand when the server is told to stop."""

KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Give the command one option for each setting, in their order."""
    for each in reversed(fields(Settings)):
        name = f"--{each.name.replace('_', '-')}"
        kind: Any = {"Path": click.Path(path_type=Path, file_okay=False)}.get(str(each.type))
        if each.type == "bool":
            decorate = click.option(name, is_flag=True, help=MEANINGS[each.name])
        else:
            kind = kind or {"int": int, "str": str}[str(each.type)]
            if each.name == "log_level":
                kind = click.Choice(["debug", "info", "warning", "error"])
            decorate = click.option(name, type=kind, default=each.default, show_default=True, help=MEANINGS[each.name])
        function = decorate(function)
    return function


@click.command("server", context_settings={"auto_envvar_prefix": "RINGBACK"})
@_options
def command(**options: Any) -> None:
    """Start a server: check-ins, artifacts, the operator API and the controller."""
    settings = Settings(**options)
    try:
        serve(settings)
    except RingbackError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(1)


def serve(settings: Settings) -> None:
    """Run a server until SIGTERM or SIGINT."""
    from ringback.server import logs

    logs.configure(settings.log_level)
    try:
        import uvloop
    except ImportError:  # no wheel on this platform: slower, otherwise the same
        asyncio.run(_serve(settings))
        return
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    import structlog
    import uvicorn

    from ringback.server.app import running, write_address
    from ringback.server.device.protocol import protocol_for

    log = structlog.get_logger("server")
    async with running(settings) as app:
        bound = _bind(settings)
        port = bound.getsockname()[1]
        url = settings.url.rsplit(":", 1)[0] + f":{port}"
        config = uvicorn.Config(
            app,
            http=protocol_for(app.check_ins),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LINGER_S,
            ssl_certfile=settings.tls_cert or None,
            ssl_keyfile=settings.tls_key or None,
            backlog=BACKLOG,
        )
        # The read model is there for good: nothing of it has to be looked at again by every full collection.
        gc.collect()
        gc.freeze()

        def ready() -> None:
            write_address(settings.data, url)
            log.info("server_ready", url=url, pid=os.getpid(), devices=len(app.context.fleet.devices))
            click.echo(f"ready {url}")

        await _until_told_to_stop(config, bound, ready)
        log.info("server_stopping")


async def _until_told_to_stop(config: uvicorn.Config, bound: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second one does not wait for requests in hand.

    Args:
        ready: called once when requests are answered and signals are heeded.
    """
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # The base class raises the signal again when it is done, which would end the process before the last fold.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    await Server(config).serve(sockets=[bound])


def _bind(settings: Settings) -> socket.socket:
    """Return a bound socket, so that a taken port is an error before anything is promised."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        from ringback.errors import NeedsHumanError

        raise NeedsHumanError(
            "RB-SERVER-004",
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}",
            hint="stop the other program, or take a free port with --port 0",
        ) from error
    bound.listen(BACKLOG)
    return bound
