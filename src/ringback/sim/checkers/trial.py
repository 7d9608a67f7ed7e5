"""I4: every trial ends by itself within its window. I5: a revert touches only what its deployment changed, by its
ladder.

Knows: the documents each device heard (their ladder and window), and every switch of a pointer. Time without power does
not
count: no device can act without power.
"""

from dataclasses import dataclass, field

from ringback.sim.checkers.base import Document, read_document
from ringback.sim.facts import Activated, Booted, Confirmed, Fact, Heard, PoweredOff, Settled, Violation

# Switching back and proving it may take this long for each rung of the ladder, beside the trial itself.
RUNG_MS = 10_000
# Documents remembered per device: those heard since the last confirmed set, and a few before.
DOCUMENTS_LIMIT = 16


@dataclass(slots=True)
class _Seen:
    documents: list[Document] = field(default_factory=list)
    began_at_ms: int | None = None
    off_since_ms: int | None = None
    off_ms: int = 0
    in_hand: int = 0
    """How many documents had been heard when the trial began; those heard later are for the next one."""


class TrialChecker:
    """One record per device; a trial opens with the first forward switch."""

    def __init__(self) -> None:
        self._devices: dict[str, _Seen] = {}

    def see(self, fact: Fact) -> list[Violation]:
        seen = self._devices.setdefault(fact.device, _Seen())
        if isinstance(fact, Heard) and fact.document:
            seen.documents = [*seen.documents, read_document(fact.document)][-DOCUMENTS_LIMIT:]
        elif isinstance(fact, PoweredOff):
            seen.off_since_ms = fact.at_ms
        elif isinstance(fact, Booted) and seen.off_since_ms is not None:
            seen.off_ms += fact.at_ms - seen.off_since_ms
            seen.off_since_ms = None
        elif isinstance(fact, Activated):
            return self._activated(fact, seen)
        elif isinstance(fact, Confirmed | Settled):
            late = self._late(fact.device, seen, fact.at_ms)
            seen.documents = seen.documents[seen.in_hand :]
            seen.began_at_ms, seen.off_ms, seen.in_hand = None, 0, 0
            return late
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return [late for device, seen in sorted(self._devices.items()) for late in self._late(device, seen, now_ms)]

    def _activated(self, fact: Activated, seen: _Seen) -> list[Violation]:
        if not fact.back:
            if seen.began_at_ms is None:
                seen.began_at_ms = fact.at_ms
                seen.in_hand = len(seen.documents)
            return []
        allowed: dict[str, set[str]] = {}
        for document in seen.documents:
            for rung in document.ladder:
                for plane, digest in rung.sets.items():
                    allowed.setdefault(plane, set()).add(digest)
        found = []
        changed = frozenset().union(*(document.changed for document in seen.documents))
        for plane, digest in sorted(fact.changed.items()):
            if plane not in changed:
                text = f"reverted {plane}, which no deployment of this device changed"
                found.append(Violation("I5", fact.at_ms, fact.device, text))
            elif digest not in allowed.get(plane, set()):
                text = f"reverted {plane} to {digest or 'nothing'}, which is on no rung of its ladder"
                found.append(Violation("I5", fact.at_ms, fact.device, text))
        return found

    def _late(self, device: str, seen: _Seen, now_ms: int) -> list[Violation]:
        if seen.began_at_ms is None or seen.off_since_ms is not None:
            return []
        document = seen.documents[-1] if seen.documents else None
        trial_ms = max((document.trial_ms for document in seen.documents), default=0)
        rung_count = len(document.ladder) if document else 0
        bound_ms = 2 * trial_ms + (rung_count + 1) * RUNG_MS
        took_ms = now_ms - seen.began_at_ms - seen.off_ms
        if took_ms <= bound_ms:
            return []
        text = f"a trial of {took_ms} ms has not ended; its bound is {bound_ms} ms"
        return [Violation("I4", now_ms, device, text)]
