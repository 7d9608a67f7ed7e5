"""A virtual world: a fleet of simulated devices, a server, a network, one clock, one seed, and a jury.

Decides: what happens when, from the seed alone. Never: what a device or the server should do; both are production code.

Invariants:

- The same options and seed give the same trace, line for line.
- Every fact goes to the jury before anything else happens.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ringback.sim.brain import core_maker
from ringback.sim.checkers import Jury, every_checker
from ringback.sim.clock import Agenda
from ringback.sim.device import Device, Hardware, Outside
from ringback.sim.disk import StrictDisk
from ringback.sim.facts import Activated, Booted, Confirmed, Fact, Heard, PoweredOff, Settled, Violation
from ringback.sim.faults import Fault
from ringback.sim.identity import DeviceSpec
from ringback.sim.network import Network, VirtualTransport
from ringback.sim.planes import Planes
from ringback.sim.ports import SimArtifacts
from ringback.sim.server import InProcessServer
from ringback.sim.trace import Line, Trace
from ringback.sim.virtual import VirtualDevice
from ringback.sim.workload import Family, Measured, Sight, Workload

START_MS = 1_790_000_000_000
"""The world's first instant, UTC. Any would do; a fixed one keeps traces equal."""
BOOT_SPREAD_MS = 2_000


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """Everything a world is made of, beside its seed.

    `faults`: by device name, "" = every device. `disk_bytes`: capacity of each device's journal disk, 0 = unlimited.
    """

    devices: Sequence[DeviceSpec]
    families: Mapping[str, Family]
    measured: Measured
    faults: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    tick_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Census:
    """The fleet at one moment: digests by plane with counts, and doors that see nobody."""

    running: Mapping[str, Mapping[str, int]]
    blind: int
    doors: int


class World:
    """One run."""

    def __init__(self, options: WorldOptions, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.agenda = Agenda(START_MS)
        self.trace = Trace()
        self.server = InProcessServer(lambda: self.agenda.now_ms, seed, self.note)
        self.network = Network(seed, lambda: self.agenda.now_ms)
        self.jury = Jury(every_checker(self.server.director_keys()))
        self.devices: dict[str, VirtualDevice] = {}
        self._options = options

    def enrol(self) -> None:
        """Enrols every device and switches it on, within the first two seconds."""
        for spec in self._options.devices:
            self.devices[spec.name] = self._device(spec)
            self.agenda.after(self.random.randrange(BOOT_SPREAD_MS), self.devices[spec.name].power_on)
        self._tick()

    def run(self, for_ms: int, *, until: Callable[[], bool] | None = None) -> bool:
        """Runs the world for a while, or until a condition holds. Returns whether it does."""
        return self.agenda.run_until(self.agenda.now_ms + for_ms, stop=until)

    def note(self, fact: Fact) -> None:
        """Takes a fact into the trace and before the jury."""
        self.jury.see(fact)
        line = _line(fact)
        if line is not None:
            self.trace.add(line)

    def close(self) -> list[Violation]:
        """Asks the jury for what is overdue, and returns every violation."""
        self.jury.adjourn(self.agenda.now_ms)
        return self.jury.violations

    def census(self) -> Census:
        """Counts what runs where."""
        running: dict[str, dict[str, int]] = {}
        sights: list[Sight] = []
        for virtual in self.devices.values():
            hardware = virtual.device.hardware
            planes = hardware.planes.running()
            for plane, digest in planes.items():
                counts = running.setdefault(plane, {})
                counts[digest] = counts.get(digest, 0) + 1
            sights.append(hardware.workload.sight(planes))
        return Census(running, sum(1 for sight in sights if sight.is_blind), len(sights))

    def power_cut(self, names: Iterable[str], for_ms: int) -> None:
        """Cuts the power of devices; it comes back after `for_ms`."""
        for name in names:
            if self.devices[name].device.is_on:
                self.devices[name].power_off(for_ms)

    def _tick(self) -> None:
        self.server.tick()
        self.agenda.after(self._options.tick_ms, self._tick)

    def _device(self, spec: DeviceSpec) -> VirtualDevice:
        options = self._options
        identity = self.server.enrol(spec)
        workload = Workload(options.families[spec.family], options.measured)
        workload.faults = [*options.faults.get("", ()), *options.faults.get(spec.name, ())]
        hardware = Hardware(StrictDisk(), Planes(), workload)
        survivor = random.Random(hashlib.sha256(f"{self.seed}/{spec.name}".encode()).digest())
        virtual = VirtualDevice(
            self.agenda, self.network.latency_ms(spec.name), lambda pending: survivor.randint(0, pending)
        )

        def slots_changed() -> None:
            virtual.device.events.slots_changed()

        def heard(document: bytes) -> None:
            self.note(Heard(self.agenda.now_ms, spec.name, document))

        transport = VirtualTransport(spec.name, self.network, lambda body: self.server.checkin(identity, body, heard))
        artifacts = SimArtifacts(
            hardware.planes,
            self.server,
            lambda: self.network.require(spec.name),
            slots_changed,
        )
        outside = Outside(
            lambda: self.agenda.now_ms, self.note, transport, artifacts, virtual.jobs, core_maker(spec, identity)
        )
        virtual.is_made_of(Device(spec, hardware, outside))
        return virtual


def _line(fact: Fact) -> Line | None:
    """The trace line of a fact: digests and words, never signatures, which differ from run to run."""
    match fact:
        case Activated():
            way = "back" if fact.back else "forward"
            return Line(fact.at_ms, fact.device, f"activated {way}", _set(fact.changed))
        case Confirmed():
            return Line(fact.at_ms, fact.device, "confirmed", _set(fact.running))
        case Settled():
            return Line(fact.at_ms, fact.device, "settled", fact.kind)
        case Booted():
            return Line(fact.at_ms, fact.device, "booted", _set(fact.running))
        case PoweredOff():
            return Line(fact.at_ms, fact.device, "powered off")
        case Heard():
            return Line(fact.at_ms, fact.device, "heard", _document(fact.document)) if fact.document else None
        case _:
            return None


def _set(running: Mapping[str, str]) -> str:
    return " ".join(f"{plane}={digest[7:19] or '-'}" for plane, digest in sorted(running.items()))


def _document(raw: bytes) -> str:
    """A desired state in the trace: its digest without its signature, which is another one in every run."""
    return hashlib.sha256(raw.partition(b'"signed":')[2]).hexdigest()[:12]
