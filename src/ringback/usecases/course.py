"""One rollout that is not over, in memory: its members, its trials, its evidence, and what it may still hand out.

Decides: who is a member of which ring, and what the controller gets to see. Never: what the rollout does next
(`ringback.control`), nor what a device should run (`desire`).

- Membership is worked out once, when the rollout starts or the server does; opening a ring changes one number.
- The ledger is fed every changed trial once; a tick costs what has changed, and a look at the devices not offered yet.
- What time alone changes (silence, proof) is found by a heap of due instants, not by looking at every trial.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from ringback import control
from ringback.control import Decision, Grants, RollbackEvidence, Rollout, RolloutEvidence, State
from ringback.health import Deployment, Ledger, Outcome, RingEvidence
from ringback.health.deployment import after_silence, silence_due_at_ms
from ringback.plan.catalog import Catalog, resolve
from ringback.plan.planner import track_for, wanted_by
from ringback.plan.route import Blocked
from ringback.plan.track import Track
from ringback.ports.rows import RolloutRow
from ringback.spec.release import Release, parse_release
from ringback.spec.rules import HealthRule, merge
from ringback.spec.selector import parse_selector
from ringback.usecases.device import IN_SAFE_MODE, Device
from ringback.usecases.document import Fragment
from ringback.usecases.matching import Labels, Matcher
from ringback.usecases.report import PlaneSet
from ringback.usecases.trial import Trial

RETURNING = (State.STOPPED, State.ROLLING_BACK, State.ROLLED_BACK, State.FROZEN, State.INVESTIGATING)
"""States in which devices that run the release are to come back."""

OFFERING = (*control.table.GROWING, State.ROLLBACK_WINDOW)
"""States in which members may be offered the release."""

OVER = control.TERMINAL


class Memory(msgspec.Struct, frozen=True):
    """The document of a `RolloutRow`.

    Attributes:
        queued_behind: rollouts that must be over before this one starts.
        decisions: how many decisions were recorded.
        reason: why it was started.
    """

    rollout: Rollout
    queued_behind: tuple[str, ...] = ()
    decisions: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """A member that has not been offered the release yet, and its ring."""

    device: Device
    ring: int


class Course:
    """One rollout.

    Args:
        row: as stored; its release must be in the fleet already.
        text: the release document.
        labels_of: a device's labels with the reserved ones.
        family_of: a device's hardware family.
    """

    def __init__(
        self,
        row: RolloutRow,
        text: str,
        *,
        catalog: Catalog,
        labels_of: Callable[[Device], Labels],
        family_of: Callable[[Device], str],
    ) -> None:
        self.row = row
        self.memory = memory_from(row.document)
        self.release: Release = parse_release(text)
        self.wanted = wanted_by(self.release, resolve(self.release, catalog))
        self.goal = {artifact.plane: artifact.digest for artifact in self.wanted.goal}
        self.trials: dict[str, Trial] = {}
        self.waiting: list[set[Device]] = [set() for _ in self.rollout.rings]
        self.blocked: set[Device] = set()
        self.grants: Grants = control.NO_GRANTS
        self.rollback_grants = 0
        self.in_flight = 0
        self.last: Decision | None = None
        self.fragments: dict[tuple[object, ...], Fragment] = {}
        self.is_changed = True
        strata = sorted({cut.stratum for ring in self.rollout.rings for cut in ring.cuts})
        self.ledger = Ledger(self.rollout.gate, strata=strata, rings_count=len(self.rollout.rings))
        self._due: list[tuple[int, str]] = []
        self._family_of = family_of
        self._classes = frozenset(self.release.targets.classes)
        self._is_target = Matcher(self.release.targets.where, labels_of)
        self._matchers = [Matcher(parse_selector(ring.where), labels_of) for ring in self.rollout.rings]
        self._tracks: dict[tuple[str, PlaneSet, PlaneSet], Track | Blocked] = {}
        self._rules: dict[str, tuple[HealthRule, ...]] = {}

    @property
    def rollout(self) -> Rollout:
        """Return the controller's memory of it."""
        return self.memory.rollout

    @property
    def rollout_id(self) -> str:
        """Return its id."""
        return self.row.rollout_id

    @property
    def is_over(self) -> bool:
        """Say whether nothing will happen to it any more."""
        return self.rollout.state in OVER

    def moved(self, row: RolloutRow) -> None:
        """Take what the controller decided."""
        self.row = row
        self.memory = memory_from(row.document)
        self.is_changed = True

    # --- members --------------------------------------------------------------------------------------------------

    def targets(self, device: Device) -> bool:
        """Say whether the release is for a device."""
        return (not self._classes or device.row.class_id in self._classes) and self._is_target(device)

    def ring_of(self, device: Device) -> int:
        """Return the first ring that a targeted device is a member of; the number of rings if of none."""
        family = self._family_of(device)
        matches = [matches(device) for matches in self._matchers]
        place = control.place(self.rollout_id, family, device.row.device_id)
        return control.ring_of(place, family, matches, [ring.cuts for ring in self.rollout.rings])

    def seat(self, device: Device) -> None:
        """Put a device where it belongs: it joined, came to other labels, or the server has started."""
        for members in self.waiting:
            members.discard(device)
        self.blocked.discard(device)
        if self.is_over or not self.targets(device):
            return
        trial = self.trials.get(device.row.device_id)
        if trial is not None and trial.deployment.outcome is not Outcome.WITHDRAWN:
            return
        ring = self.ring_of(device)
        if ring < len(self.waiting):
            self.waiting[ring].add(device)

    def seat_all(self, seats: Mapping[str, int], devices: Mapping[str, Device]) -> None:
        """Seat the members of a new rollout as they were drawn when it was planned: device id to ring."""
        for device_id, ring in seats.items():
            device = devices.get(device_id)
            if device is not None and ring < len(self.waiting):
                self.waiting[ring].add(device)

    def waiting_ring(self, device: Device) -> int:
        """Return the open ring in which a device waits for its offer; -1 if in none."""
        for ring in range(self.rollout.ring + 1):
            if device in self.waiting[ring]:
                return ring
        return -1

    def is_done(self, device: Device) -> None:
        """Note that a member already runs the release: it needs no offer."""
        for members in self.waiting:
            members.discard(device)

    # --- ways and rules -------------------------------------------------------------------------------------------

    def track(self, device: Device, running: PlaneSet, confirmed: PlaneSet, catalog: Catalog) -> Track | Blocked:
        """Return the way of a device that runs `running`; worked out once for all that are alike."""
        key = (device.row.class_id, running, confirmed)
        found = self._tracks.get(key)
        if found is None:
            if len(self._tracks) > 10_000:  # a hostile fleet can make every set different
                self._tracks.clear()
            found = track_for(device.row.class_id, running.pairs, self.wanted, catalog, kept=confirmed.pairs)
            self._tracks[key] = found
        return found

    def rules(self, class_id: str, catalog: Catalog) -> tuple[HealthRule, ...]:
        """Return the health rules of a class under this release."""
        found = self._rules.get(class_id)
        if found is None:
            found = self._rules[class_id] = merge(catalog.classes[class_id].rules, self.release.rules).rules
        return found

    # --- trials ---------------------------------------------------------------------------------------------------

    def put(self, trial: Trial, device: Device | None) -> None:
        """Take a new or changed trial."""
        deployment = trial.deployment
        before = self.trials.get(deployment.device_id)
        self.trials[deployment.device_id] = trial
        self.ledger.change(None if before is None else before.deployment, deployment)
        self.is_changed = True
        if device is not None:
            self.is_done(device)
            self.blocked.discard(device)
            if deployment.outcome is Outcome.WITHDRAWN:
                self.waiting[deployment.ring].add(device)
            if deployment.is_moving:
                device.busy_with = self.rollout_id
            elif device.busy_with == self.rollout_id:
                device.busy_with = ""
        if deployment.entered_at_ms is not None and (before is None or before.deployment.entered_at_ms is None):
            self._watch(deployment, since_ms=deployment.entered_at_ms)

    def _watch(self, deployment: Deployment, *, since_ms: int) -> None:
        due_ms = silence_due_at_ms(deployment, listening_since_ms=since_ms, heartbeat_ms=self.rollout.gate.heartbeat_ms)
        if due_ms is not None:
            heapq.heappush(self._due, (due_ms, deployment.device_id))

    def overdue(
        self, device_of: Callable[[str], Device | None], *, listening_since_ms: int, now_ms: int
    ) -> list[Trial]:
        """Return the trials that time alone has changed: silent, or proven. They have to be saved, then `put`."""
        gate = self.rollout.gate
        changed: list[Trial] = []
        while self._due and self._due[0][0] <= now_ms:
            _due_ms, device_id = heapq.heappop(self._due)
            trial, device = self.trials.get(device_id), device_of(device_id)
            if trial is None or device is None:
                continue
            heard_at_ms = max(trial.deployment.heard_at_ms, device.seen_at_ms)
            known = replace(trial.deployment, heard_at_ms=heard_at_ms)
            after = after_silence(
                known,
                listening_since_ms=listening_since_ms,
                heartbeat_ms=gate.heartbeat_ms,
                horizon_ms=gate.longest_horizon_ms,
                now_ms=now_ms,
            )
            if after is not known:
                changed.append(replace(trial, deployment=after))
            else:
                self._watch(known, since_ms=listening_since_ms)
        return changed

    def rewatch(self) -> None:
        """Watch every trial again: the server has started, and with it everyone's time to be heard."""
        self._due = []
        for trial in self.trials.values():
            if trial.deployment.entered_at_ms is not None:
                self._watch(trial.deployment, since_ms=0)

    # --- evidence -------------------------------------------------------------------------------------------------

    def evidence(
        self, device_of: Callable[[str], Device | None], *, stopped: set[Device], frozen: Iterable[str], now_ms: int
    ) -> RolloutEvidence:
        """Return what the controller decides on."""
        heard_since_ms = now_ms - self.rollout.gate.heartbeat_ms
        rollback = None
        if self.rollout.state in RETURNING:
            rollback = self._rollback(device_of, heard_since_ms)
        rings = [self._ring(ring, stopped, heard_since_ms) for ring in self.ledger.rings()]
        if stopped and self.rollout.is_last_ring:
            # Smaller rings go on without whoever is stopped; the rollout is not through before they are.
            held = sum(
                device in stopped and device.seen_at_ms >= heard_since_ms
                for members in self.waiting
                for device in members
            )
            rings[-1] = replace(rings[-1], left=rings[-1].left + held)
        return RolloutEvidence(
            strata=self.ledger.strata(),
            rings=tuple(rings),
            rollback=rollback,
            frozen_digests=tuple(sorted(set(frozen) & set(self.goal.values()))),
        )

    def _ring(self, ring: RingEvidence, stopped: set[Device], heard_since_ms: int) -> RingEvidence:
        members = self.waiting[ring.ring]
        if ring.ring > self.rollout.ring or not members:
            return ring
        held = stopped | self.blocked
        left = busy = 0
        for device in members:
            if device.seen_at_ms >= heard_since_ms and device not in held:
                if device.busy_with:
                    busy += 1
                else:
                    left += 1
        return replace(ring, left=left, busy=busy)

    def rung_planes(self) -> tuple[str, ...]:
        """Return the planes that are to go back: of the present rung, or all that changed."""
        rollout = self.rollout
        return rollout.ladder[rollout.rung].planes if rollout.rung >= 0 else rollout.changed_planes

    def runs(self, running: PlaneSet, planes: Iterable[str]) -> bool:
        """Say whether a set holds the release on one of these planes."""
        digests = running.digests
        return any(plane in self.goal and digests.get(plane) == self.goal[plane] for plane in planes)

    def _rollback(self, device_of: Callable[[str], Device | None], heard_since_ms: int) -> RollbackEvidence:
        planes = self.rung_planes()
        left = moving = reverted = unhealthy = unreachable = 0
        for device_id, trial in self.trials.items():
            device = device_of(device_id)
            if device is None or trial.deployment.entered_at_ms is None:
                continue
            if not self.runs(device.running, planes):
                is_back = is_healthy(trial, device)
                reverted += is_back
                unhealthy += not is_back
            elif has_no_way_back(trial, planes):
                unhealthy += 1
            elif device.seen_at_ms < heard_since_ms:
                unreachable += 1
            elif is_told(trial, planes):
                moving += 1
            else:
                left += 1
        return RollbackEvidence(left, moving, reverted, unhealthy, unreachable)


def has_no_way_back(trial: Trial, planes: tuple[str, ...]) -> bool:
    """Say whether a device that runs the release cannot leave it: it tried and failed, or had nothing there before."""
    if is_told(trial, planes) and trial.back is not None and trial.back.is_healthy is False:
        return True
    return not {plane for plane, _digest in trial.before} & set(planes)


def is_told(trial: Trial, planes: tuple[str, ...]) -> bool:
    """Say whether the device of a trial was told to take these planes back."""
    return trial.back is not None and trial.back.planes == planes


def is_healthy(trial: Trial, device: Device) -> bool:
    """Say whether a device that is back is healthy, as far as it said."""
    if IN_SAFE_MODE in (device.state, *device.flags):
        return False
    if trial.back is not None:
        return trial.back.is_healthy is not False
    result = trial.deployment.result
    return result is None or result.healthy is not False


def memory_from(document: bytes) -> Memory:
    """Return what `memory_bytes` wrote."""
    return _decode(document)


def memory_bytes(memory: Memory) -> bytes:
    """Return a rollout's memory as the store keeps it."""
    return msgspec.json.encode(memory)


_decode = msgspec.json.Decoder(Memory).decode
