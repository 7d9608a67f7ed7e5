"""A device in a virtual world: its work is done at once, and its answers come when they would come on a real box.

Decides: how long things take, from the family and the network. Never: what the answer is.
"""

from collections.abc import Callable

from ringback.agent.ports import DOWNLOAD, NET, Event
from ringback.sim.clock import Agenda
from ringback.sim.device import Device
from ringback.sim.disk import PowerCut

# One probe round and one step of staging on a small box.
PROBE_MS = 40
WORK_MS = 30
DOWNLOAD_MS = 900


class VirtualJobs:
    """Runs work at once; hands the answer out after a delay on the agenda."""

    def __init__(self, agenda: Agenda, delay_ms: Callable[[str, Event], int], wake: Callable[[], None]) -> None:
        self._agenda = agenda
        self._delay_ms = delay_ms
        self._wake = wake
        self._finished: list[Event] = []
        self._epoch = 0

    def start(self, lane: str, work: Callable[[], Event | None]) -> None:
        event = work()
        if event is None:
            return
        epoch = self._epoch
        self._agenda.after(self._delay_ms(lane, event), lambda: self._hand_out(event, epoch))

    def finished(self) -> list[Event]:
        done, self._finished = self._finished, []
        return done

    def forget(self) -> None:
        """The power went: answers under way reach nobody."""
        self._epoch += 1
        self._finished = []

    def _hand_out(self, event: Event, epoch: int) -> None:
        if epoch == self._epoch:
            self._finished.append(event)
            self._wake()


class VirtualDevice:
    """A device on the agenda of a world: woken, rebooted and cut from power at the world's times."""

    def __init__(self, agenda: Agenda, latency_ms: int, survives: Callable[[int], int]) -> None:
        self._agenda = agenda
        self._latency_ms = latency_ms
        self._survives = survives
        self._alarm = 0
        self._device: Device | None = None
        self.jobs = VirtualJobs(agenda, self._delay_ms, self.wake)

    @property
    def device(self) -> Device:
        assert self._device is not None
        return self._device

    def is_made_of(self, device: Device) -> None:
        """Completes the pair: a device needs its jobs first."""
        self._device = device

    def power_on(self, *, planned: bool = False) -> None:
        if not self.device.is_on:
            try:
                self.device.power_on(planned=planned)
            except PowerCut:
                self.power_off(self.device.hardware.workload.family.reboot_ms)
                return
            self.wake()

    def power_off(self, for_ms: int, *, planned: bool = False) -> None:
        """Cuts the power; it comes back after `for_ms`. A planned reboot syncs its files first."""
        self.jobs.forget()
        self.device.power_off((lambda pending: pending) if planned else self._survives)
        self._agenda.after(for_ms, lambda: self.power_on(planned=planned))

    def wake(self) -> None:
        """Lets the agent work now, and puts its next wake-up on the agenda."""
        if not self.device.is_on:
            return
        reboot_ms = self.device.hardware.workload.family.reboot_ms
        try:
            wakeup_ms = self.device.pump()
        except PowerCut:
            self.power_off(reboot_ms)
            return
        if self.device.wants_reboot:
            self.power_off(reboot_ms, planned=True)
        elif wakeup_ms is not None:
            self._alarm += 1
            alarm = self._alarm
            self._agenda.at(wakeup_ms, lambda: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        """Only the newest alarm rings; older ones were set before something else woke the device."""
        if alarm == self._alarm:
            self.wake()

    def _delay_ms(self, lane: str, event: Event) -> int:
        if lane == NET:
            return self._latency_ms
        if lane == DOWNLOAD:
            return DOWNLOAD_MS if event[0] == "fetch_done" else WORK_MS
        workload = self.device.hardware.workload
        app = self.device.hardware.planes.active.get("app", "")
        if event[0] == "activate_done" and workload.is_starting(app, self.device.up_ms):
            return workload.family.services_ready_ms
        return PROBE_MS if event[0] == "probe_done" else WORK_MS
