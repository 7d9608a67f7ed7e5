"""The measure of all: a bare ASGI application that reads the body and answers 204, on the server we use, and no more.

Run as a program: listens on a free port of loopback and says `ready <address>`.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Read a request and answer 204."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve until killed."""
    import click
    import uvicorn
    import uvloop

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(2048)
    click.echo(f"ready http://127.0.0.1:{bound.getsockname()[1]}")
    config = uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[bound]))


if __name__ == "__main__":
    main()
