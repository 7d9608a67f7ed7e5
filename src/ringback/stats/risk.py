"""Who was at risk when something happened: the odds between updated and control devices, written down as whole numbers.

Decides: how odds are rounded. Never: judges by them (``rate``, ``background``).

- Odds are rounded up to a power of two, so that few values occur and a history stays small. A larger odds makes every
  factor of engine B smaller, for events on either side: rounding never makes evidence.

Source: the risk sets of Cox 1972.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.stats.refused import BadNumber, bad_count

PPM = 1_000_000
ODDS_MAX_PPM = 1 << 50
"""Odds without any control at risk: a silence there teaches nothing, and can be blamed on the background for free."""


@dataclass(frozen=True, slots=True)
class RiskSet:
    """Silences at about the same odds.

    Attributes:
        odds_ppm: updated devices at risk per control device at risk, parts per million, rounded up.
        treated: updated devices that fell silent at these odds.
        control: control devices that did.
    """

    odds_ppm: int
    treated: int
    control: int


def odds_ppm(treated_at_risk: int, control_at_risk: int) -> int | BadNumber:
    """Return the odds of a silence as they are written down: rounded up to a power of two, so that few values occur.

    Rounding up makes every factor smaller: it never makes evidence.
    """
    refused = bad_count("treated_at_risk", treated_at_risk) or bad_count("control_at_risk", control_at_risk)
    if refused is not None:
        return refused
    if not control_at_risk:
        return ODDS_MAX_PPM
    exact = max(1, -(-treated_at_risk * PPM // control_at_risk))
    return min(ODDS_MAX_PPM, 1 << (exact - 1).bit_length())
