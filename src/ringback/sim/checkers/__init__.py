"""Oracles outside the agent and the server: each watches facts and says when an invariant is broken.

A checker knows the design's invariants and the facts of the world, and nothing of the code it judges: where it has to
evaluate a constraint, a signature or a bound, it does so by its own few lines. One file per family of invariants:

| file | invariants |
|---|---|
| boot | I1 always boots something allowed; I6 the confirmed set and the one before it stay bootable |
| activation | I2 only whole, authorised, published bytes are activated; I7 a frozen digest is never newly activated |
| constraints | I3 the active planes satisfy each other at every instant |
| trial | I4 every trial ends in its window; I5 a revert touches only what its deployment changed |
| rollout | I9 no ring widens on missing evidence or past its budget; a stop is heard |

I8 and I10 to I13 are judged where they live: in the tests of the agent, the server, the planner and the gates.
"""

from collections.abc import Iterable, Sequence

from ringback.sim.checkers.activation import ActivationChecker
from ringback.sim.checkers.base import Checker
from ringback.sim.checkers.boot import BootChecker
from ringback.sim.checkers.constraints import ConstraintChecker
from ringback.sim.checkers.rollout import RolloutChecker
from ringback.sim.checkers.trial import TrialChecker
from ringback.sim.facts import Fact, Violation

__all__ = ["Checker", "Jury", "every_checker"]

# A run that breaks an invariant breaks it a thousand times; the first ones tell the story.
VIOLATIONS_LIMIT = 200


def every_checker(director_keys: Sequence[bytes]) -> tuple[Checker, ...]:
    """One of each.

    Args:
        director_keys: public keys (DER, P-256) that may sign desired states.
    """
    return (
        BootChecker(),
        ActivationChecker(director_keys),
        ConstraintChecker(),
        TrialChecker(),
        RolloutChecker(),
    )


class Jury:
    """Shows every fact to every checker and keeps what they find."""

    def __init__(self, checkers: Iterable[Checker]) -> None:
        self._checkers = tuple(checkers)
        self.violations: list[Violation] = []
        self.fact_count = 0

    def see(self, fact: Fact) -> None:
        self.fact_count += 1
        for checker in self._checkers:
            found = checker.see(fact)
            if found and len(self.violations) < VIOLATIONS_LIMIT:
                self.violations.extend(found)

    def adjourn(self, now_ms: int) -> None:
        """Asks every checker what is overdue at the end of a run."""
        for checker in self._checkers:
            self.violations.extend(checker.overdue(now_ms))
