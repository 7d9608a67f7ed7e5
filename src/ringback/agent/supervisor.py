"""Starts the services of the app plane in their declared order, keeps them up, and stops them in reverse order.

It decides when a service that ended is started again, never which services there are: that is the app's manifest,
handed over as `Launch` values by the platform.

Invariants:

- A service is started only when the one before it is ready, or has had its time (`converge` says which it is).
- The workload does not die with the agent: services have sessions and files of their own, no pipe to the agent. The
  next agent adopts them by pid file and by the marks in their environment; a second copy of a service is ended.
- Restarts are counted since the last change of any plane, so that a rule never blames a plane for an older crash.
- Output goes to a file per service that is cut when it is too long.
"""

import contextlib
import json
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ringback.agent import processes, unix_http
from ringback.agent.effects import Log
from ringback.agent.errors import PortError, ProbeError
from ringback.agent.processes import MARK_NAME, Identity

BACKOFF_FIRST_MS = 250
BACKOFF_LAST_MS = 10_000
STEADY_MS = 10_000
"""A service that ran this long starts its back-off anew."""
GRACE_MS = 2_000
"""Time between SIGTERM and SIGKILL; services of an edge box keep nothing that takes longer to save."""
HEALTH_TIMEOUT_MS = 500
READY_POLL_S = 0.02
OUTPUT_CAP_BYTES = 256 * 1024
TIDY_EVERY_MS = 5_000
MARK_SLOT = "RINGBACK_SLOT"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one service. `slot` names the app it belongs to: same name and slot, same service."""

    name: str
    slot: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path
    ready_ms: int


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What the supervisor knows of one service. `restarts` counts since the last change of a plane."""

    name: str
    slot: str
    pid: int
    is_up: bool
    restarts: int
    started_ms: int
    last_exit: str


class _Unit:
    """One service while it is supervised. Guarded by the supervisor's lock."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.identity: Identity | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.descriptor = -1
        self.restarts = 0
        self.failures = 0
        self.started_ms = 0
        self.due_ms: int | None = None
        self.last_exit = ""


class Supervisor:
    """Supervises in a thread of its own; every public method may be called from any thread.

    Args:
        run_dir: where the sockets and pid files are.
        logs_dir: where the output goes.
        boot_id: the id of this boot; pid files of another boot mean nothing.
        now_ms: elapsed milliseconds.
        log: where events go.
    """

    def __init__(self, run_dir: Path, logs_dir: Path, *, boot_id: str, now_ms: Callable[[], int], log: Log) -> None:
        self._run_dir = run_dir
        self._logs_dir = logs_dir
        self._boot_id = boot_id
        self._now_ms = now_ms
        self._log = log
        self._lock = threading.RLock()
        self._units: dict[str, _Unit] = {}
        self._is_converging = False
        self._is_closed = False
        self._may_start = True
        self._tidy_at_ms = 0
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    # --- what the platform asks for -----------------------------------------------------------------------------------

    def start(self, launches: Sequence[Launch]) -> None:
        """Adopts what a former agent left running, ends what belongs to nobody, and begins to watch. Starts nothing."""
        with self._lock:
            self._units = {launch.name: _Unit(launch) for launch in launches}
            found = self._leftovers()
            for name, slot, identity in found:
                unit = self._units.get(name)
                if unit is not None and unit.identity is None and unit.launch.slot == slot:
                    self._watch_over(unit, identity, None)
                    self._log("service_adopted", {"service": name, "pid": identity.pid})
                else:
                    self._log("leftover_ended", {"process": name, "pid": identity.pid})
                    processes.end_group(identity, grace_ms=GRACE_MS)
        self._thread.start()

    def converge(self, launches: Sequence[Launch], *, is_strict: bool) -> None:
        """Makes exactly these services run: stops others in reverse order, starts what is missing in order.

        Args:
            launches: the services in start order; none stops all.
            is_strict: raise at the first service that does not become ready; otherwise go on with the next one and
                leave the failed one to the watch.

        Raises:
            PortError: RB-AGENT-032 not ready in time, RB-AGENT-033 ended while starting, RB-AGENT-036 not startable.
        """
        with self._hands_on():
            wanted = {launch.name: launch for launch in launches}
            for name in reversed(list(self._units)):
                if name not in wanted or wanted[name].slot != self._units[name].launch.slot:
                    self._retire(name)
            with self._lock:
                self._units = {name: self._units.get(name) or _Unit(launch) for name, launch in wanted.items()}
            for unit in list(self._units.values()):
                try:
                    self._bring_up(unit)
                except PortError:
                    if is_strict:
                        raise

    def bring_up(self, name: str) -> None:
        """Starts a service now if it is down, and waits until it is ready. Raises PortError like `converge`."""
        with self._hands_on():
            self._bring_up(self._unit(name))

    def restart(self, name: str) -> None:
        """Stops and starts one service. Raises PortError RB-PROBE-009 for an unknown one, or like `converge`."""
        with self._hands_on():
            unit = self._unit(name)
            self._stop(unit)
            self._bring_up(unit)

    def stop_all(self) -> None:
        """Stops every service in reverse order; nothing is started again until `converge`."""
        self.converge([], is_strict=False)

    def end_workload(self) -> None:
        """Stops every service for good: whatever else is in hand in another thread starts nothing any more."""
        with self._lock:
            self._may_start = False
        self.stop_all()

    def reset_counts(self) -> None:
        """Counts restarts anew: a plane is about to change."""
        with self._lock:
            for unit in self._units.values():
                unit.restarts = 0

    def states(self) -> dict[str, ServiceState]:
        """Returns what is known of each service, in start order."""
        with self._lock:
            return {name: self._state(unit) for name, unit in self._units.items()}

    def socket(self, name: str) -> Path:
        """Where a service listens."""
        return self._run_dir / f"{name}.sock"

    def output(self, name: str) -> Path:
        """Where a service's output goes."""
        return self._logs_dir / f"{name}.log"

    def close(self) -> None:
        """Ends the watch. The services keep running."""
        self._is_closed = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    # --- one service --------------------------------------------------------------------------------------------------

    def _unit(self, name: str) -> _Unit:
        with self._lock:
            if name not in self._units:
                known = ", ".join(self._units) or "none"
                raise PortError("RB-PROBE-009", f"there is no service {name[:64]!r}; services here: {known}")
            return self._units[name]

    def _state(self, unit: _Unit) -> ServiceState:
        identity = unit.identity
        is_up = identity is not None and processes.is_alive(identity)
        return ServiceState(
            name=unit.launch.name,
            slot=unit.launch.slot,
            pid=identity.pid if identity is not None and is_up else 0,
            is_up=is_up,
            restarts=unit.restarts,
            started_ms=unit.started_ms,
            last_exit=unit.last_exit,
        )

    def _bring_up(self, unit: _Unit) -> None:
        with self._lock:
            unit.due_ms = None
            identity = unit.identity
        if identity is None or not processes.is_alive(identity):
            self._spawn(unit)
        self._await_ready(unit)

    def _spawn(self, unit: _Unit) -> None:
        launch = unit.launch
        with contextlib.suppress(FileNotFoundError):
            self.socket(launch.name).unlink()
        with self._lock:
            if not self._may_start:
                raise PortError("RB-AGENT-036", f"{launch.name} is not started: the agent ends its services")
            self._forget_process(unit)
            try:
                with self._open_output(launch.name) as output:
                    child = subprocess.Popen(
                        launch.argv,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env={**launch.environment, MARK_NAME: f"service:{launch.name}", MARK_SLOT: launch.slot},
                        cwd=launch.cwd,
                        start_new_session=True,
                    )
            except OSError as error:
                raise PortError("RB-AGENT-036", f"{launch.name}: {launch.argv[:2]}: {error}") from error
            identity = processes.identity_of(child.pid) or Identity(child.pid, 0)
            self._watch_over(unit, identity, child)
            self._write_pid_file(unit, identity)
        self._log("service_started", {"service": launch.name, "pid": child.pid})

    def _open_output(self, name: str) -> BinaryIO:
        """Opens a service's output for appending; on a full disk its output is worth less than its work."""
        try:
            return open(self.output(name), "ab")
        except OSError as error:
            self._log("output_lost", {"service": name, "error": error.strerror or ""})
            return open(os.devnull, "ab")

    def _await_ready(self, unit: _Unit) -> None:
        name, deadline_ms = unit.launch.name, self._now_ms() + unit.launch.ready_ms
        last = "no answer yet"
        pause = threading.Event()
        while True:
            with self._lock:
                identity = unit.identity
                self._note_end(unit)
            if identity is None or not processes.is_alive(identity):
                text = f"{name} ended while starting ({unit.last_exit or 'no exit code'}): {self.tail(name)}"
                raise PortError("RB-AGENT-033", text)
            try:
                health = unix_http.get_object(self.socket(name), "/health", timeout_ms=HEALTH_TIMEOUT_MS)
                if health.get("ready") is True:
                    return
                last = f"its /health says ready = {health.get('ready')!r} {str(health.get('fault') or '')[:120]}"
            except ProbeError as error:
                last = error.message
            if self._now_ms() >= deadline_ms:
                raise PortError("RB-AGENT-032", f"{name} was not ready within {unit.launch.ready_ms} ms: {last}")
            pause.wait(READY_POLL_S)

    def tail(self, name: str, limit: int = 120) -> str:
        """Returns the end of a service's output, on one line."""
        try:
            with open(self.output(name), "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return " ".join(text.split())[-limit:]

    def _stop(self, unit: _Unit) -> None:
        with self._lock:
            identity, child = unit.identity, unit.child
            unit.due_ms = None
            self._forget_process(unit)
        if identity is not None:
            processes.end_group(identity, grace_ms=GRACE_MS)
            if child is not None:
                child.wait()
            self._log("service_stopped", {"service": unit.launch.name, "pid": identity.pid})
        for path in (self._pid_file(unit.launch.name), self.socket(unit.launch.name)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _retire(self, name: str) -> None:
        with self._lock:
            unit = self._units[name]
        self._stop(unit)
        with self._lock:
            del self._units[name]

    # --- knowing a process again --------------------------------------------------------------------------------------

    def _watch_over(self, unit: _Unit, identity: Identity, child: "subprocess.Popen[bytes] | None") -> None:
        unit.identity, unit.child = identity, child
        unit.started_ms = self._now_ms()
        with contextlib.suppress(OSError):
            unit.descriptor = os.pidfd_open(identity.pid)
        self._wake()

    def _forget_process(self, unit: _Unit) -> None:
        if unit.descriptor >= 0:
            os.close(unit.descriptor)
            unit.descriptor = -1
        unit.identity, unit.child = None, None

    def _pid_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.pid"

    def _write_pid_file(self, unit: _Unit, identity: Identity) -> None:
        record = {
            "pid": identity.pid,
            "started_ticks": identity.started_ticks,
            "slot": unit.launch.slot,
            "boot_id": self._boot_id,
        }
        aside = self._pid_file(f".{unit.launch.name}")
        # On a full disk the marks in its environment are enough to know the service again.
        with contextlib.suppress(OSError):
            aside.write_text(json.dumps(record), encoding="ascii")
            os.replace(aside, self._pid_file(unit.launch.name))

    def _leftovers(self) -> list[tuple[str, str, Identity]]:
        """Returns (service or process name, slot, identity) of what a former agent started, pid files first."""
        found: dict[Identity, tuple[str, str]] = {}
        for path in self._run_dir.glob("[!.]*.pid"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(path.read_text(encoding="ascii"))
                identity = Identity(int(record["pid"]), int(record["started_ticks"]))
                if record["boot_id"] == self._boot_id and processes.is_alive(identity):
                    found[identity] = (path.stem, str(record["slot"]))
        for mark, identity, environment in processes.marked(self._run_dir):
            kind, _, name = mark.partition(":")
            found.setdefault(identity, (name if kind == "service" else mark, environment.get(MARK_SLOT, "")))
        return [(name, slot, identity) for identity, (name, slot) in found.items()]

    # --- the watch ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _hands_on(self) -> Iterator[None]:
        """While work on services is in hand, the watch notes what ends but starts nothing."""
        with self._lock:
            self._is_converging = True
        try:
            yield
        finally:
            with self._lock:
                self._is_converging = False
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    def _watch(self) -> None:
        while not self._is_closed:
            self._wait_for_change()
            with self._lock:
                units = list(self._units.values())
                for unit in units:
                    self._note_end(unit)
                due = [] if self._is_converging else [unit for unit in units if self._is_due(unit)]
            for unit in due:
                self._start_again(unit)
            self._tidy()

    def _wait_for_change(self) -> None:
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        timeout_ms = TIDY_EVERY_MS
        with self._lock:
            for unit in self._units.values():
                if unit.descriptor >= 0:
                    poller.register(unit.descriptor, select.POLLIN)
                if unit.due_ms is not None and not self._is_converging:
                    timeout_ms = min(timeout_ms, max(0, unit.due_ms - self._now_ms()))
        poller.poll(timeout_ms)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _note_end(self, unit: _Unit) -> None:
        """Notices that a service ended by itself, and says when it is to be started again."""
        identity = unit.identity
        if identity is None or processes.is_alive(identity):
            return
        code = unit.child.wait() if unit.child is not None else None
        unit.last_exit = "ended" if code is None else f"exit code {code}" if code >= 0 else f"signal {-code}"
        self._forget_process(unit)
        now_ms = self._now_ms()
        unit.failures = 0 if now_ms - unit.started_ms >= STEADY_MS else unit.failures
        unit.due_ms = now_ms + min(BACKOFF_FIRST_MS << min(unit.failures, 16), BACKOFF_LAST_MS)
        unit.failures += 1
        self._log("service_ended", {"service": unit.launch.name, "pid": identity.pid, "exit": unit.last_exit})

    def _is_due(self, unit: _Unit) -> bool:
        return unit.due_ms is not None and unit.due_ms <= self._now_ms()

    def _start_again(self, unit: _Unit) -> None:
        with self._lock:
            if self._is_converging or unit.due_ms is None or self._units.get(unit.launch.name) is not unit:
                return
            unit.due_ms = None
            unit.restarts += 1
            try:
                self._spawn(unit)
            except PortError as error:
                unit.due_ms = self._now_ms() + BACKOFF_LAST_MS
                self._log("service_failed", {"service": unit.launch.name, "code": error.code, "text": error.message})

    def _tidy(self) -> None:
        if self._now_ms() < self._tidy_at_ms:
            return
        self._tidy_at_ms = self._now_ms() + TIDY_EVERY_MS
        for name in list(self._units):
            with contextlib.suppress(OSError):
                cut_output(self.output(name))


def cut_output(path: Path) -> None:
    """Moves the newest half of an output that is too long to `<path>.1` and starts it anew. Raises OSError.

    The service keeps its open file: it was opened for appending, so its next line lands at the new beginning. A line
    written between copy and cut is lost; that is the price of a service that need not know of rotation.
    """
    if path.stat().st_size <= OUTPUT_CAP_BYTES:
        return
    with open(path, "r+b") as file:
        file.seek(-OUTPUT_CAP_BYTES // 2, os.SEEK_END)
        Path(f"{path}.1").write_bytes(file.read(OUTPUT_CAP_BYTES))
        file.truncate(0)
