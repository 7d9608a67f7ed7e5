"""One unit of work: a use case decides on the fleet, the store saves, the read model moves.

Decides: the order. Never: what to change.

- Changes are saved in one transaction and only then applied to the read model: what memory says is on disk.
- The runner is told by the composition root how to wait (a thread beside the event loop, or at once in tests and
  simulations) and lets one unit of work run at a time, so what a use case read is still true when it is saved. The
  store's generation guards catch what another process changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ringback.ports.changes import Change
from ringback.ports.store import Store
from ringback.usecases.fleet import Fleet

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """What a use case decided: changes to save (none = nothing to do), and what to answer once they are saved."""

    changes: tuple[Change, ...]
    answer: Answer


UseCase = Callable[[Fleet], Outcome[Answer]]


class Desk:
    """Runs use cases against one fleet, at once. For tests, simulations and one-off commands; the server has its own.

    Args:
        fleet: the read model that `store` holds the truth of.
        store: where changes go.
    """

    def __init__(self, fleet: Fleet, store: Store) -> None:
        self.fleet = fleet
        self.store = store

    def run(self, use_case: UseCase[Answer]) -> Answer:
        """Carry one use case out, durably."""
        outcome = use_case(self.fleet)
        if outcome.changes:
            self.store.save(outcome.changes)
            self.fleet.apply(outcome.changes)
        return outcome.answer
