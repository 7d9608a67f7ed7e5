"""From what the server knows to what it shows: devices, orders, rollouts, verdicts.

Decides: names and shapes. Never: a number or a sentence of its own; what people read comes from `ringback.control` and
`ringback.health`.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from ringback import control
from ringback.client import models
from ringback.control import RollbackEvidence
from ringback.health import RingEvidence, StratumEvidence
from ringback.health import Verdict as HealthVerdict
from ringback.ports.rows import CommandRow, DeviceOrderRow, FreezeRow, RolloutRow, StopRow
from ringback.usecases.course import RETURNING, Course, memory_from
from ringback.usecases.device import Device
from ringback.usecases.fleet import Fleet
from ringback.usecases.order import ended_of
from ringback.usecases.report import Ended
from ringback.usecases.single import stable_set
from ringback.usecases.trial import Trial

SILENT_POLLS = 3
"""One lost report is the network; three in a row are silence."""


def artifact_ref(fleet: Fleet, digest: str) -> str:
    """Return an artifact's reference, or the digest where nobody published it."""
    artifact = fleet.catalog.artifacts.get(digest)
    return digest if artifact is None else artifact.ref


# --- devices ----------------------------------------------------------------------------------------------------------


def is_silent(fleet: Fleet, device: Device, *, default_poll_ms: int, now_ms: int) -> bool:
    """Say whether a device was not heard for three intervals, counted while the server listened."""
    poll_ms = fleet.poll_ms(device) or default_poll_ms
    since_ms = max(device.seen_at_ms, fleet.listening_since_ms, device.row.enrolled_at_ms)
    return now_ms - since_ms > SILENT_POLLS * poll_ms


def device_brief(fleet: Fleet, device: Device, *, silent: bool) -> models.DeviceBrief:
    """Return one line about a device."""
    row = device.row
    return models.DeviceBrief(
        id=row.device_id,
        device_class=row.class_id,
        family=fleet.family(device),
        labels=dict(row.labels),
        status=row.status,
        state=device.state,
        is_silent=silent,
        last_report_at_ms=device.seen_at_ms or None,
        planes={plane: version_of(fleet, device, plane) for plane in device.running.digests},
        generation=device.generation,
        have_generation=device.have,
        flags=list(device.flags),
        rollout=device.busy_with,
    )


def version_of(fleet: Fleet, device: Device, plane: str) -> str:
    """Return the version that runs on a plane: as published, else as the device says."""
    artifact = fleet.catalog.artifacts.get(device.running.digests[plane])
    return device.running.versions.get(plane, "") if artifact is None else str(artifact.version)


def device_whole(fleet: Fleet, device: Device, *, silent: bool) -> models.Device:
    """Return everything about a device."""
    row, said = device.row, device.rest
    unknown = [digest for digest in device.running.digests.values() if digest not in fleet.catalog.artifacts]
    return models.Device(
        id=row.device_id,
        serial=row.serial,
        device_class=row.class_id,
        family=fleet.family(device),
        labels=dict(row.labels),
        status=row.status,
        mode=row.mode,
        state=device.state,
        is_silent=silent,
        enrolled_at_ms=row.enrolled_at_ms,
        last_report_at_ms=device.seen_at_ms or None,
        agent=device.agent,
        boot_id=device.boot_id,
        boots=device.boots,
        up_ms=device.up_ms,
        generation=device.generation,
        have_generation=device.have,
        row_generation=row.generation,
        flags=list(device.flags),
        planes=[_plane(fleet, device, plane) for plane in _planes(fleet, device)],
        outcome=None if said is None or said.outcome is None else outcome(said.outcome, ""),
        readings={} if said is None else said.read,
        commands=[command(each) for each in fleet.commands.get(row.device_id, {}).values()],
        rollout=device.busy_with,
        unknown_digests=unknown,
    )


def _planes(fleet: Fleet, device: Device) -> list[str]:
    device_class = fleet.catalog.classes.get(device.row.class_id)
    ordered = [] if device_class is None else [plane.name for plane in device_class.planes]
    return [*ordered, *(plane for plane in device.running.digests if plane not in ordered)]


def _plane(fleet: Fleet, device: Device, plane: str) -> models.PlaneState:
    running = device.running.digests.get(plane, "")
    desired = dict(device.fragment.planes).get(plane, "") if device.fragment is not None else ""
    confirmed, previous = device.confirmed.digests.get(plane, ""), device.previous.digests.get(plane, "")
    stable = stable_set(fleet, device).get(plane, "")
    return models.PlaneState(
        plane=plane,
        running=artifact_ref(fleet, running),
        running_digest=running,
        running_version=device.running.versions.get(plane, ""),
        desired=artifact_ref(fleet, desired),
        desired_digest=desired,
        confirmed=artifact_ref(fleet, confirmed),
        confirmed_digest=confirmed,
        previous=artifact_ref(fleet, previous),
        previous_digest=previous,
        stable=artifact_ref(fleet, stable),
        stable_digest=stable,
        is_unknown=bool(running) and running not in fleet.catalog.artifacts,
    )


def outcome(ended: Ended, rollout: str) -> models.DeviceOutcome:
    """Return how a deployment ended."""
    return models.DeviceOutcome(
        generation=ended.gen,
        kind=ended.kind,
        rollout=rollout,
        code=ended.code,
        rule=ended.rule or "",
        plane=ended.plane or "",
        reading=ended.reading,
        operator=ended.op,
        limit=ended.limit,
        rung=list(ended.rung or ()),
        healthy=ended.healthy,
        drill=ended.drill,
        detect_ms=ended.detect_ms,
        recover_ms=ended.recover_ms,
        text=ended.text,
    )


def command(row: CommandRow) -> models.Command:
    """Return one queued command."""
    return models.Command(
        id=row.command_id, kind=row.kind, arg=row.arg, state=row.state, created_at_ms=row.created_at_ms
    )


ORDER_TEXTS = {
    "waiting": "waits for the device's next check-in",
    "offered": "the device was told",
    "entered": "the device is switching; it may not be called back now",
    "done": "the device runs it, confirmed",
    "failed": "the device tried it, and went back to what it ran before",
    "refused": "the device refused it and changed nothing",
    "withdrawn": "it was taken back before the device had it",
}


def push(fleet: Fleet, row: DeviceOrderRow) -> models.Push:
    """Return an order to one device."""
    ended = ended_of(row)
    return models.Push(
        id=row.order_id,
        kind=row.kind,
        state=row.state,
        device=row.device_id,
        goal={plane: artifact_ref(fleet, digest) for plane, digest in row.goal},
        before={plane: artifact_ref(fleet, digest) for plane, digest in row.before},
        reason=row.reason,
        created_at_ms=row.created_at_ms,
        outcome=None if ended is None else outcome(ended, ""),
        undoes=row.undoes,
        text=ORDER_TEXTS[row.state],
    )


# --- brakes -----------------------------------------------------------------------------------------------------------


def stop(row: StopRow, *, devices: int, withdrawn: int = 0, beyond_recall: int = 0) -> models.Stop:
    """Return a stop."""
    return models.Stop(
        id=row.stop_id,
        where=row.where,
        reason=row.reason,
        created_at_ms=row.created_at_ms,
        devices=devices,
        withdrawn=withdrawn,
        beyond_recall=beyond_recall,
    )


def freeze(fleet: Fleet, row: FreezeRow, *, beyond_recall: int = 0) -> models.Freeze:
    """Return a freeze."""
    return models.Freeze(
        id=row.freeze_id,
        plane=row.plane,
        artifact=artifact_ref(fleet, row.digest),
        digest=row.digest,
        reason=row.reason,
        rollout=row.rollout_id,
        created_at_ms=row.created_at_ms,
        devices=fleet.running_count(row.digest),
        beyond_recall=beyond_recall,
    )


# --- rollouts ---------------------------------------------------------------------------------------------------------


def rollout_brief(fleet: Fleet, row: RolloutRow) -> models.RolloutBrief:
    """Return one line about a rollout."""
    memory = memory_from(row.document)
    rollout = memory.rollout
    course = fleet.courses.get(row.rollout_id)
    texts = [rollout.cause]
    if course is not None and course.last is not None:
        texts = [*(each.text for each in course.last.waiting_on), *course.last.reasons, rollout.cause]
    return models.RolloutBrief(
        id=row.rollout_id,
        release=row.release_id,
        state=rollout.state.value,
        ring=rollout.rings[rollout.ring].name if rollout.ring >= 0 else "",
        generation=row.generation,
        created_at_ms=row.created_at_ms,
        since_at_ms=rollout.since_at_ms,
        reason=memory.reason,
        blamed=rollout.blamed,
        family=rollout.family,
        text=next(filter(None, texts), ""),
    )


def rollout_whole(fleet: Fleet, row: RolloutRow, *, opened_at_ms: dict[int, int | None], now_ms: int) -> models.Rollout:
    """Return everything about a rollout.

    Args:
        opened_at_ms: when each ring opened, by index.
    """
    memory = memory_from(row.document)
    rollout = memory.rollout
    course = fleet.courses.get(row.rollout_id)
    last = None if course is None else course.last
    evidence = None if course is None else _evidence(fleet, course, now_ms)
    rings = () if evidence is None else evidence.rings
    trials = [] if course is None else list(course.trials.values())
    return models.Rollout(
        id=row.rollout_id,
        release=row.release_id,
        state=rollout.state.value,
        generation=row.generation,
        ring=rollout.ring,
        created_at_ms=row.created_at_ms,
        since_at_ms=rollout.since_at_ms,
        reason=memory.reason,
        cause=rollout.cause,
        blamed=rollout.blamed,
        family=rollout.family,
        awaiting=rollout.awaiting,
        queued_behind=list(memory.queued_behind),
        planes=[
            models.RolloutPlane(
                plane=change.plane,
                artifact=artifact_ref(fleet, change.digest),
                digest=change.digest,
                is_blamed=change.plane == rollout.blamed,
                is_frozen=(change.plane, change.digest) in fleet.frozen,
            )
            for change in rollout.changes
        ],
        rings=[
            _ring(rollout, index, rings[index] if rings else RingEvidence(index), opened_at_ms.get(index))
            for index in range(len(rollout.rings))
        ],
        families=[] if evidence is None else [_family(each) for each in evidence.strata],
        outcomes=dict(sorted(Counter(trial.deployment.outcome.value for trial in trials).items())),
        harmed=sum(trial.deployment.is_failed for trial in trials),
        grants_left=0 if course is None else course.grants.left,
        verdict=None if last is None or last.verdict is None else verdict(last.verdict),
        returning=None
        if course is None or evidence is None or evidence.rollback is None
        else _returning(course, evidence.rollback),
        reasons=[] if last is None else list(last.reasons),
        waiting_on=[]
        if last is None
        else [models.WaitingFor(each.kind.value, each.text, each.until_ms) for each in last.waiting_on],
        next_wakeup_at_ms=None if last is None else last.next_wakeup_ms,
        plan=msgspec.json.decode(row.plan, type=models.Plan) if row.plan else None,
    )


def _evidence(fleet: Fleet, course: Course, now_ms: int) -> control.RolloutEvidence:
    frozen = {digest for _plane, digest in fleet.frozen}
    return course.evidence(fleet.devices.get, stopped=fleet.stopped, frozen=frozen, now_ms=now_ms)


def _ring(rollout: control.Rollout, index: int, seen: RingEvidence, opened_at_ms: int | None) -> models.RolloutRing:
    ring = rollout.rings[index]
    state = "waiting" if index > rollout.ring else "open" if index == rollout.ring else "done"
    if rollout.state in control.TERMINAL and state == "open":
        state = "done"
    return models.RolloutRing(
        index=index,
        name=ring.name,
        kind=ring.kind.value,
        state=state,
        where=ring.where,
        drill=ring.drill,
        needs_approval=ring.needs_approval,
        bake_ms=ring.bake_ms,
        members=ring.new_devices,
        opened_at_ms=opened_at_ms,
        left=seen.left,
        busy=seen.busy,
        offered=seen.offered,
        moving=seen.moving,
        good=seen.good,
        failed=seen.failed,
        refused=seen.refused,
        withdrawn=seen.withdrawn,
        drills_pending=seen.drills_pending,
        drills_passed=seen.drills_passed,
        drills_failed=seen.drills_failed,
        slowest_recovery_ms=seen.slowest_recovery_ms,
    )


def _family(seen: StratumEvidence) -> models.RolloutFamily:
    return models.RolloutFamily(
        family=seen.stratum,
        offered=seen.offered,
        entered=seen.entered,
        good=seen.everyone.good,
        failed=seen.failed,
        silent=seen.everyone.silent,
        causes=[
            models.FailureCause(
                rule=cause.rule,
                plane=cause.plane,
                observed=cause.observed,
                operator=cause.operator,
                limit=cause.limit,
                rung=list(cause.rung),
                devices=cause.devices,
            )
            for cause in seen.causes
        ],
    )


def _returning(course: Course, seen: RollbackEvidence) -> models.Returning | None:
    if course.rollout.state not in RETURNING:
        return None
    return models.Returning(
        planes=list(course.rung_planes()),
        left=seen.left,
        moving=seen.moving,
        reverted=seen.reverted,
        unhealthy=seen.unhealthy,
        unreachable=seen.unreachable,
    )


def verdict(found: HealthVerdict) -> models.Verdict:
    """Return a verdict."""
    return models.Verdict(
        kind=found.kind.value,
        level=found.level.value,
        family=found.family,
        plane="" if found.blame is None else found.blame.plane,
        basis="" if found.blame is None else found.blame.basis.value,
        e_milli=found.e_milli,
        u_ppm=found.u_ppm,
        entered=found.entered,
        failed=found.failed,
        matured=found.matured,
        still_needed=found.still_needed,
        measures=[models.Measure(each.name, each.observed, each.operator, each.limit) for each in found.measures],
        reasons=list(found.reasons),
    )


def deployment(trial: Trial) -> models.Deployment:
    """Return a rollout on one device."""
    found, result = trial.deployment, trial.deployment.result
    back = ""
    if trial.back is not None:
        back = {None: "told", True: "healthy", False: "unhealthy"}[trial.back.is_healthy]
    return models.Deployment(
        device=found.device_id,
        family=found.stratum,
        ring=found.ring,
        attempt=found.attempt,
        outcome=found.outcome.value,
        is_failed=found.is_failed,
        granted_at_ms=found.granted_at_ms,
        entered_at_ms=found.entered_at_ms,
        confirmed_at_ms=found.confirmed_at_ms,
        outcome_at_ms=found.outcome_at_ms,
        drill=found.drill.value,
        rule="" if result is None or result.rule is None else result.rule,
        plane="" if result is None or result.plane is None else result.plane,
        reading=None if result is None else result.reading,
        operator="" if result is None else result.operator,
        limit=None if result is None else result.limit,
        rung=[] if result is None else list(result.rung),
        healthy=None if result is None else result.healthy,
        detect_ms=found.detect_ms,
        recover_ms=found.recover_ms,
        code="" if result is None else result.code,
        back=back,
    )
