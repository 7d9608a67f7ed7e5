"""I9: a ring does not widen on missing evidence, nor past its exposure budget; a stop is heard.

Knows: who stopped what and when, when each device last heard the server, and what the world (not the server) knew of the
devices already granted whenever a ring opened.
"""

from ringback.sim.facts import Activated, Confirmed, Fact, Heard, RingOpened, Settled, Stopped, Violation


class RolloutChecker:
    """Judges ring openings and switches under a stop."""

    def __init__(self) -> None:
        self._stops: dict[str, Stopped] = {}
        self._heard_at_ms: dict[str, int] = {}
        self._confirmed: dict[str, set[str]] = {}
        self._on_trial: set[str] = set()

    def see(self, fact: Fact) -> list[Violation]:
        if isinstance(fact, Stopped):
            if fact.devices:
                self._stops[fact.stop_id] = fact
            else:
                self._stops.pop(fact.stop_id, None)
        elif isinstance(fact, Heard):
            self._heard_at_ms[fact.device] = fact.at_ms
        elif isinstance(fact, Confirmed):
            self._confirmed.setdefault(fact.device, set()).update(fact.running.values())
            self._on_trial.discard(fact.device)
        elif isinstance(fact, Settled):
            self._on_trial.discard(fact.device)
        elif isinstance(fact, RingOpened):
            return self._ring(fact)
        elif isinstance(fact, Activated) and not fact.back:
            return self._activated(fact)
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return []

    def _ring(self, fact: RingOpened) -> list[Violation]:
        if fact.ring == 0:
            return []
        found = []
        if fact.entered - fact.unproven <= 0:
            text = f"ring {fact.ring} of {fact.rollout} opened although no device has proven the release"
            found.append(Violation("I9", fact.at_ms, "", text))
        if fact.allowed and fact.unproven > fact.allowed:
            text = f"ring {fact.ring} of {fact.rollout} opened with {fact.unproven} unproven devices; {fact.allowed} are allowed"
            found.append(Violation("I9", fact.at_ms, "", text))
        return found

    def _activated(self, fact: Activated) -> list[Violation]:
        """A device that began before it could hear of the stop may finish its group; nobody else may begin."""
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
