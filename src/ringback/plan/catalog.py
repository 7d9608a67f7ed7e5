"""What has been published: device classes and artifacts, and what a release means by its names.

Decides: which artifact a name stands for. Never: guesses a missing version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ringback.plan.codes import UNKNOWN_ARTIFACT, UNKNOWN_CLASS, UNKNOWN_PLANE, UNKNOWN_RULE, WRONG_PLANE
from ringback.spec import read
from ringback.spec.artifact import Artifact
from ringback.spec.device_class import DeviceClass
from ringback.spec.problem import Place, Problem, SpecError, did_you_mean, refuse, shown
from ringback.spec.release import Pick, Release
from ringback.spec.rules import merge


@dataclass(frozen=True, slots=True)
class Catalog:
    """Published device classes by id (the newest version of each) and artifacts by digest."""

    classes: dict[str, DeviceClass] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    by_ref: dict[str, Artifact] = field(default_factory=dict)

    def on_plane(self, plane: str) -> list[Artifact]:
        """Return every artifact of a plane, newest version first."""
        found = [artifact for artifact in self.artifacts.values() if artifact.plane == plane]
        return sorted(found, key=lambda artifact: (artifact.version, artifact.name), reverse=True)


def catalog_of(classes: Iterable[DeviceClass], artifacts: Iterable[Artifact]) -> Catalog:
    """Return the catalog of these classes and artifacts; of a class given in several versions, the newest counts."""
    newest: dict[str, DeviceClass] = {}
    for one in classes:
        if one.id not in newest or newest[one.id].version < one.version:
            newest[one.id] = one
    published = list(artifacts)
    return Catalog(newest, {one.digest: one for one in published}, {one.ref: one for one in published})


@dataclass(frozen=True, slots=True)
class Resolved:
    """The artifacts that a release means: ``goal`` in the order of the document, and those it may insert."""

    goal: tuple[Artifact, ...]
    via: tuple[Artifact, ...]


def resolve(release: Release, catalog: Catalog) -> Resolved:
    """Return the artifacts that a release names.

    Raises SpecError: a class, plane, artifact or rule that means nothing here, with its place in the document and the
        name that was probably meant.
    """
    problems = read.Problems()
    place = Place(release.source)
    for index, class_id in enumerate(release.targets.classes):
        if class_id not in catalog.classes:
            found, hint = shown(class_id), did_you_mean(class_id, catalog.classes)
            path = f"targets.classes[{index}]"
            problems.add(refuse(UNKNOWN_CLASS, place, path, found=found, expected="a registered class", hint=hint))
    classes = [catalog.classes[name] for name in release.targets.classes or catalog.classes if name in catalog.classes]
    planes = {plane.name for device_class in classes for plane in device_class.planes}
    goal, via = _picked(release.versions, catalog, planes, problems), _picked(release.via, catalog, planes, problems)
    problems.found.extend(_rule_problems(release, classes))
    problems.raise_any()
    return Resolved(goal, via)


def _picked(picks: Iterable[Pick], catalog: Catalog, planes: set[str], problems: read.Problems) -> tuple[Artifact, ...]:
    found: list[Artifact] = []
    for pick in picks:
        with problems.kept():
            found.append(_artifact(pick, catalog, planes))
    return tuple(found)


def _artifact(pick: Pick, catalog: Catalog, planes: set[str]) -> Artifact:
    if pick.plane and planes and pick.plane not in planes:
        hint = did_you_mean(pick.plane, planes)
        expected = "a plane of the targeted device classes"
        raise refuse(UNKNOWN_PLANE, pick.place, pick.path, found=shown(pick.plane), expected=expected, hint=hint)
    artifact = catalog.artifacts.get(pick.digest) if pick.reference is None else catalog.by_ref.get(str(pick))
    if artifact is None:
        hint = did_you_mean(str(pick), catalog.by_ref, list_all=False) or "publish it first: ringback artifact publish"
        raise refuse(
            UNKNOWN_ARTIFACT, pick.place, pick.path, found=shown(str(pick)), expected="a published artifact", hint=hint
        )
    if pick.plane and artifact.plane != pick.plane:
        expected = f"an artifact of the plane {pick.plane}"
        raise refuse(WRONG_PLANE, pick.place, pick.path, found=artifact.ref, expected=expected)
    return artifact


def _rule_problems(release: Release, classes: list[DeviceClass]) -> list[Problem]:
    """Return what is wrong with the release's changes of rules, where no targeted class can take them."""
    found: list[Problem] = []
    for change in release.rules:
        merged = [merge(device_class.rules, [change]) for device_class in classes]
        if merged and all(one.problems for one in merged):
            found.append(merged[0].problems[0])
        planes = {plane.name for device_class in classes for plane in device_class.planes}
        if change.plane is not None and classes and change.plane not in planes:
            hint = did_you_mean(change.plane, planes)
            path = read.under(change.path, "plane")
            expected = "a plane of the targeted device classes"
            found.append(Problem(UNKNOWN_RULE, change.place, path, shown(change.plane), expected, hint))
    return found


__all__ = ["Catalog", "Resolved", "SpecError", "catalog_of", "resolve"]
