"""Signals beside the outcome: event rates and measurements, each judged against control devices.

Decides: what a signal's evidence is, and which share of the error rate it may spend. Never: mixes signals into one
number that hides which of them spoke, and never counts a device twice for one signal.

- A *rate* signal counts the first event (crash, watchdog reset, inference error, a site going dark) per device and
  window on both sides: engine B.
- A *rank* signal compares how much a measurement (latency, memory, temperature, output drift) changed on an updated
  device with how much it changed on fresh control devices of the same family and hour: engine C.
- Weighted Bonferroni: outcomes have half of alpha, rates a fifth, ranks three tenths; a kind that a release does not
  watch leaves its share to the outcomes. Signals of one kind share evenly. So on one common scale the evidence of
  signal s is w_s E_s, and any of them at 1/alpha halts.
- Families and pool as for outcomes: E = E_pool / 2 + mean(E_family) / 2.

Source: ``ringback.stats.rate``, ``rank``, ``combine``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ringback.stats import BadNumber, RankGate, RateGate, RiskSet, pooled, rank_gate, rate_gate
from ringback.stats.rank import CONTROLS_DEFAULT

RATE_SHARE, RANK_SHARE = 0.2, 0.3
"""Shares of alpha for all signals of a kind together; what is left is for outcomes."""

RATIO_MAX = 50.0


WHOLE_FLEET = ""
"""Stratum of what no family has to itself, such as a site."""


class SignalKind(StrEnum):
    """Which engine judges a signal."""

    RATE = "rate"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that a release watches.

    Attributes:
        name: unique in the release, for people: ``latency/face.p95_us``.
        kind: rate or rank.
        plane: plane it indicts; "" = none.
        tolerated_ppm: for a rate the tolerated ratio updated : control, 1000000 = no worse; for a rank it is subtracted
            from the change before it is ranked, and only kept here to be shown.
    """

    name: str
    kind: SignalKind
    plane: str = ""
    tolerated_ppm: int = 1_000_000


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """What was seen of one signal in one family.

    Attributes:
        risks: for a rate: events on both sides by their odds.
        ranks: for a rank: updated devices by how many of their controls they exceed, 0 to 4.
        refused: values that were no evidence (not a number, impossible, without a before): shown, never counted.
    """

    name: str
    stratum: str
    risks: tuple[RiskSet, ...] = ()
    ranks: tuple[int, ...] = ()
    refused: int = 0


@dataclass(frozen=True, slots=True)
class SignalEvidence:
    """One signal, judged.

    Attributes:
        evidence: E >= 0 over all families.
        weight: its share of alpha; it halts at 1 / (weight alpha).
        family: the family that speaks loudest; "" without any.
        updated: devices (rank) or events of updated devices (rate) it rests on.
        refused: values that were no evidence.
    """

    signal: Signal
    evidence: float
    weight: float
    family: str
    updated: int
    refused: int


DARK_SITES = Signal("dark sites", SignalKind.RATE)
"""Sites that go dark, those with updated devices under watch against the others: a release that takes the whole site
offline leaves nobody there to compare with."""


def weights(signals: Sequence[Signal]) -> tuple[float, tuple[float, ...]]:
    """Return the share of alpha for outcomes, and for each signal; they sum to one."""
    kinds = [each.kind for each in signals]
    rates, ranks = kinds.count(SignalKind.RATE), kinds.count(SignalKind.RANK)
    shares = {SignalKind.RATE: RATE_SHARE / max(1, rates), SignalKind.RANK: RANK_SHARE / max(1, ranks)}
    left = 1.0 - (RATE_SHARE if rates else 0.0) - (RANK_SHARE if ranks else 0.0)
    return left, tuple(shares[kind] for kind in kinds)


def judged(signals: Sequence[Signal], seen: Sequence[SignalSeen], strata: Sequence[str]) -> tuple[SignalEvidence, ...]:
    """Return the evidence of every signal, in order.

    Args:
        signals: what the release watches.
        seen: what was seen, by signal and family; unknown names and families are left out.
        strata: all planned families: the evidence is averaged over them.
    """
    found: dict[str, list[SignalSeen]] = {each.name: [] for each in signals}
    for each in seen:
        if each.name in found and each.stratum in (WHOLE_FLEET, *strata):
            found[each.name].append(each)
    _outcomes, shares = weights(signals)
    return tuple(
        _judged(signal, found[signal.name], share, len(strata)) for signal, share in zip(signals, shares, strict=True)
    )


def _judged(signal: Signal, seen: Sequence[SignalSeen], weight: float, strata_count: int) -> SignalEvidence:
    alone = {each.stratum: _evidence(signal, each.risks, each.ranks) for each in seen if each.stratum != WHOLE_FLEET}
    everywhere = tuple(risk for each in seen for risk in each.risks)
    ranks = tuple(sum(column) for column in zip(*(each.ranks for each in seen if each.ranks), strict=False))
    strata_count = strata_count if alone else 0
    combined = pooled(_evidence(signal, everywhere, ranks), list(alone.values()), strata_count=strata_count)
    assert not isinstance(combined, BadNumber)
    updated = sum(ranks) if signal.kind is SignalKind.RANK else sum(each.treated for each in everywhere)
    loudest = max(alone, key=lambda stratum: alone[stratum], default="")
    return SignalEvidence(signal, combined, weight, loudest, updated, sum(each.refused for each in seen))


def _evidence(signal: Signal, risks: tuple[RiskSet, ...], ranks: tuple[int, ...]) -> float:
    if signal.kind is SignalKind.RATE:
        return _rate(signal.tolerated_ppm).evidence_of(risks)
    found = rank_engine().evidence_of(ranks) if ranks else 1.0
    return 1.0 if isinstance(found, BadNumber) else found


@lru_cache(maxsize=64)
def _rate(tolerated_ppm: int) -> RateGate:
    gate = rate_gate(min(max(tolerated_ppm, 1) / 1_000_000, RATIO_MAX))
    assert isinstance(gate, RateGate), gate
    return gate


@lru_cache(maxsize=1)
def rank_engine() -> RankGate:
    """Return engine C with the usual number of controls per device."""
    gate = rank_gate(CONTROLS_DEFAULT)
    assert isinstance(gate, RankGate), gate
    return gate
