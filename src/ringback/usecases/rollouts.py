"""Rollouts as operators order them: plan, start, pause, resume, approve, roll back, cancel.

Decides: whether a rollout may begin beside the others. Never: moves one by itself (`tick` does).

- `prepare` is the expensive part (planning, drawing the rings): it works on a snapshot of the fleet and may run beside
  everything else. `start` is cheap and looks again at what may have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ringback import control
from ringback.control import (
    Command,
    CommandKind,
    Decision,
    FirstRung,
    Member,
    Rollout,
    Rung,
    StratumCut,
    Targeted,
    WayBack,
)
from ringback.control.commands import CommandRefused
from ringback.control.rollout import Change as PlaneChange
from ringback.errors import ConflictError, InputError, NotFoundError
from ringback.health import BadGate
from ringback.plan.catalog import Catalog
from ringback.plan.inventory import DeviceFacts, Other, take_stock, targeted, why_nobody
from ringback.plan.planner import Freeze, Plan, Policy, plan
from ringback.plan.refusal import Refusal
from ringback.ports.changes import Change, Insert
from ringback.ports.ids import Ids
from ringback.ports.rows import RolloutRow
from ringback.spec.release import Release, parse_release
from ringback.spec.selector import with_reserved
from ringback.usecases.course import Course, Memory, memory_bytes
from ringback.usecases.fleet import Fleet
from ringback.usecases.tick import decision_changes
from ringback.usecases.work import Outcome

IN_ROLLBACK_WINDOW = "rollback-window"
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What planning looks at: the fleet at one moment, in values that never change."""

    facts: Sequence[DeviceFacts]
    catalog: Catalog
    others: tuple[Other, ...]
    freezes: tuple[Freeze, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with its rings drawn. `seats`: each targeted device's first ring, by index."""

    release: Release
    plan: Plan
    rollout: Rollout
    seats: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Drawn:
    members: Sequence[Targeted]
    cuts: tuple[tuple[StratumCut, ...], ...]
    seats: Mapping[str, int]


def snapshot(fleet: Fleet) -> Snapshot:
    """Return what planning looks at."""
    others = tuple(
        Other(
            course.rollout_id,
            course.rollout.release_id,
            IN_ROLLBACK_WINDOW if course.rollout.state is control.State.ROLLBACK_WINDOW else ACTIVE,
            course.rollout.changed_planes,
            course.release.targets,
        )
        for course in fleet.courses.values()
        if course.rollout.state is not control.State.INVESTIGATING  # all that could come back has; it only waits
    )
    freezes = tuple(Freeze(row.plane, row.digest, row.reason) for row in fleet.freezes.values())
    return Snapshot(fleet.facts(), fleet.catalog, others, freezes)


def release_text(fleet: Fleet, release_id: str) -> str:
    """Return the document of a registered release.

    Raises:
        NotFoundError: there is none of this id (RB-RELEASE-001).
    """
    row = fleet.published.releases.get(release_id)
    if row is None:
        raise NotFoundError("RB-RELEASE-001", f"no release {release_id[:64]!r} here", hint="ringback release list")
    return row.yaml


def prepare(seen: Snapshot, text: str, *, rollout_id: str, now_ms: int, reason: str = "") -> Prepared | Refusal:
    """Plan a release and draw its rings.

    Args:
        text: the release document.
        rollout_id: also the salt that draws the canaries.
        reason: an operator's reason, as good as one in the release.

    Raises:
        SpecError: it is no release, or names what nobody published.
        InputError: its gate cannot work (RB-HEALTH-NNN).
    """
    release = parse_release(text)
    if reason and not release.reason:
        release = replace(release, reason=reason)
    families = {class_id: each.family for class_id, each in seen.catalog.classes.items()}
    facts = targeted(seen.facts, release.targets, families)
    drawn = _drawn(rollout_id, release, facts, families)
    stock = take_stock(
        facts,
        fleet_size=len(seen.facts),
        ring_of=lambda each: drawn.seats[each.device_id],
        others=seen.others,
        planes=release.planes,
        families=families,
    )
    if not facts:
        stock = replace(stock, nobody=why_nobody(seen.facts, release.targets, families))
    found = plan(stock, release, seen.catalog, Policy(seen.freezes))
    if isinstance(found, Refusal):
        return found
    rollout = control.new_rollout(
        rollout_id,
        release,
        drawn.members,
        way_back(found),
        slowest_poll_ms=_slowest_poll_ms(seen.catalog, {each.class_id for each in facts}),
        now_ms=now_ms,
        cuts_drawn=drawn.cuts,
    )
    if isinstance(rollout, BadGate):
        raise InputError(
            rollout.code,
            f"gate.{rollout.field} is {rollout.found}, expected {rollout.expected}",
            hint=rollout.hint,
        )
    return Prepared(release, found, rollout, drawn.seats)


def way_back(found: Plan) -> WayBack:
    """Return the compiled way back as the controller keeps it; a release of rules alone has one empty rung."""
    changes = tuple(PlaneChange(plane, digest) for plane, digest in found.changes)
    ladder = tuple(Rung(rung.planes) for rung in found.ladder.rungs) or (Rung(()),)
    first = tuple(FirstRung(plane, rung) for plane, rung in found.ladder.first)
    return WayBack(changes, ladder, first)


def _drawn(rollout_id: str, release: Release, facts: Sequence[DeviceFacts], families: Mapping[str, str]) -> _Drawn:
    """Draw the rings; selectors are asked once for devices that are labelled alike, unless they name devices."""
    names_devices = any("device" in ring.where.keys for ring in release.rings)
    known: dict[tuple[object, ...], tuple[bool, ...]] = {}
    targets: list[Targeted] = []
    members: list[Member] = []
    for each in facts:
        family = families.get(each.class_id, each.class_id)
        key = (each.device_id,) if names_devices else (id(each.labels), each.class_id)
        matches = known.get(key)
        if matches is None:
            labels = with_reserved(each.labels, device=each.device_id, class_id=each.class_id, family=family)
            matches = known[key] = (*(ring.where.matches(labels) for ring in release.rings), True)
        targets.append(Targeted(each.device_id, family, each.labels))
        members.append(Member(each.device_id, family, matches))
    cuts = control.cuts(rollout_id, members, control.frames_of(release.rings))
    seats = {
        each.device_id: control.ring_of(
            control.place(rollout_id, each.stratum, each.device_id), each.stratum, each.matches, cuts
        )
        for each in members
    }
    return _Drawn(targets, cuts, seats)


def _slowest_poll_ms(catalog: Catalog, class_ids: set[str]) -> int:
    return max((catalog.classes[each].policy.poll_ms for each in class_ids if each in catalog.classes), default=60_000)


def start(
    fleet: Fleet, prepared: Prepared, *, plan_report: bytes, actor: str, reason: str, now_ms: int
) -> Outcome[RolloutRow]:
    """Start a rollout that was planned, or queue it where its release says so.

    Args:
        plan_report: the plan as it was shown, kept with the rollout.

    Raises:
        ConflictError: another rollout took the same planes of the same devices since the plan was made (RB-PLAN-015).
    """
    rollout, release = prepared.rollout, prepared.release
    queued = prepared.plan.queued_behind
    for course in fleet.courses.values():
        if course.rollout_id > rollout.rollout_id and set(course.rollout.changed_planes) & set(rollout.changed_planes):
            raise ConflictError(
                "RB-PLAN-015",
                f"rollout {course.rollout_id} of {course.rollout.release_id} was started in the meantime",
                hint="plan again",
            )
    why = reason or release.reason
    if not queued:
        begun = control.command(rollout, Command(CommandKind.START, actor, why), now_ms)
        assert isinstance(begun, Decision), "a new draft can be started"
        rollout = begun.rollout
    memory = Memory(rollout, queued_behind=queued, reason=why)
    row = RolloutRow(
        tenant_id=fleet.tenant_id,
        rollout_id=rollout.rollout_id,
        release_id=release.id,
        state=rollout.state.value,
        document=memory_bytes(memory),
        plan=plan_report,
        created_at_ms=now_ms,
        generation=1,
    )
    fleet.drawn_seats[rollout.rollout_id] = prepared.seats  # saves drawing them once more when the row is applied
    changes: list[Change] = [Insert(row)]
    return Outcome(tuple(changes), row)


def order(fleet: Fleet, rollout_id: str, given: Command, *, ids: Ids, now_ms: int) -> Outcome[Course]:
    """Carry out an operator's command on a rollout.

    Raises:
        NotFoundError: no such rollout, or it is over (RB-ROLLOUT-001, RB-ROLLOUT-002).
        ConflictError: the command does not fit its state (RB-CONTROL-NNN).
    """
    course = course_named(fleet, rollout_id)
    decision = control.command(course.rollout, given, now_ms)
    if isinstance(decision, CommandRefused):
        raise ConflictError(decision.code, decision.message, hint=decision.hint)
    return Outcome(tuple(decision_changes(fleet, course, decision, actor=given.actor, ids=ids)), course)


def course_named(fleet: Fleet, rollout_id: str) -> Course:
    """Return a rollout that is not over.

    Raises:
        NotFoundError: there is none of this id (RB-ROLLOUT-001).
        ConflictError: it is over (RB-ROLLOUT-002).
    """
    row = row_named(fleet, rollout_id)
    course = fleet.courses.get(rollout_id)
    if course is None:
        raise ConflictError("RB-ROLLOUT-002", f"rollout {rollout_id} is {row.state}: it is over")
    return course


def row_named(fleet: Fleet, rollout_id: str) -> RolloutRow:
    """Return a rollout, over or not.

    Raises:
        NotFoundError: there is none of this id (RB-ROLLOUT-001).
    """
    row = fleet.rollout_rows.get(rollout_id)
    if row is None:
        raise NotFoundError("RB-ROLLOUT-001", f"no rollout {rollout_id[:64]!r} here", hint="ringback rollout list")
    return row
