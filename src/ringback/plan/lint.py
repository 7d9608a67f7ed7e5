"""A second opinion on tracks, written apart from the planner: it proves nothing by the planner's own means.

Decides: whether a track is what it claims to be, by walking it and trying every alternative that is small enough.
Never: repairs a track, and never calls the planner's search, its validity check or its ladder compiler.

- Errors are broken promises (an invalid set on the way, a rung that is no way back, a door not announced). Warnings are
  better ideas (a whole image where an app artifact would do).
- Used by the tests on random catalogs, by the simulator, and by ``ringback plan``.

Source: the idea of a checker that re-examines plans independently (omicron's blippy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from ringback.plan.catalog import Catalog
from ringback.plan.codes import EPOCH_RISES, OVERWRITES_PREVIOUS, STARTS_INVALID, SYSTEM_FOR_APP
from ringback.plan.route import Wanted
from ringback.plan.track import Hop, Track
from ringback.spec.artifact import Artifact, Requirement
from ringback.spec.device_class import DeviceClass
from ringback.spec.versions import Constraint, Version

BRUTE_FORCE_PLANES_MAX = 5
"""Changed planes up to which every order is tried: 5 planes have 541 ordered partitions."""
IMAGE_SUFFIXES = (".img", ".raucb", ".ext4", ".squashfs", ".swu", ".bin", ".itb", ".wic")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (``is_error``) or could be better; ``hop`` counts from 0, -1 for the whole track."""

    is_error: bool
    hop: int
    text: str
    code: str = ""


Set = dict[str, Artifact]


def lint(track: Track, wanted: Wanted, catalog: Catalog) -> list[Finding]:
    """Return everything that is wrong with a track; an empty list means that it keeps every promise of a plan."""
    device_class = catalog.classes[track.class_id]
    checker = _Checker(device_class, wanted, catalog, _resolve(track.start, catalog))
    found: list[Finding] = []
    for index, hop in enumerate(track.hops):
        found += [Finding(True, index, text) for text in checker.hop(hop)]
    found += [Finding(True, -1, text) for text in _joints(track)]
    found += [Finding(True, -1, text) for text in checker.whole(track)]
    found += [Finding(False, -1, text, SYSTEM_FOR_APP) for text in _image_for_app(device_class, track, catalog)]
    return found


def _resolve(planes: Iterable[tuple[str, str]], catalog: Catalog) -> Set:
    return {plane: catalog.artifacts[digest] for plane, digest in planes if digest}


def holds(constraint: Constraint, version: Version) -> bool:
    """Say whether a version satisfies a constraint, by comparing keys one operator at a time."""
    if constraint.words:
        return False
    for one in constraint.comparisons:
        left, right = version.rank(), one.version.rank()
        order = (left > right) - (left < right)
        if order not in {">=": (0, 1), "<=": (0, -1), ">": (1,), "<": (-1,), "==": (0,), "!=": (1, -1)}[one.operator]:
            return False
    return True


def is_sound(device_class: DeviceClass, chosen: Mapping[str, Artifact], extra: Iterable[Requirement] = ()) -> bool:
    """Say whether a set is valid on a class by the definition: class, plane, kind, size, hardware, other planes."""
    kinds = {plane.name: plane.kind for plane in device_class.planes}
    capabilities = dict(device_class.capabilities)
    for artifact in chosen.values():
        if kinds.get(artifact.plane) != artifact.kind or device_class.id not in artifact.classes:
            return False
        if len(artifact.manifest) > device_class.policy.manifest_bytes_max:
            return False
    for need in chain(extra, *(artifact.requires for artifact in chosen.values())):
        if need.subject.startswith("cap:"):
            value = capabilities.get(need.subject[4:])
            if value is None or not need.constraint.allows_value(value):
                return False
        elif need.subject not in chosen or not holds(need.constraint, chosen[need.subject].version):
            return False
    return True


def parts(planes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every part of a group that is neither empty nor the whole."""
    for size in range(1, len(planes)):
        yield from combinations(planes, size)


@dataclass(frozen=True, slots=True)
class _Checker:
    device_class: DeviceClass
    wanted: Wanted
    catalog: Catalog
    start: Set

    def sound(self, chosen: Set) -> bool:
        entered = any(chosen.get(one.plane) == one and self.start.get(one.plane) != one for one in self.wanted.goal)
        return is_sound(self.device_class, chosen, self.wanted.prerequisites if entered else ())

    def hop(self, hop: Hop) -> Iterator[str]:
        before, after = _resolve(hop.before, self.catalog), _resolve(hop.after, self.catalog)
        changed = {plane for plane in after if before.get(plane) != after[plane]}
        if set(before) - set(after):
            yield "a plane is emptied on the way forward"
        if sorted(hop.planes) != sorted(changed):
            yield f"the order names {sorted(hop.planes)}, but {sorted(changed)} change"
            return
        yield from self.groups(hop, before, after)
        yield from self.ladder(hop, before, after, changed)
        for plane in changed:
            new = after[plane]
            if new not in self.wanted.goal and new not in self.wanted.via:
                yield f"{new.ref} is neither wanted nor named in via"
        expected_ms = sum(plane.cost_ms for plane in self.device_class.planes if plane.name in changed)
        if hop.cost_ms != expected_ms:
            yield f"the cost says {hop.cost_ms} ms, the class {expected_ms} ms"

    def groups(self, hop: Hop, before: Set, after: Set) -> Iterator[str]:
        policy = self.device_class.policy
        now = dict(before)
        for group in hop.order:
            if len(group) > 1 and not policy.joint_switches:
                yield f"{group} switch together on a class that cannot"
            for part in parts(group):
                if self.sound({**now, **{plane: after[plane] for plane in part}}) and self.stones(part, now, after):
                    yield f"{group} switch together although {part} could go alone"
            if not self.stones(group, now, after):
                yield f"{group} replaces a version that it may not replace"
            now = {**now, **{plane: after[plane] for plane in group}}
            if not self.sound(now):
                yield f"the set after {group} is invalid"
        if policy.one_plane_per_deployment and len(hop.order) > 1:
            yield "several activation groups on a class that wants one per deployment"

    def stones(self, group: Iterable[str], now: Set, after: Set) -> bool:
        """Say whether each plane may take its new artifact after its present one: stepping stones, rising epochs."""
        return all(
            after[plane].epoch >= now[plane].epoch
            and all(
                holds(need.constraint, now[plane].version) for need in after[plane].requires if need.subject == plane
            )
            for plane in group
            if plane in now
        )

    def taken_back(self, planes: Iterable[str], before: Set, after: Set) -> Set:
        found = {plane: artifact for plane, artifact in after.items() if plane not in planes}
        return found | {plane: before[plane] for plane in planes if plane in before}

    def ladder(self, hop: Hop, before: Set, after: Set, changed: set[str]) -> Iterator[str]:
        rungs, first = hop.ladder.rungs, dict(hop.ladder.first)
        if not changed:
            if rungs or first:
                yield "a ladder although nothing changes"
            return
        if not rungs or set(rungs[-1].planes) != changed:
            yield "the last rung does not take everything back"
            return
        yield from self.rungs(hop, before, after, changed)
        for plane in changed:
            containing = [index for index, rung in enumerate(rungs) if plane in rung.planes]
            if first.get(plane) != containing[0]:
                yield f"{plane} starts at rung {first.get(plane)}, not at {containing[0]}, the first that takes it back"
            alone = self.sound(self.taken_back([plane], before, after))
            if alone and rungs[containing[0]].planes != (plane,):
                yield f"{plane} could go back alone, but its first rung takes back {rungs[containing[0]].planes}"
        if set(first) != changed:
            yield "first names planes that were not changed"

    def rungs(self, hop: Hop, before: Set, after: Set, changed: set[str]) -> Iterator[str]:
        rungs = hop.ladder.rungs
        for index, rung in enumerate(rungs):
            planes = set(rung.planes)
            if not planes or not planes <= changed or len(rung.planes) != len(planes):
                yield f"rung {index} takes back {rung.planes}, of which not all were changed"
                continue
            if dict(rung.set) != {plane: before[plane].digest if plane in before else "" for plane in planes}:
                yield f"rung {index} goes to other artifacts than those that ran"
            is_allowed_end = planes == changed and self.wanted.one_way
            if not self.sound(self.taken_back(planes, before, after)) and not is_allowed_end:
                yield f"rung {index} ends in an invalid set"
        if len({frozenset(rung.planes) for rung in rungs}) != len(rungs):
            yield "two rungs take back the same planes"
        for wide, narrow in combinations(rungs, 2):
            if set(narrow.planes) < set(wide.planes):
                yield f"{narrow.planes} stands behind {wide.planes}, where no walk that widens would find it"

    def whole(self, track: Track) -> Iterator[str]:
        end = _resolve(track.end, self.catalog)
        for one in self.wanted.goal:
            if track.hops and end.get(one.plane) != one:
                yield f"the track ends without {one.ref}"
        announced = {(door.code, door.plane) for door in track.doors}
        if announced and not self.wanted.one_way:
            yield "a door in a plan whose release does not say one_way"
        due = set(self.doors(track))
        for code, plane in due - announced:
            yield f"a door of {plane} is not announced ({code})"
        for code, plane in announced - due:
            if code != STARTS_INVALID:
                yield f"a door of {plane} is announced that is none ({code})"
        starts_invalid = bool(track.hops) and not is_sound(self.device_class, self.start)
        if starts_invalid != any(code == STARTS_INVALID for code, _ in announced):
            yield "the running set is invalid, and the plan does not say so (or says so wrongly)"
        inserted = sum(
            1
            for hop in track.hops
            for plane in hop.planes
            if dict(hop.after).get(plane) not in {one.digest for one in self.wanted.goal}
        )
        least = fewest_inserted(self) if len(end) <= BRUTE_FORCE_PLANES_MAX else None
        if track.hops and least is not None and inserted > least:
            yield f"{inserted} artifacts are inserted where {least} would do"

    def doors(self, track: Track) -> Iterator[tuple[str, str]]:
        heights = {plane: artifact.epoch for plane, artifact in self.start.items()}
        times: dict[str, int] = {}
        for hop in track.hops:
            after = _resolve(hop.after, self.catalog)
            for plane in (plane for plane in hop.planes if plane in after):
                times[plane] = times.get(plane, 0) + 1
                if plane in heights and after[plane].epoch > heights[plane]:
                    yield EPOCH_RISES, plane
                heights[plane] = max(heights.get(plane, 0), after[plane].epoch)
                if times[plane] == self.device_class.policy.slots and plane in self.start:
                    yield OVERWRITES_PREVIOUS, plane


def _joints(track: Track) -> Iterator[str]:
    """Yield what is wrong between the hops: each must begin where the one before ended."""
    now = track.start
    for index, hop in enumerate(track.hops):
        if hop.before != now:
            yield f"hop {index} does not begin where the one before ended"
        now = hop.after


def fewest_inserted(checker: _Checker) -> int | None:
    """Return how many artifacts must be inserted at least, by trying every walk through valid sets; None if none leads.

    Sets are taken by rising number of inserted artifacts, so the first that has everything wanted has the least.
    """
    goal = {one.plane: one for one in checker.wanted.goal}
    may_become = {
        plane: [*(one for one in checker.wanted.via if one.plane == plane), *([goal[plane]] if plane in goal else [])]
        for plane in sorted({*goal, *(one.plane for one in checker.wanted.via)})
    }
    waiting: dict[int, list[Set]] = {0: [checker.start]}
    done: set[tuple[tuple[str, str], ...]] = set()
    for inserted in range(2 * len(checker.wanted.via) + 2):
        queue = waiting.get(inserted, [])
        while queue:
            chosen = queue.pop()
            key = tuple(sorted((plane, one.digest) for plane, one in chosen.items()))
            if key in done:
                continue
            done.add(key)
            if all(chosen.get(plane) == one for plane, one in goal.items()):
                return inserted
            for after, count in _next(chosen, checker, may_become, goal):
                waiting.setdefault(inserted + count, queue if count == 0 else []).append(after)
    return None


def _next(
    chosen: Set, checker: _Checker, may_become: dict[str, list[Artifact]], goal: Mapping[str, Artifact]
) -> Iterator[tuple[Set, int]]:
    """Yield (set, inserted artifacts) for every valid joint or single switch; joint ones only where the class can."""
    sizes = range(1, len(may_become) + 1) if checker.device_class.policy.joint_switches else (1,)
    for size in sizes:
        for planes in combinations(sorted(may_become), size):
            for becomes in _products([may_become[plane] for plane in planes]):
                after = {**chosen, **dict(zip(planes, becomes, strict=True))}
                if any(
                    chosen.get(plane) in (one, goal.get(plane, one)) for plane, one in zip(planes, becomes, strict=True)
                ):
                    continue
                if checker.sound(after) and checker.stones(planes, chosen, after):
                    yield after, sum(goal.get(one.plane) != one for one in becomes)


def _products(choices: Sequence[Sequence[Artifact]]) -> Iterator[tuple[Artifact, ...]]:
    if not choices:
        yield ()
        return
    for first in choices[0]:
        for rest in _products(choices[1:]):
            yield (first, *rest)


def is_reachable(class_id: str, start: Iterable[tuple[str, str]], wanted: Wanted, catalog: Catalog) -> bool:
    """Say whether any walk through valid sets leads from what runs to what is wanted. Exponential: for tests."""
    chosen = _resolve(start, catalog)
    checker = _Checker(catalog.classes[class_id], wanted, catalog, chosen)
    return fewest_inserted(checker) is not None


def _image_for_app(device_class: DeviceClass, track: Track, catalog: Catalog) -> Iterator[str]:
    """Yield a warning for each whole image that holds nothing an app artifact could not hold."""
    apps = [plane for plane in device_class.planes if plane.name == "app"]
    for plane in device_class.planes:
        if not apps or plane.kind != "firmware" or plane.name == "app" or plane.cost_ms <= apps[0].cost_ms:
            continue
        for hop in track.hops:
            if plane.name not in hop.planes:
                continue
            artifact = catalog.artifacts[dict(hop.after)[plane.name]]
            if not any(file.path.endswith(IMAGE_SUFFIXES) or file.role == "asset" for file in artifact.files):
                yield (
                    f"{artifact.ref} holds only code and data: as an artifact of the plane app it would cost "
                    f"{apps[0].cost_ms} ms instead of {plane.cost_ms} ms, and no reboot"
                )
