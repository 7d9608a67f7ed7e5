"""How a rollout reads on a screen.

Decides: order and layout. Never: a judgement: verdicts, reasons and what is waited for are the server's own sentences.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringback.cli import base, words
from ringback.cli.output import Screen

if TYPE_CHECKING:
    from ringback.client.models import Decision, Deployment, FailureCause, Rollout, RolloutBrief, RolloutRing

COLUMNS = ("ROLLOUT", "RELEASE", "STATE", "NOW")
# The server keeps the deployments of what is over, but counts them no longer.
OVER = frozenset({"closed", "superseded"})
# The beginning of a UUIDv7 is its time: twelve digits are one millisecond, and enough to name it by.
ID_CHARS = 13


def row(brief: "RolloutBrief") -> tuple[str, ...]:
    """Return the line of a rollout in a list."""
    ring = f", ring {brief.ring}" if brief.ring else ""
    return brief.id[:ID_CHARS], brief.release, state(brief.state) + ring, brief.text


def state(word: str) -> str:
    """Return a state as people read it."""
    return word.replace("_", " ")


def name(rollout: "Rollout") -> str:
    """Return how a rollout is called in a sentence."""
    return f"rollout {rollout.id[:ID_CHARS]} of {rollout.release}"


def brief(screen: Screen, found: "RolloutBrief") -> None:
    """Print what became of an order to a rollout."""
    screen.facts(
        [
            ("release", found.release),
            ("rollout", found.id),
            ("state", state(found.state) + (f", ring {found.ring}" if found.ring else "")),
            ("because", found.text),
        ]
    )


def show(screen: Screen, rollout: "Rollout") -> None:
    """Print a rollout: where it stands and why, its evidence, rings, families and planes."""
    explain(screen, rollout)
    screen.heading("Rings")
    if rollout.state in OVER:
        ended = [(ring.name, ring.state, str(ring.members)) for ring in rollout.rings]
        screen.table(("RING", "STATE", "DEVICES"), ended, empty="It has no rings.")
        each_device = base.typed("ringback", "rollout", "deployments", rollout.release)
        screen.line(f"It is over. What became of each device: {each_device}")
    else:
        columns = ("RING", "STATE", "DEVICES", "GOOD", "FAILED", "ON THE WAY", "DRILL")
        screen.table(columns, [ring_row(ring) for ring in rollout.rings], empty="It has no rings.")
    if rollout.families:
        screen.heading("Hardware families")
        families = [
            (each.family, str(each.entered), str(each.good), str(each.failed), str(each.silent), because)
            for each in rollout.families
            for because in ["; ".join(_cause(cause) for cause in each.causes)]
        ]
        screen.table(("FAMILY", "ENTERED", "GOOD", "FAILED", "SILENT", "BECAUSE"), families, empty="")
    screen.heading("Planes")
    rows = [
        (each.plane, each.artifact.removeprefix(f"{each.plane}/"), _marks(each.is_blamed, each.is_frozen))
        for each in rollout.planes
    ]
    screen.table(("PLANE", "BRINGS", ""), rows, empty="It changes health rules only.")


def head(screen: Screen, rollout: "Rollout") -> None:
    """Print where a rollout stands."""
    screen.facts(_facts(rollout))


def explain(screen: Screen, rollout: "Rollout") -> None:
    """Print where a rollout stands, why, what would let it go on, and the evidence in numbers."""
    head(screen, rollout)
    screen.heading("Why")
    for reason in rollout.reasons or [rollout.cause or "Nothing was decided yet."]:
        screen.line(f"  {reason}")
    if rollout.waiting_on:
        screen.heading("Waits for")
        for each in rollout.waiting_on:
            until = f" Until {words.instant(each.until_ms)}." if each.until_ms is not None else ""
            screen.line(f"  {each.text}{until}")
    if rollout.verdict is not None:
        screen.heading(f"Evidence: {rollout.verdict.kind.upper()}")
        rows = [(each.name, each.observed, f"{each.operator} {each.limit}") for each in rollout.verdict.measures]
        screen.table(("", "OBSERVED", "MUST BE"), rows, empty="")
        for reason in rollout.verdict.reasons:
            if reason not in rollout.reasons:
                screen.line(f"  {reason}")
    if rollout.returning is not None:
        back = rollout.returning
        screen.heading("Going back")
        screen.facts(
            [
                ("planes", ", ".join(back.planes)),
                ("back, healthy", str(back.reverted)),
                ("on the way", str(back.moving)),
                ("not told yet", str(back.left)),
                ("not reachable", str(back.unreachable)),
                ("back, not healthy", str(back.unhealthy)),
            ]
        )


def outcomes(rollout: "Rollout") -> str:
    """Return how many devices are where, in words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in rollout.outcomes.items()) or "no device yet"


def ring_row(ring: "RolloutRing") -> tuple[str, ...]:
    """Return the line of a ring."""
    drill = (
        "" if not ring.drill else f"{ring.drills_passed} passed, {ring.drills_failed} failed, {ring.drills_pending} on"
    )
    return (
        ring.name,
        ring.state + (", needs approval" if ring.needs_approval and ring.state == "waiting" else ""),
        str(ring.members),
        str(ring.good),
        str(ring.failed),
        str(ring.moving),
        drill,
    )


def deployment_row(deployment: "Deployment") -> tuple[str, ...]:
    """Return the line of a device in a rollout."""
    observed = (
        f" observed {words.observed(deployment.reading, deployment.operator, deployment.limit)}"
        if deployment.reading is not None and deployment.limit is not None
        else ""
    )
    because = f"{deployment.rule}{observed}".strip() or deployment.code
    if deployment.rung:
        because += f"; went back: {', '.join(deployment.rung)}"
    if deployment.drill not in ("", "none"):
        because = f"drill {deployment.drill}" + (f"; {because}" if because else "")
    return deployment.device, deployment.family, str(deployment.ring), deployment.outcome, because


def decision(screen: Screen, decided: "Decision") -> None:
    """Print what was decided, by whom, and the reasons below it."""
    effects = f" [{', '.join(decided.effects)}]" if decided.effects else ""
    when = words.instant(decided.at_ms)
    screen.line(f"{decided.seq}. {when} {step(decided.before, decided.after)} (by {decided.actor}){effects}")
    for reason in decided.reasons:
        screen.line(f"   {reason}")


def step(before: str, after: str) -> str:
    """Return a transition in words."""
    return state(after) if before == after else f"{state(before)} -> {state(after)}"


def after(rollout: "Rollout") -> str:
    """Return the one command to type after a look at a rollout."""
    return following(rollout.release, rollout.state, harmed=rollout.harmed)


def following(release: str, state: str, *, harmed: int = 0) -> str:
    """Return the one command to type next about the rollout of a release in a state."""
    if state == "waiting_approval":
        return base.typed("ringback", "rollout", "approve", release, "--reason", "...")
    if state == "paused":
        # Paused by what devices reported, going on is not the first thing to think of.
        return base.typed("ringback", "rollback" if harmed else "resume", release)
    if state in ("stopped", "rolling_back", "rolled_back", "frozen", "investigating"):
        return base.typed("ringback", "rollout", "deployments", release)
    if state in OVER or state == "rollback_window":
        return base.typed("ringback", "rollout", "decisions", release)
    return base.typed("ringback", "rollout", "watch", release)


def _facts(rollout: "Rollout") -> Iterator[tuple[str, str]]:
    ring = rollout.rings[rollout.ring].name if 0 <= rollout.ring < len(rollout.rings) else ""
    yield "release", rollout.release
    yield "rollout", rollout.id
    yield "state", state(rollout.state) + (f", ring {ring}" if ring else "")
    yield "since", words.instant(rollout.since_at_ms)
    yield "devices", outcomes(rollout) if rollout.state not in OVER else ""
    yield "harmed", words.count(rollout.harmed, "device") if rollout.harmed else ""
    yield "blamed", rollout.blamed + (f" on {rollout.family}" if rollout.family else "") if rollout.blamed else ""
    yield "reason", rollout.reason
    yield "awaits", rollout.awaiting
    yield "queued behind", ", ".join(rollout.queued_behind)


def _cause(cause: "FailureCause") -> str:
    observed = ""
    if cause.observed is not None and cause.limit is not None:
        observed = f" observed {words.observed(cause.observed, cause.operator, cause.limit)}"
    return f"{cause.rule or 'no rule named'}{observed} on {words.count(cause.devices, 'device')}"


def _marks(is_blamed: bool, is_frozen: bool) -> str:
    return ", ".join([*(["blamed"] if is_blamed else []), *(["frozen"] if is_frozen else [])])
