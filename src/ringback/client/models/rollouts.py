"""Releases moving over the fleet, their verdicts and history."""

from __future__ import annotations

import msgspec

from ringback.client.models.base import Answer, Request
from ringback.client.models.plans import Plan


class StartRequest(Request, frozen=True):
    """Start a rollout of a registered release."""

    release: str
    reason: str = ""


class RolloutCommand(Request, frozen=True):
    """An order to a rollout: why, and for a rollback which planes (empty = as the ladder says)."""

    reason: str = ""
    planes: list[str] = msgspec.field(default_factory=list)
    dry_run: bool = False


class Measure(Answer, frozen=True):
    """One comparison that a verdict rests on: observed, operator, limit."""

    name: str
    observed: str
    operator: str
    limit: str


class FailureCause(Answer, frozen=True):
    """What failed devices of one family report."""

    rule: str
    plane: str
    observed: int | None
    operator: str
    limit: int | None
    rung: list[str]
    devices: int


class Verdict(Answer, frozen=True):
    """The judgement on all evidence.

    Attributes:
        kind: pass | fail | waiting. level: quiet | watch | pause | halt.
        family: the one family affected; "" if several or none.
        plane, basis: what is blamed, and on which grounds; "" without a failure.
        e_milli: evidence against the SLO, thousandths. u_ppm: upper bound of the failure rate.
        still_needed: clean devices that the certificate still needs; None = out of reach.
    """

    kind: str
    level: str
    family: str
    plane: str
    basis: str
    e_milli: int
    u_ppm: int
    entered: int
    failed: int
    matured: int
    still_needed: int | None
    measures: list[Measure]
    reasons: list[str]


class RolloutRing(Answer, frozen=True):
    """One ring. `state`: waiting | open | done; `members` were drawn when the rollout started."""

    index: int
    name: str
    kind: str
    state: str
    where: str
    drill: bool
    needs_approval: bool
    bake_ms: int
    members: int
    opened_at_ms: int | None
    left: int
    busy: int
    offered: int
    moving: int
    good: int
    failed: int
    refused: int
    withdrawn: int
    drills_pending: int
    drills_passed: int
    drills_failed: int
    slowest_recovery_ms: int | None


class RolloutFamily(Answer, frozen=True):
    """The evidence of one hardware family."""

    family: str
    offered: int
    entered: int
    good: int
    failed: int
    silent: int
    causes: list[FailureCause]


class RolloutPlane(Answer, frozen=True):
    """One plane that a rollout changes. `is_blamed`: the stopping verdict named it."""

    plane: str
    artifact: str
    digest: str
    is_blamed: bool
    is_frozen: bool


class WaitingFor(Answer, frozen=True):
    """What would let a rollout go on; `until_ms` where that is a moment."""

    kind: str
    text: str
    until_ms: int | None


class Returning(Answer, frozen=True):
    """How a rollback stands: devices to tell, on their way, back, not healthy, not reachable."""

    planes: list[str]
    left: int
    moving: int
    reverted: int
    unhealthy: int
    unreachable: int


class RolloutBrief(Answer, frozen=True):
    """One line about a rollout."""

    id: str
    release: str
    state: str
    ring: str
    generation: int
    created_at_ms: int
    since_at_ms: int
    reason: str
    blamed: str
    family: str
    text: str


class Rollout(Answer, frozen=True):
    """Everything about a rollout.

    Attributes:
        ring: index of the widest open ring; -1 before the first.
        outcomes: devices by outcome (offered, downloading, installed-unproven, proven, failed, fell-back, silent,
            refused, withdrawn).
        harmed: devices that failed on it, drills aside.
        verdict: None before the controller has looked, and once it is over.
    """

    id: str
    release: str
    state: str
    generation: int
    ring: int
    created_at_ms: int
    since_at_ms: int
    reason: str
    cause: str
    blamed: str
    family: str
    awaiting: str
    queued_behind: list[str]
    planes: list[RolloutPlane]
    rings: list[RolloutRing]
    families: list[RolloutFamily]
    outcomes: dict[str, int]
    harmed: int
    grants_left: int
    verdict: Verdict | None
    returning: Returning | None
    reasons: list[str]
    waiting_on: list[WaitingFor]
    next_wakeup_at_ms: int | None
    plan: Plan | None


class Decision(Answer, frozen=True):
    """One entry of a rollout's history. `event` is "" where a person left a mark (start, approve)."""

    seq: int
    at_ms: int
    actor: str
    before: str
    event: str
    after: str
    effects: list[str]
    reasons: list[str]
    verdict: Verdict | None


class Deployment(Answer, frozen=True):
    """A rollout on one device. `back`: "" | told | healthy | unhealthy."""

    device: str
    family: str
    ring: int
    attempt: int
    outcome: str
    is_failed: bool
    granted_at_ms: int
    entered_at_ms: int | None
    confirmed_at_ms: int | None
    outcome_at_ms: int
    drill: str
    rule: str
    plane: str
    reading: int | None
    operator: str
    limit: int | None
    rung: list[str]
    healthy: bool | None
    detect_ms: int | None
    recover_ms: int | None
    code: str
    back: str
