"""Engine C: did a measurement get worse on updated devices, compared with fresh control devices? By ranks alone.

Decides: how strongly the ranks speak against "no worse than the margin" for latency, memory, temperature, confidence
or drift. Never: assumes a distribution, a variance or independent frames; the unit is one device, once per metric.

- The updated device's change (after against its own before, minus the margin, larger = worse) is ranked among k
  control devices of the same stratum and hour that were not used before: r = how many of them it exceeds, 0..k.

      e = (k+1) exp(lambda r/k) / sum_{j=0..k} exp(lambda j/k),    mixed over lambda = 0.5, 1.5, 4

  Under H0 the k+1 values are exchangeable or the updated one is smaller, so r is at most uniform and e has mean at
  most 1: exact for any distribution and any tail from the first device on. P(E ever >= 1/alpha) <= alpha.
- Ties count as "not exceeded", which only lowers r.
- A control device that is used twice for one metric makes the factors dependent; the caller must not.

Sources: Saha and Ramdas, "Testing exchangeability by pairwise betting", 2023; Shekhar and Ramdas, "Nonparametric
two-sample testing by betting", 2021; Vovk, Nouretdinov and Gammerman, conformal test martingales, 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from ringback.stats.mixture import decreasing_weights, mixed
from ringback.stats.refused import OUT_OF_RANGE, WRONG_NUMBER_OF_CONTROLS, BadNumber, bad_count, bad_finite

SLOPES = (0.5, 1.5, 4.0)
"""Bets on how far updated devices move up the ranks: a little, clearly, nearly always the worst."""

CONTROLS_DEFAULT = 4
"""Controls per updated device. More controls see a shift slightly earlier and use the control group up faster."""

CONTROLS_MAX = 64


@dataclass(frozen=True, slots=True)
class RankState:
    """The whole state of engine C: one logarithm per slope, and how many devices were ranked."""

    logs: tuple[float, ...]
    devices: int


@dataclass(frozen=True, slots=True)
class RankGate:
    """The rank comparison among ``controls`` fresh controls. Build it with ``rank_gate``.

    ``log_factors[slope][rank]`` is the logarithm of e for that slope and rank.
    """

    controls: int
    weights: tuple[float, ...]
    log_factors: tuple[tuple[float, ...], ...]

    def start(self) -> RankState:
        """Return the state before any device: evidence 1."""
        return RankState((0.0,) * len(self.weights), 0)

    def evidence(self, state: RankState) -> float:
        """Return E >= 0: how strongly the ranks so far speak against "no worse than the margin"."""
        return mixed(self.weights, state.logs)

    def evidence_of(self, counts: Sequence[int]) -> float | BadNumber:
        """Return E >= 0 of all devices so far, given how many had each rank 0..controls; order does not matter."""
        if len(counts) != self.controls + 1:
            return BadNumber(WRONG_NUMBER_OF_CONTROLS, "counts", f"{len(counts)} ranks", str(self.controls + 1))
        for count in counts:
            refused = bad_count("counts", count)
            if refused is not None:
                return refused
        logs = [sum(count * one for count, one in zip(counts, row, strict=True)) for row in self.log_factors]
        return mixed(self.weights, logs)

    def factor(self, rank: int) -> float:
        """Return the mixed e-value of one device with this ``rank`` (0..controls) alone."""
        return mixed(self.weights, [row[rank] for row in self.log_factors])

    def after(self, state: RankState, rank: object) -> RankState | BadNumber:
        """Return the state after one updated device that exceeds ``rank`` (0..controls) of its controls."""
        refused = bad_count("rank", rank)
        if refused is not None:
            return refused
        assert isinstance(rank, int)
        if rank > self.controls:
            return BadNumber(OUT_OF_RANGE, "rank", str(rank), f"0 to {self.controls}")
        logs = tuple(before + row[rank] for before, row in zip(state.logs, self.log_factors, strict=True))
        return RankState(logs, state.devices + 1)

    def rank_of(self, updated: object, controls: Sequence[object]) -> int | BadNumber:
        """Return how many of exactly ``self.controls`` control values the updated value exceeds, or a refusal.

        Args:
            updated: change of the updated device minus the margin; larger is worse.
            controls: changes of the fresh controls, same unit.
        """
        if len(controls) != self.controls:
            return BadNumber(WRONG_NUMBER_OF_CONTROLS, "controls", f"{len(controls)} values", str(self.controls))
        refused = bad_finite("updated", updated)
        for value in controls:
            refused = refused or bad_finite("control", value)
        if refused is not None:
            return refused
        assert isinstance(updated, (int, float))
        return sum(isinstance(value, (int, float)) and updated > value for value in controls)


def rank_gate(controls: object = CONTROLS_DEFAULT) -> RankGate | BadNumber:
    """Build engine C for ``controls`` control devices per updated device, 1 to ``CONTROLS_MAX``."""
    refused = bad_count("controls", controls)
    if refused is not None:
        return refused
    assert isinstance(controls, int)
    if not 1 <= controls <= CONTROLS_MAX:
        return BadNumber(OUT_OF_RANGE, "controls", str(controls), f"1 to {CONTROLS_MAX}")
    rows = []
    for slope in SLOPES:
        total = log(sum(exp(slope * rank / controls) for rank in range(controls + 1)))
        rows.append(tuple(log(controls + 1) + slope * rank / controls - total for rank in range(controls + 1)))
    return RankGate(controls, decreasing_weights(len(SLOPES)), tuple(rows))
