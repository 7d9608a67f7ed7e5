"""The controller: looks at every active rollout, again and again, and saves what was decided.

Decides: when to look. Never: what to do (`ringback.control`), and never acts without the rollout's lease.

- Level-triggered and resumable: everything it knows is in the store; killed anywhere, the next one goes on.
- When someone was faster (another controller, an operator), what was decided is dropped and decided again on what is
  there now.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ringback.control import Decision
from ringback.errors import RingbackError
from ringback.ports.rows import LeaseRow
from ringback.ports.store import NoRoomError, StaleError
from ringback.server.context import Context
from ringback.usecases.course import Course
from ringback.usecases.tick import Lease, count_time, is_due, look, looked

STEPS_MAX: Final = 16
"""Decisions about one rollout in one look. It passes a few states at once at most; more would be a loop of ours."""

RETRY_S: Final = 10.0

log = structlog.get_logger("controller")


class Controller:
    """One controller.

    Args:
        holder: its own name in leases, random.
    """

    def __init__(self, context: Context, *, holder: str) -> None:
        self._context = context
        self._holder = holder

    async def run(self) -> None:
        """Look for ever."""
        every_s = self._context.settings.tick_ms / 1000
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.tick()
                self._context.problems.pop("controller", None)
            except NoRoomError as error:
                self._context.problems["controller"] = error.code
                log.error("controller_waits", code=error.code, hint=error.hint)
                await asyncio.sleep(RETRY_S)

    async def tick(self) -> None:
        """Look once at every rollout that is not over."""
        for course in list(self._context.fleet.courses.values()):
            try:
                await self._course(course)
            except StaleError as error:
                log.info("decided_on_old_facts", rollout=course.rollout_id, code=error.code)
            except RingbackError as error:
                if isinstance(error, NoRoomError):
                    raise
                log.error("rollout_stuck", rollout=course.rollout_id, code=error.code, error=error.message)

    async def _course(self, course: Course) -> None:
        fleet, clock, desk = self._context.fleet, self._context.clock, self._context.desk
        try:
            await desk.run(lambda fleet: count_time(fleet, course, clock.now_ms()))
        except BaseException:
            course.rewatch()
            raise
        if not is_due(course, clock.now_ms()):
            return
        for _step in range(STEPS_MAX):
            lease = await self._lease(course)
            decision: Decision | None = await desk.run(
                lambda fleet, lease=lease: look(  # type: ignore[misc]
                    fleet, course, lease=lease, ids=self._context.ids, now_ms=clock.now_ms()
                )
            )
            if decision is None:
                return
            looked(course, decision)
            if decision.event is None and decision.next_wakeup_ms != decision.at_ms:
                return
            self._say(course, decision)
            if course.rollout_id not in fleet.courses:
                return

    async def _lease(self, course: Course) -> Lease:
        key = (course.row.tenant_id, course.rollout_id)
        row = await self._context.desk.ask(lambda store: store.find(LeaseRow, key))
        assert row is None or isinstance(row, LeaseRow)
        until_ms = self._context.clock.now_ms() + self._context.settings.lease_ms
        return Lease(row, self._holder, until_ms)

    def _say(self, course: Course, decision: Decision) -> None:
        log.info(
            "decided",
            rollout=course.rollout_id,
            release=course.rollout.release_id,
            moved=f"{decision.before} -> {decision.rollout.state}",
            happened=decision.event or "started",
            why=decision.reasons[0] if decision.reasons else "",
        )
