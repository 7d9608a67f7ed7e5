"""The agent's ports over a simulated box: artifacts from a store in memory, slots and pointers, probes of a workload.

Decides: nothing about updates. Never: blocks; what takes time on a real box is delayed by the world. Every switch of a
pointer and every change of a slot is told to an observer, as the truth for the checkers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ringback.agent.ports import (
    Artifact,
    Change,
    CommandResult,
    Json,
    Measure,
    PortError,
    Reading,
    Running,
)
from ringback.sim.facts import Activated, Confirmed, Fact, SlotsChanged
from ringback.sim.planes import Manifest, Planes, is_whole, read_manifest
from ringback.sim.workload import Workload


class Store(Protocol):
    """Where a simulated device downloads from."""

    def manifest(self, digest: str) -> bytes | None: ...

    def blob(self, sha256: str) -> bytes | None: ...


Note = Callable[[Fact], None]


class SimArtifacts:
    """The agent's artifact port over a store that holds everything in memory."""

    def __init__(self, planes: Planes, store: Store, reach: Callable[[], None], note: Callable[[], None]) -> None:
        self._planes = planes
        self._store = store
        self._reach = reach
        self._note = note

    def expect(self, op: int) -> None:
        """Nothing runs beside the driver here, so there is nothing to give up."""

    def fetch(self, artifacts: Sequence[Artifact], op: int) -> None:
        """Downloads each artifact into its slot; raises PortError where the bytes are not what was signed for."""
        self._reach()
        for artifact in artifacts:
            raw = self._store.manifest(artifact.digest)
            if raw is None:
                raise PortError("RB-AGENT-021", f"the server does not have {artifact.digest}", retry=True)
            if len(raw) != artifact.length_bytes:
                text = f"{artifact.name}: a manifest of {len(raw)} bytes; {artifact.length_bytes} were signed for"
                raise PortError("RB-AGENT-022", text)
            slot = self._planes.slot(artifact.digest)
            slot.manifest = raw
            for path, _, _, sha256 in _manifest_of(artifact, raw).files:
                data = self._store.blob(sha256)
                if data is None:
                    raise PortError("RB-AGENT-021", f"the server does not have {path} of {artifact.name}", retry=True)
                slot.files[path] = data
        self._note()

    def verify(self, artifacts: Sequence[Artifact]) -> dict[str, dict[str, Json]]:
        """Hashes every byte of the slots and returns the manifests."""
        manifests: dict[str, dict[str, Json]] = {}
        for artifact in artifacts:
            slot = self._planes.slots.get(artifact.digest)
            if slot is None or not slot.manifest or not is_whole(artifact.digest, slot):
                raise PortError("RB-AGENT-022", f"the bytes of {artifact.name} are not the ones that were signed for")
            manifests[artifact.plane] = json.loads(slot.manifest)
        return manifests


def _manifest_of(artifact: Artifact, raw: bytes) -> Manifest:
    try:
        return read_manifest(raw)
    except ValueError as error:
        raise PortError("RB-AGENT-023", f"{artifact.name}: {error}") from error


class SimPlatform:
    """Slots, pointers and services of a simulated box."""

    def __init__(self, planes: Planes, workload: Workload, clock: "DeviceClock", events: "PlatformEvents") -> None:
        self._planes = planes
        self._workload = workload
        self._clock = clock
        self._events = events

    def begin(self, *, wants_workload: bool) -> None:
        """The workload of a simulated box runs unless it was switched off."""
        self._workload.is_stopped = not wants_workload

    def running(self) -> dict[str, Running]:
        found: dict[str, Running] = {}
        for plane, digest in self._planes.active.items():
            manifest = self._planes.manifest(digest)
            assert manifest is not None, f"plane {plane} points to {digest}, which has no slot"
            found[plane] = Running(digest, manifest.version, manifest.requires)
        return found

    def stage(self, artifacts: Sequence[Artifact]) -> None:
        for artifact in artifacts:
            if artifact.digest not in self._planes.slots:
                raise PortError("RB-AGENT-031", f"{artifact.name} has no slot")

    def activate(self, group: Sequence[Change], *, forward: bool) -> dict[str, Running]:
        changes = [(change.plane, change.digest) for change in group]
        try:
            self._planes.switch(changes)
        except KeyError as error:
            raise PortError("RB-AGENT-031", f"no slot holds {error.args[0]}") from error
        self._workload.switched(self._planes.active, self._clock.up_ms())
        self._events.activated(dict(changes), back=not forward)
        emptied = {plane: Running("", "") for plane, digest in changes if not digest}
        return {**self.running(), **emptied}

    def commit(self, keep: Mapping[str, Sequence[str]]) -> None:
        self._planes.prune(frozenset(digest for digests in keep.values() for digest in digests))
        self._events.confirmed()

    def safe_mode(self, on: bool) -> None:
        self._workload.is_stopped = on

    def command(self, kind: str, arg: str) -> CommandResult:
        if kind == "restart":
            self._workload.restarted(self._clock.up_ms())
        return CommandResult(kind in ("restart", "bundle"), f"{kind} {arg}".strip())

    def reboot(self, reason: str) -> None:
        self._events.reboot(reason)


class SimProbes:
    """Reads the workload; says which probe has nothing to say."""

    def __init__(self, planes: Planes, workload: Workload, clock: "DeviceClock") -> None:
        self._planes = planes
        self._workload = workload
        self._clock = clock

    def preflight(self, artifacts: Sequence[Artifact], measures: Sequence[Measure]) -> list[Reading]:
        """Measures as if the artifacts ran beside what runs."""
        candidate = {artifact.plane: artifact.digest for artifact in artifacts}
        return self._read(measures, {**self._planes.active, **candidate})

    def read(self, measures: Sequence[Measure]) -> list[Reading]:
        return self._read(measures, self._planes.active)

    def _read(self, measures: Sequence[Measure], running: Mapping[str, str]) -> list[Reading]:
        now_ms = self._clock.up_ms()
        values = self._workload.values([(measure.probe, measure.arg) for measure in measures], running, now_ms)
        readings = []
        for measure in measures:
            found = {name: value for (probe, arg, name), value in values.items() if (probe, arg) == _key(measure)}
            readings.append(Reading(measure.probe, measure.arg, found, now_ms, "" if found else "RB-PROBE-009"))
        return readings


def _key(measure: Measure) -> tuple[str, str]:
    return measure.probe, measure.arg


class DeviceClock:
    """Monotonic time of one device: world time since its boot."""

    def __init__(self, world_ms: Callable[[], int]) -> None:
        self.world_ms = world_ms
        self.booted_at_ms = world_ms()

    def up_ms(self) -> int:
        return self.world_ms() - self.booted_at_ms


class PlatformEvents:
    """Turns what the platform does into facts."""

    def __init__(self, name: str, planes: Planes, world_ms: Callable[[], int], note: Note) -> None:
        self._name = name
        self._planes = planes
        self._world_ms = world_ms
        self._note = note
        self.rebooting = ""

    def activated(self, changed: Mapping[str, str], *, back: bool) -> None:
        self._note(Activated(self._world_ms(), self._name, changed, self._planes.running(), back=back))

    def confirmed(self) -> None:
        self._note(Confirmed(self._world_ms(), self._name, self._planes.running()))
        self.slots_changed()

    def slots_changed(self) -> None:
        self._note(SlotsChanged(self._world_ms(), self._name, self._planes.wholeness()))

    def reboot(self, reason: str) -> None:
        self.rebooting = reason
