"""What is forgotten, and when: everything that is kept has an end, stated here and enforced every hour.

Decides: which rows may go. Never: touches what a device, a rollout that is not over, or a person may still need.

- Answers under an Idempotency-Key: after a day; nobody repeats a request later.
- Claims: 30 days after they ended or were used up.
- Orders and commands of single devices: `keep_ms` after they ended.
- Deployments of a rollout that is over: after `keep_ms` they are folded into counts per family and minute.
- Decisions, audit, artifacts and releases: never; they are the history.
- Fragments and plane sets: as soon as no device refers to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ringback.ports import rows
from ringback.ports.changes import Change, Delete, Put
from ringback.usecases import order as orders
from ringback.usecases.fleet import Fleet
from ringback.usecases.trial import Trial, trial_from
from ringback.usecases.work import Outcome

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
ANSWER_MS: Final = DAY_MS
CLAIM_MS: Final = 30 * DAY_MS

STEP: Final = 500
"""Rows in one unit of work: whoever waits for the store waits a few milliseconds."""


def old_answers(found: Iterable[rows.AnswerRow], *, now_ms: int) -> Outcome[int]:
    """Forget answers that nobody will ask for again."""
    changes = [Delete(row) for row in found if row.created_at_ms < now_ms - ANSWER_MS]
    return _step(changes)


def old_claims(fleet: Fleet, *, now_ms: int) -> Outcome[int]:
    """Forget claims that ended long ago, or are used up for as long."""
    return _step(
        [
            Delete(row)
            for row in fleet.claims.values()
            if min(row.expires_at_ms, row.created_at_ms if row.uses_left == 0 else row.expires_at_ms)
            < now_ms - CLAIM_MS
        ]
    )


def old_orders(fleet: Fleet, *, now_ms: int, keep_ms: int) -> Outcome[int]:
    """Forget orders and commands of single devices that ended long ago."""
    changes: list[Change] = [
        Delete(row)
        for row in fleet.orders.values()
        if row.state not in orders.ACTIVE and row.created_at_ms < now_ms - keep_ms
    ]
    for queued in fleet.commands.values():
        newest = max(queued, default=0)  # its number must not be given again
        changes += [
            Delete(row)
            for row in queued.values()
            if row.state != "queued" and row.created_at_ms < now_ms - keep_ms and row.command_id != newest
        ]
    return _step(changes)


def unused_words(fleet: Fleet) -> Outcome[int]:
    """Forget fragments and plane sets that no device refers to."""
    fragments = {device.fragment.fragment_id for device in fleet.devices.values() if device.fragment is not None}
    sets = {0}
    for device in fleet.devices.values():
        sets.update((device.running.set_id, device.confirmed.set_id, device.previous.set_id))
    changes: list[Change] = [
        Delete(rows.FragmentRow(fleet.tenant_id, each.fragment_id, each.document))
        for each in fleet.fragments.unused(fragments)
    ]
    changes += [
        Delete(rows.PlaneSetRow(fleet.tenant_id, set_id, each.document()))
        for set_id, each in fleet.sets.by_id.items()
        if set_id not in sets and set_id not in fleet.sets.unstored
    ]
    return _step(changes)


def old_deployments(
    fleet: Fleet, rollout: rows.RolloutRow, stored: Iterable[rows.DeploymentRow], counted: Iterable[rows.CohortRow]
) -> Outcome[int]:
    """Fold deployments of a rollout that is over into counts, and forget them.

    Args:
        stored: some of its deployments.
        counted: the counts that were made before.
    """
    entered: Counter[tuple[str, int]] = Counter()
    failed: Counter[tuple[str, int]] = Counter()
    for row in counted:
        entered[row.family, row.minute_at_ms] = row.entered_count
        failed[row.family, row.minute_at_ms] = row.failed_count
    gone = list(stored)[:STEP]
    for each in gone:
        trial: Trial = trial_from(each.document)
        deployment = trial.deployment
        if deployment.entered_at_ms is not None:
            key = (deployment.stratum, deployment.entered_at_ms // MINUTE_MS * MINUTE_MS)
            entered[key] += 1
            failed[key] += deployment.is_failed
    puts: list[Change] = [
        Put(rows.CohortRow(fleet.tenant_id, rollout.rollout_id, family, minute_ms, count, failed[family, minute_ms]))
        for (family, minute_ms), count in sorted(entered.items())
    ]
    return Outcome((*puts, *(Delete(each) for each in gone)), len(gone))


def _step(changes: Sequence[Change]) -> Outcome[int]:
    return Outcome(tuple(changes[:STEP]), min(STEP, len(changes)))
