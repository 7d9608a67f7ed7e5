"""One simulated device: the production kernel and the production driver over simulated ports.

Decides: nothing about updates. Never: re-implements a rule of the agent.

Invariants:

- Every durable byte of the agent goes to the strict disk; every slot and pointer is in `Planes`, the truth for the
  checkers.
- Monotonic time starts at 0 with each boot, as on a real box.
- A device without power does nothing and keeps only what its disk and slots hold.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ringback.agent.driver import Driver
from ringback.agent.ports import Artifacts, Jobs, Ports, Transport
from ringback.sim.disk import StrictDisk
from ringback.sim.facts import Booted, PoweredOff, Settled
from ringback.sim.identity import DeviceSpec
from ringback.sim.planes import Planes
from ringback.sim.ports import DeviceClock, Note, PlatformEvents, SimPlatform, SimProbes
from ringback.sim.workload import Workload
from ringback_kernel.core import Core


@dataclass(slots=True)
class Hardware:
    """What survives a power cut: the disk, the slots and pointers, and how often it was switched on."""

    disk: StrictDisk
    planes: Planes
    workload: Workload
    boot_count: int = 0


@dataclass(frozen=True, slots=True)
class Outside:
    """What a device needs of the world around it."""

    world_ms: Callable[[], int]
    note: Note
    transport: Transport
    artifacts: Artifacts
    jobs: Jobs
    make_core: Callable[[StrictDisk], Core]


# Phases of the transaction in which a deployment has ended; the name is the kernel's.
SETTLED = frozenset({"confirmed", "reverted", "refused", "safe_mode"})


class Device:
    """Hardware with the production agent on it."""

    def __init__(self, spec: DeviceSpec, hardware: Hardware, outside: Outside) -> None:
        self.spec = spec
        self.hardware = hardware
        self._outside = outside
        self._driver: Driver | None = None
        self._core: Core | None = None
        self._clock = DeviceClock(outside.world_ms)
        self._phase = ""
        self.events = PlatformEvents(spec.name, hardware.planes, outside.world_ms, outside.note)

    @property
    def is_on(self) -> bool:
        return self._driver is not None

    @property
    def up_ms(self) -> int:
        """Monotonic time since the last boot."""
        return self._clock.up_ms()

    @property
    def phase(self) -> str:
        """The phase of the transaction; "" while the power is off."""
        return str(self._core.tx.phase) if self._core is not None else ""

    def power_on(self, *, planned: bool = False) -> None:
        """Boots: reads the journal, reads back what runs, and starts the agent."""
        hardware, outside = self.hardware, self._outside
        hardware.boot_count += 1
        self._clock = DeviceClock(outside.world_ms)
        self.events.rebooting = ""
        hardware.workload.restarted(0)
        outside.note(Booted(outside.world_ms(), self.spec.name, hardware.planes.running(), planned=planned))
        platform = SimPlatform(hardware.planes, hardware.workload, self._clock, self.events)
        probes = SimProbes(hardware.planes, hardware.workload, self._clock)
        self._core = outside.make_core(hardware.disk)
        self._driver = Driver(
            self._core, Ports(outside.transport, outside.artifacts, platform, probes), outside.jobs, _silent
        )
        self._driver.boot(boot_id(self.spec.name, hardware.boot_count), self._clock.up_ms())

    def power_off(self, survives: Callable[[int], int]) -> None:
        """Cuts the power. `survives(n)` says how many of n bytes that were not synced are left of each file."""
        self._driver = self._core = None
        self.hardware.disk.crash(survives)
        self._outside.note(PoweredOff(self._outside.world_ms(), self.spec.name))

    def pump(self) -> int | None:
        """Lets the agent do what is due. Returns the world time of its next wake-up, or None.

        Raises:
            PowerCut: the disk was told to cut the power at one of the writes.
        """
        if self._driver is None or self._core is None:
            return None
        wakeup_ms = self._driver.pump(self._clock.up_ms())
        self._note_phase()
        return None if wakeup_ms is None else self._clock.booted_at_ms + wakeup_ms

    @property
    def wants_reboot(self) -> bool:
        """Whether the agent asked for a reboot; the world cuts its power and gives it back."""
        return bool(self.events.rebooting)

    def _note_phase(self) -> None:
        phase = self.phase
        if phase != self._phase and phase in SETTLED:
            self._outside.note(Settled(self._outside.world_ms(), self.spec.name, phase))
        self._phase = phase


def _silent(event: str, fields: Mapping[str, object]) -> None:
    """The agent's log of a simulated device goes nowhere; its reports tell the story."""


def boot_id(name: str, boot_count: int) -> str:
    """16 hex digits, another one for each boot, the same in each run of a world."""
    return hashlib.sha256(f"{name}/{boot_count}".encode()).hexdigest()[:16]
