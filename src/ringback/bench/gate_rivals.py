"""Models of how other systems decide, on the same simulated fleets as Ringback's gate.

Decides: what a rollout does under a rule that another system documents. Never: claims to be that system. Each model
follows the documented rule, favours it where the documentation leaves room, and is shown the same devices.

- Groups are 1, 10, 50 and 100 % of the fleet, in a random order. A device takes its update at its first poll.
- Immediate failures are seen the minute the device reports them. hawkBit, AWS IoT Jobs and NervesHub see the result of
  the installation only: what breaks later is a success to them, and a device that never reports stays open.
- Fixed bakes see late failures too, and silence after the heartbeat time.
- After a stop, hawkBit, AWS and NervesHub need a person: rolling back takes an hour. A fixed bake rolls back by itself
  in half an hour, as Ringback does.

Sources: eclipse-hawkbit/hawkbit, docs/rollout-management.md, RolloutGroupConditionBuilder and RolloutManagement;
AWS IoT developer guide, "Specify job configurations", API AbortCriteria; nerves-hub/nerves_hub_web, migration
20190429171105 and commit 1c39a4f5e; the fixed bakes and the exact test are textbook rules.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import lgamma, log, log1p
from typing import Protocol

from ringback.health.params import MINUTE_MS
from ringback.sim.gate_run import HEARTBEAT_MS, LIMIT_MIN, ROLL_BACK_MIN, Ended
from ringback.sim.gate_world import DAY_MIN, POLL_MIN, Fate

SHARES = (0.01, 0.10, 0.50, 1.0)
SUCCESS_REPORT_MIN = 5.0
"""From entry to the report of a success: reboot and first connection."""

PERSON_MIN = 60.0
SLOT_MIN = 60.0
"""NervesHub frees the slot of a device that never reports after an hour: a favour, it may take longer."""

POLLS, ENTERS, SUCCEEDS, FAILS, GIVES_UP, LOOKS = range(6)
"""What may be due: for a device, or (LOOKS) for the rule."""


class Rule(Protocol):
    """How a rollout decides. All instants are minutes."""

    roll_back_min: float
    is_blind_to_late: bool
    stops_offers: bool
    """A stop also takes back what was offered and not begun."""

    def starts(self, rollout: Rollout) -> None:
        """Assign the first devices."""

    def hears(self, rollout: Rollout, kind: int, index: int) -> None:
        """Take a result: ``SUCCEEDS``, ``FAILS`` or ``GIVES_UP`` (never reported)."""

    def looks(self, rollout: Rollout) -> None:
        """Do what is due at a moment of its own."""


class Rollout:
    """One rollout under one rule; ``run`` plays it to its end."""

    def __init__(self, fleet: Sequence[Fate], rule: Rule) -> None:
        self.fleet, self.rule = fleet, rule
        self.order = sorted(range(len(fleet)), key=lambda index: fleet[index].order)
        self.now = 0.0
        self.stopped_at: float | None = None
        self.entered_at: list[float | None] = [None] * len(fleet)
        self.entered = self.failed = self.succeeded = 0
        self.at_90: float | None = None
        self._due: list[tuple[float, int, int, int]] = []
        self._count = 0

    def at(self, when: float, kind: int, index: int = -1) -> None:
        """Let something be due."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, kind, index))

    def assign(self, index: int) -> None:
        """Give a device its update: it takes it at its first poll from now on."""
        fate = self.fleet[index]
        ready = max(self.now, fate.reachable_at)
        self.at(ready + (fate.phase - ready) % POLL_MIN, POLLS, index)

    def stop(self) -> None:
        """Stop: nothing new is assigned."""
        self.stopped_at = self.now

    def run(self) -> Ended:
        """Play until stopped, or nothing is due any more."""
        self.rule.starts(self)
        while self._due:
            when, _count, kind, index = heapq.heappop(self._due)
            if when > LIMIT_MIN or (self.stopped_at is not None and when > self.stopped_at + self.rule.roll_back_min):
                break
            self.now = when
            self._happens(kind, index)
        return self._ended()

    def _happens(self, kind: int, index: int) -> None:
        if kind == POLLS:
            if self.stopped_at is None or not self.rule.stops_offers:
                self.at(self.now + self.fleet[index].install_min, ENTERS, index)
        elif kind == ENTERS:
            self._enters(index)
        elif self.stopped_at is None:
            if kind == LOOKS:
                self.rule.looks(self)
                return
            self.succeeded += kind == SUCCEEDS
            self.failed += kind in (FAILS, GIVES_UP)
            self.rule.hears(self, kind, index)

    def _enters(self, index: int) -> None:
        fate = self.fleet[index]
        self.entered_at[index] = self.now
        self.entered += 1
        if self.at_90 is None and self.entered >= 0.9 * len(self.fleet):
            self.at_90 = self.now
        if fate.fails_after is None or (fate.fails_after and self.rule.is_blind_to_late):
            self.at(self.now + SUCCESS_REPORT_MIN, SUCCEEDS, index)
        elif fate.report_after is None:
            patience = SLOT_MIN if self.rule.is_blind_to_late else HEARTBEAT_MS / MINUTE_MS
            self.at(self.now + fate.fails_after + patience, GIVES_UP, index)
        else:
            self.at(self.now + fate.fails_after + fate.report_after, FAILS, index)

    def _ended(self) -> Ended:
        until = LIMIT_MIN if self.stopped_at is None else self.stopped_at + self.rule.roll_back_min
        harmed = sum(
            at is not None and fate.fails_after is not None and at + fate.fails_after <= until
            for at, fate in zip(self.entered_at, self.fleet, strict=True)
        )
        stopped_at = None if self.stopped_at is None else int(self.stopped_at)
        at_90 = None if self.at_90 is None else int(self.at_90)
        return Ended(stopped_at, None, at_90, harmed, self.entered, 0)


class HawkBit:
    """Next group when enough of this one has finished, pause when too much of it has failed; shares of the group.

    A pause leaves groups that run untouched.
    """

    roll_back_min, is_blind_to_late, stops_offers = PERSON_MIN, True, False

    def __init__(self, success: float, error: float) -> None:
        self.success, self.error = success, error
        self.group_of: dict[int, int] = {}
        self.sizes: list[int] = []
        self.done: list[int] = []
        self.bad: list[int] = []
        self.opened = 0

    def starts(self, rollout: Rollout) -> None:
        """Start the first group."""
        begin = 0
        for group, share in enumerate(SHARES):
            members = rollout.order[begin : max(begin + 1, round(share * len(rollout.order)))]
            self.group_of.update(dict.fromkeys(members, group))
            self.sizes.append(len(members))
            begin += len(members)
        self.done, self.bad = [0] * len(self.sizes), [0] * len(self.sizes)
        self._open(rollout)

    def hears(self, rollout: Rollout, kind: int, index: int) -> None:
        """Count by group; a device that never reports is never finished."""
        group = self.group_of[index]
        self.done[group] += kind == SUCCEEDS
        self.bad[group] += kind == FAILS
        if self.bad[group] > self.error * self.sizes[group]:
            rollout.stop()
        elif group == self.opened - 1 and self.done[group] >= self.success * self.sizes[group]:
            self._open(rollout)

    def looks(self, rollout: Rollout) -> None:
        """Nothing is due by time."""

    def _open(self, rollout: Rollout) -> None:
        if self.opened < len(self.sizes):
            for index in rollout.order:
                if self.group_of[index] == self.opened:
                    rollout.assign(index)
            self.opened += 1


class AwsJobs:
    """A rate per minute that doubles with successes; abort at a share of completed executions, from a count on."""

    roll_back_min, is_blind_to_late, stops_offers = PERSON_MIN, True, True
    RATE_MAX = 1000

    def __init__(self, rate: int, share: float, least: int, *, doubles_every: int = 1000) -> None:
        self.rate, self.share, self.least, self.doubles_every = rate, share, least, doubles_every
        self.next = 0
        self.bad = 0

    def starts(self, rollout: Rollout) -> None:
        """Notify the first devices."""
        rollout.at(0.0, LOOKS)

    def hears(self, rollout: Rollout, kind: int, index: int) -> None:
        """Abort if too many of the completed executions failed."""
        del index
        self.bad += kind == FAILS
        completed = rollout.succeeded + self.bad
        if completed >= self.least and self.bad >= self.share * completed:
            rollout.stop()

    def looks(self, rollout: Rollout) -> None:
        """Notify this minute's devices."""
        times = rollout.succeeded // self.doubles_every if self.doubles_every else 0
        count = min(self.RATE_MAX, self.rate << min(times, 20))
        for index in rollout.order[self.next : self.next + count]:
            rollout.assign(index)
        self.next += count
        if self.next < len(rollout.order):
            rollout.at(rollout.now + 1, LOOKS)


class NervesHub:
    """A number of concurrent updates; until 2023 also: stop at 50 failures, or 5 within 300 seconds."""

    roll_back_min, is_blind_to_late, stops_offers = PERSON_MIN, True, True

    def __init__(self, concurrent: int, *, has_rule: bool) -> None:
        self.concurrent, self.has_rule = concurrent, has_rule
        self.next = 0
        self.failures: list[float] = []

    def starts(self, rollout: Rollout) -> None:
        """Fill the slots with devices that are connected."""
        self.waiting = [index for index in rollout.order if not rollout.fleet[index].reachable_at]
        self.away = sorted(
            (rollout.fleet[index].reachable_at, index) for index in rollout.order if rollout.fleet[index].reachable_at
        )
        self.waiting.reverse()
        self.free = self.concurrent
        for reachable_at, _index in self.away:
            rollout.at(reachable_at, LOOKS)
        self._fill(rollout)

    def hears(self, rollout: Rollout, kind: int, index: int) -> None:
        """Free the slot, and count failures."""
        del index
        self.free += 1
        if kind == FAILS:
            self.failures.append(rollout.now)
            recent = sum(at > rollout.now - 5 for at in self.failures[-5:])
            if self.has_rule and (len(self.failures) >= 50 or recent >= 5):
                rollout.stop()
                return
        self._fill(rollout)

    def looks(self, rollout: Rollout) -> None:
        """A device has connected."""
        while self.next < len(self.away) and self.away[self.next][0] <= rollout.now:
            self.waiting.insert(0, self.away[self.next][1])
            self.next += 1
        self._fill(rollout)

    def _fill(self, rollout: Rollout) -> None:
        while self.free and self.waiting:
            self.free -= 1
            rollout.assign(self.waiting.pop())


class FixedBake:
    """The next group after a fixed time; stop when more than a share of those that entered failed, from 30 on."""

    roll_back_min, is_blind_to_late, stops_offers = float(ROLL_BACK_MIN), False, True
    LEAST = 30
    EVERY_MIN = 5.0

    def __init__(self, bake_hours: float, share: float) -> None:
        self.bake_min, self.share = bake_hours * 60, share
        self.opened = 0
        self.next_at = 0.0

    def starts(self, rollout: Rollout) -> None:
        """Open the first group."""
        rollout.at(0.0, LOOKS)

    def hears(self, rollout: Rollout, kind: int, index: int) -> None:
        """Results are looked at every five minutes."""

    def looks(self, rollout: Rollout) -> None:
        """Stop, open, or go on looking."""
        if self.is_bad(rollout):
            rollout.stop()
            return
        if self.opened < len(SHARES) and rollout.now >= self.next_at:
            open_group(rollout, self.opened)
            self.opened += 1
            self.next_at = rollout.now + self.bake_min
        if rollout.now < self.next_at + 3 * DAY_MIN:
            rollout.at(rollout.now + self.EVERY_MIN, LOOKS)

    def is_bad(self, rollout: Rollout) -> bool:
        """Tell whether too many failed."""
        return rollout.entered >= self.LEAST and rollout.failed > self.share * rollout.entered


class ExactTest(FixedBake):
    """Fixed bakes, and at the end of each an exact binomial test; alpha is split over the groups."""

    def __init__(self, bake_hours: float, p0: float, alpha: float) -> None:
        super().__init__(bake_hours, 1.0)
        self.p0, self.level = p0, alpha / len(SHARES)

    def is_bad(self, rollout: Rollout) -> bool:
        """Test when the next group is due."""
        is_due = self.opened > 0 and rollout.now >= self.next_at and self.opened <= len(SHARES)
        if not is_due:
            return False
        if self.opened == len(SHARES):
            self.next_at = float("inf")
        return binomial_tail(rollout.entered, rollout.failed, self.p0) < self.level


def open_group(rollout: Rollout, group: int) -> None:
    """Assign all devices of a group."""
    size = len(rollout.order)
    begin = round(SHARES[group - 1] * size) if group else 0
    for index in rollout.order[begin : round(SHARES[group] * size)]:
        rollout.assign(index)


def binomial_tail(n: int, f: int, p: float) -> float:
    """Return P(at least ``f`` of ``n`` fail) at rate ``p``."""
    if f == 0:
        return 1.0
    below = 0.0
    for k in range(f):
        ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
        term = ways + k * log(p) + (n - k) * log1p(-p)
        below += 2.718281828459045**term if term > -700 else 0.0
    return max(0.0, 1.0 - below)
