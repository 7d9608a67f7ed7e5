"""What has happened, seen from each state of a rollout? One question per state, answered from evidence and the clock.

Decides: which event of the table is due, why, or what the rollout waits for. Never: changes anything.

- A question that finds no event says what it waits for, and until when if that is a matter of time.
- Evidence can be slower than the release's frame of rings and windows, never faster.
- The alarms come first: a failed verdict, a failed drill, evidence that a person has to see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ringback.control.exposure import Exposure, reach
from ringback.control.ring import RingKind
from ringback.control.rollout import Ring, RollbackEvidence, Rollout, RolloutEvidence
from ringback.control.table import ACTIVE, GROWING, Event, State
from ringback.control.windows import opening
from ringback.health import words
from ringback.health.evidence import RingEvidence
from ringback.health.params import slo_engine
from ringback.health.verdict import PAUSE_AT, Level, Verdict, VerdictKind
from ringback.stats import Tally

QUIET_HORIZONS = 2
"""After a failure that put E on watch, nothing grows for two shortest horizons: an hour with the default of 30 min."""

ALARM_FACTOR = 2
"""Evidence that a person accepted alarms again only when it has doubled, or every report would page."""

CERTIFICATE = "certificate"
"""What an approval is for when a fleet is too small to show p1."""


class WaitKind(StrEnum):
    """What a rollout waits for."""

    START = "start"
    DEVICES = "devices"
    DRILL = "drill"
    TIME = "time"
    EVIDENCE = "evidence"
    APPROVAL = "approval"
    WINDOW = "window"
    PERSON = "person"
    ROLLBACK = "rollback"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What would let the rollout go on; ``until_ms`` (UTC) where that is a moment."""

    kind: WaitKind
    text: str
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """All a question may look at."""

    rollout: Rollout
    evidence: RolloutEvidence
    verdict: Verdict
    exposure: Exposure
    now_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The event that is due, or None and what is waited for. ``ring`` is the ring the event opens, -1 for none."""

    event: Event | None
    reasons: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    ring: int = -1
    awaiting: str = ""


EARNED = {
    RingKind.INTERNAL: Event.INTERNAL_EARNED,
    RingKind.CANARY: Event.CANARY_EARNED,
    RingKind.RING: Event.RING_EARNED,
    RingKind.FULL: Event.FULL_EARNED,
}
DRILLED = {
    RingKind.INTERNAL: Event.INTERNAL_DRILLED,
    RingKind.CANARY: Event.CANARY_DRILLED,
    RingKind.RING: Event.RING_DRILLED,
    RingKind.FULL: Event.FULL_DRILLED,
}


def pending(moment: Moment) -> Answer:
    """Return the event that is due now, alarms first, running out of patience last."""
    alarm = _alarm(moment)
    if alarm is not None:
        return alarm
    answer = QUESTIONS[moment.rollout.state](moment)
    due_ms = patience_ends_at_ms(moment.rollout)
    is_between_windows = any(each.kind is WaitKind.WINDOW and each.until_ms is not None for each in answer.waiting)
    if answer.event is None and due_ms is not None and moment.now_ms >= due_ms and not is_between_windows:
        spent = f"Nothing has changed in state {moment.rollout.state} for {_duration(moment.rollout.patience_ms)}."
        return Answer(Event.TIMED_OUT, (spent, *(each.text for each in answer.waiting)))
    return answer


def patience_ends_at_ms(rollout: Rollout) -> int | None:
    """Return when the state runs out of time, UTC ms; None in states that end by themselves or never."""
    if rollout.state in (State.ROLLBACK_WINDOW, State.CLOSED, State.SUPERSEDED):
        return None
    if rollout.state is State.DRAFT and not rollout.started:
        return None
    frame_ms = 0
    if rollout.state is State.BAKE:
        frame_ms = rollout.open_ring.bake_ms
    elif rollout.state is State.STABILITY:
        frame_ms = rollout.stability_ms
    return rollout.timer_at_ms + frame_ms + rollout.patience_ms


def growth_hold(moment: Moment) -> Waiting | None:
    """Return why nothing may newly receive the release right now, or None: windows, and the quiet after a failure."""
    window = opening(moment.rollout.maintenance, moment.now_ms)
    if not window.is_open:
        if window.changes_at_ms is None:
            return Waiting(WaitKind.WINDOW, "All maintenance windows of this rollout are over; add one to go on.")
        return Waiting(WaitKind.WINDOW, "Outside the maintenance windows; the next one opens.", window.changes_at_ms)
    if moment.verdict.level is Level.QUIET:
        return None
    last_ms = max(((stratum.last_failed_at_ms or 0) for stratum in moment.evidence.strata), default=0)
    until_ms = last_ms + QUIET_HORIZONS * moment.rollout.gate.shortest_horizon_ms
    if moment.now_ms < until_ms:
        return Waiting(WaitKind.EVIDENCE, "On watch after a failure: nothing grows until it stays quiet.", until_ms)
    return None


def _alarm(moment: Moment) -> Answer | None:
    rollout, verdict = moment.rollout, moment.verdict
    if rollout.state in ACTIVE and verdict.kind is VerdictKind.FAIL:
        return Answer(Event.VERDICT_FAILED, verdict.reasons)
    if rollout.state not in GROWING:
        return None
    lost = sum(ring.drills_failed for ring in moment.evidence.rings)
    if lost:
        text = f"The drill failed on {words.devices(lost)}, which did not come back healthy without help."
        return Answer(Event.DRILL_FAILED, (text, "The way back is not proven."))
    if (
        not rollout.unattended
        and verdict.level is Level.PAUSE
        and verdict.e_milli >= ALARM_FACTOR * rollout.accepted_e_milli
    ):
        return Answer(Event.EVIDENCE_ALARMED, (*verdict.reasons, "A person has to look: resume, or roll back."))
    return None


def _draft(moment: Moment) -> Answer:
    if not moment.rollout.started:
        return _wait(WaitKind.START, "The rollout is a draft; start it.")
    first = moment.rollout.rings[0]
    if first.kind is RingKind.FULL and CERTIFICATE not in moment.rollout.approvals and not _fits(moment, first):
        text = (
            f"There is no ring before full, and {words.devices(first.new_devices)} exceed the exposure budget of "
            f"{moment.exposure.grants.left}. Define rings, or approve to go on without a certificate, on record."
        )
        return Answer(Event.APPROVAL_NEEDED, (text,), awaiting=CERTIFICATE)
    return _opened(moment, 0)


def _moving(moment: Moment) -> Answer:
    hold = _not_covered(moment)
    if hold is not None:
        return Answer(None, waiting=hold)
    return Answer(Event.RING_COVERED, (_through(moment),))


def _drill(moment: Moment) -> Answer:
    ring, seen = moment.rollout.open_ring, _open_ring_evidence(moment)
    if ring.new_devices and (seen.left or seen.drills_pending or not seen.drills_passed):
        text = (
            f"Drill in ring {ring.name}: {seen.drills_passed} came back, {seen.drills_pending} under way, "
            f"{seen.left} not offered yet."
        )
        return _wait(WaitKind.DRILL, text)
    slowest = "" if seen.slowest_recovery_ms is None else f", the slowest in {seen.slowest_recovery_ms} ms"
    passed = (
        f"Drill passed: {words.devices(seen.drills_passed)} failed on purpose and came back by themselves{slowest}."
    )
    return Answer(DRILLED[ring.kind], (passed if ring.new_devices else f"Ring {ring.name} has no devices to drill.",))


def _bake(moment: Moment) -> Answer:
    rollout, seen = moment.rollout, _open_ring_evidence(moment)
    ring = rollout.open_ring
    baked_at_ms = rollout.since_at_ms + ring.bake_ms
    if moment.now_ms < baked_at_ms:
        return _wait(WaitKind.TIME, f"Ring {ring.name} bakes.", baked_at_ms)
    unproven = f"unproven:{rollout.ring}"
    if ring.new_devices and not seen.good and unproven not in rollout.approvals:
        text = f"No device of ring {ring.name} is healthy on the release. Approve to widen all the same, or roll back."
        return Answer(Event.APPROVAL_NEEDED, (text,), awaiting=unproven)
    if rollout.ring + 1 == len(rollout.rings) - 1:
        return Answer(Event.STABILITY_DUE, (f"Ring {ring.name} has baked; the stability window before full begins.",))
    return _opened(moment, rollout.ring + 1)


def _stability(moment: Moment) -> Answer:
    rollout, verdict = moment.rollout, moment.verdict
    stable_at_ms = rollout.since_at_ms + rollout.stability_ms
    if moment.now_ms < stable_at_ms:
        return _wait(WaitKind.TIME, "The stability window before full runs.", stable_at_ms)
    if verdict.kind is VerdictKind.PASS or CERTIFICATE in rollout.approvals:
        return _opened(moment, len(rollout.rings) - 1)
    can_mature = verdict.matured < verdict.entered or moment.exposure.unverified_at(rollout.gate.longest_horizon_ms)
    if can_mature:
        return Answer(None, waiting=(Waiting(WaitKind.EVIDENCE, " ".join(verdict.reasons)),))
    shown = f"The rings before full show at best: below {words.share(verdict.u_ppm)}. {_best_of_fleet(rollout)}"
    return Answer(Event.APPROVAL_NEEDED, (*verdict.reasons, shown), awaiting=CERTIFICATE)


def _best_of_fleet(rollout: Rollout) -> str:
    before_full = sum(ring.new_devices for ring in rollout.rings[:-1])
    best = reach(rollout.gate, before_full)
    needs = f"the {words.share(rollout.gate.p1_ppm)} certificate needs {best.certificate_needs} clean ones"
    return f"They hold {words.devices(before_full)}; {needs}. Approve to go on without it, on record."


def _full(moment: Moment) -> Answer:
    hold = _not_covered(moment)
    if hold is not None:
        return Answer(None, waiting=hold)
    return Answer(Event.FLEET_COVERED, (_through(moment), "Previous versions stay until the rollback window closes."))


def _rollback_window(moment: Moment) -> Answer:
    ends_at_ms = moment.rollout.since_at_ms + moment.rollout.rollback_ms
    if moment.now_ms < ends_at_ms:
        return _wait(WaitKind.TIME, "The rollback window is open.", ends_at_ms)
    return Answer(Event.WINDOW_ELAPSED, ("The rollback window closed without a failed verdict. The release is done.",))


def _paused(moment: Moment) -> Answer:
    return _wait(WaitKind.PERSON, _said("Paused.", moment.rollout.cause, "Resume, roll back or cancel."))


def _waiting_approval(moment: Moment) -> Answer:
    rollout = moment.rollout
    if rollout.awaiting in rollout.approvals:
        return Answer(Event.APPROVED, (f"Approved: {rollout.awaiting}.",))
    return _wait(WaitKind.APPROVAL, _said(f"Waiting for approval of {rollout.awaiting}.", rollout.cause))


def _stopped(moment: Moment) -> Answer:
    rollout, back = moment.rollout, moment.evidence.rollback
    if back is None:
        return _wait(WaitKind.ROLLBACK, "Counting the devices that have to go back.")
    if not (back.left or back.moving or back.unhealthy or back.unreachable):
        return Answer(Event.ROLLBACK_DONE, ("No device runs the release; there is nothing to roll back.",))
    if not (rollout.auto_roll_back or rollout.rollback_wanted):
        return _wait(WaitKind.PERSON, _said("Stopped.", rollout.cause, "Rolling back is left to a person."))
    planes = ", ".join(rollout.ladder[first_rung(rollout)].planes)
    return Answer(Event.ROLLBACK_STARTED, _reasons(f"Rolling back {planes}.", rollout.cause))


def _rolling_back(moment: Moment) -> Answer:
    rollout, back = moment.rollout, moment.evidence.rollback
    if back is None:
        return _wait(WaitKind.ROLLBACK, "Counting the devices that have to go back.")
    tried = Tally(back.reverted + back.unhealthy, back.unhealthy)
    is_failing = slo_engine(rollout.gate.p0_ppm).evidence(tried) >= PAUSE_AT
    is_over = not (back.left or back.moving)
    wider = next_rung(rollout)
    if (is_failing or (is_over and back.unhealthy)) and wider is not None:
        planes = ", ".join(rollout.ladder[wider].planes)
        text = f"{words.devices(back.unhealthy)} not healthy after going back; rolling back {planes} as well."
        return Answer(Event.ROLLBACK_ESCALATED, (text,))
    if is_failing:
        text = f"The rollback itself fails: {back.unhealthy} of {words.devices(tried.devices)} not healthy."
        return Answer(Event.ROLLBACK_FAILED, (text, "It is stopped; a person has to look."))
    if is_over:
        return Answer(Event.ROLLBACK_DONE, _returned(back))
    text = f"{back.reverted} back, {back.moving} under way, {back.left} to go, {back.unreachable} unreachable."
    return _wait(WaitKind.ROLLBACK, text)


def _returned(back: RollbackEvidence) -> tuple[str, ...]:
    said = [f"{words.devices(back.reverted)} back on the previous versions."]
    if back.unhealthy:
        said.append(f"{words.devices(back.unhealthy)} not healthy: recover them one by one.")
    if back.unreachable:
        said.append(f"{words.devices(back.unreachable)} unreachable: told when they come back.")
    return tuple(said)


def _rolled_back(moment: Moment) -> Answer:
    rollout = moment.rollout
    missing = [
        change.plane
        for change in rollout.changes
        if change.plane in rollout.frozen and change.digest not in moment.evidence.frozen_digests
    ]
    if missing:
        return _wait(WaitKind.FREEZE, f"Waiting for the freeze of {', '.join(missing)} to be recorded.")
    return Answer(Event.FREEZE_RECORDED, (f"Frozen: {', '.join(rollout.frozen) or 'nothing'}.",))


def _frozen(moment: Moment) -> Answer:
    return Answer(Event.CASE_OPENED, _reasons("For investigation.", moment.rollout.cause))


def _investigating(moment: Moment) -> Answer:
    return _wait(
        WaitKind.PERSON, _said("Under investigation.", moment.rollout.cause, "Close the case, or roll back again.")
    )


def _ended(moment: Moment) -> Answer:
    del moment
    return Answer(None)


QUESTIONS: dict[State, Callable[[Moment], Answer]] = {
    State.DRAFT: _draft,
    State.VALIDATING: _moving,
    State.CANARY: _moving,
    State.RING: _moving,
    State.DRILL: _drill,
    State.BAKE: _bake,
    State.STABILITY: _stability,
    State.FULL: _full,
    State.ROLLBACK_WINDOW: _rollback_window,
    State.PAUSED: _paused,
    State.WAITING_APPROVAL: _waiting_approval,
    State.STOPPED: _stopped,
    State.ROLLING_BACK: _rolling_back,
    State.ROLLED_BACK: _rolled_back,
    State.FROZEN: _frozen,
    State.INVESTIGATING: _investigating,
    State.CLOSED: _ended,
    State.SUPERSEDED: _ended,
}


def _opened(moment: Moment, index: int) -> Answer:
    """Open ring ``index`` if a person, the window, the quiet and the exposure rule allow it."""
    rollout = moment.rollout
    ring = rollout.rings[index]
    approval = f"ring:{index}"
    if ring.needs_approval and approval not in rollout.approvals:
        return Answer(Event.APPROVAL_NEEDED, (f"Ring {ring.name} opens only with approval.",), awaiting=approval)
    hold = growth_hold(moment)
    if hold is not None:
        return Answer(None, waiting=(hold,))
    refusal = _not_earned(moment, ring)
    if refusal is not None:
        return Answer(None, waiting=(refusal,))
    event = Event.DRILL_EARNED if ring.drill else EARNED[ring.kind]
    return Answer(event, (*moment.verdict.reasons, _room_text(moment, ring)), ring=index)


def _not_earned(moment: Moment, ring: Ring) -> Waiting | None:
    """The whole ring fits the budgets; or nothing more can be learned without it, and offers are rationed."""
    if _fits(moment, ring):
        return None
    unverified = moment.exposure.unverified_at(moment.rollout.gate.shortest_horizon_ms)
    if unverified == 0 and moment.exposure.grants.left >= 1:
        return None
    tightest = moment.exposure.tightest
    text = (
        f"Ring {ring.name} would add {words.devices(ring.new_devices)}; {tightest.unverified} are unverified and "
        f"at most {tightest.allowed} may be: the failure rate is only known to be below {words.share(tightest.u_ppm)}."
    )
    return Waiting(WaitKind.EVIDENCE, text)


def _fits(moment: Moment, ring: Ring) -> bool:
    """All new devices of the ring may be exposed at once, in total and in each family."""
    grants = moment.exposure.grants
    return grants.left >= ring.new_devices and all(
        grant.left >= cut.new_devices for grant in grants.strata for cut in ring.cuts if cut.stratum == grant.stratum
    )


def _room_text(moment: Moment, ring: Ring) -> str:
    left = moment.exposure.grants.left
    if _fits(moment, ring):
        return f"Ring {ring.name} opens: {words.devices(ring.new_devices)}, within the exposure budget of {left}."
    return (
        f"Ring {ring.name} opens: {words.devices(ring.new_devices)}, offered {left} at a time as the evidence allows."
    )


def _not_covered(moment: Moment) -> tuple[Waiting, ...] | None:
    """Every member that can be reached has been offered the release and is through with it."""
    ring, seen = moment.rollout.open_ring, _open_ring_evidence(moment)
    if not ring.new_devices and not (seen.left or seen.moving):
        return None
    if not (seen.left or seen.moving or seen.busy) and (seen.good or seen.failed or seen.refused):
        return None
    text = (
        f"Ring {ring.name}: {seen.good} healthy, {seen.failed} failed, {seen.moving} under way, "
        f"{seen.left} not offered yet, {seen.busy} busy with another rollout."
    )
    waiting = [Waiting(WaitKind.DEVICES, text)]
    hold = growth_hold(moment) if seen.left else None
    if hold is not None:
        waiting.append(hold)
    elif seen.left and not moment.exposure.grants.left:
        tightest = moment.exposure.tightest
        full = f"The exposure budget is used: {tightest.unverified} unverified, at most {tightest.allowed} may be."
        waiting.append(Waiting(WaitKind.EVIDENCE, full))
    return tuple(waiting)


def _through(moment: Moment) -> str:
    seen = _open_ring_evidence(moment)
    return (
        f"Ring {moment.rollout.open_ring.name} is through: {seen.good} healthy, {seen.failed} failed, "
        f"{seen.refused} unsuitable."
    )


def _open_ring_evidence(moment: Moment) -> RingEvidence:
    return moment.evidence.rings[moment.rollout.ring]


def first_rung(rollout: Rollout) -> int:
    """Return the rung to roll back first: what a person asked for, else the blamed plane's, else the first."""
    if rollout.wanted_rung >= 0:
        return rollout.wanted_rung
    for each in rollout.first:
        if each.plane == rollout.blamed:
            return each.rung
    return 0 if rollout.blamed else len(rollout.ladder) - 1


def next_rung(rollout: Rollout) -> int | None:
    """Return the next rung that takes back all of the present one's planes and more; None at the last."""
    present = set(rollout.ladder[rollout.rung].planes)
    for index in range(rollout.rung + 1, len(rollout.ladder)):
        if present < set(rollout.ladder[index].planes):
            return index
    return None


def _wait(kind: WaitKind, text: str, until_ms: int | None = None) -> Answer:
    return Answer(None, waiting=(Waiting(kind, text, until_ms),))


def _reasons(*sentences: str) -> tuple[str, ...]:
    return tuple(sentence for sentence in sentences if sentence)


def _said(*sentences: str) -> str:
    return " ".join(_reasons(*sentences))


def _duration(duration_ms: int) -> str:
    for unit, size_ms in (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000)):
        if duration_ms >= 2 * size_ms:
            return f"{duration_ms // size_ms} {unit}"
    return f"{duration_ms / 1000:g} seconds"
