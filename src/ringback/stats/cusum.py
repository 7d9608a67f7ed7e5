"""The e-CUSUM: has a release that was promoted begun to fail? For a change at an unknown time.

Decides: how strongly the recent past speaks for a change. Never: gives an error *probability*: watched for ever, every
detector raises a false alarm some day, so the promise is a rate.

- For each alternative k:  M_k <- max(M_k, 1) * factor_k.  Sum:  M = sum_k w_k M_k.  Alarm at M >= 1/alpha.
- Each M_k is an e-detector, E[M_tau] <= E[tau] for every stopping time under "no change", and so is their weighted
  mean. Hence the mean number of observations between false alarms is at least 1/alpha.
- The factors come from an engine: one device-window of engine A or one rank of engine C.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.stats.bernoulli import SloGate
from ringback.stats.mixture import LOG_MAX, mixed
from ringback.stats.rank import RankGate
from ringback.stats.refused import OUT_OF_RANGE, BadNumber, bad_count


@dataclass(frozen=True, slots=True)
class CusumState:
    """The whole state: one logarithm per alternative, and how many observations there were."""

    logs: tuple[float, ...]
    observations: int


@dataclass(frozen=True, slots=True)
class Cusum:
    """A detector over the alternatives of an engine; ``log_factors[outcome][k]`` is what an outcome multiplies by."""

    weights: tuple[float, ...]
    log_factors: tuple[tuple[float, ...], ...]

    def start(self) -> CusumState:
        """Return the state before any observation."""
        return CusumState((0.0,) * len(self.weights), 0)

    def evidence(self, state: CusumState) -> float:
        """Return M >= 0; an alarm at M >= 1/alpha comes falsely at most once per 1/alpha observations on average."""
        return mixed(self.weights, state.logs)

    def after(self, state: CusumState, outcome: object) -> CusumState | BadNumber:
        """Return the state after one observation.

        Args:
            outcome: for engine A 0 = the device-window passed, 1 = it failed; for engine C the rank.
        """
        refused = bad_count("outcome", outcome)
        if refused is not None:
            return refused
        assert isinstance(outcome, int)
        if outcome >= len(self.log_factors):
            return BadNumber(OUT_OF_RANGE, "outcome", str(outcome), f"0 to {len(self.log_factors) - 1}")
        return CusumState(_restarted(state.logs, self.log_factors[outcome]), state.observations + 1)


def _restarted(logs: Sequence[float], factors: Sequence[float]) -> tuple[float, ...]:
    """max(M, 1) * factor in logarithms; cut at LOG_MAX so that an alarm left alone cannot overflow."""
    return tuple(min(max(before, 0.0) + factor, LOG_MAX) for before, factor in zip(logs, factors, strict=True))


def cusum_of_failures(gate: SloGate) -> Cusum:
    """Return the detector of engine A: outcomes 0 = passed, 1 = failed."""
    return Cusum(gate.weights, (gate.log_passed, gate.log_failed))


def cusum_of_ranks(gate: RankGate) -> Cusum:
    """Return the detector of engine C: outcomes are ranks 0..controls."""
    by_rank = tuple(tuple(row[rank] for row in gate.log_factors) for rank in range(gate.controls + 1))
    return Cusum(gate.weights, by_rank)
