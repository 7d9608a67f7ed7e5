"""What has happened to a rollout between two looks at it, in sentences.

Decides: which changes are worth a line. Never: a judgement; sentences about evidence are the server's own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringback.cli.exits import ExitCode
from ringback.cli.words import count

if TYPE_CHECKING:
    from ringback.client.models import Rollout, RolloutRing

# Where a rollout ends, and what the one who waited for it is told by the exit code.
GOOD_ENDS = frozenset({"rollback_window", "closed"})
# It goes on only when a person says so.
NEEDS_A_PERSON = frozenset({"paused", "waiting_approval"})
BAD_ENDS = frozenset({"rolled_back", "frozen", "investigating", "superseded"})


def ended(state: str, until: str = "") -> ExitCode | None:
    """Return how waiting for a rollout ends in this state; None: it goes on.

    Args:
        until: another state that is waited for; "" = full and its coverage.
    """
    if until and state == until:
        return ExitCode.DONE
    if state in GOOD_ENDS:
        return ExitCode.DONE
    return ExitCode.ENDED_BADLY if state in BAD_ENDS else None


def changes(before: "Rollout | None", after: "Rollout") -> Iterator[str]:
    """Yield a sentence for each change that a person waits for, in order of importance."""
    if before is None or before.state != after.state or before.ring != after.ring:
        ring = after.rings[after.ring].name if 0 <= after.ring < len(after.rings) else ""
        yield after.state.replace("_", " ") + (f", ring {ring}" if ring else "")
        yield from (f"  {reason}" for reason in after.reasons or [after.cause] if reason)
    known = {each.index: progress(each) for each in before.rings} if before is not None else {}
    for each in after.rings:
        told = progress(each)
        if told and known.get(each.index) != told:
            yield f"  ring {each.name}: {told}"
    if after.returning is not None and (before is None or before.returning != after.returning):
        back = after.returning
        yield f"  going back: {back.reverted} back, {back.moving} on the way, {back.left + back.unreachable} to be told"
    said = {each.text for each in before.waiting_on} if before is not None else set()
    yield from (f"  waits for: {one.text}" for one in after.waiting_on if one.text not in said)


def progress(ring: "RolloutRing") -> str:
    """Return how far a ring is, in numbers and words; "" before anyone was offered it. What is zero is left out."""
    if not ring.offered:
        return ""
    rest = {
        "on the way": ring.moving,
        "failed": ring.failed,
        "refused": ring.refused,
        "withdrawn": ring.withdrawn,
        "drills passed": ring.drills_passed,
        "drills failed": ring.drills_failed,
    }
    parts = [f"{ring.good} of {count(ring.members, 'device')} good"]
    return ", ".join(parts + [f"{number} {name}" for name, number in rest.items() if number])
