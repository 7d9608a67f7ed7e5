"""A small fleet for whole rollouts: what a server does around ``decide``, in memory, with a seeded fault.

Devices poll, take offers under the grants of the last decision, enter a second later, and end by the fault they have:
good ones confirm, bad ones revert, dead ones fall silent. After a stop they go back when told. Time moves in ticks.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from ringback.control import (
    Change,
    Decision,
    EffectKind,
    FirstRung,
    Grants,
    Member,
    Ring,
    RingFrame,
    RingKind,
    RollbackEvidence,
    Rollout,
    RolloutEvidence,
    Rung,
    State,
    cuts,
    decide,
    decision_bytes,
    exposure,
    inputs_bytes,
    place,
    recomputed,
    ring_of,
)
from ringback.health import (
    Budget,
    Deployment,
    Drill,
    GateParams,
    Heard,
    Ledger,
    Result,
    ResultKind,
    after_report,
    after_silence,
    granted_again,
    withdrawn,
)

TICK_MS = 250
GATE = GateParams(p0_ppm=20_000, p1_ppm=100_000, budgets=(Budget(3_000, 16),), heartbeat_ms=5_000)
FAMILIES = {"door": 180, "gate": 102, "mast": 24}
FRAMES = (
    RingFrame(RingKind.INTERNAL, count=3),
    RingFrame(RingKind.CANARY, count=12),
    RingFrame(RingKind.RING, percent_ppm=150_000),
    RingFrame(RingKind.FULL),
)
BAD = Result(
    ResultKind.REVERTED, rule="latency", plane="model/face", operator="<=", reading=16_500, limit=8_000, healthy=True
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What the release does: it fails on ``share`` of the devices of ``family`` ("" = all), by dying if ``silent``."""

    share: float = 0.0
    family: str = ""
    silent: bool = False
    drill_works: bool = True


@dataclass
class World:
    """One rollout over one fleet. ``now_ms`` only moves in ``run``."""

    fault: Fault
    seed: int
    unattended: bool = False
    now_ms: int = 1_700_000_000_000
    decisions: list[Decision] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    reverted: set[str] = field(default_factory=set)
    breaches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.fleet = [
            Member(f"{family}-{number}", family, (True,) * len(FRAMES))
            for family, size in FAMILIES.items()
            for number in range(size)
        ]
        rows = cuts(f"salt-{self.seed}", self.fleet, FRAMES)
        self.ring_of = {
            each.device_id: ring_of(
                place(f"salt-{self.seed}", each.stratum, each.device_id), each.stratum, each.matches, rows
            )
            for each in self.fleet
        }
        self.is_bad = {
            each.device_id: self.fault.family in ("", each.stratum) and self.dice.random() < self.fault.share
            for each in self.fleet
        }
        rings = tuple(
            Ring(frame.kind, frame.kind, cuts=row, drill=frame.kind is RingKind.CANARY, bake_ms=1_000)
            for frame, row in zip(FRAMES, rows, strict=True)
        )
        self.rollout = Rollout(
            rollout_id="r1",
            release_id="face-int8",
            rings=rings,
            gate=GATE,
            changes=(Change("model/face", "sha256:f1"),),
            ladder=(Rung(("model/face",)),),
            first=(FirstRung("model/face", 0),),
            stability_ms=2_000,
            rollback_ms=5_000,
            patience_ms=60_000,
            unattended=self.unattended,
            since_at_ms=self.now_ms,
            timer_at_ms=self.now_ms,
            started=True,
        )
        self.ledger = Ledger(GATE, strata=FAMILIES, rings_count=len(rings))
        self.frozen: set[str] = set()
        self.grants = Grants(0, ())

    def run(self, limit_ms: int = 120_000) -> State:
        """Let time pass until the rollout ends, or a person is needed, or ``limit_ms`` are over."""
        ends_at_ms = self.now_ms + limit_ms
        resting = (State.CLOSED, State.INVESTIGATING, State.WAITING_APPROVAL)
        while self.rollout.state not in resting and self.now_ms < ends_at_ms:
            self._decide()
            self._devices()
            self.now_ms += TICK_MS
        return self.rollout.state

    @property
    def states(self) -> list[State]:
        return [decision.rollout.state for decision in self.decisions]

    @property
    def harmed(self) -> int:
        return sum(each.is_failed for each in self.deployments.values())

    def _decide(self) -> None:
        while True:
            seen = self._evidence()
            decision = decide(self.rollout, seen, self.now_ms)
            if decision.event is not None:
                if recomputed(inputs_bytes(self.rollout, seen, self.now_ms)) != decision_bytes(decision):
                    self.breaches.append(f"{decision.event} is not the same when made again")
                self.decisions.append(decision)
            self.rollout, self.grants = decision.rollout, decision.grants
            for effect in decision.effects:
                if effect.kind is EffectKind.FREEZE:
                    self.frozen.add(effect.digest)
                if effect.kind is EffectKind.WITHDRAW_OFFERS:
                    for deployment in list(self.deployments.values()):
                        self._save(withdrawn(deployment, self.now_ms))
            if decision.event is None:
                return

    def _evidence(self) -> RolloutEvidence:
        known = self.deployments
        rings = tuple(
            replace(
                ring,
                left=sum(
                    self.ring_of[each.device_id] == ring.ring and each.device_id not in known for each in self.fleet
                ),
            )
            for ring in self.ledger.rings()
        )
        back = None
        if self.rollout.state in (State.STOPPED, State.ROLLING_BACK):
            running = [each for each in known.values() if self._runs(each)]
            unheard = sum(each.counted_silent for each in running)
            back = RollbackEvidence(left=len(running) - unheard, reverted=len(self.reverted), unreachable=unheard)
        return RolloutEvidence(self.ledger.strata(), rings, back, tuple(sorted(self.frozen)))

    def _runs(self, each: Deployment) -> bool:
        fell_back = each.result is not None and each.result.kind is ResultKind.REVERTED and each.is_failed
        return each.entered_at_ms is not None and not fell_back and each.device_id not in self.reverted

    def _devices(self) -> None:
        for member in self.fleet:
            if self.dice.random() < 0.5:
                self._check_in(member)
        for each in list(self.deployments.values()):
            self._save(
                after_silence(
                    each,
                    listening_since_ms=0,
                    heartbeat_ms=GATE.heartbeat_ms,
                    horizon_ms=GATE.longest_horizon_ms,
                    now_ms=self.now_ms,
                )
            )

    def _check_in(self, member: Member) -> None:
        deployment = self.deployments.get(member.device_id)
        if deployment is None:
            self._offer(member)
            return
        dead = self.is_bad[member.device_id] and self.fault.silent and deployment.entered_at_ms is not None
        if dead and deployment.drill is not Drill.PENDING:
            return
        if self.rollout.state is State.ROLLING_BACK and self._runs(deployment):
            self.reverted.add(member.device_id)
        heard = self._heard(deployment)
        deployment = after_report(deployment, heard, self.now_ms)
        if deployment.drill is Drill.PASSED and deployment.attempt == 1 and deployment.is_moving:
            deployment = granted_again(deployment, 2, drill=False, now_ms=self.now_ms)
        self._save(deployment)

    def _heard(self, deployment: Deployment) -> Heard:
        """A second to fetch, half a second to show, half a second more to be confirmed."""
        if self.now_ms < deployment.granted_at_ms + 1_000:
            return Heard(deployment.attempt, downloading=True)
        if self.now_ms < deployment.granted_at_ms + 2_000:
            return Heard(deployment.attempt, entered=True)
        if self.is_bad[deployment.device_id]:
            result = BAD
        elif deployment.drill is Drill.PENDING:
            result = Result(ResultKind.REVERTED, drill=True, healthy=self.fault.drill_works, recover_ms=80)
        else:
            result = Result(ResultKind.CONFIRMED)
        return Heard(deployment.attempt, entered=True, result=result)

    def _offer(self, member: Member) -> None:
        ring = self.ring_of[member.device_id]
        if ring > self.rollout.ring:
            return
        left = self.grants.taken(member.stratum)
        if left is None:
            return
        self.grants = left
        drill = Drill.PENDING if self.rollout.rings[ring].drill else Drill.NONE
        self._save(
            Deployment(
                "r1",
                member.device_id,
                member.stratum,
                ring,
                granted_at_ms=self.now_ms,
                heard_at_ms=self.now_ms,
                drill=drill,
            )
        )
        limits = exposure(GATE, self.ledger.strata(), self.now_ms).limits
        self.breaches += [f"{each}" for each in limits if each.unverified > each.allowed]

    def _save(self, deployment: Deployment) -> None:
        before = self.deployments.get(deployment.device_id)
        if deployment != before:
            self.ledger.change(before, deployment)
            self.deployments[deployment.device_id] = deployment
