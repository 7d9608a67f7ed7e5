"""The plan of a release over a fleet: who goes which way, who is blocked and why, and what it costs; or a refusal.

Decides: whether a release may start as it is. Never: starts it, guesses a version, or leaves a cause unsaid.

- Devices that are alike get one track, computed once; the fleet's size only matters for counting.
- A device that cannot go is blocked with its causes and the others go; when nobody can go, the release is refused.
- A refusal for the whole release: nobody targeted, a frozen artifact, planes held by another rollout, another release's
  rollback window without a reason, a way that closes behind the devices without ``one_way: true``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.plan.catalog import Catalog, Resolved, resolve
from ringback.plan.codes import (
    BUSY_PLANES,
    FROZEN,
    IN_ROLLBACK_WINDOW,
    NOBODY_TARGETED,
    NOTHING_PROVES,
    NOTHING_TO_DO,
    ONE_WAY,
    UNKNOWN_CLASS,
)
from ringback.plan.desire import rules_for
from ringback.plan.inventory import Group, Inventory, Overlap, PlaneSet
from ringback.plan.ladder import EMPTY, Ladder, compile_ladder, policy_order
from ringback.plan.refusal import Cause, Refusal
from ringback.plan.route import Blocked, Wanted, route
from ringback.plan.sets import violations
from ringback.plan.track import Door, Hop, Track
from ringback.spec.artifact import Artifact
from ringback.spec.release import Release
from ringback.spec.rules import can_prove, merge


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nobody may newly activate this digest on this plane."""

    plane: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What else the planner must respect: freezes in force."""

    freezes: tuple[Freeze, ...] = ()


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Lane:
    """A group of devices and the track they take; ``is_done`` when they already run everything."""

    group: Group
    track: Track

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do for them."""
        return not self.track.hops


@dataclass(frozen=True, slots=True)
class BlockedGroup:
    """A group of devices that cannot go, and why."""

    group: Group
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that may be started.

    Attributes:
        wanted: the artifacts and promises that tracks are made from, also for devices that join later.
        lanes: the groups that go or are already there.
        blocked: the groups that cannot go.
        ladder: the way back of the whole rollout, valid on every track: rungs by planes, and where to start.
        doors: the steps that close a way back, announced.
        queued_behind: rollouts that must close first (``when: queue``), by id.
    """

    release: Release
    wanted: Wanted
    lanes: tuple[Lane, ...]
    blocked: tuple[BlockedGroup, ...]
    ladder: Ladder
    doors: tuple[Door, ...]
    queued_behind: tuple[str, ...]
    fleet_size: int

    @property
    def going(self) -> tuple[Lane, ...]:
        """The groups for which something changes."""
        return tuple(lane for lane in self.lanes if not lane.is_done)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why devices are blocked, each cause once with all devices that it concerns, most devices first."""
        return merged_causes(self.blocked)

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        """What changes anywhere: (plane, digest at the end), inserted artifacts included, first to go back first."""
        ordered = [plane for rung in self.ladder.rungs[-1:] for plane in rung.planes]
        brought: dict[str, str] = {}
        for lane in self.going:
            brought |= {plane: digest for plane, digest in lane.track.end if plane in lane.track.planes}
        brought |= {artifact.plane: artifact.digest for artifact in self.wanted.goal if artifact.plane in brought}
        return tuple((plane, brought[plane]) for plane in ordered)


def plan(inventory: Inventory, release: Release, catalog: Catalog, policy: Policy = NO_POLICY) -> Plan | Refusal:
    """Return the plan of a release, or why there is none.

    Args:
        inventory: the targeted devices, grouped (``inventory.take_stock``).
        release: what is wanted.
        catalog: what has been published.
        policy: freezes in force.

    Raises SpecError: the release names a class, plane, artifact or rule that means nothing here.
    """
    resolved = resolve(release, catalog)
    if not inventory.groups:
        return Refusal(release.id, (_nobody(inventory),))
    stopped = [*_frozen(resolved, policy), *_conflicts(release, inventory)]
    if stopped:
        return Refusal(release.id, tuple(stopped))
    wanted = wanted_by(release, resolved)
    lanes, blocked = _lanes(inventory, wanted, catalog)
    going = [lane for lane in lanes if lane.track.hops]
    unproven = [cause for cause in (_unproven(lane, release, catalog) for lane in going) if cause is not None]
    if unproven:
        return Refusal(release.id, (unproven[0].on(sum(cause.count for cause in unproven), unproven[0].examples),))
    closed = [cause for cause in merged_causes(blocked) if cause.code == ONE_WAY]
    if closed or not lanes:
        return Refusal(release.id, tuple(closed) or merged_causes(blocked))
    if not going:
        if not blocked:
            count = sum(lane.group.count for lane in lanes)
            what = f"all {count} targeted devices already run this release"
            return Refusal(release.id, (Cause(NOTHING_TO_DO, what, hint="nothing needs to be done"),))
        return Refusal(release.id, merged_causes(blocked))
    return Plan(
        release=release,
        wanted=wanted,
        lanes=tuple(lanes),
        blocked=tuple(blocked),
        ladder=_rollout_ladder(going, wanted, catalog),
        doors=tuple(dict.fromkeys(door for lane in going for door in lane.track.doors)),
        queued_behind=_queued(release, inventory),
        fleet_size=inventory.fleet_size,
    )


def wanted_by(release: Release, resolved: Resolved) -> Wanted:
    """Return what a release wants of any device, for the tracks of its devices."""
    return Wanted(resolved.goal, resolved.via, release.prerequisites, release.rollback_order, release.one_way)


def track_for(
    class_id: str, running: PlaneSet, wanted: Wanted, catalog: Catalog, *, kept: PlaneSet = ()
) -> Track | Blocked:
    """Return the track of one kind of device, as the plan would have it: for devices that join later, and per check-in.

    A release of health rules alone gets one hop that changes no plane.
    """
    device_class = catalog.classes.get(class_id)
    if device_class is None:
        what = f"nobody registered the class {class_id}"
        return Blocked((Cause(UNKNOWN_CLASS, what, "are", "of it", "register it with: ringback class create", ""),))
    found = route(device_class, running, wanted, catalog, kept=kept)
    if isinstance(found, Track) and not wanted.goal:
        return Track(class_id, running, (Hop(running, running, (), EMPTY, is_via=False, doors=(), cost_ms=0),))
    return found


def _lanes(inventory: Inventory, wanted: Wanted, catalog: Catalog) -> tuple[list[Lane], list[BlockedGroup]]:
    known: dict[tuple[str, PlaneSet, PlaneSet], Track | Blocked] = {}
    lanes: list[Lane] = []
    blocked: list[BlockedGroup] = []
    for group in inventory.groups:
        key = (group.class_id, group.running, group.kept)
        found = known.get(key)
        if found is None:
            found = track_for(group.class_id, group.running, wanted, catalog, kept=group.kept)
            known[key] = found
        if isinstance(found, Track):
            lanes.append(Lane(group, found))
        else:
            blocked.append(BlockedGroup(group, found.causes))
    return lanes, blocked


def merged_causes(blocked: Sequence[BlockedGroup]) -> tuple[Cause, ...]:
    """Return every cause once, with all devices that it concerns, most devices first."""
    counts: dict[Cause, tuple[int, tuple[str, ...]]] = {}
    for one in blocked:
        for cause in one.causes:
            count, examples = counts.get(cause, (0, ()))
            counts[cause] = (count + one.group.count, (*examples, *one.group.examples)[:3])
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0].code, item[0].what))
    return tuple(cause.on(count, examples) for cause, (count, examples) in ordered)


# --- refusals of the whole release ------------------------------------------------------------------------------------


def _nobody(inventory: Inventory) -> Cause:
    why = inventory.nobody or "no device has this class and these labels"
    hint = "look at the labels with: ringback device list"
    return Cause(NOBODY_TARGETED, f"the release targets none of {inventory.fleet_size} devices: {why}", hint=hint)


def _unproven(lane: Lane, release: Release, catalog: Catalog) -> Cause | None:
    """Return the cause if no rule could prove the release on these devices: a trial that nothing ends in confirmed."""
    device_class = catalog.classes[lane.group.class_id]
    rules = merge(device_class.rules, release.rules).rules
    if all(can_prove(rules_for(hop.after, rules)) for hop in lane.track.hops):
        return None
    what = "no required rule is judged in the trial, so nothing could prove the release"
    hint = "keep at least one rule with level: required and at: [trial] that reads an installed plane"
    return Cause(NOTHING_PROVES, what, hint=hint).on(lane.group.count, lane.group.examples)


def _frozen(resolved: Resolved, policy: Policy) -> list[Cause]:
    found: list[Cause] = []
    for artifact in (*resolved.goal, *resolved.via):
        for freeze in policy.freezes:
            if (freeze.plane, freeze.digest) == (artifact.plane, artifact.digest):
                what = f"{artifact.ref} is frozen ({freeze.reason})"
                hint = "release another version, or lift the freeze if its reason is gone"
                found.append(Cause(FROZEN, what, hint=hint, plane=artifact.plane))
    return found


def _conflicts(release: Release, inventory: Inventory) -> list[Cause]:
    found: list[Cause] = []
    for overlap in inventory.overlaps:
        planes = " and ".join(overlap.planes)
        who = f"{overlap.other.release_id} (rollout {overlap.other.rollout_id})"
        if overlap.other.state == "rollback-window":
            if release.reason:
                continue
            what = f"{planes} may still be rolled back to before {who}, whose rollback window is open"
            hint = "wait until it closes, or write a reason into the release: the earlier versions will be overwritten"
            found.append(_conflict(IN_ROLLBACK_WINDOW, what, hint, overlap))
        elif release.when != "queue":
            what = (
                f"{planes} is being changed by {who}" if len(overlap.planes) == 1 else f"{planes} are changed by {who}"
            )
            hint = "wait, stop it, or write when: queue into the release"
            found.append(_conflict(BUSY_PLANES, what, hint, overlap))
    return found


def _conflict(code: str, what: str, hint: str, overlap: Overlap) -> Cause:
    return Cause(code, what, hint=hint, plane=overlap.planes[0], count=overlap.count, examples=overlap.examples)


def _queued(release: Release, inventory: Inventory) -> tuple[str, ...]:
    if release.when != "queue":
        return ()
    return tuple(one.other.rollout_id for one in inventory.overlaps if one.other.state != "rollback-window")


# --- the way back of the whole rollout --------------------------------------------------------------------------------


def _rollout_ladder(going: Sequence[Lane], wanted: Wanted, catalog: Catalog) -> Ladder:
    """Return rungs that are valid on every track: what a fleet can take back together, whichever way devices came."""
    tracks = list(dict.fromkeys(lane.track for lane in going))
    facts: dict[str, tuple[str, str, int]] = {}
    for track in tracks:
        device_class = catalog.classes[track.class_id]
        for name in track.planes:
            plane = device_class.plane(name)
            assert plane is not None, name
            cost_ms = max(plane.cost_ms, facts.get(name, ("", "", 0))[2])
            facts[name] = (name, plane.kind, cost_ms)

    def is_valid(planes: tuple[str, ...]) -> bool:
        return all(_stays_valid(track, planes, catalog) for track in tracks)

    ordered = policy_order(list(facts.values()), wanted.rollback_order)
    costs_ms = {name: cost_ms for name, _, cost_ms in facts.values()}
    return compile_ladder(ordered, dict.fromkeys(ordered, ""), costs_ms, is_valid)


def _stays_valid(track: Track, planes: tuple[str, ...], catalog: Catalog) -> bool:
    start, end = dict(track.start), dict(track.end)
    for plane in planes:
        if plane in start:
            end[plane] = start[plane]
        else:
            end.pop(plane, None)
    chosen: dict[str, Artifact] = {plane: catalog.artifacts[digest] for plane, digest in end.items()}
    return not violations(catalog.classes[track.class_id], chosen)
