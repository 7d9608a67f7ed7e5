"""A whole server inside a test: real store, journal, blobs and keys in a folder, spoken to by ASGI, not a socket."""

import asyncio
from contextlib import asynccontextmanager

import httpx

from ringback.server.app import running
from ringback.server.settings import Settings

LOOPBACK = ("127.0.0.1", 50000)


@asynccontextmanager
async def served(folder, *, client=LOOPBACK, **settings):
    """Yield (client, app) of a server that keeps its data in a folder."""
    told = {"demo": True, "fold_ms": 3_600_000, "tick_ms": 3_600_000, "log_level": "error", **settings}
    async with running(Settings(data=folder, **told)) as app:
        transport = httpx.ASGITransport(app=app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400") as http:
            yield http, app


def with_server(folder, deed, **settings):
    """Run `await deed(http, app)` against a server."""

    async def run():
        async with served(folder, **settings) as (http, app):
            return await deed(http, app)

    return asyncio.run(run())


async def enrolled(http, serial="box-1", device_class="door", **labels):
    """Let a device join; return its headers."""
    claim = (await http.post("/v1/claims", json={"uses": 1})).json()
    body = {"claim": claim["token"], "serial": serial, "class": device_class, "labels": labels}
    answer = (await http.post("/d/1/enrol", json=body)).json()
    return {"Authorization": f"Bearer {answer['token']}"}


def report(serial="box-1", **more):
    """Return a report's body."""
    return {
        "v": 1,
        "device": serial,
        "boot_id": "0123456789abcdef",
        "seq": 1,
        "up_ms": 1,
        "have": 0,
        "class": "door",
        **more,
    }
