"""Combines evidence of several strata or signals without inventing any.

Decides: what the combined evidence is and which signals crossed their share of the error rate. Never: averages signals
that live in different information flows at a common clock time, because that is not valid.

- Strata and pool on one device order:  E = E_pool / 2 + mean(E_stratum) / 2.  A mean of e-processes of the *same*
  filtration is one. The number of strata is fixed before the first device; a stratum not seen yet counts as 1.
- Different signals: weighted Bonferroni. Halt when any E_s >= 1 / (w_s alpha), sum of w_s <= 1. No assumption at all.
- Signals that outside shocks move (silence, lost uplink): the minimum of E against the SLO and E against control. It
  rejects only if worse than both, and a minimum of e-processes never exceeds either.

Sources: Choe and Ramdas, "Combining Evidence Across Filtrations", 2024; Vovk and Wang, "E-values: calibration,
combination and applications", Annals of Statistics 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from ringback.stats.mixture import crossed
from ringback.stats.refused import OUT_OF_RANGE, WEIGHTS_ABOVE_ONE, BadNumber, bad_count, bad_finite

WEIGHT_ROUNDING = 1e-9
"""Tolerance on "the weights sum to one": ten times 0.1 is not 1 in binary."""


@dataclass(frozen=True, slots=True)
class WeightedEvidence:
    """Evidence of one signal and its share of the error rate."""

    weight: float
    evidence: float


def pooled(pool: float, strata: Sequence[float], *, strata_count: int) -> float | BadNumber:
    """Return E_pool/2 + mean(E_stratum)/2 over ``strata_count`` strata, of which ``strata`` are those seen so far."""
    refused = bad_count("strata_count", strata_count) or _bad_evidence("pool", pool)
    for evidence in strata:
        refused = refused or _bad_evidence("stratum", evidence)
    if refused is not None:
        return refused
    if len(strata) > strata_count:
        return BadNumber(OUT_OF_RANGE, "strata", str(len(strata)), f"at most the {strata_count} planned")
    if strata_count == 0:
        return pool
    unseen = strata_count - len(strata)
    return pool / 2 + (fsum(strata) + unseen) / (2 * strata_count)


def stratum_crossed(evidence: float, alpha: float, *, strata_count: int) -> bool:
    """Tell whether one stratum's share E / (2 G) alone reaches 1/``alpha``: it is this stratum, not the release."""
    return crossed(evidence / (2 * strata_count), alpha)


def signals_crossed(signals: Sequence[WeightedEvidence], alpha: float) -> tuple[int, ...] | BadNumber:
    """Return the indices of signals with E >= 1 / (weight alpha), in order; empty = none.

    P(any index is ever returned for a release that is good on all signals) <= ``alpha``.
    """
    refused: BadNumber | None = None
    for signal in signals:
        refused = refused or bad_finite("weight", signal.weight) or _bad_evidence("evidence", signal.evidence)
        if refused is None and signal.weight < 0:
            refused = BadNumber(OUT_OF_RANGE, "weight", str(signal.weight), "0 or more")
    if refused is not None:
        return refused
    total = fsum(signal.weight for signal in signals)
    if total > 1 + WEIGHT_ROUNDING:
        return BadNumber(WEIGHTS_ABOVE_ONE, "weights", f"{total:g} in sum", "at most 1")
    return tuple(index for index, signal in enumerate(signals) if crossed(signal.evidence, alpha * signal.weight))


def e_bh(evidence: Sequence[float], level: float) -> tuple[int, ...] | BadNumber:
    """Return the indices of signals to report as causes, in order; of these at most ``level`` are false on average.

    The largest k with E_(k) >= m / (k level), whatever the dependence (e-BH).

    Source: Wang and Ramdas, "False discovery rate control with e-values", JRSS B 2022.
    """
    refused: BadNumber | None = None
    for each in evidence:
        refused = refused or _bad_evidence("evidence", each)
    if refused is not None:
        return refused
    order = sorted(range(len(evidence)), key=lambda index: -evidence[index])
    found = 0
    for count, index in enumerate(order, start=1):
        if evidence[index] * count * level >= len(evidence):
            found = count
    return tuple(sorted(order[:found]))


def worse_than_both(against_slo: float, against_control: float) -> float | BadNumber:
    """Return min(E_A, E_B): evidence only where the release is worse than its SLO *and* worse than control."""
    refused = _bad_evidence("against_slo", against_slo) or _bad_evidence("against_control", against_control)
    return refused if refused is not None else min(against_slo, against_control)


def _bad_evidence(field: str, value: float) -> BadNumber | None:
    refused = bad_finite(field, value)
    if refused is None and value < 0:
        return BadNumber(OUT_OF_RANGE, field, str(value), "0 or more")
    return refused
