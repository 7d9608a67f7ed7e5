"""I1: a device always boots a set that is confirmed, or on trial with a way back. I6: there is always one to boot.

Knows: what each device confirmed, whether a trial is open, and which slots are whole.
"""

from dataclasses import dataclass, field

from ringback.sim.facts import Activated, Booted, Confirmed, Fact, Settled, SlotsChanged, Violation


@dataclass(slots=True)
class _Seen:
    confirmed: dict[str, str] = field(default_factory=dict)
    previous: dict[str, str] = field(default_factory=dict)
    is_on_trial: bool = False
    slots: dict[str, bool] = field(default_factory=dict)


class BootChecker:
    """One record per device."""

    def __init__(self) -> None:
        self._devices: dict[str, _Seen] = {}

    def see(self, fact: Fact) -> list[Violation]:
        seen = self._devices.setdefault(fact.device, _Seen())
        if isinstance(fact, Activated):
            seen.is_on_trial = True
        elif isinstance(fact, Settled):
            seen.is_on_trial = False
        elif isinstance(fact, Confirmed):
            if dict(fact.running) != seen.confirmed:
                seen.previous, seen.confirmed = seen.confirmed, dict(fact.running)
            seen.is_on_trial = False
        elif isinstance(fact, SlotsChanged):
            seen.slots = dict(fact.slots)
            return self._check_bootable(fact, seen)
        elif isinstance(fact, Booted):
            return self._check_boot(fact, seen)
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return []

    def _check_boot(self, fact: Booted, seen: _Seen) -> list[Violation]:
        broken = [digest for digest in fact.running.values() if not seen.slots.get(digest, False)]
        if broken:
            text = f"booted from slots that are absent or not whole: {', '.join(sorted(broken))}"
            return [Violation("I1", fact.at_ms, fact.device, text)]
        if dict(fact.running) != seen.confirmed and not seen.is_on_trial:
            text = f"booted {sorted(fact.running.values())}, neither confirmed nor on trial"
            return [Violation("I1", fact.at_ms, fact.device, text)]
        return []

    def _check_bootable(self, fact: SlotsChanged, seen: _Seen) -> list[Violation]:
        found = []
        for name, digests in (("confirmed", seen.confirmed), ("previous", seen.previous)):
            lost = sorted(plane for plane, digest in digests.items() if not seen.slots.get(digest, False))
            if lost:
                text = f"the {name} set can no longer be booted: {', '.join(lost)} gone"
                found.append(Violation("I6", fact.at_ms, fact.device, text))
        return found
