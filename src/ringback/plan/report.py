"""A plan in numbers, for the person who decides: who, how much, how long, what the way back costs, what it can prove.

Decides: what is counted and how it is named. Never: changes the plan.

- Everything is JSON-able with stable keys; the CLI and the API show the same object.
- Bytes count artifacts that a device neither runs nor keeps; a rollback to a kept version moves none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringback.plan.catalog import Catalog
from ringback.plan.desire import drill_rule, windows_for
from ringback.plan.inventory import Group, PlaneSet
from ringback.plan.lint import lint
from ringback.plan.planner import Lane, Plan
from ringback.plan.track import Hop, Track
from ringback.spec.device_class import DeviceClass, PlaneSpec
from ringback.spec.rules import merge

Report = dict[str, object]
"""JSON-able; only built here and passed on to be encoded."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a ring can show at best, from ``ringback.stats`` by way of the use case: ``text`` is for people."""

    ring: str
    devices: int
    text: str


def report(plan: Plan, catalog: Catalog, *, evidence: Sequence[Evidence] = ()) -> Report:
    """Return a plan in numbers.

    Keys: refused (False), release, devices, changes, rings, tracks, blocked, doors, queued_behind, rollback, classes,
    evidence, warnings.
    """
    going = plan.going
    classes = sorted({lane.group.class_id for lane in going})
    return {
        "refused": False,
        "release": plan.release.id,
        "devices": {
            "fleet": plan.fleet_size,
            "targeted": _count(lane.group for lane in plan.lanes) + _count(one.group for one in plan.blocked),
            "going": _count(lane.group for lane in going),
            "done": _count(lane.group for lane in plan.lanes if lane.is_done),
            "blocked": _count(one.group for one in plan.blocked),
        },
        "changes": [
            {"plane": plane, "artifact": ref(digest, catalog), "digest": digest} for plane, digest in plan.changes
        ],
        "rings": _rings(plan, catalog),
        "tracks": _tracks(going, catalog),
        "blocked": [cause.to_json() for cause in plan.causes],
        "doors": [door.to_json() for door in plan.doors],
        "queued_behind": list(plan.queued_behind),
        "rollback": _rollback(plan, catalog),
        "classes": [_class(catalog.classes[name], plan, catalog) for name in classes],
        "evidence": [{"ring": one.ring, "devices": one.devices, "text": one.text} for one in evidence],
        "warnings": _warnings(plan, catalog),
    }


def ref(digest: str, catalog: Catalog) -> str:
    """Return an artifact's reference, or the start of a digest that nobody published, or "" for an empty plane."""
    artifact = catalog.artifacts.get(digest)
    return artifact.ref if artifact is not None else digest[:19]


def _count(groups: Iterable[Group]) -> int:
    return sum(group.count for group in groups)


def bytes_to_move(track: Track, kept: PlaneSet, catalog: Catalog) -> int:
    """Return the bytes that one device fetches on a track: manifests and files of what it neither runs nor keeps."""
    there = {digest for _, digest in (*track.start, *kept)}
    return sum(_bytes_of(hop, there, catalog) for hop in track.hops)


def _bytes_of(hop: Hop, there: set[str], catalog: Catalog) -> int:
    before = {digest for _, digest in hop.before}
    new = [catalog.artifacts[digest] for _, digest in hop.after if digest not in before and digest not in there]
    return sum(artifact.size_bytes + len(artifact.manifest) for artifact in new)


def _rings(plan: Plan, catalog: Catalog) -> list[Report]:
    names = [*(ring.name for ring in plan.release.rings), "full"]
    found: list[Report] = []
    for index, name in enumerate(names):
        lanes = [lane for lane in plan.going if lane.group.ring == index]
        families: dict[str, int] = {}
        for lane in lanes:
            family = catalog.classes[lane.group.class_id].family
            families[family] = families.get(family, 0) + lane.group.count
        found.append(
            {
                "index": index,
                "name": name,
                "devices": _count(lane.group for lane in lanes),
                "families": dict(sorted(families.items())),
                "bytes": sum(lane.group.count * bytes_to_move(lane.track, lane.group.kept, catalog) for lane in lanes),
                "blocked": _count(one.group for one in plan.blocked if one.group.ring == index),
                "drill": index < len(plan.release.rings) and plan.release.rings[index].is_drill,
            }
        )
    return found


def _tracks(going: Sequence[Lane], catalog: Catalog) -> list[Report]:
    by_track: dict[Track, list[Group]] = {}
    for lane in going:
        by_track.setdefault(lane.track, []).append(lane.group)
    found: list[Report] = []
    for track, groups in by_track.items():
        found.append(
            {
                "class": track.class_id,
                "family": catalog.classes[track.class_id].family,
                "devices": _count(groups),
                "examples": [name for group in groups for name in group.examples][:3],
                "from": {plane: ref(digest, catalog) for plane, digest in track.start},
                "to": {plane: ref(digest, catalog) for plane, digest in track.end},
                "hops": [_hop(hop, catalog) for hop in track.hops],
            }
        )
    return sorted(found, key=lambda one: (-int(str(one["devices"])), str(one["class"]), str(one["from"])))


def _hop(hop: Hop, catalog: Catalog) -> Report:
    after = dict(hop.after)
    return {
        "order": [list(group) for group in hop.order],
        "brings": {plane: ref(after[plane], catalog) for plane in hop.planes},
        "inserted": hop.is_via,
        "switch_ms": hop.cost_ms,
        "ladder": [
            {"planes": list(rung.planes), "back_to": {plane: ref(digest, catalog) for plane, digest in rung.set}}
            for rung in hop.ladder.rungs
        ],
        "first": dict(hop.ladder.first),
        "doors": [door.to_json() for door in hop.doors],
    }


def _rollback(plan: Plan, catalog: Catalog) -> Report:
    """Return the fleet's way back, and what taking back one plane costs one device of each class."""
    costs: list[Report] = []
    for track in dict.fromkeys(lane.track for lane in plan.going):
        device_class = catalog.classes[track.class_id]
        for name in track.planes:
            plane = device_class.plane(name)
            assert plane is not None, name
            entry: Report = {
                "class": track.class_id,
                "plane": name,
                "kind": plane.kind,
                "ms": plane.cost_ms,
                "bytes": _bytes_back(track, name, device_class, catalog),
                "reboots": int(plane.reboots),
            }
            if entry not in costs:
                costs.append(entry)
    return {
        "ladder": [list(rung.planes) for rung in plan.ladder.rungs],
        "first": dict(plan.ladder.first),
        "costs": sorted(costs, key=lambda one: (str(one["class"]), int(str(one["ms"])), str(one["plane"]))),
    }


def _bytes_back(track: Track, plane: str, device_class: DeviceClass, catalog: Catalog) -> int:
    """Return the bytes that a device fetches to take a plane back: none while a slot still holds what ran before."""
    before = dict(track.start).get(plane)
    switches = sum(plane in hop.planes for hop in track.hops)
    if before is None or switches < device_class.policy.slots:
        return 0
    artifact = catalog.artifacts[before]
    return artifact.size_bytes + len(artifact.manifest)


def _class(device_class: DeviceClass, plan: Plan, catalog: Catalog) -> Report:
    policy = device_class.policy
    windows = windows_for(device_class, plan.release.trial_ms, plan.release.hold_ms)
    rules = merge(device_class.rules, plan.release.rules).rules
    tracks = list(dict.fromkeys(lane.track for lane in plan.going if lane.group.class_id == device_class.id))
    drilled = sorted({drill_rule(device_class, hop, rules) for track in tracks for hop in track.hops} - {""})
    planes = sorted({plane for track in tracks for plane in track.planes})
    return {
        "class": device_class.id,
        "family": device_class.family,
        "poll_ms": policy.poll_ms,
        "trial_ms": windows.trial_ms,
        "hold_ms": windows.hold_ms,
        "uplink_ms": windows.uplink_ms,
        "boot_window_ms": policy.boot_window_ms,
        "generations": max(len(track.hops) for track in tracks),
        "one_plane_per_deployment": policy.one_plane_per_deployment,
        "drill_rules": drilled,
        "flash": [_wear(device_class, plane, tracks, catalog) for plane in _flashed(device_class, planes)],
    }


def _flashed(device_class: DeviceClass, planes: Iterable[str]) -> list[PlaneSpec]:
    if not device_class.policy.flash_sector_bytes:
        return []
    return [plane for name in planes if (plane := device_class.plane(name)) is not None]


def _wear(device_class: DeviceClass, plane: PlaneSpec, tracks: Sequence[Track], catalog: Catalog) -> Report:
    """Return what one release costs the flash under a plane: every slot is erased once per switch into it."""
    policy = device_class.policy
    switched = [dict(hop.after)[plane.name] for track in tracks for hop in track.hops if plane.name in hop.planes]
    largest = max(catalog.artifacts[digest].size_bytes for digest in switched)
    switches = max(sum(plane.name in hop.planes for hop in track.hops) for track in tracks)
    return {
        "plane": plane.name,
        "sectors": -(-largest // policy.flash_sector_bytes),
        "erases": switches,
        "cycles": policy.flash_cycles,
        "releases_endured": policy.flash_cycles * policy.slots // switches if policy.flash_cycles else 0,
    }


def _warnings(plan: Plan, catalog: Catalog) -> list[Report]:
    found: list[Report] = []
    for track in dict.fromkeys(lane.track for lane in plan.going):
        for finding in lint(track, plan.wanted, catalog):
            entry: Report = {"code": finding.code, "class": track.class_id, "text": finding.text}
            assert not finding.is_error, f"the plan breaks its own promises: {finding.text}"
            if entry not in found:
                found.append(entry)
    return found
