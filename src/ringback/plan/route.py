"""From one running set to what a release wants: the track of hops, or the causes why there is none.

Decides: where a path is cut into generations, what each closes, and how a missing path is explained. Never: counts
devices; `planner` does.

- One hop = one generation. What is inserted gets a hop of its own, so that it is proven before the next thing starts; a
  class with ``one_plane_per_deployment`` gets a hop per activation group.
- A door is a step that closes the way back: an epoch that rises, a version overwritten before its time, a start that is
  itself invalid. Doors need ``one_way: true``; without it the way is not taken.
- Explanations name the constraint, the artifact that stands against it, and what would help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ringback.plan.catalog import Catalog
from ringback.plan.codes import (
    EPOCH_RISES,
    EPOCH_WOULD_FALL,
    KEEPS_OLD_VERSION,
    MANIFEST_TOO_BIG,
    NEEDS_CAPABILITY,
    NEEDS_PLANE,
    NO_SAFE_ORDER,
    NO_SUCH_PLANE,
    ONE_WAY,
    ONLY_TOGETHER,
    OVERWRITES_PREVIOUS,
    PREREQUISITE,
    RELEASE_CONTRADICTS_ITSELF,
    STARTS_INVALID,
    STEPPING_STONE,
    TOO_ENTANGLED,
    UNKNOWN_RUNNING,
    WRONG_CLASS,
)
from ringback.plan.inventory import PlaneSet
from ringback.plan.ladder import Ladder, compile_ladder, policy_order
from ringback.plan.refusal import Cause
from ringback.plan.search import Path, Step, Stuck, Task, find, may_replace
from ringback.plan.sets import Violation, violations
from ringback.plan.track import Door, Hop, Track
from ringback.spec.artifact import Artifact, Requirement
from ringback.spec.device_class import DeviceClass


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a release wants of any device: artifacts, what may be inserted, and its promises.

    ``one_way`` allows steps without a way back; ``rollback_order`` lists kinds or planes, first to go back first.
    """

    goal: tuple[Artifact, ...]
    via: tuple[Artifact, ...] = ()
    prerequisites: tuple[Requirement, ...] = ()
    rollback_order: tuple[str, ...] = ("config", "model", "firmware")
    one_way: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """No way for these devices, and why: at least one cause."""

    causes: tuple[Cause, ...]


def route(
    device_class: DeviceClass, running: PlaneSet, wanted: Wanted, catalog: Catalog, *, kept: PlaneSet = ()
) -> Track | Blocked:
    """Return the way of devices of a class from what they run to what is wanted.

    Args:
        device_class: their class.
        running: (plane, digest) of what runs, sorted; empty planes left out.
        wanted: what the release wants.
        catalog: what has been published.
        kept: versions held beside the running ones; their epochs bound what may come.
    """
    unknown = [(plane, digest) for plane, digest in running if digest not in catalog.artifacts]
    if unknown:
        return Blocked(tuple(_unknown(plane, digest) for plane, digest in unknown))
    start = {plane: catalog.artifacts[digest] for plane, digest in running}
    floors = _floors(start, kept, catalog)
    fallen = [one for one in wanted.goal if one.epoch < floors.get(one.plane, 0)]
    if fallen:
        return Blocked(tuple(_fallen(one, floors[one.plane]) for one in fallen))
    via = tuple(one for one in wanted.via if one.epoch >= floors.get(one.plane, 0) and _fits(device_class, one))
    task = Task(device_class, start, {one.plane: one for one in wanted.goal}, via, wanted.prerequisites)
    if all(start.get(one.plane) is one for one in wanted.goal):
        return Track(device_class.id, running, ())
    already = violations(device_class, start)
    if already and not wanted.one_way:
        return Blocked(tuple(_starts_invalid(one) for one in already))
    path = find(task)
    if isinstance(path, Stuck):
        return Blocked(tuple(_unique(_explain(task, path, catalog, wanted.via))))
    hops = _hops(task, path, wanted, floors=floors, starts_invalid=bool(already))
    if not wanted.one_way and any(hop.doors for hop in hops):
        return Blocked(tuple(_closed(door) for hop in hops for door in hop.doors))
    return Track(device_class.id, running, hops)


def _fits(device_class: DeviceClass, artifact: Artifact) -> bool:
    plane = device_class.plane(artifact.plane)
    return plane is not None and plane.kind == artifact.kind and device_class.id in artifact.classes


def _floors(start: Mapping[str, Artifact], kept: PlaneSet, catalog: Catalog) -> dict[str, int]:
    """Return the lowest epoch that each plane still takes: the highest the device is known to have had confirmed."""
    floors = {plane: artifact.epoch for plane, artifact in start.items()}
    for plane, digest in kept:
        artifact = catalog.artifacts.get(digest)
        if artifact is not None:
            floors[plane] = max(floors.get(plane, 0), artifact.epoch)
    return floors


# --- hops -------------------------------------------------------------------------------------------------------------


def _hops(
    task: Task, path: Path, wanted: Wanted, *, floors: Mapping[str, int], starts_invalid: bool
) -> tuple[Hop, ...]:
    hops: list[Hop] = []
    before = dict(task.start)
    heights = dict(floors)
    switches: dict[str, int] = {}
    for steps in _generations(path, task.device_class.policy.one_plane_per_deployment):
        after = dict(before)
        for step in steps:
            after.update(zip(step.planes, step.becomes, strict=True))
        changed = [plane for step in steps for plane in step.planes]
        for plane in changed:
            switches[plane] = switches.get(plane, 0) + 1
        doors = [
            *([_invalid_door(task)] if starts_invalid and not hops else []),
            *_epoch_doors(changed, after, heights),
            *_overwrite_doors(task, changed, switches),
        ]
        heights |= {plane: max(heights.get(plane, 0), after[plane].epoch) for plane in changed}
        hops.append(
            Hop(
                before=as_set(before),
                after=as_set(after),
                order=tuple(step.planes for step in steps),
                ladder=_ladder(task, before, after, wanted.rollback_order),
                is_via=all(step.is_via for step in steps),
                doors=tuple(doors),
                cost_ms=sum(_cost_ms(task.device_class, plane) for plane in changed),
            )
        )
        before = after
    return tuple(hops)


def _generations(path: Path, one_plane: bool) -> list[list[Step]]:
    """Cut the steps into generations: before and after what is inserted, and everywhere where a class wants it."""
    cut: list[list[Step]] = []
    for step in path.steps:
        if cut and not (one_plane or step.is_via or cut[-1][-1].is_via):
            cut[-1].append(step)
        else:
            cut.append([step])
    return cut


def _ladder(task: Task, before: dict[str, Artifact], after: dict[str, Artifact], policy: Sequence[str]) -> Ladder:
    device_class = task.device_class
    changed = [plane for plane in after if before.get(plane) is not after[plane]]
    facts = [(plane, after[plane].kind, _cost_ms(device_class, plane)) for plane in changed]

    def is_valid(planes: tuple[str, ...]) -> bool:
        taken_back = dict(after)
        for plane in planes:
            if plane in before:
                taken_back[plane] = before[plane]
            else:
                del taken_back[plane]
        return task.is_valid(taken_back)

    return compile_ladder(
        policy_order(facts, policy),
        {plane: before[plane].digest if plane in before else "" for plane in changed},
        {plane: cost_ms for plane, _, cost_ms in facts},
        is_valid,
    )


def as_set(chosen: Mapping[str, Artifact]) -> PlaneSet:
    """Return the digests of a set, sorted by plane."""
    return tuple(sorted((plane, artifact.digest) for plane, artifact in chosen.items()))


def _cost_ms(device_class: DeviceClass, plane: str) -> int:
    found = device_class.plane(plane)
    return found.cost_ms if found is not None else 0


# --- doors ------------------------------------------------------------------------------------------------------------


def _epoch_doors(changed: Iterable[str], after: Mapping[str, Artifact], heights: Mapping[str, int]) -> list[Door]:
    return [
        Door(
            EPOCH_RISES,
            plane,
            f"{after[plane].ref} raises the epoch of {plane} from {heights[plane]} to {after[plane].epoch}: once a "
            f"device has confirmed it, no version below epoch {after[plane].epoch} can run there again",
        )
        for plane in changed
        if plane in heights and after[plane].epoch > heights[plane]
    ]


def _overwrite_doors(task: Task, changed: Iterable[str], switches: Mapping[str, int]) -> list[Door]:
    slots = task.device_class.policy.slots
    return [
        Door(
            OVERWRITES_PREVIOUS,
            plane,
            f"{plane} is switched {switches[plane]} times and has {slots} slots: {task.start[plane].ref} is "
            "overwritten before the rollback window closes",
        )
        for plane in changed
        if switches[plane] == slots and plane in task.start
    ]


def _invalid_door(task: Task) -> Door:
    first = violations(task.device_class, task.start)[0]
    return Door(
        STARTS_INVALID,
        first.plane or (first.artifact.plane if first.artifact else ""),
        f"the running set is itself invalid ({_needs(first)}), so going back returns to an invalid set",
    )


def _closed(door: Door) -> Cause:
    hint = "if that is wanted, write one_way: true into the release"
    return Cause(ONE_WAY, f"no way back: {door.text}", hint=hint, plane=door.plane)


# --- explanations -----------------------------------------------------------------------------------------------------


def _unknown(plane: str, digest: str) -> Cause:
    hint = f"publish what they run, or bring them to something known with: ringback push --to DEVICE (plane {plane})"
    return Cause(UNKNOWN_RUNNING, f"nobody published what runs on {plane}", "run", digest[:19], hint, plane)


def _fallen(artifact: Artifact, floor: int) -> Cause:
    what = f"{artifact.ref} has epoch {artifact.epoch}, and the epoch of a plane never falls"
    hint = f"publish a version of {artifact.plane} with epoch {floor} or higher"
    return Cause(EPOCH_WOULD_FALL, what, "have", f"confirmed epoch {floor}", hint, artifact.plane)


def _starts_invalid(violation: Violation) -> Cause:
    hint = (
        "bring them to a valid set first with ringback push, or say one_way: true: there is nothing valid to return to"
    )
    what = f"the running set is already invalid: {_needs(violation)}"
    own = violation.artifact.plane if violation.artifact is not None else ""
    plane = violation.plane or own
    if violation.found is not None:
        return Cause(STARTS_INVALID, what, "run", violation.found.ref, hint, plane)
    if violation.plane:
        return Cause(STARTS_INVALID, what, "have", f"nothing on {violation.plane}", hint, plane)
    return Cause(STARTS_INVALID, what, "run", "it", hint, plane)


def _needs(violation: Violation) -> str:
    if violation.artifact is None:
        return f"the release wants {violation.requirement} first"
    if violation.requirement is None:
        return f"{violation.artifact.ref} does not belong on these devices"
    return f"{violation.artifact.ref} needs {violation.requirement}"


def _explain(task: Task, stuck: Stuck, catalog: Catalog, via: Sequence[Artifact]) -> list[Cause]:
    """Return why there is no path: first what breaks the target set itself, else what breaks the way to it."""
    if stuck.is_bound_hit:
        hint = "release fewer planes at once, or name fewer artifacts in via"
        return [Cause(TOO_ENTANGLED, "these constraints leave too many combinations to search", hint=hint)]
    target = {**task.start, **task.goal}
    broken = violations(task.device_class, target, task.prerequisites)
    if broken:
        return [_about(task, violation, catalog, via) for violation in broken]
    stones = [
        _stone(artifact, old, need, catalog)
        for plane, artifact in task.goal.items()
        if (old := task.start.get(plane)) is not None and old is not artifact and not may_replace(artifact, old)
        for need in artifact.requires
        if need.subject == plane and not need.constraint.allows(old.version)
    ]
    if stones:
        return stones
    if stuck.needs_joint:
        planes = " and ".join(stuck.needs_joint)
        what = f"{planes} are only valid together, and the class {task.device_class.id} switches one plane at a time"
        hint = "publish a version of one of them that works with both, and name it in via"
        return [Cause(ONLY_TOGETHER, what, hint=hint, plane=stuck.needs_joint[0])]
    hint = "name an artifact in via that is valid with what runs and with what comes"
    return [Cause(NO_SAFE_ORDER, "every order of switches passes through an invalid set", hint=hint)]


def _stone(artifact: Artifact, old: Artifact, need: Requirement, catalog: Catalog) -> Cause:
    what = f"{artifact.ref} only replaces {need}"
    between = [
        one.ref
        for one in reversed(catalog.on_plane(artifact.plane))
        if need.constraint.allows(one.version) and one is not artifact and may_replace(one, old)
    ]
    hint = f"add {between[0]} to via" if between else f"publish a version of {artifact.plane} that satisfies {need}"
    return Cause(STEPPING_STONE, what, "run", old.ref, hint, artifact.plane)


def _about(task: Task, violation: Violation, catalog: Catalog, via: Sequence[Artifact]) -> Cause:
    """Return the cause for one constraint that the target set breaks."""
    artifact, need = violation.artifact, violation.requirement
    if artifact is not None and need is None:
        return _unfit(task.device_class, artifact, violation.code)
    assert need is not None
    if violation.code == NEEDS_CAPABILITY:
        return _capability(task.device_class, artifact, need)
    if artifact is not None and violation.code == NO_SUCH_PLANE:
        what = f"{artifact.ref} needs {need}"
        state = f"of class {task.device_class.id}, which has no plane {need.subject}"
        return Cause(NO_SUCH_PLANE, what, "are", state, "target classes that have this plane", need.subject)
    is_new = artifact is not None and task.goal.get(artifact.plane) is artifact
    brought = task.goal.get(need.subject)
    if artifact is not None and brought is not None and brought is violation.found:
        if is_new:
            what = f"{artifact.ref} needs {need}, and the release itself brings {brought.ref}"
            hint = f"release a version of {need.subject} that satisfies {need.constraint}, or another {artifact.plane}"
            return Cause(RELEASE_CONTRADICTS_ITSELF, what, hint=hint, plane=need.subject)
        what = f"{brought.ref} does not go with {artifact.ref}, which needs {need}"
        hint = _newer(artifact, brought, catalog, task.device_class)
        return Cause(KEEPS_OLD_VERSION, what, "run", artifact.ref, hint, artifact.plane)
    what = _needs(violation)
    hint = _helper(task, need, catalog, via)
    code = PREREQUISITE if artifact is None else violation.code
    if violation.found is None:
        return Cause(
            code if artifact is None else NEEDS_PLANE, what, "have", f"nothing on {need.subject}", hint, need.subject
        )
    return Cause(code, what, "run", violation.found.ref, hint, need.subject)


def _unfit(device_class: DeviceClass, artifact: Artifact, code: str) -> Cause:
    if code == NO_SUCH_PLANE:
        plane = device_class.plane(artifact.plane)
        state = f"of class {device_class.id}, " + (
            f"which has no plane {artifact.plane}" if plane is None else f"where {plane.name} is of kind {plane.kind}"
        )
        hint = "target classes that have this plane"
        return Cause(
            code,
            f"{artifact.ref} is for the plane {artifact.plane} ({artifact.kind})",
            "are",
            state,
            hint,
            artifact.plane,
        )
    if code == MANIFEST_TOO_BIG:
        state = f"of class {device_class.id}, which reads {device_class.policy.manifest_bytes_max} bytes"
        what = f"the manifest of {artifact.ref} has {len(artifact.manifest)} bytes"
        return Cause(code, what, "are", state, "put fewer files into the artifact", artifact.plane)
    hint = f"target only these classes, or publish a version of {artifact.plane} for {device_class.id}"
    what = f"{artifact.ref} is for the classes {', '.join(artifact.classes)}"
    return Cause(WRONG_CLASS, what, "are", f"of class {device_class.id}", hint, artifact.plane)


def _capability(device_class: DeviceClass, artifact: Artifact | None, need: Requirement) -> Cause:
    who = artifact.ref if artifact is not None else "the release"
    value = device_class.capability(need.capability)
    state = f"of class {device_class.id}, which has " + (
        f"no {need.capability}" if value is None else f"{need.capability} = {value}"
    )
    hint = "leave this class out of the targets, or publish a version that needs less"
    what = f"{who} needs {need.capability} {need.constraint}"
    return Cause(NEEDS_CAPABILITY, what, "are", state, hint, artifact.plane if artifact is not None else "")


def _helper(task: Task, need: Requirement, catalog: Catalog, via: Sequence[Artifact]) -> str:
    """Return what would satisfy a requirement: an artifact to insert, or to publish."""
    target = {**task.start, **task.goal}
    fitting = [
        one
        for one in reversed(catalog.on_plane(need.subject))  # the oldest that will do is the smallest step
        if need.constraint.allows(one.version) and _fits(task.device_class, one)
    ]
    helping = [
        one for one in fitting if not violations(task.device_class, {**target, one.plane: one}, task.prerequisites)
    ]
    if not fitting:
        return (
            f"publish a version of {need.subject} that satisfies {need.constraint} for the class {task.device_class.id}"
        )
    named = [one for one in fitting if one in via]
    if named:
        others = violations(task.device_class, {**target, need.subject: named[0]}, task.prerequisites)
        if others:
            return f"{named[0].ref} is in via but {_needs(others[0])}"
        return f"{named[0].ref} is in via but cannot be reached from what runs"
    return f"add {(helping or fitting)[0].ref} to via, or release it first"


def _newer(artifact: Artifact, brought: Artifact, catalog: Catalog, device_class: DeviceClass) -> str:
    """Return which version of a plane that stays would go with what the release brings."""
    for one in catalog.on_plane(artifact.plane):
        needs = [need for need in one.requires if need.subject == brought.plane]
        if _fits(device_class, one) and all(need.constraint.allows(brought.version) for need in needs):
            return f"release {one.ref} with it"
    return f"publish a version of {artifact.plane} that goes with {brought.ref}, and release both"


def _unique(causes: Iterable[Cause]) -> list[Cause]:
    return list(dict.fromkeys(causes))
