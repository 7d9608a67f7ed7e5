"""Engines A and B together: failures that a release must answer for, when some happen without any release too.

Decides: how strongly failures and silences of updated devices speak against the SLO, given how many control devices
fell silent at the same time. Never: decides which silence was whose fault, and never lets control excuse a failure that
a device reported itself.

- n devices entered, f failed, s of these by silence. At the moment of each silence, on either side, the odds
  o = updated at risk : control at risk were written down. Suppose b of the s silences would have happened anyway. Then
  the other f - b are held against the SLO by engine A, and the b against the control devices by engine B:

      E = min over b = 0..s of   E_A(n, f - b)  *  ( 1/2 + 1/2 E_B(b) )

      E_B(b) = mean over theta of  prod_control (o + 1)/(o theta + 1)  *  prod_b  theta (o + 1)/(o theta + 1)

  For the true b both factors are e-processes of the same flow of events under "the release causes failures at a rate of
  at most p0, and everything else hits updated and control devices alike", so their product is one, and the minimum is
  never above it. Nobody has to know the true b: E is small as soon as one b makes both sides look innocent.
- Without silences E is engine A. With plenty of control and none of it silent, blaming a silence on the background
  costs a factor of dozens, so hardly any power is lost. Where a whole region goes dark on both sides, E_B stays at one
  and the silences excuse themselves.
- The b silences are taken at the largest odds, where blaming them costs least: again a lower bound.
- log E_A is convex in b, so is log E_B: the minimum is found by bisection.

Sources: engines A and B (``bernoulli``, ``rate``); Vovk and Wang, "E-values: calibration, combination and
applications", Annals of Statistics 2021 (products); the minimum over what is not known as in Wasserman, Ramdas and
Balakrishnan, "Universal inference", PNAS 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from ringback.stats.bernoulli import SloGate, Tally
from ringback.stats.mixture import EVIDENCE_MAX, LOG_MAX
from ringback.stats.risk import PPM, RiskSet

THETAS = (2.0, 10.0, 100.0, 1000.0)
"""How many times more often updated devices fall silent. Far above engine B's, because right after a reboot a healthy
control group has next to no silences, and a brick has nothing but."""

EXCUSABLE_MAX = 10_000
"""Silences that may be blamed on the background. A fleet with more has a verdict without them, one way or the other."""


def evidence_beyond(gate: SloGate, seen: Tally, silent: int, risks: Sequence[RiskSet]) -> float:
    """Return E >= 0: how strongly ``seen`` speaks against the SLO beyond what control devices do as well.

    Args:
        gate: engine A.
        seen: devices that entered, and those that failed in any way.
        silent: those of the failed that fell silent; 0 to ``seen.failed``.
        risks: silences on both sides by their odds; treated ones that are not listed cannot be excused.
    """
    attributable = min(silent, sum(each.treated for each in risks), EXCUSABLE_MAX)
    if not risks or (not attributable and not any(each.control for each in risks)):
        return gate.evidence(seen)
    base, steps = _background(risks, attributable)

    def blaming(blamed: int) -> float:
        rest = gate.log_evidence(Tally(seen.devices, seen.failed - blamed))
        return rest + _log_against_control(blamed, base, steps)

    few, many = 0, attributable  # the first b from which blaming one more no longer lowers E
    while few < many:
        middle = (few + many) // 2
        if blaming(middle + 1) < blaming(middle):
            few = middle + 1
        else:
            many = middle
    return min(EVIDENCE_MAX, exp(min(LOG_MAX, blaming(few))))


def _background(risks: Sequence[RiskSet], attributable: int) -> tuple[list[float], list[tuple[int, list[float]]]]:
    """Return log E_B(0) per theta, and by falling odds how many silences may be blamed and what each adds per theta."""
    base = [0.0] * len(THETAS)
    steps: list[tuple[int, list[float]]] = []
    for each in sorted(risks, key=lambda risk: -risk.odds_ppm):
        odds = each.odds_ppm / PPM
        spared = [log((odds + 1) / (odds * theta + 1)) for theta in THETAS]
        base = [before + each.control * one for before, one in zip(base, spared, strict=True)]
        count = min(each.treated, attributable)
        attributable -= count
        if count:
            steps.append((count, [one + log(theta) for one, theta in zip(spared, THETAS, strict=True)]))
    return base, steps


def _log_against_control(blamed: int, base: Sequence[float], steps: Sequence[tuple[int, list[float]]]) -> float:
    """log of 1/2 + 1/2 E_B(b) for b = ``blamed``."""
    logs, left = list(base), blamed
    for count, each in steps:
        taken = min(count, left)
        left -= taken
        logs = [before + taken * one for before, one in zip(logs, each, strict=True)]
        if not left:
            break
    top = max(0.0, *logs)
    return log(0.5 * exp(-top) + sum(exp(one - top) for one in logs) / (2 * len(THETAS))) + top
