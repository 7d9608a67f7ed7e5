"""From what a person types to the thing that is meant: rollouts by release, artifacts by name.

Decides: what a short name stands for. Never: guesses between two; that is an error that names both.
"""

from typing import TYPE_CHECKING

from ringback.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from ringback.client import Client
    from ringback.client.models import Artifact, Page, RolloutBrief

# Fewer digits are a typing mistake rather than a name.
DIGITS_MIN = 6
ARTIFACTS_MAX = 10_000
ROLLOUTS_MAX = 10_000


def rollout(client: "Client", name: str) -> str:
    """Return the id of a rollout.

    Args:
        name: its id, the beginning of its id, or a release: then the newest rollout of that release.

    Raises:
        NotFoundError: RB-CLI-030 no such rollout.
        ConflictError: RB-CLI-031 the beginning fits several.
    """
    found = rollout_or_none(client, name)
    if found is None:
        raise NotFoundError(
            "RB-CLI-030",
            f"no rollout {name!r}, and none of a release of that name",
            hint="see them with: ringback rollout list",
        )
    return found


def rollout_or_none(client: "Client", name: str) -> str | None:
    """Return the id of a rollout as `rollout` does, or None."""
    known = newest_first(client, ROLLOUTS_MAX).items
    of_release = [each for each in known if each.release == name]
    if of_release:
        return of_release[0].id
    begun = [each.id for each in known if each.id.startswith(name)]
    if name in begun:
        return name
    if len(begun) > 1:
        raise ConflictError(
            "RB-CLI-031",
            f"{name} is the beginning of {len(begun)} rollouts, {begun[0]} and {begun[1]} among them",
            hint="type more of it, or the release's name",
        )
    return begun[0] if begun else None


def newest_first(client: "Client", limit: int) -> "Page[RolloutBrief]":
    """Return the newest rollouts. Ids are UUIDv7, so the server lists them by age, oldest first."""
    from ringback.client.models import Page

    found = client.rollouts(limit=ROLLOUTS_MAX).items[::-1]
    return Page(items=found[:limit], next="more" if len(found) > limit else None)


def artifact(client: "Client", name: str) -> "Artifact":
    """Return an artifact by digest, by `plane/name@version`, or by the beginning of its digest.

    Raises:
        NotFoundError: RB-CLI-032.
        ConflictError: RB-CLI-031.
    """
    is_whole = name.startswith("sha256:") and len(name) == len("sha256:") + 64
    if is_whole or "@" in name:
        return client.artifact(name)
    digits = name.removeprefix("sha256:")
    begun = []
    if len(digits) >= DIGITS_MIN:
        known = client.artifacts(limit=ARTIFACTS_MAX).items
        begun = [each for each in known if each.digest.removeprefix("sha256:").startswith(digits)]
    if len(begun) > 1:
        raise ConflictError(
            "RB-CLI-031",
            f"{name} is the beginning of {len(begun)} digests, {begun[0].digest} and {begun[1].digest} among them",
            hint="type more of it, or plane/name@version",
        )
    if not begun:
        raise NotFoundError(
            "RB-CLI-032", f"no artifact {name!r} was published", hint="see them with: ringback artifact list"
        )
    return client.artifact(begun[0].digest)
