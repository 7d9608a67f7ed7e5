"""The folding worker: takes what is newer in memory than in the store there, a little at a time.

Decides: the pace. Never: makes a check-in wait for more than one small chunk's encoding.

- One pass covers everything that was dirty when it began; then the journal may forget what it held before. A crash in
  the middle costs nothing: the journal is replayed, and records that a row already contains are skipped.
- Between chunks the loop is left alone. A burst instead of a pace made 130 ms of tail latency in measurements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from ringback.ports.rows import FragmentRow, PlaneSetRow
from ringback.ports.store import FoldedRow, NoRoomError
from ringback.usecases.fleet import Fleet

CHUNK_ROWS = 150
"""Rows in a transaction: about 1 ms of encoding on the loop."""

PAUSE_S = 0.004

log = structlog.get_logger("fold")


class Folder:
    """Runs until it is cancelled; `flush` folds everything once.

    Args:
        fold: writes rows to the store without blocking the loop.
        drop: tells the journal what it may forget.
        every_ms: time between passes.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        fold: Callable[[Sequence[FoldedRow]], Awaitable[None]],
        settle: Callable[[], Awaitable[None]],
        drop: Callable[[int], None],
        every_ms: int,
    ) -> None:
        self._fleet = fleet
        self._fold = fold
        self._settle = settle
        self._drop = drop
        self._every_s = every_ms / 1000
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Fold for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.flush(pause_s=PAUSE_S)
            except NoRoomError as error:
                log.error("fold_waits", code=error.code, hint=error.hint)
                await asyncio.sleep(error.retry_after_s)

    async def flush(self, *, pause_s: float = 0.0) -> None:
        """Fold what is dirty now, then let the journal forget it."""
        async with self._lock:
            through_no = self._fleet.applied_no
            await self._shared_rows()
            dirt, device_of = self._fleet.dirt, self._fleet.devices.__getitem__
            pages = dirt.pages()
            chunk: list[FoldedRow] = []
            for page in pages:
                chunk += dirt.take(page, device_of)
                if len(chunk) >= CHUNK_ROWS:
                    await self._write(chunk, pause_s)
                    chunk = []
            await self._write(chunk, pause_s)
            if pages:
                await self._settle()
            self._drop(through_no)

    async def _shared_rows(self) -> None:
        """Store what devices' rows refer to before the rows themselves."""
        fleet = self._fleet
        fragments = list(fleet.fragments.unstored.values())
        sets = list(fleet.sets.unstored.values())
        await self._write([FragmentRow(fleet.tenant_id, each.fragment_id, each.document) for each in fragments], 0.0)
        await self._write([PlaneSetRow(fleet.tenant_id, each.set_id, each.document()) for each in sets], 0.0)
        fleet.fragments.are_stored(fragments)
        for each in sets:
            fleet.sets.unstored.pop(each.set_id, None)

    async def _write(self, chunk: Sequence[FoldedRow], pause_s: float) -> None:
        if not chunk:
            return
        try:
            await self._fold(chunk)
        except BaseException:
            self._fleet.dirt.put_back(chunk, self._fleet.devices.__getitem__)
            raise
        if pause_s:
            await asyncio.sleep(pause_s)
