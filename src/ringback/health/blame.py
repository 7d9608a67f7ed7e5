"""Names the plane at fault, and says on what grounds.

Decides: which changed plane the failures point at. Never: blames a plane that the release did not change.

- First the rule: a failing health rule indicts a plane.
- Then a signal that is worse than on control devices, if it indicts a plane (``ringback.health.verdict``).
- Then the rung: devices that reverted by themselves became healthy when a plane had gone back; the last plane added on
  that rung is the one that healed.
- Then the order of the rollback policy: the cheapest changed plane, said to be a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringback.health.evidence import Cause


class BlameBasis(StrEnum):
    """What the blame rests on, strongest first; ``guess`` is the policy's order and proves nothing."""

    RULE = "rule"
    SIGNAL = "signal"
    RUNG = "rung"
    GUESS = "guess"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Blame:
    """The plane at fault ("" if the release changed none), the grounds, the votes for it and all votes cast."""

    plane: str
    basis: BlameBasis
    votes: int
    cast: int


def blamed(causes: Sequence[Cause], changed: Sequence[str]) -> Blame:
    """Return the plane most failures point at.

    Args:
        causes: causes of all failed devices considered.
        changed: planes that the release changed, in the order of the rollback policy, first to go back first.
    """
    for basis, vote in ((BlameBasis.RULE, _by_rule), (BlameBasis.RUNG, _by_rung)):
        votes = dict.fromkeys(changed, 0)
        for cause in causes:
            plane = vote(cause, changed)
            if plane is not None:
                votes[plane] += cause.devices
        cast = sum(votes.values())
        if cast:
            plane = max(changed, key=lambda each: (votes[each], -changed.index(each)))
            return Blame(plane, basis, votes[plane], cast)
    if not changed:
        return Blame("", BlameBasis.NONE, 0, 0)
    return Blame(changed[0], BlameBasis.GUESS, 0, 0)


def _by_rule(cause: Cause, changed: Sequence[str]) -> str | None:
    return cause.plane if cause.plane in changed else None


def _by_rung(cause: Cause, changed: Sequence[str]) -> str | None:
    gone_back = [plane for plane in changed if plane in cause.rung]
    return gone_back[-1] if gone_back else None
