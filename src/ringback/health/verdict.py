"""Judges a release on all its evidence: PASS, FAIL or WAITING, and for what.

Decides: whether the release is certified, must stop, or needs more devices; which family and plane it blames. Never:
passes on missing evidence, and never widens anything.

- FAIL: E >= 1/alpha, where E = E_pool/2 + mean(E_family)/2 on one prefix of the entry order, at its largest over the
  prefixes "all", "half the shortest horizon old" and "as old as each horizon". A release inside its SLO gets there
  with probability at most alpha, however often one looks.
- PASS: the certificate below p1, on devices matured past the longest horizon and the heartbeat time. Unresolved
  devices count as failed there.
- WAITING otherwise, with the devices still needed.
- Signals beside the outcome (``signals``) spend their share of alpha: E is the largest of w_s E_s over outcomes and
  signals. Without signals outcomes have all of it.
- On this one scale of E: 5 watch, 20 pause and tell a person, 1/alpha take it back.

Source: ``ringback.stats.bernoulli`` and ``ringback.stats.combine``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import ceil

from ringback.health import words
from ringback.health.blame import Blame, BlameBasis, blamed
from ringback.health.evidence import Cause, Prefix, StratumEvidence, summed
from ringback.health.params import PPM, GateParams, certificate_engine, slo_engine
from ringback.health.signals import Signal, SignalEvidence, SignalKind, SignalSeen, judged, weights
from ringback.stats import BadNumber, RiskSet, Tally, crossed, e_bh, evidence_beyond, pooled, upper_bound

WATCH_AT = 5.0
"""No growth for a while. One good release in five at most gets here; it costs an hour, not a release."""

PAUSE_AT = 20.0
"""Tell a person: the familiar 5 % level, yet valid at every look."""

E_MILLI_MAX = 10**15
"""E is reported in thousandths up to here; more is of no use to anyone and would not fit a JSON number everywhere."""


class VerdictKind(StrEnum):
    """The three answers; there is no fourth."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    WAITING = "waiting"


class Level(StrEnum):
    """Where E stands on the ladder."""

    QUIET = "quiet"
    WATCH = "watch"
    PAUSE = "pause"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Measure:
    """One comparison the verdict rests on: ``observed`` ``operator`` ``limit``, as text with units."""

    name: str
    observed: str
    operator: str
    limit: str


@dataclass(frozen=True, slots=True)
class SignalVerdict:
    """One signal beside the outcome, as it stands.

    Attributes:
        name, kind, plane: of the signal.
        e_milli: its own evidence in thousandths; it halts the release at ``halts_at_milli``.
        family: the family that speaks loudest.
        updated: updated devices, or events on them, it rests on.
        refused: values that were no evidence.
        is_cause: among the signals to be reported as causes (e-BH at alpha).
    """

    name: str
    kind: SignalKind
    plane: str
    e_milli: int
    halts_at_milli: int
    family: str
    updated: int
    refused: int
    is_cause: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one release at one moment.

    Attributes:
        family: the one hardware family affected; "" if several or all are, or none fails.
        blame: the plane at fault and the grounds; None unless something failed.
        e_milli: evidence against the release in thousandths, on the common scale, cut at ``E_MILLI_MAX``.
        u_ppm: upper bound of the failure rate of matured devices, rounded up.
        entered, failed: all devices that entered, and those that failed.
        matured, matured_open: devices past the longest horizon and heartbeat, and those of them not good.
        still_needed: further clean matured devices for the certificate; 0 = granted, None = unreachable.
        cause: what most failed devices report; None without a failure.
        measures: observed, operator, limit of each comparison.
        signals: every signal beside the outcome.
        reasons: sentences for people, most important first.
    """

    kind: VerdictKind
    level: Level
    family: str
    blame: Blame | None
    e_milli: int
    u_ppm: int
    entered: int
    failed: int
    matured: int
    matured_open: int
    still_needed: int | None
    cause: Cause | None
    measures: tuple[Measure, ...]
    signals: tuple[SignalVerdict, ...]
    reasons: tuple[str, ...]


def judge(
    gate: GateParams,
    strata: Sequence[StratumEvidence],
    now_ms: int,
    *,
    changed: Sequence[str],
    signals: Sequence[Signal] = (),
    seen: Sequence[SignalSeen] = (),
) -> Verdict:
    """Judge a release.

    Args:
        gate: checked parameters of the release.
        strata: evidence of every planned hardware family, also of those not seen yet.
        now_ms: UTC ms.
        changed: planes the release changes, in the order of the rollback policy, first to go back first.
        signals: what the release watches beside the outcome.
        seen: what was seen of it.
    """
    outcomes = evidence_against(gate, strata, now_ms) * weights(signals)[0]
    beside = judged(signals, seen, [stratum.stratum for stratum in strata])
    loudest = max(beside, key=lambda each: each.evidence * each.weight, default=None)
    if loudest is not None and loudest.evidence * loudest.weight <= outcomes:
        loudest = None
    evidence = outcomes if loudest is None else loudest.evidence * loudest.weight
    level = level_of(gate, evidence)
    everyone = summed(stratum.everyone for stratum in strata).for_halting
    matured = matured_tally(gate, strata, now_ms)
    promotion = certificate_engine(gate.p1_ppm)
    kind = VerdictKind.WAITING
    if level is Level.HALT:
        kind = VerdictKind.FAIL
    elif level is not Level.PAUSE and promotion.granted(matured, gate.beta):
        kind = VerdictKind.PASS
    family = affected_family(gate, strata) if everyone.failed else ""
    causes = [cause for stratum in strata if family in ("", stratum.stratum) for cause in stratum.causes]
    bound = upper_bound(matured, gate.delta)
    verdict = Verdict(
        kind=kind,
        level=level,
        family=family,
        blame=_blame(
            blamed(causes, changed) if everyone.failed else None,
            changed,
            loudest if level is not Level.QUIET else None,
        ),
        e_milli=min(E_MILLI_MAX, int(evidence * 1000)),
        u_ppm=ceil(bound * PPM),
        entered=everyone.devices,
        failed=everyone.failed,
        matured=matured.devices,
        matured_open=matured.failed,
        still_needed=promotion.clean_devices_needed(matured, gate.beta),
        cause=max(causes, key=lambda cause: (bool(cause.rule), cause.devices), default=None),
        measures=(
            Measure("evidence against the release", f"{evidence:.3g}", "<", f"{1 / gate.alpha:g}"),
            Measure("evidence for the certificate", f"{promotion.evidence(matured):.3g}", ">=", f"{1 / gate.beta:g}"),
            Measure("upper bound of the failure rate", words.share(ceil(bound * PPM)), "<", words.share(gate.p1_ppm)),
        ),
        signals=_shown(beside, gate),
        reasons=(),
    )
    return replace(verdict, reasons=_reasons(verdict, gate, loudest))


def _blame(by_outcome: Blame | None, changed: Sequence[str], loudest: SignalEvidence | None) -> Blame | None:
    """A signal that speaks louder than the outcomes indicts its plane; a rule that failed on devices goes before it."""
    if loudest is None or loudest.signal.plane not in changed:
        return by_outcome
    if by_outcome is not None and by_outcome.basis is BlameBasis.RULE:
        return by_outcome
    return Blame(loudest.signal.plane, BlameBasis.SIGNAL, loudest.updated, loudest.updated)


def _shown(beside: Sequence[SignalEvidence], gate: GateParams) -> tuple[SignalVerdict, ...]:
    causes = e_bh([each.evidence for each in beside], gate.alpha)
    assert not isinstance(causes, BadNumber)
    return tuple(
        SignalVerdict(
            name=each.signal.name,
            kind=each.signal.kind,
            plane=each.signal.plane,
            e_milli=min(E_MILLI_MAX, int(each.evidence * 1000)),
            halts_at_milli=ceil(1000 / (gate.alpha * each.weight)),
            family=each.family,
            updated=each.updated,
            refused=each.refused,
            is_cause=index in causes,
        )
        for index, each in enumerate(beside)
    )


def evidence_against(gate: GateParams, strata: Sequence[StratumEvidence], now_ms: int) -> float:
    """Return the largest combined E over the prefixes of the entry order."""
    orders = [[stratum.everyone for stratum in strata]]
    for age_ms in (gate.shortest_horizon_ms // 2, *(budget.horizon_ms for budget in gate.budgets)):
        orders.append([stratum.prefix(now_ms - age_ms) for stratum in strata])
    risks = [stratum.risks for stratum in strata]
    everywhere = tuple(risk for each in risks for risk in each)
    best = 1.0
    for prefixes in orders:
        pool = _beyond(gate.p0_ppm, summed(prefixes), everywhere)
        families = [_beyond(gate.p0_ppm, each, seen) for each, seen in zip(prefixes, risks, strict=True)]
        combined = pooled(pool, families, strata_count=len(strata))
        assert isinstance(combined, float)  # counts come from the ledger, which refuses impossible ones
        best = max(best, combined)
    return best


def _beyond(p0_ppm: int, seen: Prefix, risks: tuple[RiskSet, ...]) -> float:
    """Evidence beyond what control does; nothing where not even engine A alone has any, which saves the search."""
    alone = _evidence(p0_ppm, seen.entered, seen.failed)
    if not risks:
        return alone
    return _evidence_beyond(p0_ppm, seen.for_halting, seen.silent, risks) if alone > 1.0 else 0.0


@lru_cache(maxsize=65_536)
def _evidence(p0_ppm: int, entered: int, failed: int) -> float:
    """Engine A, remembered: between two looks most families have not changed."""
    return slo_engine(p0_ppm).evidence(Tally(entered, failed))


@lru_cache(maxsize=4_096)
def _evidence_beyond(p0_ppm: int, seen: Tally, silent: int, risks: tuple[RiskSet, ...]) -> float:
    return evidence_beyond(slo_engine(p0_ppm), seen, silent, risks)


def matured_tally(gate: GateParams, strata: Sequence[StratumEvidence], now_ms: int) -> Tally:
    """Return the devices past the longest horizon and the heartbeat time; those not good count as failed."""
    by_ms = now_ms - gate.longest_horizon_ms - gate.heartbeat_ms
    return summed(stratum.prefix(by_ms) for stratum in strata).for_certifying


def level_of(gate: GateParams, evidence: float) -> Level:
    """Return the rung of the ladder for an E."""
    if crossed(evidence, gate.alpha):
        return Level.HALT
    if evidence >= PAUSE_AT:
        return Level.PAUSE
    return Level.WATCH if evidence >= WATCH_AT else Level.QUIET


def affected_family(gate: GateParams, strata: Sequence[StratumEvidence]) -> str:
    """Return the family that fails while all others together do not speak against the SLO; "" if there is none."""
    if not strata:
        return ""
    worst = max(strata, key=lambda each: _beyond(gate.p0_ppm, each.everyone, each.risks))
    others = [each for each in strata if each is not worst]
    rest = summed(each.everyone for each in others)
    against_rest = _beyond(gate.p0_ppm, rest, tuple(risk for each in others for risk in each.risks))
    alone = _beyond(gate.p0_ppm, worst.everyone, worst.risks)
    if rest.entered and alone >= PAUSE_AT and against_rest < WATCH_AT:
        return worst.stratum
    return ""


def _reasons(verdict: Verdict, gate: GateParams, loudest: SignalEvidence | None) -> tuple[str, ...]:
    said: list[str] = []
    if verdict.level is not Level.QUIET:
        if loudest is None:
            said.append(words.against(verdict.failed, verdict.entered, gate.p0_ppm, verdict.e_milli))
        else:
            name, is_rate = loudest.signal.name, loudest.signal.kind is SignalKind.RATE
            said.append(words.worse_than_control(name, loudest.updated, verdict.e_milli, is_rate=is_rate))
        if verdict.family:
            said.append(words.only_on(verdict.family))
        if verdict.cause is not None and verdict.cause.rule:
            cause = verdict.cause
            said.append(words.rule_failed(cause.rule, cause.observed, cause.operator, cause.limit))
        if verdict.blame is not None:
            blame = verdict.blame
            said.append(words.blame(blame.plane, blame.basis, blame.votes, blame.cast))
    if verdict.kind is VerdictKind.PASS:
        said.append(words.certified(gate.p1_ppm, gate.beta_ppm, verdict.matured, verdict.matured_open))
    elif verdict.kind is VerdictKind.WAITING:
        said.append(words.bounded(verdict.matured, verdict.matured_open, verdict.u_ppm, gate.delta_ppm))
        said.append(words.needed(verdict.still_needed, gate.p1_ppm))
    return tuple(said)
