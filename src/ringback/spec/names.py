"""The grammars of names: ids, planes, artifact references, digests, file paths in an artifact.

Decides: what a name may look like. Never: whether anything of that name exists.

- An id is ``[a-z0-9][a-z0-9-]{1,62}``; a plane is one or two such parts of at least one character (``model/face``).
- An artifact is named by digest (``sha256:`` and 64 hex digits) or by reference (``plane/name@version``).
- Paths inside an artifact are relative, without ``..``: a remote name never becomes a path outside a slot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("firmware", "model", "config")
"""What a plane can be, dearest first."""

ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
PLANE: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?")
PLANE_CHARS_MAX: Final = 64
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
HEX: Final = re.compile(r"[0-9a-f]{64}")
PATH: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
PATH_CHARS_MAX: Final = 128
CAPABILITY_PREFIX: Final = "cap:"


def is_id(text: str) -> bool:
    """Say whether a text is an id of a device, class, release, rollout or artifact name."""
    return ID.fullmatch(text) is not None


def is_plane(text: str) -> bool:
    """Say whether a text is a plane's name."""
    return len(text) <= PLANE_CHARS_MAX and PLANE.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Say whether a text is a digest with its algorithm."""
    return DIGEST.fullmatch(text) is not None


def is_safe_path(text: str) -> bool:
    """Say whether a text is a relative path that stays inside its slot."""
    parts = text.split("/")
    return PATH.fullmatch(text) is not None and len(text) <= PATH_CHARS_MAX and not {".", ".."} & set(parts)


@dataclass(frozen=True, slots=True)
class Reference:
    """An artifact by name: ``plane/name@version``."""

    plane: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.plane}/{self.name}@{self.version}"


def reference(text: str, plane: str = "") -> Reference | None:
    """Return a reference read from ``plane/name@version``, or from ``name@version`` where the plane is given."""
    rest, at, version = text.rpartition("@")
    if not at:
        return None
    found, slash, name = rest.rpartition("/")
    if not slash:
        found = plane
    if not is_plane(found) or not is_id(name) or not version:
        return None
    return Reference(found, name, version)
