"""The agent process: puts the parts together, pumps the driver, and ends when told to.

It decides nothing but how the process begins and ends:

- SIGTERM ends the agent; the services keep running and the next agent adopts them. (A restart of the agent, or its own
  update, must not touch the workload.)
- SIGINT (Ctrl-C) ends the agent and its services: whoever started it by hand wants all of it gone.
- Exit code 75 (EX_TEMPFAIL) asks whoever started the agent to start it again: a reboot of a box without a reboot
  command.

Invariant: one agent per state folder, from the lock to the end of the process.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ringback import __version__
from ringback.agent import clock, device_file, eventlog, folder, identity
from ringback.agent.device_file import DeviceFile
from ringback.agent.driver import Driver
from ringback.agent.errors import SetupError
from ringback.agent.fetch import Fetcher
from ringback.agent.files import Disk
from ringback.agent.folder import Folder
from ringback.agent.identity import Enrolment, Identity
from ringback.agent.jobs import Lanes
from ringback.agent.local import StatusPage
from ringback.agent.platform.box import PLANNED_REBOOT, Box
from ringback.agent.platform.process import Surroundings
from ringback.agent.ports import WORK, Ports
from ringback.agent.probes.registry import ProbeRounds
from ringback.agent.probes.scene import Lab
from ringback.agent.storage import FileStorage
from ringback.agent.store import ContentStore
from ringback.agent.supervisor import Supervisor
from ringback.agent.transport import HttpTransport, Server, elapsed_s
from ringback_kernel.errors import KernelError

DEVICE_FILE = "device.toml"
START_AGAIN = 75
LONGEST_WAIT_MS = 60_000
"""The loop turns at least this often, so that a jump of the wall clock is noticed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    state: Path
    server: str = ""
    claim: str = ""
    serial: str = ""
    device_class: str = ""
    labels: Mapping[str, str] | None = None


class Agent:
    """One agent process on one state folder."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._owner = device_file.load(options.state / DEVICE_FILE)
        self._folder: Folder = folder.of(options.state, self._owner)
        self._disk = Disk()
        self._end = threading.Event()
        self._ends_workload = False
        self._lanes = Lanes()

    def run(self) -> int:
        """Runs until told to end; returns the exit code. Raises SetupError when it cannot start."""
        folder.prepare(self._folder)
        lock = folder.lock(self._folder)
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
            return self._run(self._identity())
        finally:
            os.close(lock)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._ends_workload = self._ends_workload or number == signal.SIGINT
        self._end.set()
        self._lanes.wake()

    def _identity(self) -> Identity:
        known = identity.load(self._folder.state)
        if known is not None:
            return known
        request = enrolment(self._options, self._owner)
        transport = self._transport(request.server, "")
        eventlog.write("enrolling", {"server": request.server, "serial": request.serial})
        known = identity.enrol(transport, request, pause=self._end.wait)
        transport.close()
        identity.save(self._folder.state, known, self._disk)
        eventlog.write("enrolled", {"device": known.device, "tenant": known.tenant})
        return known

    def _transport(self, server: str, token: str) -> HttpTransport:
        return HttpTransport(
            Server.parse(server), token, ca_file=self._owner.ca_file, now_ms=clock.now_ms, utc_ms=clock.utc_ms
        )

    def _run(self, known: Identity) -> int:
        now_ms = clock.now_ms
        boot_id = self._boot_id()
        paths = self._folder
        server = self._options.server or self._owner.server or known.server
        transport = self._transport(server, known.token)
        supervisor = Supervisor(paths.run_dir, paths.logs, boot_id=boot_id, now_ms=now_ms, log=eventlog.write)
        around = Surroundings(
            paths.run_dir, paths.config, paths.models, known.device, self._owner.python, self._owner.environment
        )
        store = ContentStore(paths.store, self._disk)
        box = Box(
            paths.state,
            around,
            disk=self._disk,
            store=store,
            supervisor=supervisor,
            reboot_argv=self._owner.reboot_argv,
            log=eventlog.write,
        )
        lab = Lab(supervisor, around, self._owner, state=paths.state, uplink=transport.uplink, now_ms=now_ms)
        fetcher = Fetcher(transport, store, quota_bytes=self._owner.quota_bytes, state=paths.state, elapsed_s=elapsed_s)
        ports = Ports(transport, fetcher, box, ProbeRounds(lab, box, eventlog.write))
        try:
            return self._loop(known, ports, box, boot_id)
        finally:
            if self._ends_workload:
                supervisor.end_workload()
            supervisor.close()
            transport.close()

    def _loop(self, known: Identity, ports: Ports, box: Box, boot_id: str) -> int:
        # Late: the kernel's curve and core are the largest part of the process, and enrolment needs neither.
        from ringback.agent import brain

        storage = FileStorage(self._folder.journal, self._disk)
        try:
            core = brain.make(known, self._owner, storage)
            driver = Driver(core, ports, self._lanes, eventlog.write)
            driver.boot(boot_id, clock.now_ms())
        except KernelError as error:
            # A root that is none, or a journal of a much newer agent: nothing that going on could mend.
            raise SetupError(error.code, error.text, hint="see docs/reference/kernel.md") from error
        page = StatusPage(self._folder.run_dir)
        eventlog.write("agent_started", {"device": known.device, "version": __version__, "boot_id": boot_id})
        box.adopt_workload(is_safe=not core.wants_workload())
        self._lanes.start(WORK, box.ensure_workload)
        self._lanes.open()
        page.start()
        watch = clock.JumpWatch(wall_ms(), clock.now_ms())
        try:
            while not self._end.is_set():
                wake_ms = driver.pump(clock.now_ms())
                if driver.stopped:
                    return START_AGAIN
                page.publish({**core.status(), "agent": {"pid": os.getpid(), "rss_kb": rss_kb_alone()}})
                now_ms = clock.now_ms()
                wait_ms = LONGEST_WAIT_MS if wake_ms is None else min(wake_ms - now_ms, LONGEST_WAIT_MS)
                self._lanes.wait(wait_ms)
                self._watch_clock(watch)
        finally:
            page.close()
            eventlog.write(
                "agent_ended", {"device": known.device, "services": "ended" if self._ends_workload else "kept"}
            )
        return 0

    def _watch_clock(self, watch: clock.JumpWatch) -> None:
        jumped_ms = watch.jumped_ms(wall_ms(), clock.now_ms())
        if jumped_ms:
            eventlog.write("clock_jump", {"by_ms": jumped_ms})

    def _boot_id(self) -> str:
        """Returns the id of this boot.

        On a box without a reboot command, ending all services and starting the agent again *is* the reboot, and counts
        as a new boot.
        """
        real = clock.boot_id(self._owner.boot_id_file)
        mark, count_file = self._folder.state / PLANNED_REBOOT, self._folder.state / "soft-boots"
        count = int(count_file.read_text()) if count_file.exists() else 0
        if mark.exists():
            eventlog.write("planned_reboot_done", {"reason": mark.read_text(encoding="utf-8", errors="replace")})
            if not self._owner.reboot_argv:
                count += 1
                self._disk.write(count_file, str(count).encode())
            self._disk.remove(mark)
        return clock.soft_boot_id(real, count)


def enrolment(options: Options, owner: DeviceFile) -> Enrolment:
    """Returns what this box says when it enrols. Raises SetupError RB-AGENT-003, naming what is missing."""
    server = options.server or owner.server
    given = {"--server": server, "--claim": options.claim, "--serial": options.serial, "--class": options.device_class}
    missing = [flag for flag, value in given.items() if not value]
    if missing:
        text = f"{options.state} holds no identity, and {', '.join(missing)} to enrol with {verb(missing)} missing"
        raise SetupError("RB-AGENT-003", text, hint="make a claim with: ringback claim create")
    labels = {**owner.labels, **(options.labels or {})}
    return Enrolment(server, options.claim, options.serial, options.device_class, labels, __version__)


def verb(items: list[str]) -> str:
    """Returns `is` or `are`."""
    return "is" if len(items) == 1 else "are"


def wall_ms() -> int:
    """Returns the wall clock; only ever compared with itself."""
    return time.time_ns() // 1_000_000


def rss_kb_alone() -> int:
    """Returns the resident memory of this process without its services, in KiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
