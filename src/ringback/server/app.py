"""The composition root: adapters are chosen here, and nowhere else.

Decides: what is wired to what, and in which order a server starts and stops.

- Start: keys, store (migrated), read model, journal replayed, then the socket. A device is never answered by a server
  that does not know everything it once acknowledged.
- Stop: no new requests, the last batch, one fold, then the files are closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from ringback.adapters.blobs import OciBlobs
from ringback.adapters.signing import DirectorKeys
from ringback.adapters.sql import SqlJournal, SqlStore
from ringback.adapters.system import RandomIds, SteadyClock, write_secret
from ringback.errors import NotAllowedError
from ringback.ports.changes import Change, Insert, Put
from ringback.ports.rows import AuditRow, DeviceRow, OperatorTokenRow, TenantRow
from ringback.server.api.access import operator_of
from ringback.server.api.routes import application
from ringback.server.context import Context
from ringback.server.controller import Controller
from ringback.server.desk import AsyncDesk
from ringback.server.device.artifacts import PREFIX, ArtifactEndpoint
from ringback.server.device.checkin import CheckIns
from ringback.server.device.committer import Committer
from ringback.server.device.enrol import EnrolEndpoint
from ringback.server.device.http import Receive, Scope, Send
from ringback.server.folder import Folder
from ringback.server.settings import Settings, check
from ringback.server.upkeep import Upkeep
from ringback.usecases.device import decode_batch
from ringback.usecases.enrol import hash_of
from ringback.usecases.fleet import Fleet

TENANT = "default"
"""One tenant until there are several; it is in every key already."""

CLOCK_EVERY_S = 10.0

log = structlog.get_logger("server")


class App:
    """The ASGI application of one running server."""

    def __init__(self, context: Context, *, controller: Controller, folder: Folder, upkeep: Upkeep) -> None:
        self.context = context
        self.controller = controller
        self.folder = folder
        self.upkeep = upkeep
        self._api = application(context)
        self.check_ins = CheckIns(
            context.fleet,
            context.committer,
            context.signer,
            context.clock,
            max_pending=context.settings.max_pending,
            default_poll_ms=context.settings.poll_ms,
        )
        self._enrol = EnrolEndpoint(context.desk, context.signer, context.ids, context.clock)
        self._artifacts = ArtifactEndpoint(context.fleet, context.blobs, is_operator=self._is_operator)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request where it belongs; check-ins first."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/d/1/checkin" and scope["method"] == "POST":
            await self.check_ins(scope, receive, send)
        elif path == "/d/1/enrol" and scope["method"] == "POST":
            await self._enrol(scope, receive, send)
        elif path.startswith(PREFIX):
            await self._artifacts(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    def _is_operator(self, scope: Scope) -> bool:
        try:
            operator_of(self.context, scope)
        except NotAllowedError:
            return False
        return True


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Start a server's parts on this event loop, and stop them in order.

    Raises:
        InputError: it would show itself unprotected (RB-SERVER-NNN).
        NeedsHumanError: the data folder is in use, newer, or incomplete (RB-STORE-01N, RB-KEYS-NNN).
    """
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal = SqlJournal(settings.data / "journal.db")
    try:
        store = SqlStore(settings.data / "ringback.db")
        async with _parts(settings, journal, store) as app:
            yield app
    finally:
        journal.close()
    store.close()


@asynccontextmanager
async def _parts(settings: Settings, journal: SqlJournal, store: SqlStore) -> AsyncIterator[App]:
    fleet, clock = load(store, journal)
    signer = DirectorKeys.open(settings.data / "keys", demo=settings.demo, now_ms=clock.now_ms())
    check(settings, keys_are_demo=signer.is_demo)
    first_token(store, fleet, settings.data, now_ms=clock.now_ms())
    desk = AsyncDesk(fleet, store)
    problems: dict[str, str] = {}

    def broken() -> None:
        problems["journal"] = "failed; see the log"

    committer = Committer(fleet, journal, on_broken=broken)
    context = Context(
        settings=settings,
        fleet=fleet,
        desk=desk,
        committer=committer,
        blobs=OciBlobs(settings.data / "blobs"),
        signer=signer,
        clock=clock,
        ids=RandomIds(),
        problems=problems,
    )
    controller = Controller(context, holder=f"controller-{context.ids.short()}")
    upkeep = Upkeep(context)
    folder = Folder(fleet, fold=desk.fold, settle=desk.settle, drop=committer.drop, every_ms=settings.fold_ms)
    tasks = [asyncio.create_task(each) for each in (folder.run(), controller.run(), upkeep.run(), _watch_clock(clock))]
    try:
        yield App(context, controller=controller, folder=folder, upkeep=upkeep)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await committer.close()
        await folder.flush()
        desk.close()


def load(store: SqlStore, journal: SqlJournal) -> tuple[Fleet, SteadyClock]:
    """Rebuild the read model: rows of the store first, then what the journal has on top."""
    clock = SteadyClock()
    fleet = Fleet(TENANT, listening_since_ms=clock.now_ms())
    fleet.load(store.load(TENANT))
    newest = store.last(AuditRow, (TENANT,))
    if isinstance(newest, AuditRow):
        fleet.audit_seq = newest.seq
    for first_no, batch in journal.replay():
        fleet.replay(first_no, decode_batch(batch))
    newest_ms = max((device.seen_at_ms for device in fleet.devices.values()), default=0)
    clock = SteadyClock(not_before_ms=newest_ms)
    fleet.listening_since_ms = clock.now_ms()
    fleet.started()
    if not fleet.has_tenant:
        row = TenantRow(TENANT, clock.now_ms())
        store.save([Insert(row)])
        fleet.apply([Insert(row)])
    return fleet, clock


def first_token(store: SqlStore, fleet: Fleet, data: Path, *, now_ms: int) -> None:
    """Make the administrator's token at the first start: its hash into the store, itself into a file of mode 0600."""
    if fleet.operator_tokens:
        return
    ids = RandomIds()
    token = ids.token()
    row = OperatorTokenRow(fleet.tenant_id, f"token-{ids.short()}", hash_of(token), "first", "admin", None, now_ms)
    write_secret(data / "admin.token", token)
    store.save([Insert(row)])
    fleet.apply([Insert(row)])


async def _watch_clock(clock: SteadyClock) -> None:
    """Follow drift, and say it once when the wall clock leaps: nothing here follows it."""
    told = False
    while True:
        await asyncio.sleep(CLOCK_EVERY_S)
        ahead_ms = clock.leap_ms()
        leaps = abs(ahead_ms) >= 60_000
        if leaps and not told:
            log.warning("clock_jump", ahead_ms=ahead_ms, hint="the server keeps its own time until it is restarted")
        told = leaps


def write_address(data: Path, url: str) -> None:
    """Leave the server's address where programs on this machine look for it."""
    path = data / "server.url"
    with suppress(OSError):
        path.write_text(url + "\n", encoding="utf-8")


def seed(data: Path, devices: Iterable[DeviceRow]) -> None:
    """Put devices into a new data folder without enrolling them, for benchmarks."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = SqlStore(data / "ringback.db")
    chunk: list[Change] = [Put(TenantRow(TENANT, 0))]
    for device in devices:
        chunk.append(Insert(device))
        if len(chunk) >= 5_000:
            store.save(chunk)
            chunk = []
    store.save(chunk)
    store.close()
