"""Is a set of artifacts valid on a device class? The one question that every step of a plan answers.

Decides: which constraints a set breaks. Never: how to get from one set to another.

- A set is valid when every artifact in it is for the class and its plane, and everything it requires of the other
  planes and of the hardware holds. An empty plane satisfies nothing that is required of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ringback.plan.codes import (
    MANIFEST_TOO_BIG,
    NEEDS_CAPABILITY,
    NEEDS_OTHER_VERSION,
    NEEDS_PLANE,
    NO_SUCH_PLANE,
    PREREQUISITE,
    WRONG_CLASS,
)
from ringback.spec.artifact import Artifact, Requirement
from ringback.spec.device_class import DeviceClass

Chosen = Mapping[str, Artifact]
"""Plane to what is on it; an empty plane is left out."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One constraint that a set breaks.

    Attributes:
        code: of the refusal that it causes.
        artifact: the artifact whose constraint it is; None for a prerequisite of the release.
        requirement: the constraint, or None when the artifact does not belong on this class or plane at all.
        found: the artifact on the plane that the constraint is about; None when it is empty, or not about a plane.
    """

    code: str
    artifact: Artifact | None
    requirement: Requirement | None
    found: Artifact | None = None

    @property
    def plane(self) -> str:
        """The plane that the constraint is about, or "" when it is not about a plane."""
        if self.requirement is None or self.requirement.is_capability:
            return ""
        return self.requirement.subject


def violations(device_class: DeviceClass, chosen: Chosen, prerequisites: Iterable[Requirement] = ()) -> list[Violation]:
    """Return every constraint that a set breaks, in the order of the planes; none means that it is valid."""
    found: list[Violation] = []
    for plane in sorted(chosen):
        artifact = chosen[plane]
        found += unfit(device_class, artifact)
        found += broken(device_class, chosen, artifact.requires, artifact)
    found += broken(device_class, chosen, prerequisites, None)
    return found


def unfit(device_class: DeviceClass, artifact: Artifact) -> list[Violation]:
    """Return what keeps an artifact from this class whatever else is installed, its capabilities aside."""
    plane = device_class.plane(artifact.plane)
    if plane is None or plane.kind != artifact.kind:
        return [Violation(NO_SUCH_PLANE, artifact, None)]
    if device_class.id not in artifact.classes:
        return [Violation(WRONG_CLASS, artifact, None)]
    if len(artifact.manifest) > device_class.policy.manifest_bytes_max:
        return [Violation(MANIFEST_TOO_BIG, artifact, None)]
    return []


def broken(
    device_class: DeviceClass, chosen: Chosen, needs: Iterable[Requirement], artifact: Artifact | None
) -> list[Violation]:
    """Return the requirements of one artifact (or of the release) that a set does not satisfy."""
    found: list[Violation] = []
    for need in needs:
        if need.is_capability:
            value = device_class.capability(need.capability)
            if value is None or not need.constraint.allows_value(value):
                found.append(Violation(NEEDS_CAPABILITY, artifact, need))
            continue
        other = chosen.get(need.subject)
        if other is not None and need.constraint.allows(other.version):
            continue
        if artifact is None:
            found.append(Violation(PREREQUISITE, None, need, other))
        elif device_class.plane(need.subject) is None:
            found.append(Violation(NO_SUCH_PLANE, artifact, need))
        else:
            found.append(Violation(NEEDS_PLANE if other is None else NEEDS_OTHER_VERSION, artifact, need, other))
    return found
