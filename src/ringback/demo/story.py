"""Plays the acts in order, each with its claims, and says how each ended.

Decides: whether an act passed (all its claims hold, nothing broke) and whether the story goes on after a failure.
Never: retries an act until it passes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ringback.demo.processes import DemoError
from ringback.demo.result import ActFailed, ActResult, Ledger
from ringback.errors import RingbackError


class Narrator(Protocol):
    """Who tells the audience what happens."""

    def begin(self, number: int, title: str, expected: str) -> None: ...

    def end(self, result: ActResult) -> None: ...

    def rest(self, pause_s: float) -> None: ...


House = TypeVar("House", bound=Narrator)


@dataclass(frozen=True, slots=True)
class Act(Generic[House]):
    """One act: its number, its short name, its title, what it expects, and what it does."""

    number: int
    name: str
    title: str
    expected: str
    play: Callable[[House, Ledger], None]


def play_all(acts: Sequence[Act[House]], show: House, *, pause_s: float) -> list[ActResult]:
    """Plays the acts in order; after a failed one the rest is not played, for its ground is gone.

    Args:
        pause_s: how long to wait between two acts, for people who read.
    """
    results: list[ActResult] = []
    for act in acts:
        result = play(act, show)
        results.append(result)
        if not result.passed:
            break
        show.rest(pause_s)
    return results


def play(act: Act[House], show: House) -> ActResult:
    """Plays one act."""
    ledger = Ledger()
    began_s = time.monotonic()
    show.begin(act.number, act.title, act.expected)
    reason = ""
    try:
        act.play(show, ledger)
    except ActFailed as failed:
        reason = str(failed)
    except (DemoError, RingbackError) as error:
        reason = f"the act broke off: {error}"
    broken = ledger.broken()
    if broken and not reason:
        reason = f"expected: {broken[0].expected}; happened: {broken[0].happened}"
    result = ActResult(
        number=act.number,
        name=act.name,
        title=act.title,
        passed=not reason,
        expected=act.expected,
        happened=ledger.skipped_because or ledger.happened,
        reason=reason,
        claims=tuple(ledger.claims),
        devices_exposed=ledger.devices_exposed,
        devices_harmed=ledger.devices_harmed,
        seconds=time.monotonic() - began_s,
        seconds_to_verdict=ledger.seconds_to_verdict,
        seconds_to_healthy=ledger.seconds_to_healthy,
        planes_reverted=ledger.planes_reverted,
        planes_untouched=ledger.planes_untouched,
        skipped=bool(ledger.skipped_because),
    )
    show.end(result)
    return result
