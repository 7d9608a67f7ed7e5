"""I9: a ring does not widen on missing evidence, nor past its exposure budget; a stop is heard.

Knows: who stopped what and when, when each device last heard the server, and, from the devices themselves, who
activated and who confirmed what a rollout brings. The bound on the failure rate is computed here, by the formula of the
design and not by the gate's code. Offers that were made under a bound hold after the bound has shrunk, so exposure is
held against the widest bound so
far: sharp enough for a rollout that ignores its budget, and never a false alarm.
"""

from dataclasses import dataclass, field

from ringback.sim.facts import (
    Activated,
    Confirmed,
    Fact,
    Heard,
    RingOpened,
    RolloutBegan,
    Settled,
    Stopped,
    Violation,
)

BISECTIONS = 40


@dataclass(slots=True)
class _Seen:
    """A rollout: when devices entered and which of them confirmed."""

    began: RolloutBegan
    entered_at_ms: dict[str, int] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    allowed: int = 0


class RolloutChecker:
    """Judges ring openings, exposure, and switches under a stop."""

    def __init__(self) -> None:
        self._stops: dict[str, Stopped] = {}
        self._heard_at_ms: dict[str, int] = {}
        self._confirmed: dict[str, set[str]] = {}
        self._on_trial: set[str] = set()
        self._rollouts: dict[str, _Seen] = {}

    def see(self, fact: Fact) -> list[Violation]:
        match fact:
            case Stopped():
                self._stop(fact)
            case Heard():
                self._heard_at_ms[fact.device] = fact.at_ms
            case Confirmed():
                self._confirm(fact)
            case Settled():
                self._settle(fact)
            case RolloutBegan():
                self._rollouts[fact.rollout] = _Seen(fact, allowed=fact.budget_devices)
            case RingOpened():
                return self._ring(fact)
            case Activated() if not fact.back:
                return [*self._exposed(fact), *self._activated(fact)]
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return []

    def _stop(self, fact: Stopped) -> None:
        if fact.devices:
            self._stops[fact.stop_id] = fact
        else:
            self._stops.pop(fact.stop_id, None)

    def _confirm(self, fact: Confirmed) -> None:
        self._confirmed.setdefault(fact.device, set()).update(fact.running.values())
        self._on_trial.discard(fact.device)
        for seen in self._rollouts.values():
            if fact.device in seen.entered_at_ms and seen.began.digests & set(fact.running.values()):
                seen.confirmed.add(fact.device)

    def _settle(self, fact: Settled) -> None:
        self._on_trial.discard(fact.device)
        if fact.kind != "confirmed":
            for seen in self._rollouts.values():
                if fact.device not in seen.confirmed:
                    seen.entered_at_ms.pop(fact.device, None)

    def _ring(self, fact: RingOpened) -> list[Violation]:
        seen = self._rollouts.get(fact.rollout)
        if seen is None or fact.ring == 0 or seen.confirmed:
            return []
        text = f"ring {fact.ring} of {fact.rollout} opened although no device has confirmed the release"
        return [Violation("I9", fact.at_ms, "", text)]

    def _exposed(self, fact: Activated) -> list[Violation]:
        found = []
        for seen in self._rollouts.values():
            began = seen.began
            if not began.digests & set(fact.changed.values()) or fact.device in seen.entered_at_ms:
                continue
            matured = sum(
                1
                for device in seen.confirmed
                if fact.at_ms - seen.entered_at_ms.get(device, fact.at_ms) >= began.horizon_ms
            )
            bound = upper_bound(matured, began.delta_ppm / 1_000_000)
            seen.allowed = max(seen.allowed, int(began.budget_devices / bound))
            seen.entered_at_ms[fact.device] = fact.at_ms
            unproven = len(seen.entered_at_ms) - matured
            if began.budget_devices and unproven > seen.allowed:
                text = f"{unproven} unproven devices run {began.rollout}; the budget allowed {seen.allowed} at most"
                found.append(Violation("I9", fact.at_ms, fact.device, text))
        return found

    def _activated(self, fact: Activated) -> list[Violation]:
        """A device that began before it could hear of the stop may finish its groups; nobody else may begin."""
        if fact.device in self._on_trial:
            return []
        self._on_trial.add(fact.device)
        known = self._confirmed.get(fact.device, set())
        if all(not digest or digest in known for digest in fact.changed.values()):
            return []
        for stop in self._stops.values():
            if fact.device in stop.devices and self._heard_at_ms.get(fact.device, -1) > stop.at_ms:
                text = f"began to activate {sorted(fact.changed.values())} after hearing of stop {stop.stop_id}"
                return [Violation("I9", fact.at_ms, fact.device, text)]
        return []


def upper_bound(clean_count: int, delta: float) -> float:
    """The failure rate that `clean_count` devices without a failure exclude with confidence 1 - delta, at any time.

    Solves sum of v_j ((1 - q_j p) / (1 - p))^n = 1 / delta for p, with q = 0, 0.2, 0.5 and v = 1/2, 1/4, 1/4.
    """
    if clean_count == 0:
        return 1.0
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(BISECTIONS):
        p = (low + high) / 2
        evidence = sum(v * ((1 - q * p) / (1 - p)) ** clean_count for q, v in ((0.0, 0.5), (0.2, 0.25), (0.5, 0.25)))
        low, high = (low, p) if evidence >= 1 / delta else (p, high)
    return high
