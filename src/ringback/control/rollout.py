"""The values a rollout is decided on: its own memory, and the evidence gathered since.

Decides: nothing. Never: changes; a decision makes a new ``Rollout``. Both values can be written down and read back
without loss (``ringback.control.record``), so any decision of the past can be made again from what was stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.control.ring import RingKind, StratumCut
from ringback.control.table import State
from ringback.control.windows import Interval
from ringback.health.evidence import RingEvidence, StratumEvidence
from ringback.health.params import GateParams
from ringback.health.signals import Signal, SignalSeen

DAY_MS = 86_400_000

PATIENCE_DEFAULT_MS = 7 * DAY_MS
"""How long a rollout may stay in one state before a person is told. A week covers weekends and slow fleets."""

ROLLBACK_PARALLEL_DEFAULT = 1_000
"""Devices taken back at once: a faulty rollback is noticed before it has reached everyone."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring of a rollout, fixed when the rollout starts.

    Attributes:
        name: for people.
        kind: internal, canary, ring or full; the last ring, and only the last, is full.
        where: label selector as written in the release; "" = every targeted device. Evaluated by the caller.
        cuts: membership per hardware family.
        drill: its devices first go forward, fail an injected reading and come back by themselves.
        bake_ms: least time between "all its devices are through" and the next ring.
        needs_approval: a person must approve before it opens.
    """

    name: str
    kind: RingKind
    where: str = ""
    cuts: tuple[StratumCut, ...] = ()
    drill: bool = False
    bake_ms: int = 0
    needs_approval: bool = False

    @property
    def new_devices(self) -> int:
        """Devices this ring adds to the rings before, when it was planned."""
        return sum(cut.new_devices for cut in self.cuts)


@dataclass(frozen=True, slots=True)
class Change:
    """A plane the release changes, and the digest it brings."""

    plane: str
    digest: str


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the compiled way back: these planes go back together, and what is left is a valid set."""

    planes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstRung:
    """The rung to start from when this plane is blamed."""

    plane: str
    rung: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release moving over a fleet: everything the controller remembers.

    Fixed when the rollout starts:
        rings, gate: the frame, and the numbers evidence is judged by.
        changes: what the release changes, first to go back first.
        ladder, first: the way back, narrow to wide; the last rung takes all changed planes back.
        stability_ms, rollback_ms: windows before and after full.
        signals: what is watched beside the outcome.
        maintenance: when it may grow, UTC; empty = always.
        auto_roll_back: a failed verdict rolls back without asking.
        unattended: nobody is there to look at an alarm: growth goes on as the exposure rule allows until a verdict.
        patience_ms, rollback_parallel: see their defaults.

    Moved by decisions:
        state, since_at_ms: where it stands and since when.
        timer_at_ms: since when its patience runs; also restarts with a reminder or a resume.
        ring: index of the widest open ring, -1 before the first.
        started: a person started it.
        remembered, remembered_since_at_ms: where it returns to from paused or waiting_approval.
        awaiting, approvals: what it asks approval for, and what was approved ("ring:<index>" or "certificate").
        accepted_e_milli: evidence a person has seen and accepted by resuming; the alarm waits until it doubles.
        paused_e_milli: evidence when it was paused.
        blamed, family: what the stopping verdict named; "" = none.
        frozen: planes whose digests must not be activated any more.
        wanted_rung: rung a person asked for by naming planes; -1 = from the blame.
        rung: rung of the ladder being rolled back; -1 = none yet.
        rollback_wanted: roll back without asking.
        cause: the last reason for leaving growth, for people.
    """

    rollout_id: str
    release_id: str
    rings: tuple[Ring, ...]
    gate: GateParams
    changes: tuple[Change, ...]
    ladder: tuple[Rung, ...]
    first: tuple[FirstRung, ...] = ()
    stability_ms: int = 0
    rollback_ms: int = 0
    maintenance: tuple[Interval, ...] = ()
    auto_roll_back: bool = True
    unattended: bool = False
    patience_ms: int = PATIENCE_DEFAULT_MS
    rollback_parallel: int = ROLLBACK_PARALLEL_DEFAULT
    state: State = State.DRAFT
    since_at_ms: int = 0
    timer_at_ms: int = 0
    ring: int = -1
    started: bool = False
    remembered: State | None = None
    remembered_since_at_ms: int = 0
    awaiting: str = ""
    approvals: tuple[str, ...] = ()
    accepted_e_milli: int = 0
    paused_e_milli: int = 0
    blamed: str = ""
    family: str = ""
    frozen: tuple[str, ...] = ()
    wanted_rung: int = -1
    rung: int = -1
    rollback_wanted: bool = False
    cause: str = ""
    signals: tuple[Signal, ...] = ()

    def __post_init__(self) -> None:
        assert self.rings and [ring.kind is RingKind.FULL for ring in self.rings].index(True) == len(self.rings) - 1
        assert self.ladder and set(self.ladder[-1].planes) == set(self.changed_planes)

    @property
    def changed_planes(self) -> tuple[str, ...]:
        """Planes the release changes, in the order of the rollback policy."""
        return tuple(change.plane for change in self.changes)

    @property
    def open_ring(self) -> Ring:
        """The widest open ring; only in states that have one."""
        assert self.ring >= 0
        return self.rings[self.ring]

    @property
    def is_last_ring(self) -> bool:
        """The open ring is the last one."""
        return self.ring == len(self.rings) - 1


@dataclass(frozen=True, slots=True)
class RollbackEvidence:
    """What became of the devices that have to go back.

    Attributes:
        left: reachable devices that run the release on the rung's planes and were not told yet.
        moving: told, and not back yet.
        reverted: back and healthy, also those that reverted by themselves.
        unhealthy: back and still not healthy, or unable to go back.
        unreachable: unheard; they are told when they come back.
    """

    left: int = 0
    moving: int = 0
    reverted: int = 0
    unhealthy: int = 0
    unreachable: int = 0


@dataclass(frozen=True, slots=True)
class RolloutEvidence:
    """Everything observed that a decision may use.

    Attributes:
        strata: every planned hardware family, also those without a device yet.
        rings: by ring index, with ``left`` and ``busy`` filled by the caller.
        rollback: counted once the rollout is stopped; None = not counted yet, which ends no rollback.
        frozen_digests: digests of this release that are recorded as frozen.
        signals: what was seen of the signals beside the outcome.
    """

    strata: tuple[StratumEvidence, ...]
    rings: tuple[RingEvidence, ...]
    rollback: RollbackEvidence | None = None
    frozen_digests: tuple[str, ...] = ()
    signals: tuple[SignalSeen, ...] = ()
