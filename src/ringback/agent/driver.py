"""The pump between the kernel and the world: starts effects, feeds their answers back, ticks when it is time.

It decides nothing. The clock comes in as an argument, the next wake-up goes out, work happens on lanes (`jobs`), so the
simulator runs this very file with virtual ports.

Invariants:

- `pump` never blocks.
- After a reboot effect nothing is started any more; the effects the kernel gave after it are dropped with the process.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from ringback.agent import effects
from ringback.agent.ports import Event, Jobs, Json, Ports

EVENTS_PER_PUMP = 1000
"""More events than this in one pump means that the kernel answers itself in a circle: a bug, stopped loudly."""


class Brain(Protocol):
    """What the driver needs of `ringback_kernel.core.Core`."""

    def boot(self, boot_id: str, running: dict[str, Json], now_ms: int) -> list[Event]: ...

    def handle(self, event: Event, now_ms: int) -> list[Event]: ...

    def next_wakeup_ms(self) -> int | None: ...

    def status(self) -> dict[str, Json]: ...

    def wants_workload(self) -> bool: ...


class Driver:
    """One agent's pump.

    Args:
        core: the kernel's `Core`.
        ports: the world.
        jobs: where effects run.
        log: called with an event's name and fields; must not block.
    """

    def __init__(self, core: Brain, ports: Ports, jobs: Jobs, log: effects.Log) -> None:
        self._core = core
        self._ports = ports
        self._jobs = jobs
        self._log = log
        self.stopped = False

    def boot(self, boot_id: str, now_ms: int) -> None:
        """Reads back what runs and lets the kernel recover from its journal. Once, before the first `pump`."""
        running = effects.running_to_obj(self._ports.platform.running())
        self._start_all(self._core.boot(boot_id, running, now_ms))

    def pump(self, now_ms: int) -> int | None:
        """Feeds what has finished, ticks if due, starts what the kernel asks for.

        Returns:
            When to pump again at the latest, in ms of the clock `now_ms` comes from; None when only an answer can
            bring anything new.
        """
        for _ in range(EVENTS_PER_PUMP):
            if self.stopped:
                return None
            finished = self._jobs.finished()
            for event in finished:
                self._feed(event, now_ms)
            due_ms = self._core.next_wakeup_ms()
            if due_ms is not None and due_ms <= now_ms and not self.stopped:
                self._feed(("tick", {}), now_ms)
            elif not finished:
                return due_ms
        raise AssertionError(f"more than {EVENTS_PER_PUMP} events in one pump; next wake-up {due_ms}, now {now_ms}")

    def tell(self, event: Event, now_ms: int) -> None:
        """Feeds an event that is no answer: a local command, a clock jump."""
        self._feed(event, now_ms)

    def _feed(self, event: Event, now_ms: int) -> None:
        if not self.stopped:
            self._start_all(self._core.handle(event, now_ms))

    def _start_all(self, wanted: Iterable[Event]) -> None:
        for kind, effect in wanted:
            if self.stopped:
                return
            self._start(kind, effect)

    def _start(self, kind: str, effect: effects.Effect) -> None:
        if kind == "log":
            fields = effect.get("fields")
            self._log(effects.text_of(effect, "event"), fields if isinstance(fields, dict) else {})
        elif kind == "reboot":
            self.stopped = True
            self._ports.platform.reboot(effects.text_of(effect, "reason"))
        else:
            if kind == "fetch":
                self._ports.artifacts.expect(effects.int_of(effect, "op"))
            self._jobs.start(effects.TABLE[kind][0], self._work(kind, effect))

    def _work(self, kind: str, effect: effects.Effect) -> Callable[[], Event]:
        return lambda: effects.perform(kind, effect, self._ports, self._log)
