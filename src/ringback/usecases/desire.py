"""What one device should run now: decided at every check-in, from memory.

Decides: which fragment and which overlay a device gets. Never: issues or signs them (`checkin` does), or waits for
anything.

In this order:

1. A deployment that has entered is finished first: the device keeps what it was given. Only a rollout that is going
   back calls it back at once.
2. What an operator ordered for this device alone: a push, its way back, a recovery.
3. A rollout that is going back, if the device runs what goes back.
4. The rollout whose trial is moving on this device; else the first one that may offer it something.
5. Otherwise the device stays as it is. It is told so only when its last document says something else, or forbids
   another set of digests than is frozen now.

- A device is in one trial at a time. Stops and freezes hold for everything that is newly activated forward; a way back
  is never braked by a stop.
- A device for which nothing has changed since it was last looked at costs one comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.control import State
from ringback.health import Drill, Outcome
from ringback.plan.desire import (
    NO_OVERLAY,
    Command,
    DesiredFragment,
    Directive,
    Overlay,
    compile_hop,
    compile_steady,
    drill_rule,
    windows_for,
)
from ringback.plan.planner import track_for
from ringback.plan.route import Wanted
from ringback.plan.track import Hop, Track
from ringback.spec.device_class import DeviceClass
from ringback.usecases.course import OFFERING, Course
from ringback.usecases.device import ANNOUNCED, SAFE_MODE, Record
from ringback.usecases.document import Fragment, Kind, Origin
from ringback.usecases.fleet import Fleet
from ringback.usecases.trial import Trial, heard

ROLLBACK_ORDER: Final = ("config", "model", "firmware")
COMMANDS_MAX: Final = 16
"""Commands in one document; further ones follow when these are done."""

STEADY_MAX: Final = 10_000
"""Fragments of sets at rest that are remembered; a hostile fleet could make every set different."""

HOLDING: Final = (State.PAUSED, State.WAITING_APPROVAL)
"""States in which what was offered goes on, and nothing new is offered."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a device should get: a fragment (None = nothing was ever asked of it), and the ring that granted it."""

    fragment: Fragment | None
    ring: int = -1


@dataclass(frozen=True, slots=True)
class Case:
    """One check-in to decide on. `frozen`: what is frozen on the planes of the device's class."""

    fleet: Fleet
    record: Record
    device_class: DeviceClass
    frozen: tuple[tuple[str, str], ...]

    @property
    def device_id(self) -> str:
        """Return whose it is."""
        return self.record.device.row.device_id

    def way(self, wanted: Wanted) -> Track | None:
        """Return the safe way from what the device runs to what is wanted; None if there is none, or none is needed."""
        running, kept = self.record.running.pairs, self.record.confirmed.pairs
        found = track_for(self.device_class.id, running, wanted, self.fleet.catalog, kept=kept)
        return found if isinstance(found, Track) and found.hops else None

    def brings_frozen(self, hop: Hop) -> bool:
        """Say whether a hop would newly activate something frozen."""
        before = dict(hop.before)
        return any(before.get(plane) != digest and (plane, digest) in self.fleet.frozen for plane, digest in hop.after)

    def alone(self, hop: Hop, directive: Directive) -> DesiredFragment:
        """Return the fragment of a hop under the rules and windows of the class alone."""
        windows = windows_for(self.device_class, None, None)
        rules = self.device_class.rules
        return compile_hop(hop, self.fleet.catalog, rules=rules, windows=windows, directive=directive)


def wish_for(fleet: Fleet, record: Record) -> Wish:
    """Return what the device of `record` should run, after what its report says.

    May take a grant of a rollout: then `record.granted_by` is set, and whoever drops the record gives it back.
    """
    device = record.device
    hand = None if record.report is None else record.report.deploy
    if device.settled == fleet.revision and record.running is device.running and hand is None:
        return Wish(device.fragment)
    device.settled = -1
    device_class = fleet.catalog.classes.get(device.row.class_id)
    if device_class is None:
        return Wish(device.fragment)
    case = Case(fleet, record, device_class, fleet.frozen_on(device_class))
    if hand is not None and hand.entered and record.report is not None and record.report.state != ANNOUNCED:
        return _going_back(case) or Wish(device.fragment, ring=0)
    return _ordered(case) or _going_back(case) or _offered(case) or _steady(case)


def overlay_for(fleet: Fleet, record: Record) -> Overlay:
    """Return the device's own part: commands not done yet, updates paused, safe mode."""
    row = record.device.row
    queued = fleet.commands.get(row.device_id)
    if not queued and row.mode != SAFE_MODE and not row.updates_paused:
        return NO_OVERLAY
    done = set() if record.report is None else {number for number, _state in record.report.cmds}
    waiting = [each for each in (queued or {}).values() if each.state == "queued" and each.command_id not in done]
    return Overlay(
        commands=tuple(Command(each.command_id, each.kind, each.arg) for each in waiting[:COMMANDS_MAX]),
        updates_paused=row.updates_paused,
        safe_mode=row.mode == SAFE_MODE,
    )


# --- orders -----------------------------------------------------------------------------------------------------------


def _ordered(case: Case) -> Wish | None:
    order = case.fleet.order_of(case.record.device)
    if order is None:
        return None
    artifacts = case.fleet.catalog.artifacts
    goal = tuple(artifacts[digest] for _plane, digest in order.goal if digest in artifacts)
    track = case.way(Wanted(goal, (), (), ROLLBACK_ORDER, one_way=order.kind != "push"))
    if track is None:
        return None
    is_braked = case.record.device in case.fleet.stopped or case.brings_frozen(track.hops[0])
    if order.kind == "push" and is_braked:
        return None
    desired = case.alone(track.hops[0], Directive(attempt=order.attempt, frozen=case.frozen))
    origin = Origin(
        Kind.ORDER,
        order=order.order_id,
        attempt=order.attempt,
        frozen=case.frozen,
        is_last=len(track.hops) == 1,
    )
    return Wish(case.fleet.fragments.keep(Fragment.of(desired, origin)))


# --- rollouts going back ----------------------------------------------------------------------------------------------


def _going_back(case: Case) -> Wish | None:
    for course in case.fleet.returning:
        trial = course.trials.get(case.device_id)
        if trial is None or trial.deployment.entered_at_ms is None:
            continue
        planes = course.rung_planes()
        if not course.runs(case.record.running, planes):
            continue
        is_told = trial.back is not None and trial.back.planes == planes
        if is_told and trial.back is not None and trial.back.is_healthy is False:
            continue
        fragment = _back(case, course, trial)
        if fragment is not None and (is_told or _may_go_back(course)):
            return Wish(case.fleet.fragments.keep(fragment))
    return None


def _may_go_back(course: Course) -> bool:
    """Take one of the places of a rollback in parallel; once it is over, whoever comes late goes back at once."""
    if course.rollout.rung < 0 or course.rollout.state is State.STOPPED:
        return False
    if course.rollout.state is not State.ROLLING_BACK:
        return True
    if course.rollback_grants < 1:
        return False
    course.rollback_grants -= 1
    return True


def _back(case: Case, course: Course, trial: Trial) -> Fragment | None:
    """Return the fragment that takes the rung's planes back to what the device ran before."""
    attempt, planes = trial.deployment.attempt, course.rung_planes()
    running, confirmed = case.record.running, case.record.confirmed
    key = ("back", case.device_class.id, running, confirmed, trial.before, planes, attempt, case.frozen)
    known = course.fragments.get(key)
    if known is not None:
        return known
    before, artifacts = dict(trial.before), case.fleet.catalog.artifacts
    goal = tuple(artifacts[before[plane]] for plane in planes if before.get(plane) in artifacts)
    track = case.way(Wanted(goal, (), (), course.release.rollback_order, one_way=True))
    if track is None:
        return None
    desired = case.alone(
        track.hops[0], Directive(course.rollout.release_id, course.rollout_id, attempt, "", case.frozen)
    )
    origin = Origin(
        Kind.BACK,
        rollout=course.rollout_id,
        attempt=attempt,
        frozen=case.frozen,
        is_last=len(track.hops) == 1,
        planes=planes,
    )
    fragment = course.fragments[key] = Fragment.of(desired, origin)
    return fragment


# --- rollouts going forward -------------------------------------------------------------------------------------------


def _offered(case: Case) -> Wish | None:
    device, fleet = case.record.device, case.fleet
    if device.busy_with:
        busy = fleet.courses.get(device.busy_with)
        trial = None if busy is None else busy.trials.get(case.device_id)
        if busy is None or trial is None:
            return None
        if case.record.report is not None:
            trial = heard(trial, case.record.report, case.record)  # what it just said counts already
        if trial.deployment.is_moving:
            return _next(case, busy, trial)
    for course in fleet.offering:
        trial = course.trials.get(case.device_id)
        if trial is None or trial.deployment.outcome is Outcome.WITHDRAWN:
            wish = _first(case, course)
            if wish is not None:
                return wish
    return None


def _first(case: Case, course: Course) -> Wish | None:
    """Offer the release to a member of an open ring that waits, if there is room and nothing forbids it."""
    device, record = case.record.device, case.record
    ring = course.waiting_ring(device)
    if ring < 0:
        return None
    track = course.track(device, record.running, record.confirmed, case.fleet.catalog)
    if not isinstance(track, Track):
        course.blocked.add(device)
        return None
    course.blocked.discard(device)
    if not track.hops:
        course.is_done(device)
        return None
    if device in case.fleet.stopped or case.brings_frozen(track.hops[0]):
        return None
    left = course.grants.taken(case.fleet.family(device))
    if left is None:
        return None
    course.grants = left
    course.in_flight += 1
    record.granted_by = course
    trial = course.trials.get(case.device_id)
    attempt = 1 if trial is None else trial.deployment.attempt + 1
    drill = course.rollout.rings[ring].drill
    return Wish(_forward(case, course, track, attempt=attempt, drill=drill), ring)


def _next(case: Case, course: Course, trial: Trial) -> Wish | None:
    """Go on with a trial that moves: the same offer, the next hop, or the same without the drill that has passed."""
    deployment, record = trial.deployment, case.record
    if course.rollout.state not in OFFERING and course.rollout.state not in HOLDING:
        return None
    track = course.track(record.device, record.running, record.confirmed, case.fleet.catalog)
    if not isinstance(track, Track) or not track.hops:
        return None
    if record.device in case.fleet.stopped or case.brings_frozen(track.hops[0]):
        return None
    drill = deployment.drill is Drill.PENDING
    return Wish(_forward(case, course, track, attempt=deployment.attempt, drill=drill), deployment.ring)


def _forward(case: Case, course: Course, track: Track, *, attempt: int, drill: bool) -> Fragment:
    device_class = case.device_class
    key = (device_class.id, case.record.running, case.record.confirmed, attempt, drill, case.frozen)
    known = course.fragments.get(key)
    if known is not None:
        return known
    hop, is_last = track.hops[0], len(track.hops) == 1
    rules = course.rules(device_class.id, case.fleet.catalog)
    rule = drill_rule(device_class, hop, rules) if drill and is_last else ""
    directive = Directive(course.rollout.release_id, course.rollout_id, attempt, rule, case.frozen)
    windows = windows_for(device_class, course.release.trial_ms, course.release.hold_ms)
    desired = compile_hop(hop, case.fleet.catalog, rules=rules, windows=windows, directive=directive)
    origin = Origin(
        Kind.DRILL if rule else Kind.FORWARD,
        rollout=course.rollout_id,
        attempt=attempt,
        frozen=case.frozen,
        is_last=is_last,
    )
    fragment = course.fragments[key] = case.fleet.fragments.keep(Fragment.of(desired, origin))
    return fragment


# --- staying ----------------------------------------------------------------------------------------------------------


def _steady(case: Case) -> Wish:
    device, fleet, own = case.record.device, case.fleet, case.record.device.fragment
    wish = Wish(own)
    if own is None:
        if case.frozen or overlay_for(fleet, case.record) != NO_OVERLAY:
            wish = Wish(_stay(case))
    elif own.origin.frozen != case.frozen or not _says_what_runs(case, own):
        wish = Wish(_stay(case))
    if not device.busy_with and not any(course.waiting_ring(device) >= 0 for course in fleet.offering):
        device.settled = fleet.revision
    return wish


def _says_what_runs(case: Case, own: Fragment) -> bool:
    """Say whether a document asks for what the device runs, as far as that can be named."""
    artifacts = case.fleet.catalog.artifacts
    return own.planes == tuple(pair for pair in case.record.running.pairs if pair[1] in artifacts)


def _stay(case: Case) -> Fragment:
    fleet, running = case.fleet, case.record.running
    key = (case.device_class.id, case.device_class.version, running, case.frozen)
    known = fleet.steady.get(key)
    if known is None:
        if len(fleet.steady) > STEADY_MAX:
            fleet.steady.clear()
        desired = compile_steady(
            running.pairs,
            fleet.catalog,
            rules=case.device_class.rules,
            windows=windows_for(case.device_class, None, None),
            directive=Directive(frozen=case.frozen),
        )
        known = fleet.fragments.keep(Fragment.of(desired, Origin(Kind.STEADY, frozen=case.frozen)))
        fleet.steady[key] = known
    return known
