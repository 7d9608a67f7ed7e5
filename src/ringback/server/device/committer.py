"""Group commit: many check-ins, one sync. Commit again as soon as the last commit ended; no timer.

Decides: which records share a batch. Never: answers for a record that is not on disk.

- At most one batch is being written; what arrives meanwhile is the next batch. So a batch grows with the load and with
  the disk's slowness, and a lone check-in waits for one sync only.
- Records are numbered when they are written and folded after that, in that order, on the event loop's thread.
- A full disk refuses the batch as a whole and nothing of it is folded. Any other failure of the journal is final: the
  server stops answering, because it no longer knows what is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

import msgspec
import structlog

from ringback.errors import BugError, NeedsHumanError, RingbackError
from ringback.ports.store import Journal, NoRoomError
from ringback.usecases.device import Batch, Record
from ringback.usecases.document import Fragment
from ringback.usecases.fleet import Fleet

BATCH_MAX = 2_000
"""Records in a batch: about 5 ms of encoding and writing. More would make the first of them wait for the last."""

Done = Callable[[RingbackError | None], None]

log = structlog.get_logger("committer")

_encode = msgspec.msgpack.Encoder().encode


class Committer:
    """Makes records durable and folds them. All methods are called on the event loop's thread.

    Args:
        on_broken: called once when the journal failed in a way that only a restart can mend.
    """

    def __init__(self, fleet: Fleet, journal: Journal, *, on_broken: Callable[[], None]) -> None:
        self._fleet = fleet
        self._journal = journal
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Record, Done]] = []
        self._writing: list[tuple[Record, Done]] = []
        self._fragments: list[Fragment] = []
        self._next_no = fleet.applied_no + 1
        self._through_no = -1
        self._broken: RingbackError | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._orders: queue.SimpleQueue[tuple[int, bytes, int] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def pending_count(self) -> int:
        """Return how many records are not on disk yet."""
        return len(self._waiting) + len(self._writing)

    def submit(self, record: Record, done: Done) -> None:
        """Take a record.

        Args:
            done: called once: with None when the record is on disk and folded, else with why it was not kept:
                NoRoomError (RB-STORE-001), or NeedsHumanError when the journal is broken (RB-STORE-012).
        """
        if self._broken is not None:
            self._fleet.give_back(record)
            done(self._broken)
            return
        record.device.is_busy = True
        self._waiting.append((record, done))
        if not self._writing and len(self._waiting) == 1:
            # Not at once: whatever else arrived in this turn of the loop shares the sync.
            self._loop.call_soon(self._order)
            self._idle.clear()

    async def kept(self, record: Record) -> None:
        """Take a record and wait until it is on disk and folded.

        Raises:
            NoRoomError, NeedsHumanError: as `submit` tells.
        """
        future: asyncio.Future[None] = self._loop.create_future()

        def done(error: RingbackError | None) -> None:
            if future.done():  # whoever waited has gone
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.submit(record, done)
        await future

    def drop(self, through_no: int) -> None:
        """Let the journal forget records up to a number: they are in the store."""
        self._through_no = max(self._through_no, through_no)

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        await self._idle.wait()
        self._orders.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _order(self) -> None:
        if self._writing or not self._waiting:
            return
        self._writing, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        self._fragments = list(self._fleet.fragments.fresh.values())
        documents = [fragment.document for fragment in self._fragments]
        batch = _encode(Batch([record.kept() for record, _done in self._writing], documents))
        self._orders.put((self._next_no, batch, self._through_no))

    def _write(self) -> None:
        """Run in the journal's own thread: everything here waits for the disk."""
        broken: RingbackError | None = BugError("RB-STORE-012", "the journal's thread ended")
        try:
            while (order := self._orders.get()) is not None:
                first_no, batch, through_no = order
                error: RingbackError | None = None
                try:
                    self._journal.drop(through_no)
                    self._journal.append(first_no, batch)
                except RingbackError as failure:
                    error = failure
                self._loop.call_soon_threadsafe(self._written, error)
            broken = None
        finally:
            if broken is not None:  # whatever it was, those who wait have to be told
                self._loop.call_soon_threadsafe(self._written, broken)

    def _written(self, error: RingbackError | None) -> None:
        written, self._writing = self._writing, []
        if error is None:
            self._fold(written)
        else:
            self._refuse(written, error)
        if self._waiting:
            self._order()
        else:
            self._idle.set()

    def _fold(self, written: list[tuple[Record, Done]]) -> None:
        fleet = self._fleet
        if self._fragments:
            fleet.fragments.are_kept(self._fragments)
        number = self._next_no
        for record, _done in written:
            record.no = number
            number += 1
            record.device.is_busy = False
            fleet.fold(record)
        self._next_no = number
        for _record, done in written:
            done(None)

    def _refuse(self, written: list[tuple[Record, Done]], error: RingbackError) -> None:
        if not isinstance(error, NoRoomError):
            log.critical("journal_broken", error=repr(error))
            self._broken = NeedsHumanError(
                "RB-STORE-012",
                f"the journal failed: {error}",
                hint="look at the disk of the data folder, then start the server again; nothing acknowledged is lost",
            )
            self._broken.__cause__ = error
            error = self._broken
            written += self._waiting
            self._waiting = []
            self._on_broken()
        for record, done in written:
            record.device.is_busy = False
            self._fleet.give_back(record)
            done(error)
