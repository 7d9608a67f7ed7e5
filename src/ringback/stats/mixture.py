"""Sums weighted likelihood ratios that are kept as logarithms, without overflow.

Every engine of this package is a mixture  E = sum_k w_k exp(log_k)  with fixed weights that sum to one. A mixture of
e-processes is an e-process (Vovk and Wang, "E-values: calibration, combination and applications", 2021), so the
weights cost power, never validity.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

EVIDENCE_MAX = 1e200
"""Evidence is cut here. Every threshold is below 1e12, so the cut hides nothing, and sums of cut values stay finite."""

LOG_MAX = 460.0
"""exp(460) is about 1e199.8: the largest logarithm that is still taken out of log space."""


def decreasing_weights(count: int) -> tuple[float, ...]:
    """Return (K, K-1, ..., 1) / (K (K+1) / 2): most weight on the smallest alternative, which is the hardest to see."""
    total = count * (count + 1) // 2
    return tuple((count - index) / total for index in range(count))


def mixed(weights: Sequence[float], logs: Sequence[float]) -> float:
    """Return sum_k w_k exp(log_k), cut at ``EVIDENCE_MAX``."""
    total = 0.0
    for weight, log in zip(weights, logs, strict=True):
        if log > LOG_MAX:
            return EVIDENCE_MAX
        total += weight * exp(log)
    return total


def crossed(evidence: float, error_rate: float) -> bool:
    """Tell whether ``evidence`` is at least 1 / ``error_rate``: Ville's inequality allows to stop right then.

    P(E ever >= 1/a) <= a for every nonnegative process with mean at most one at every stopping time (Ville 1939).
    A NaN never crosses.
    """
    return evidence * error_rate >= 1.0
