"""The live fleet: hundreds of simulated devices in one process, in real time, over real HTTP against a real server.

Decides: nothing about updates. Only the disk and the workload of these devices are replaced; clock and network are
real. One thread, one event loop; a device costs one timer between two check-ins.

A port of the agent may block, and here nothing may: the first call of a blocking port raises `Asked`, the answer is
fetched without blocking, and the driver's work is called again, now with the answer there.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from ringback.agent.ports import Artifact, CheckinAnswer, Event, Json, PortError
from ringback.sim.device import Device, Hardware, Outside
from ringback.sim.disk import StrictDisk
from ringback.sim.facts import Heard
from ringback.sim.http import HttpPool, WireError
from ringback.sim.identity import DeviceSpec, Enrolled
from ringback.sim.planes import Planes, is_whole, read_manifest
from ringback.sim.ports import Note, SimArtifacts
from ringback.sim.workload import Workload
from ringback_kernel.core import Core

# A device that has nothing to do wakes up at least this often, so that a lost timer can't silence it for good.
WAKE_LIMIT_S = 5.0
# A check-in interval the server did not name (an error answer).
NEXT_DEFAULT_MS = 1000
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})


class Asked(BaseException):
    """A port needs an answer from the network; `fulfil` fetches it. No Exception, so that the driver lets it pass."""

    def __init__(self, fulfil: Callable[[], Coroutine[None, None, None]]) -> None:
        super().__init__()
        self.fulfil = fulfil


@dataclass(slots=True)
class Network:
    """The way of one device to the server, and whether the world lets it through."""

    pool: HttpPool
    enrolled: Enrolled
    site: str = ""
    is_cut: bool = False
    checkins: int = 0

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.enrolled.token}", "Content-Type": "application/json"}


class LiveTransport:
    """Check-ins over HTTP, by asking first and answering when called again."""

    def __init__(self, network: Network, heard: Callable[[bytes], None]) -> None:
        self._network = network
        self._heard = heard
        self._answer: CheckinAnswer | PortError | None = None

    def checkin(self, body: bytes) -> CheckinAnswer:
        answer, self._answer = self._answer, None
        if answer is None:
            raise Asked(lambda: self._ask(body))
        if isinstance(answer, PortError):
            raise answer
        return answer

    async def _ask(self, body: bytes) -> None:
        network = self._network
        if network.is_cut:
            self._answer = PortError("RB-AGENT-010", "no network", retry=True)
            return
        try:
            answer = await network.pool.request("POST", "/d/1/checkin", network.headers(), body)
        except WireError as error:
            self._answer = PortError("RB-AGENT-010", str(error), retry=True)
            return
        next_ms = round(float(answer.headers.get("ringback-next-s", "0")) * 1000) or NEXT_DEFAULT_MS
        network.checkins += 1
        if answer.status in (200, 204):
            self._heard(answer.body)
        self._answer = CheckinAnswer(answer.status, answer.body, next_ms, time.time_ns() // 1_000_000)


class LiveArtifacts:
    """Downloads over HTTP into the slots, hashed when whole; then the simulated port does the rest."""

    def __init__(self, network: Network, planes: Planes, shelf: "Shelf", changed: Callable[[], None]) -> None:
        self._network = network
        self._planes = planes
        self._shelf = shelf
        self._changed = changed
        self._inner = SimArtifacts(planes, shelf, lambda: None, changed)
        self._failed: PortError | None = None

    def expect(self, op: int) -> None:
        """A download that is not waited for any more costs nothing here; it only fills the site's cache."""

    def fetch(self, artifacts: Sequence[Artifact], op: int) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        if not all(self._is_here(artifact.digest) for artifact in artifacts):
            raise Asked(lambda: self._download(artifacts))
        self._changed()

    def verify(self, artifacts: Sequence[Artifact]) -> dict[str, dict[str, Json]]:
        return self._inner.verify(artifacts)

    def _is_here(self, digest: str) -> bool:
        slot = self._planes.slots.get(digest)
        return slot is not None and bool(slot.manifest) and is_whole(digest, slot)

    async def _download(self, artifacts: Sequence[Artifact]) -> None:
        try:
            for artifact in artifacts:
                await self._download_one(artifact)
        except WireError as error:
            self._failed = PortError("RB-AGENT-020", str(error), retry=True)
        except PortError as error:
            self._failed = error

    async def _download_one(self, artifact: Artifact) -> None:
        raw = await self._get(artifact.digest.removeprefix("sha256:"))
        if len(raw) != artifact.length_bytes:
            raise PortError("RB-AGENT-022", f"a manifest of {len(raw)} bytes; {artifact.length_bytes} were signed for")
        slot = self._planes.slot(artifact.digest)
        slot.manifest = raw
        try:
            manifest = read_manifest(raw)
        except ValueError as error:
            raise PortError("RB-AGENT-023", f"{artifact.name}: {error}") from error
        for path, _, _, sha256 in manifest.files:
            slot.files[path] = await self._get(sha256)
        if not is_whole(artifact.digest, slot):
            raise PortError("RB-AGENT-022", f"the bytes of {artifact.name} are not the ones that were signed for")

    async def _get(self, sha256: str) -> bytes:
        if self._network.is_cut:
            raise WireError("no network")
        cached = self._shelf.cached(self._network.site, sha256)
        if cached is not None:
            return cached
        answer = await self._network.pool.request("GET", f"/a/1/sha256/{sha256}", self._network.headers())
        if answer.status != 200:
            text = f"the server answered {answer.status} for {sha256[:16]}"
            raise PortError("RB-AGENT-021", text, retry=answer.status in RETRY_STATUSES or answer.status == 404)
        return self._shelf.keep(self._network.site, sha256, answer.body)


class Shelf:
    """What is kept of downloads: each file once in memory, and for each site a cache, as a site's proxy would have.

    The first device of a site downloads a file; the others find it in the cache. Every device still hashes what it got.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._sites: dict[str, set[str]] = {}

    def cached(self, site: str, sha256: str) -> bytes | None:
        """The file, if a device of this site downloaded it before."""
        return self._files.get(sha256) if sha256 in self._sites.get(site, ()) else None

    def keep(self, site: str, sha256: str, data: bytes) -> bytes:
        """Puts a download into the site's cache and returns the one copy of these bytes."""
        if hashlib.sha256(data).hexdigest() != sha256:
            return data
        self._sites.setdefault(site, set()).add(sha256)
        return self._files.setdefault(sha256, data)

    def manifest(self, digest: str) -> bytes | None:
        return self._files.get(digest.removeprefix("sha256:"))

    def blob(self, sha256: str) -> bytes | None:
        return self._files.get(sha256)


class LiveJobs:
    """Runs the driver's work: at once where nothing blocks, by the event loop where the network is asked."""

    def __init__(self, wake: Callable[[], None], delay_s: Callable[[Event], float]) -> None:
        self._wake = wake
        self._delay_s = delay_s
        self._finished: list[Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._epoch = 0

    def start(self, lane: str, work: Callable[[], Event | None]) -> None:
        try:
            self._finish(work(), self._epoch)
        except Asked as asked:
            task = asyncio.get_running_loop().create_task(self._later(work, asked, self._epoch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def finished(self) -> list[Event]:
        done, self._finished = self._finished, []
        return done

    def forget(self) -> None:
        """The power went: answers that are still under way reach nobody."""
        self._epoch += 1
        self._finished = []

    async def _later(self, work: Callable[[], Event | None], asked: Asked, epoch: int) -> None:
        await asked.fulfil()
        self._finish(work(), epoch)

    def _finish(self, event: Event | None, epoch: int) -> None:
        if event is None:
            return
        delay_s = self._delay_s(event)
        asyncio.get_running_loop().call_later(delay_s, self._hand_out, event, epoch)

    def _hand_out(self, event: Event, epoch: int) -> None:
        if epoch == self._epoch:
            self._finished.append(event)
            self._wake()


class LiveDevice:
    """A device, its network, and its timer in the event loop."""

    def __init__(
        self,
        spec: DeviceSpec,
        network: Network,
        workload: Workload,
        *,
        shelf: Shelf,
        note: Note,
        make_core: Callable[[StrictDisk], Core],
    ) -> None:
        self.spec = spec
        self.network = network
        self.hardware = Hardware(StrictDisk(), Planes(), workload)
        self._timer: asyncio.TimerHandle | None = None
        self._jobs = LiveJobs(self.wake, self._delay_s)
        artifacts = LiveArtifacts(network, self.hardware.planes, shelf, self._slots_changed)
        transport = LiveTransport(network, lambda body: note(Heard(world_ms(), spec.name, body)))
        self.device = Device(spec, self.hardware, Outside(world_ms, note, transport, artifacts, self._jobs, make_core))

    def _slots_changed(self) -> None:
        self.device.events.slots_changed()

    def power_on(self, *, planned: bool = False) -> None:
        self.device.power_on(planned=planned)
        self.wake()

    def power_cycle(self, off_ms: int, *, planned: bool) -> None:
        """Cuts the power and gives it back after `off_ms`."""
        self._jobs.forget()
        if self._timer is not None:
            self._timer.cancel()
        self.device.power_off(lambda pending: pending if planned else 0)
        asyncio.get_running_loop().call_later(off_ms / 1000, lambda: self.power_on(planned=planned))

    def wake(self) -> None:
        """Lets the agent work now, and sets the timer for when it wants to work again."""
        if not self.device.is_on:
            return
        if self._timer is not None:
            self._timer.cancel()
        wakeup_ms = self.device.pump()
        if self.device.wants_reboot:
            self.power_cycle(self.hardware.workload.family.reboot_ms, planned=True)
            return
        wait_s = WAKE_LIMIT_S if wakeup_ms is None else max(0.0, (wakeup_ms - world_ms()) / 1000)
        self._timer = asyncio.get_running_loop().call_later(min(wait_s, WAKE_LIMIT_S), self.wake)

    def _delay_s(self, event: Event) -> float:
        """What takes time on a real box takes time here: services start anew after an app switch."""
        workload = self.hardware.workload
        app = self.hardware.planes.active.get("app", "")
        if event[0] == "activate_done" and workload.is_starting(app, self.device.up_ms):
            return workload.family.services_ready_ms / 1000
        return 0.0


def world_ms() -> int:
    """Monotonic milliseconds of this process: the world time of a live fleet."""
    return time.monotonic_ns() // 1_000_000
