"""Units of work beside the event loop: one at a time, saved in the store's own thread.

Decides: who waits for whom. Never: what to change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ringback.ports.changes import Change
from ringback.ports.store import FoldedRow, Store
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import UseCase

Answer = TypeVar("Answer")


class AsyncDesk:
    """Runs use cases and every other call of the store. The store is only ever used in its own thread."""

    def __init__(self, fleet: Fleet, store: Store) -> None:
        self.fleet = fleet
        self._store = store
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, use_case: UseCase[Answer]) -> Answer:
        """Carry one use case out, durably. A caller that goes away does not stop what was begun."""
        return await asyncio.shield(self._run(use_case))

    async def _run(
        self, use_case: UseCase[Answer], known: Callable[[], Awaitable[Answer | None]] | None = None
    ) -> Answer:
        async with self._lock:
            found = await known() if known is not None else None
            if found is not None:
                return found
            outcome = use_case(self.fleet)
            if outcome.changes:
                await self._save(outcome.changes)
                self.fleet.apply(outcome.changes)
            return outcome.answer

    async def run_once(self, known: Callable[[], Awaitable[Answer | None]], use_case: UseCase[Answer]) -> Answer:
        """Carry a use case out unless `known`, asked when its turn has come, already has the answer."""
        return await asyncio.shield(self._run(use_case, known))

    async def _save(self, changes: Sequence[Change]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.save, changes)

    async def fold(self, rows: Sequence[FoldedRow]) -> None:
        """Write folded rows."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.fold, rows)

    async def settle(self) -> None:
        """Make what was folded durable."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.settle)

    async def ask(self, question: Callable[[Store], Answer]) -> Answer:
        """Put a question to the store."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self._store)

    def close(self) -> None:
        """Wait for what was begun."""
        self._thread.shutdown(wait=True)
