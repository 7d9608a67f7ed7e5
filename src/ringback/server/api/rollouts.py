"""`/v1/plan`, `/v1/rollouts`: releases moving over the fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec

from ringback.client import models
from ringback.control import Command, CommandKind, reach
from ringback.errors import InputError
from ringback.health import words
from ringback.plan.refusal import Refusal
from ringback.plan.report import Evidence, report
from ringback.ports.rows import DecisionRow, DeploymentRow, RingRow
from ringback.server.api import shown
from ringback.server.api.calls import PAGING, Call, Operation
from ringback.server.api.paging import number_of, page, written
from ringback.usecases.fleet import Fleet
from ringback.usecases.rollouts import Prepared, order, prepare, release_text, row_named, snapshot, start
from ringback.usecases.tick import Recorded
from ringback.usecases.trial import trial_from
from ringback.usecases.work import Outcome, UseCase

# --- plan and start ---------------------------------------------------------------------------------------------------


async def _plan(call: Call) -> models.Plan:
    asked = call.body(models.PlanRequest)
    if bool(asked.yaml) == bool(asked.release):
        raise InputError("RB-API-005", "a plan is made of a document (`yaml`) or of a registered `release`: name one")
    text = asked.yaml or release_text(call.context.fleet, asked.release)
    found = await _prepared(call, text, asked.reason)
    if isinstance(found, Refusal):
        return refused(found)
    return await asyncio.to_thread(_reported, call.context.fleet, found)


async def _prepared(call: Call, text: str, reason: str) -> Prepared | Refusal:
    """Plan in a thread of its own: 100,000 devices take seconds, and check-ins must not wait for that."""
    seen = snapshot(call.context.fleet)
    rollout_id = call.context.ids.uuid7(call.now_ms)
    return await asyncio.to_thread(prepare, seen, text, rollout_id=rollout_id, now_ms=call.now_ms, reason=reason)


def refused(refusal: Refusal) -> models.Plan:
    """Return a refusal as a plan that is none."""
    causes = msgspec.convert([cause.to_json() for cause in refusal.causes], list[models.Cause])
    return models.Plan(refused=True, release=refusal.release_id, causes=causes)


def _reported(fleet: Fleet, prepared: Prepared) -> models.Plan:
    gate, names = prepared.rollout.gate, [ring.name for ring in prepared.rollout.rings]
    evidence, total = [], 0
    for name, ring in zip(names, prepared.rollout.rings, strict=True):
        total += ring.new_devices
        shows = reach(gate, total)
        text = f"at best below {words.share(shows.u_ppm)} failures"
        if not shows.can_certify:
            text += f"; the certificate needs {shows.certificate_needs} clean devices"
        evidence.append(Evidence(name, total, text))
    found = report(prepared.plan, fleet.catalog, evidence=evidence)
    return msgspec.convert(found, models.Plan)


async def _start(call: Call) -> UseCase[Any]:
    asked = call.body(models.StartRequest)
    found = await _prepared(call, release_text(call.context.fleet, asked.release), asked.reason)
    if isinstance(found, Refusal):
        raise found.to_error()
    plan_report = msgspec.json.encode(await asyncio.to_thread(_reported, call.context.fleet, found))

    def carry_out(fleet: Fleet) -> Outcome[models.RolloutBrief]:
        made = start(fleet, found, plan_report=plan_report, actor=call.actor, reason=asked.reason, now_ms=call.now_ms)
        return Outcome(made.changes, shown.rollout_brief(fleet, made.answer))

    return carry_out


# --- look -------------------------------------------------------------------------------------------------------------


async def _list(call: Call) -> models.Page[models.RolloutBrief]:
    fleet = call.context.fleet
    rows = sorted(fleet.rollout_rows.values(), key=lambda row: row.rollout_id)
    state = call.query.get("state")
    if state == "active":
        rows = [row for row in rows if row.rollout_id in fleet.courses]
    return page(call, rows, key=lambda row: row.rollout_id, shown=lambda row: shown.rollout_brief(fleet, row))


async def _show(call: Call) -> models.Rollout:
    fleet = call.context.fleet
    row = row_named(fleet, call.path["rollout_id"])
    key = (fleet.tenant_id, row.rollout_id)
    rings = await call.context.desk.ask(lambda store: store.history(RingRow, key, after=-1, limit=1_000))
    opened_at_ms = {ring.ring_index: ring.opened_at_ms for ring in cast(list[RingRow], rings)}
    return shown.rollout_whole(fleet, row, opened_at_ms=opened_at_ms, now_ms=call.now_ms)


async def _decisions(call: Call) -> models.Page[models.Decision]:
    fleet, limit = call.context.fleet, call.limit
    row = row_named(fleet, call.path["rollout_id"])
    after = number_of(call)
    key = (fleet.tenant_id, row.rollout_id)
    found = await call.context.desk.ask(lambda store: store.history(DecisionRow, key, after=after, limit=limit + 1))
    rows = cast(list[DecisionRow], found)
    following = written(str(rows[limit - 1].seq)) if len(rows) > limit else None
    return models.Page(items=[_decision(each) for each in rows[:limit]], next=following)


class _Decided(msgspec.Struct):
    before: str
    event: str | None
    rollout: _After
    effects: list[_Done]
    reasons: list[str]
    verdict: _Judged | None


class _After(msgspec.Struct):
    state: str


class _Done(msgspec.Struct):
    kind: str
    ring: int = -1
    plane: str = ""
    planes: list[str] = []


class _Judged(msgspec.Struct):
    kind: str
    level: str
    family: str
    e_milli: int
    u_ppm: int
    entered: int
    failed: int
    matured: int
    still_needed: int | None
    measures: list[models.Measure]
    reasons: list[str]
    blame: _Blamed | None = None


class _Blamed(msgspec.Struct):
    plane: str
    basis: str


def _decision(row: DecisionRow) -> models.Decision:
    recorded = msgspec.json.decode(row.document, type=Recorded)
    decided = msgspec.json.decode(recorded.decision, type=_Decided)
    judged = decided.verdict
    return models.Decision(
        seq=row.seq,
        at_ms=row.at_ms,
        actor=recorded.actor,
        before=decided.before,
        event=decided.event or "",
        after=decided.rollout.state,
        effects=[_effect(each) for each in decided.effects],
        reasons=decided.reasons,
        verdict=None
        if judged is None
        else models.Verdict(
            kind=judged.kind,
            level=judged.level,
            family=judged.family,
            plane="" if judged.blame is None else judged.blame.plane,
            basis="" if judged.blame is None else judged.blame.basis,
            e_milli=judged.e_milli,
            u_ppm=judged.u_ppm,
            entered=judged.entered,
            failed=judged.failed,
            matured=judged.matured,
            still_needed=judged.still_needed,
            measures=judged.measures,
            reasons=judged.reasons,
        ),
    )


def _effect(done: _Done) -> str:
    details = [str(done.ring)] if done.ring >= 0 else [done.plane] if done.plane else done.planes
    return " ".join([done.kind, *details])


async def _deployments(call: Call) -> models.Page[models.Deployment]:
    fleet = call.context.fleet
    row = row_named(fleet, call.path["rollout_id"])
    course = fleet.courses.get(row.rollout_id)
    outcome = call.query.get("outcome")
    if course is not None:
        trials = [course.trials[device_id] for device_id in sorted(course.trials)]
    else:
        key = (fleet.tenant_id, row.rollout_id)
        stored = await call.context.desk.ask(lambda store: store.all(DeploymentRow, key))
        trials = [trial_from(each.document) for each in cast(list[DeploymentRow], stored)]
    wanted = [each for each in trials if outcome is None or each.deployment.outcome == outcome]
    return page(call, wanted, key=lambda each: each.deployment.device_id, shown=shown.deployment)


# --- orders -----------------------------------------------------------------------------------------------------------


def _order(kind: CommandKind) -> Callable[[Call], UseCase[Any]]:
    def change(call: Call) -> UseCase[Any]:
        asked = call.body(models.RolloutCommand)
        given = Command(kind, call.actor, asked.reason, tuple(asked.planes))

        def carry_out(fleet: Fleet) -> Outcome[models.RolloutBrief]:
            row = row_named(fleet, call.path["rollout_id"])
            call.check_generation(row.generation)
            made = order(fleet, row.rollout_id, given, ids=call.context.ids, now_ms=call.now_ms)
            changes = () if asked.dry_run else made.changes
            after = next((each.row for each in made.changes if type(each.row) is type(row)), row)
            assert isinstance(after, type(row))
            return Outcome(changes, shown.rollout_brief(fleet, after))

        return carry_out

    return change


def _verb(name: str, kind: CommandKind, summary: str, role: str) -> Operation:
    return Operation(
        "POST",
        f"/v1/rollouts/{{rollout_id}}/{name}",
        summary,
        models.RolloutBrief,
        change=_order(kind),
        request=models.RolloutCommand,
        role=role,
    )


OPERATIONS = (
    Operation(
        "POST", "/v1/plan", "Plan a release; changes nothing", models.Plan, ask=_plan, request=models.PlanRequest
    ),
    Operation(
        "POST",
        "/v1/rollouts",
        "Start a rollout, or queue it where its release says so",
        models.RolloutBrief,
        prepare=_start,
        request=models.StartRequest,
        status=201,
        role="releaser",
    ),
    Operation(
        "GET",
        "/v1/rollouts",
        "List rollouts, oldest first",
        models.Page[models.RolloutBrief],
        ask=_list,
        query=(("state", "`active`: only those that are not over"), *PAGING),
    ),
    Operation("GET", "/v1/rollouts/{rollout_id}", "Show a rollout", models.Rollout, ask=_show),
    Operation(
        "GET",
        "/v1/rollouts/{rollout_id}/decisions",
        "Every decision with its reasons, oldest first",
        models.Page[models.Decision],
        ask=_decisions,
        query=PAGING,
    ),
    Operation(
        "GET",
        "/v1/rollouts/{rollout_id}/deployments",
        "The rollout on each device it was granted to",
        models.Page[models.Deployment],
        ask=_deployments,
        query=(("outcome", "only this outcome"), *PAGING),
    ),
    _verb("pause", CommandKind.PAUSE, "Do not widen; what was offered goes on", "operator"),
    _verb("resume", CommandKind.RESUME, "Go on after a pause", "releaser"),
    _verb("approve", CommandKind.APPROVE, "Approve what the rollout waits for, on record", "releaser"),
    _verb("rollback", CommandKind.ROLLBACK, "Take it back, plane by plane or as a whole", "operator"),
    _verb("cancel", CommandKind.CANCEL, "End it where it is; devices keep what they run", "operator"),
    _verb("close", CommandKind.CLOSE_CASE, "Close the case of a rollout that was taken back", "operator"),
)
