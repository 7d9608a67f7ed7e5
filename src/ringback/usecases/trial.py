"""One rollout on one device, as the server follows it: the evidence, what the device ran before, and its way back.

Decides: what a report says about a rollout's deployment. Never: judges it (`ringback.health` does).

- A device's outcome names rollout, attempt and the generation under which it started. It belongs to the present hop if
  that generation is not older than the one under which the hop was first issued.
- After a drill the device goes forward again by itself, under the same attempt.
- A device that had entered and came back for a reason that is not the release's is withdrawn, not failed.
- An intermediate hop that ended well is no outcome: the release is confirmed when its last hop is.
- A device that announces activation has entered, unless the very answer to that announcement took the offer away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from ringback.health import Deployment, Drill, Heard, Outcome, Result, ResultKind, after_report
from ringback.health.deployment import granted_again
from ringback.usecases.device import ANNOUNCED, Record
from ringback.usecases.document import Fragment, Issue, Kind
from ringback.usecases.report import Ended, Report

DOWNLOADING: Final = frozenset({"fetching", "verified", "staged", "preflight", ANNOUNCED})
KINDS: Final = {kind.value: kind for kind in ResultKind}


@dataclass(frozen=True, slots=True)
class Back:
    """The device was told to go back.

    Attributes:
        generation: under which it was told first.
        planes: that are to go back.
        is_healthy: None until it answered; then whether it is back and healthy.
    """

    generation: int
    planes: tuple[str, ...]
    is_healthy: bool | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One rollout on one device.

    Attributes:
        before: what the device ran when it was granted: sorted (plane, digest).
        since_generation: the generation under which the present hop was first issued.
        is_last_hop: the present hop is the last one.
        back: set once the device was told to go back.
    """

    deployment: Deployment
    before: tuple[tuple[str, str], ...]
    since_generation: int
    is_last_hop: bool
    back: Back | None = None


_decode = msgspec.json.Decoder(Trial).decode


def trial_bytes(trial: Trial) -> bytes:
    """Return a trial as the store keeps it."""
    return msgspec.json.encode(trial)


def trial_from(document: bytes) -> Trial:
    """Return the trial that `trial_bytes` wrote."""
    return _decode(document)


def told(trial: Trial | None, record: Record, *, stratum: str) -> Trial:
    """Return the trial after its rollout issued something to the device.

    Args:
        trial: as it was; None for a device that this rollout has not granted before.
        record: its `issue` and `fragment` are this rollout's.
        stratum: the device's hardware family.
    """
    issue, fragment = record.issue, record.fragment
    assert issue is not None and fragment is not None
    is_drill = fragment.origin.kind is Kind.DRILL
    if trial is None:
        deployment = Deployment(
            rollout_id=fragment.origin.rollout,
            device_id=record.device.row.device_id,
            stratum=stratum,
            ring=issue.ring,
            granted_at_ms=record.at_ms,
            heard_at_ms=record.at_ms,
            attempt=fragment.origin.attempt,
            outcome_at_ms=record.at_ms,
            drill=Drill.PENDING if is_drill else Drill.NONE,
        )
        return Trial(deployment, record.running.pairs, issue.generation, fragment.origin.is_last)
    if fragment.origin.kind is Kind.BACK:
        planes = fragment.origin.planes
        is_told = trial.back is not None and trial.back.planes == planes
        return trial if is_told else replace(trial, back=Back(issue.generation, planes))
    deployment = trial.deployment
    if fragment.origin.attempt > deployment.attempt:
        deployment = granted_again(deployment, fragment.origin.attempt, drill=is_drill, now_ms=record.at_ms)
    elif not _is_next_hop(record.device.fragment, fragment):
        return trial
    elif is_drill and deployment.drill is Drill.NONE:
        deployment = replace(deployment, drill=Drill.PENDING)
    return replace(
        trial,
        deployment=deployment,
        since_generation=issue.generation,
        is_last_hop=fragment.origin.is_last,
        back=None,
    )


def _is_next_hop(before: Fragment | None, fragment: Fragment) -> bool:
    """Say whether a fragment asks for another set than the one before, or for the same one after something else."""
    return before is None or before.origin.rollout != fragment.origin.rollout or before.planes != fragment.planes


def heard(trial: Trial, report: Report, record: Record) -> Trial:
    """Return the trial after a report of its device."""
    said = _heard(trial, report, record.issue)
    # A confirmed device repeats its outcome with every report: nothing may be written for that.
    deployment = trial.deployment
    ended = report.outcome
    if _is_news(deployment, said):
        deployment = after_report(deployment, said, record.at_ms)
    elif ended is not None and _is_recalled(trial, ended):
        deployment = replace(deployment, outcome=Outcome.WITHDRAWN, outcome_at_ms=record.at_ms)
    back = trial.back
    if back is not None and back.is_healthy is None and ended is not None and ended.gen >= back.generation:
        back = replace(back, is_healthy=ended.kind == ResultKind.CONFIRMED)
    if deployment is trial.deployment and back is trial.back:
        return trial
    return replace(trial, deployment=deployment, back=back)


def _is_news(deployment: Deployment, said: Heard) -> bool:
    """Say whether a report tells more of a deployment than that its device lives."""
    if deployment.outcome is Outcome.OFFERED and (said.downloading or said.entered):
        return True
    if deployment.outcome is Outcome.DOWNLOADING and said.entered:
        return True
    return said.result is not None and said.result != deployment.result


def _heard(trial: Trial, report: Report, issue: Issue | None) -> Heard:
    deployment, hand, ended = trial.deployment, report.deploy, report.outcome
    is_mine = hand is not None and hand.rollout == deployment.rollout_id and hand.attempt == deployment.attempt
    is_entered = is_mine and hand is not None and hand.entered
    if is_entered and report.state == ANNOUNCED and issue is not None and issue.ring < 0:
        is_entered = False
    result = None
    if ended is not None and _is_mine(trial, ended):
        is_recall = ended.entered and not (ended.blame or ended.drill or ended.kind == ResultKind.CONFIRMED)
        result = None if is_recall else _result(ended)
        is_entered = is_entered or ended.entered
        if result is not None and result.kind is ResultKind.CONFIRMED and not trial.is_last_hop:
            result = None
    return Heard(
        attempt=deployment.attempt,
        downloading=is_mine and report.state in DOWNLOADING,
        entered=is_entered,
        result=result,
    )


def _is_mine(trial: Trial, ended: Ended) -> bool:
    """Say whether an outcome is that of the present hop of a trial, on its way forward."""
    deployment = trial.deployment
    return (
        trial.back is None
        and ended.gen >= trial.since_generation
        and ended.rollout == deployment.rollout_id
        and ended.attempt == deployment.attempt
    )


def _is_recalled(trial: Trial, ended: Ended) -> bool:
    """Say whether a device that had entered came back for a reason that is not the release's: a recall, an outage."""
    return (
        _is_mine(trial, ended)
        and ended.entered
        and not ended.blame
        and not ended.drill
        and ended.kind != ResultKind.CONFIRMED
        and trial.deployment.is_moving
    )


def _result(ended: Ended) -> Result | None:
    kind = KINDS.get(ended.kind)
    if kind is None:
        return None
    return Result(
        kind=kind,
        drill=ended.drill,
        code=ended.code,
        rule=ended.rule or None,
        plane=ended.plane or None,
        operator=ended.op,
        reading=ended.reading,
        limit=ended.limit,
        rung=tuple(ended.rung or ()),
        healthy=ended.healthy,
        detect_ms=ended.detect_ms,
        recover_ms=ended.recover_ms,
    )
