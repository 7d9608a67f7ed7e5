"""Forgets what has had its time, every hour, a little at a time (see `ringback.usecases.upkeep`)."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import structlog

from ringback.control import TERMINAL
from ringback.errors import RingbackError
from ringback.ports import rows
from ringback.server.context import Context
from ringback.usecases import upkeep
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import UseCase

FIRST_S: Final = 60.0
EVERY_S: Final = 3_600.0
PAUSE_S: Final = 0.05
DAY_MS: Final = 86_400_000

log = structlog.get_logger("upkeep")


class Upkeep:
    """Runs until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self) -> None:
        """Forget every hour."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.once()
            except RingbackError as error:
                log.error("upkeep_waits", code=error.code, error=error.message)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Forget all that has had its time."""
        clock, keep_ms = self._context.clock, self._context.settings.keep_days * DAY_MS
        await self._until_done(lambda fleet: upkeep.old_claims(fleet, now_ms=clock.now_ms()))
        await self._until_done(lambda fleet: upkeep.old_orders(fleet, now_ms=clock.now_ms(), keep_ms=keep_ms))
        await self._until_done(upkeep.unused_words)
        await self._answers()
        await self._deployments(keep_ms)

    async def _until_done(self, use_case: UseCase[int]) -> None:
        forgotten = upkeep.STEP
        while forgotten >= upkeep.STEP:
            forgotten = await self._context.desk.run(use_case)
            await asyncio.sleep(PAUSE_S)

    async def _answers(self) -> None:
        tenant_id, now_ms = self._context.fleet.tenant_id, self._context.clock.now_ms()
        found = await self._context.desk.ask(lambda store: store.all(rows.AnswerRow, (tenant_id,)))
        answers = cast(list[rows.AnswerRow], found)
        while answers:
            step, answers = answers[: upkeep.STEP], answers[upkeep.STEP :]
            await self._context.desk.run(lambda _fleet, step=step: upkeep.old_answers(step, now_ms=now_ms))  # type: ignore[misc]
            await asyncio.sleep(PAUSE_S)

    async def _deployments(self, keep_ms: int) -> None:
        fleet: Fleet = self._context.fleet
        before_ms = self._context.clock.now_ms() - keep_ms
        for row in list(fleet.rollout_rows.values()):
            if row.state not in TERMINAL or row.created_at_ms >= before_ms:
                continue
            key = (row.tenant_id, row.rollout_id)
            while True:
                stored = await self._context.desk.ask(lambda store, key=key: store.all(rows.DeploymentRow, key))  # type: ignore[misc]
                if not stored:
                    break
                counted = await self._context.desk.ask(lambda store, key=key: store.all(rows.CohortRow, key))  # type: ignore[misc]
                await self._context.desk.run(
                    lambda fleet, row=row, stored=stored, counted=counted: upkeep.old_deployments(  # type: ignore[misc]
                        fleet, row, cast(list[rows.DeploymentRow], stored), cast(list[rows.CohortRow], counted)
                    )
                )
                await asyncio.sleep(PAUSE_S)
