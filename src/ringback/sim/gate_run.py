"""One rollout over a simulated fleet: the production controller, ledger, exposure rule and control group, in minutes.

Decides: in which order things happen and what the server hears of them. Never: a rule of the gate; everything that
judges is imported from ``ringback.control`` and ``ringback.health``.

- One ring, everyone, so that the exposure rule alone sets the pace; nobody is there to look at an alarm.
- The controller decides after every failing report, and otherwise once per ``tick_min`` if anything has changed or time
  has come. That is the same as looking after every report: E can rise only with a failure, or when a prefix grows old
  enough, and prefixes do so at whole minutes.
- A halt takes everything back within ``ROLL_BACK_MIN``; what fails until then is harmed.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from ringback.control import (
    CERTIFICATE,
    NO_GRANTS,
    Change,
    Decision,
    FirstRung,
    Ring,
    RingKind,
    Rollout,
    RolloutEvidence,
    Rung,
    State,
    StratumCut,
    decide,
)
from ringback.control.ring import CUT_EVERYONE
from ringback.health import (
    ControlGroup,
    Deployment,
    GateParams,
    Heard,
    Ledger,
    Result,
    ResultKind,
    StratumEvidence,
    VerdictKind,
    after_report,
    after_silence,
)
from ringback.health.control_group import missing_after_ms
from ringback.health.params import MINUTE_MS
from ringback.health.signals import DARK_SITES, Signal
from ringback.sim.gate_world import DAY_MIN, FAMILIES, POLL_MIN, Fate

TRIAL_MIN = 10
SITE_DOWN_MIN = 12 * 60
ROLL_BACK_MIN = 30
DAYS_MAX = 14
LIMIT_MIN = DAYS_MAX * DAY_MIN
HEARTBEAT_MS = 15 * MINUTE_MS
"""Devices report every five minutes; three reports missing are silence."""

GOING = frozenset({State.DRAFT, State.FULL, State.ROLLBACK_WINDOW, State.CLOSED})

CONFIRMED = Heard(1, entered=True, result=Result(ResultKind.CONFIRMED))
REVERTED = Heard(1, entered=True, result=Result(ResultKind.REVERTED, healthy=True))
ENTERED = Heard(1, entered=True)


class Step(IntEnum):
    """What may be due for a device at a minute."""

    REACHED = 0
    ENTERS = 1
    CONFIRMS = 2
    FAILS_SILENTLY = 3
    REPORTS_FAILURE = 4
    PROVES = 5
    SILENCE_DUE = 6
    GOES_DARK = 7
    MISSING_DUE = 8
    GOES_LIGHT = 9


@dataclass(frozen=True, slots=True)
class Ended:
    """How one rollout went.

    Attributes:
        halted_at, certified_at: minute of the halt and of the certificate; None = never.
        at_90: minute at which 90 % of the fleet had entered; None = never.
        harmed: devices that failed by the release or its baseline until the halt took effect.
        exposed: devices that entered until the halt took effect.
        decisions: how often the controller decided.
    """

    halted_at: int | None
    certified_at: int | None
    at_90: int | None
    harmed: int
    exposed: int
    decisions: int


class Run:
    """One rollout. ``run`` plays it to its end.

    Args:
        gate: what the release stakes.
        fleet: from ``gate_world.fates``.
        tick_min: minutes between two looks of the controller while no failure is reported.
    """

    def __init__(self, gate: GateParams, fleet: Sequence[Fate], *, tick_min: int = 1) -> None:
        self.gate, self.fleet, self.tick_min = gate, fleet, tick_min
        sizes = dict.fromkeys(sorted(name for name, _share in FAMILIES), 0)
        for each in fleet:
            sizes[each.family] += 1
        self.sites: dict[str, list[int]] = defaultdict(list)
        for index, each in enumerate(fleet):
            if each.site:
                self.sites[each.site].append(index)
        self.rollout = rollout_of(gate, sizes, (DARK_SITES,) if self.sites else ())
        self.ledger = Ledger(gate, strata=sizes, rings_count=1)
        self.control = ControlGroup()
        self.deployments: list[Deployment | None] = [None] * len(fleet)
        self.entered_at: list[int | None] = [None] * len(fleet)
        self.dark_until = [0.0] * len(fleet)
        self.is_dark = [False] * len(fleet)
        self.dark_since = [0] * len(fleet)
        self.is_missing = [False] * len(fleet)
        self.is_silent = [False] * len(fleet)
        self.waiting = dict.fromkeys(sizes, 0)
        self.queues = [{name: deque[int]() for name in sizes} for _ in range(POLL_MIN)]
        self.due: dict[int, list[tuple[Step, int]]] = defaultdict(list)
        self.minute = 0
        self.grants = NO_GRANTS
        self.is_dirty = True
        self.is_over = False
        self.wakeup_ms: int | None = 0
        self.certified_at: int | None = None
        self.at_90: int | None = None
        self.entered = 0
        self.decisions = 0
        for index in sorted(range(len(fleet)), key=lambda one: fleet[one].order):
            each = fleet[index]
            if each.reachable_at:
                self._later(each.reachable_at, Step.REACHED, index)
            else:
                self._reached(index)
            for start, end in each.dark:
                if end - start >= missing_after_ms(gate.heartbeat_ms) / MINUTE_MS:
                    self._later(start, Step.GOES_DARK, index)

    @property
    def now_ms(self) -> int:
        """Return the present minute as UTC ms."""
        return self.minute * MINUTE_MS

    def run(self) -> Ended:
        """Play the rollout until it is halted, or has reached everyone and nothing more can happen."""
        while self.minute < LIMIT_MIN and self._goes_on():
            for step, index in self.due.pop(self.minute, ()):
                self._step(step, index)
                if not self._goes_on():
                    break
            if self._goes_on() and self.minute % self.tick_min == 0 and (self.is_dirty or self._is_time()):
                self.look()
            if self.grants.left:
                self._offer()
            if not self.due and not self.is_dirty and self._is_resting():
                break
            self.minute += 1
        return self._ended()

    def _goes_on(self) -> bool:
        return not self.is_over

    def _is_time(self) -> bool:
        return self.wakeup_ms is not None and self.now_ms >= self.wakeup_ms

    def _is_resting(self) -> bool:
        """Tell whether time alone changes nothing any more: everyone is reached, or nobody may be."""
        is_stuck = self.grants.left == 0 and (self.wakeup_ms is None or self.wakeup_ms > LIMIT_MIN * MINUTE_MS)
        return is_stuck or not any(self.waiting.values())

    # --- what the server does -------------------------------------------------------------------------------------

    def strata(self) -> tuple[StratumEvidence, ...]:
        """Return what the controller decides on."""
        return self.ledger.strata(self.waiting)

    def look(self) -> None:
        """Let the controller decide until there is nothing more to do right now."""
        while True:
            rings = (replace(self.ledger.rings()[0], left=sum(self.waiting.values())),)
            seen = RolloutEvidence(self.strata(), rings, signals=(self.control.dark_sites(),))
            decision = decide(self.rollout, seen, self.now_ms)
            self.decisions += 1
            self.decided(decision)
            if decision.event is None or self.is_over:
                break
        self.grants = NO_GRANTS if self.is_over else decision.grants
        self.wakeup_ms = decision.next_wakeup_ms
        self.is_dirty = False

    def decided(self, decision: Decision) -> None:
        """Take one decision."""
        self.rollout = decision.rollout
        self.is_over = self.rollout.state not in GOING
        assert decision.verdict is not None
        if decision.verdict.kind is VerdictKind.PASS and self.certified_at is None:
            self.certified_at = self.minute

    def _offer(self) -> None:
        """Offer the release to those that poll in this minute, as far as grants reach."""
        for family, queue in self.queues[self.minute % POLL_MIN].items():
            for _ in range(len(queue)):
                left = self.grants.taken(family)
                if left is None:
                    break
                index = queue.popleft()
                if self.is_dark[index]:
                    queue.append(index)
                    continue
                self.grants = left
                self.waiting[family] -= 1
                self._save(
                    index,
                    Deployment("sim", f"d{index}", family, 0, granted_at_ms=self.now_ms, heard_at_ms=self.now_ms),
                )
                self._later(self.minute + max(1.0, self.fleet[index].install_min), Step.ENTERS, index)

    def silence(self, index: int, known: Deployment) -> Deployment:
        """Return a device's deployment after its silence is due: counted, or not listened to."""
        fate = self.fleet[index]
        return after_silence(
            known,
            listening_since_ms=self.control.listening_since_ms(fate.site, self.now_ms),
            heartbeat_ms=self.gate.heartbeat_ms,
            horizon_ms=self.gate.longest_horizon_ms,
            now_ms=self.now_ms,
            odds_ppm=self.control.odds_ppm(fate.family),
        )

    def control_silence(self, index: int) -> None:
        """A control device has been unheard for the heartbeat time."""
        fate = self.fleet[index]
        odds_ppm = self.control.fell_silent(fate.family, fate.site)
        if odds_ppm is not None:
            self.ledger.control_fell_silent(fate.family, odds_ppm)

    # --- what devices do ------------------------------------------------------------------------------------------

    def _later(self, at: float, step: Step, index: int) -> None:
        self.due[max(self.minute + 1, int(at))].append((step, index))

    def _save(self, index: int, after: Deployment) -> None:
        before = self.deployments[index]
        if after is not before:
            self.ledger.change(before, after)
            self.control.changed(before, after, self.fleet[index].site)
            self.deployments[index] = after
            self.is_dirty = True

    def _step(self, step: Step, index: int) -> None:
        if step in _AFLOAT and self.is_dark[index]:
            self._later(self.dark_until[index] + 1, step, index)  # said when it is heard again
        else:
            _STEPS[step](self, index)

    def _reached(self, index: int) -> None:
        each = self.fleet[index]
        self.queues[each.phase][each.family].append(index)
        self.waiting[each.family] += 1
        self.control.joined(each.family, each.site)
        self.is_dirty = True

    def _known(self, index: int) -> Deployment:
        known = self.deployments[index]
        assert known is not None
        return known

    def _enters(self, index: int) -> None:
        fate = self.fleet[index]
        self._save(index, after_report(self._known(index), ENTERED, self.now_ms))
        self.control.left(fate.family, fate.site)
        self.entered += 1
        self.entered_at[index] = self.minute
        if fate.takes_site_down:
            for neighbour in self.sites[fate.site]:
                self._darken(neighbour, self.minute + SITE_DOWN_MIN)
        if self.at_90 is None and self.entered >= 0.9 * len(self.fleet):
            self.at_90 = self.minute
        if fate.fails_after is None or fate.fails_after > TRIAL_MIN:
            self._later(self.minute + TRIAL_MIN, Step.CONFIRMS, index)
        if fate.fails_after is None:
            self._later(self.minute + self.gate.longest_horizon_ms // MINUTE_MS, Step.PROVES, index)
        elif fate.report_after is None:
            self._later(self.minute + fate.fails_after, Step.FAILS_SILENTLY, index)
        else:
            self._later(self.minute + fate.fails_after + fate.report_after, Step.REPORTS_FAILURE, index)

    def _confirms(self, index: int) -> None:
        self._save(index, after_report(self._known(index), CONFIRMED, self.now_ms))

    def _reports_failure(self, index: int) -> None:
        self._save(index, after_report(self._known(index), REVERTED, self.now_ms))
        self.look()

    def _fails_silently(self, index: int) -> None:
        self.is_dark[index], self.dark_until[index] = True, float("inf")
        self._heard_last(index)

    def _heard_last(self, index: int) -> None:
        """The last report before a silence; nothing is counted differently for it."""
        self.deployments[index] = replace(self._known(index), heard_at_ms=self.now_ms)
        self._later(self.minute + self.gate.heartbeat_ms / MINUTE_MS, Step.SILENCE_DUE, index)

    def _proves(self, index: int) -> None:
        self._save(index, self.silence(index, replace(self._known(index), heard_at_ms=self.now_ms)))

    def _silence_due(self, index: int) -> None:
        if not self.is_dark[index]:
            return
        if self.entered_at[index] is None:
            if self.is_missing[index] and self.now_ms - self.dark_since[index] * MINUTE_MS >= self.gate.heartbeat_ms:
                self.is_silent[index] = True
                self.control_silence(index)
            return
        known = self._known(index)
        after = self.silence(index, known)
        if after is not known:
            self._save(index, after)
            self.look()
        elif known.is_watched:
            self._later(self.minute + self.gate.heartbeat_ms / MINUTE_MS, Step.SILENCE_DUE, index)

    def _goes_dark(self, index: int) -> None:
        ends = [end for start, end in self.fleet[index].dark if int(start) >= self.minute - 1]
        self._darken(index, ends[0])

    def _darken(self, index: int, until: float) -> None:
        if self.fleet[index].reachable_at > self.minute or self.is_dark[index]:
            return
        self.is_dark[index], self.dark_since[index], self.dark_until[index] = True, self.minute, until
        self._later(self.dark_until[index], Step.GOES_LIGHT, index)
        if self.entered_at[index] is not None:
            self._heard_last(index)
            return
        self._later(self.minute + missing_after_ms(self.gate.heartbeat_ms) / MINUTE_MS, Step.MISSING_DUE, index)
        self._later(self.minute + self.gate.heartbeat_ms / MINUTE_MS, Step.SILENCE_DUE, index)

    def _missing_due(self, index: int) -> None:
        if self.is_dark[index] and not self.is_missing[index]:
            self.is_missing[index] = True
            self.control.missed(self.fleet[index].site)

    def _goes_light(self, index: int) -> None:
        fate = self.fleet[index]
        if self.dark_until[index] > self.minute + 1:
            return  # it has failed silently in the meantime
        self.is_dark[index] = False
        if self.entered_at[index] is None:
            if self.is_missing[index]:
                self.control.heard(fate.family, fate.site, self.now_ms, was_silent=self.is_silent[index])
            self.is_missing[index] = self.is_silent[index] = False
            return
        known = self._known(index)
        self._save(index, after_report(known, replace(ENTERED, result=known.result), self.now_ms))

    # --- the end --------------------------------------------------------------------------------------------------

    def _ended(self) -> Ended:
        until = self.minute + ROLL_BACK_MIN if self.is_over else LIMIT_MIN
        harmed = exposed = 0
        for at, fate in zip(self.entered_at, self.fleet, strict=True):
            if at is not None:
                exposed += 1
                harmed += fate.fails_after is not None and at + fate.fails_after <= until
        halted_at = self.minute if self.is_over else None
        return Ended(halted_at, self.certified_at, self.at_90, harmed, exposed, self.decisions)


_STEPS = {
    Step.REACHED: Run._reached,
    Step.ENTERS: Run._enters,
    Step.CONFIRMS: Run._confirms,
    Step.FAILS_SILENTLY: Run._fails_silently,
    Step.REPORTS_FAILURE: Run._reports_failure,
    Step.PROVES: Run._proves,
    Step.SILENCE_DUE: Run._silence_due,
    Step.GOES_DARK: Run._goes_dark,
    Step.MISSING_DUE: Run._missing_due,
    Step.GOES_LIGHT: Run._goes_light,
}

_AFLOAT = frozenset({Step.REACHED, Step.ENTERS, Step.CONFIRMS, Step.REPORTS_FAILURE, Step.PROVES})
"""What a device can only do, or say, while it is heard."""


def rollout_of(gate: GateParams, sizes: dict[str, int], signals: tuple[Signal, ...] = ()) -> Rollout:
    """Return a rollout to everyone in one ring, started, to go on without a certificate and without a person."""
    cuts = tuple(StratumCut(name, CUT_EVERYONE, size) for name, size in sizes.items())
    return Rollout(
        rollout_id="sim",
        release_id="sim",
        rings=(Ring("everyone", RingKind.FULL, cuts=cuts),),
        gate=gate,
        changes=(Change("app", "sha256:00"),),
        ladder=(Rung(("app",)),),
        first=(FirstRung("app", 0),),
        unattended=True,
        signals=signals,
        started=True,
        approvals=(CERTIFICATE,),
        patience_ms=2 * LIMIT_MIN * MINUTE_MS,
        rollback_ms=LIMIT_MIN * MINUTE_MS,
    )
