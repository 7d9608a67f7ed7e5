"""What Linux says about processes, and how this package starts, watches and ends them.

Invariants:

- A process is known by pid *and* start time; both are compared before it is signalled or adopted.
- What is started gets a session of its own; ending it ends the whole process group, also what it forked.
- A process outlives the agent. The agent finds it again by two marks in its environment: the run folder and a name.

Source: proc(5), pidfd_open(2), setsid(2).
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK_RUN = "RINGBACK_RUN"
MARK_NAME = "RINGBACK_PROCESS"
"""Name of what runs: `service:<name>` or `probe:<name>`."""

OUTPUT_LIMIT_BYTES = 1 << 20
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
CHILDREN_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for as long as it lives: pid and its start time in clock ticks since boot."""

    pid: int
    started_ticks: int


def identity_of(pid: int) -> Identity | None:
    """Returns who has this pid, or None when nobody does or only a zombie."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in {"Z", "X"}:
        return None
    return Identity(pid, int(fields[19]))


def is_alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    return identity_of(identity.pid) == identity


def _stat_fields(pid: int) -> list[str] | None:
    """Returns the fields of /proc/<pid>/stat from the state on; the name before may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode("ascii", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def rss_kb(pid: int) -> int:
    """Returns the resident memory of a process and its descendants in KiB; 0 when it is gone."""
    total_kb = 0
    waiting, seen = [pid], 0
    while waiting and seen < CHILDREN_LIMIT:
        current = waiting.pop()
        seen += 1
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{current}/statm", encoding="ascii") as file:
                total_kb += int(file.read().split()[1]) * PAGE_KB
            with open(f"/proc/{current}/task/{current}/children", encoding="ascii") as file:
                waiting += [int(child) for child in file.read().split()]
    return total_kb


def marked(run_dir: Path) -> Iterator[tuple[str, Identity, dict[str, str]]]:
    """Yields (name, identity, environment) of each session leader that was started for this run folder."""
    wanted = os.fsencode(f"{MARK_RUN}={run_dir}")
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                parts = file.read().split(b"\0")
        except OSError:
            continue
        if wanted not in parts:
            continue
        fields, identity = _stat_fields(pid), identity_of(pid)
        if fields is None or identity is None or int(fields[3]) != pid:
            continue
        pairs = (os.fsdecode(part).partition("=") for part in parts if b"=" in part)
        environment = {name: value for name, _, value in pairs}
        yield environment.get(MARK_NAME, ""), identity, environment


def end_group(identity: Identity, *, grace_ms: int) -> None:
    """Ends a session leader and its group: asks first (SIGTERM), kills after `grace_ms`. Blocks until it is gone."""
    if is_alive(identity):
        _signal_group(identity.pid, signal.SIGTERM)
        wait_gone(identity, grace_ms)
    # Also when the leader is gone: what it forked may still run in its group.
    _signal_group(identity.pid, signal.SIGKILL)
    wait_gone(identity, 2000)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def wait_gone(identity: Identity, timeout_ms: int) -> bool:
    """Waits until a process has ended, child or not; returns whether it has."""
    deadline_s = time.monotonic() + timeout_ms / 1000
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return True
    try:
        if not is_alive(identity):
            return True
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(max(0, (deadline_s - time.monotonic()) * 1000)))
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a short-lived program ended. `is_late` means that it was killed for taking too long."""

    code: int
    output: bytes
    error_tail: str
    is_late: bool


def run_bounded(argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path, timeout_ms: int) -> Outcome:
    """Runs a program in a session of its own, with a hard timeout and a bounded output. Raises OSError: not startable.

    Its whole process group is killed at the end, however it ended: a program that forks leaves nothing behind.
    """
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        output, error, is_late = _collect(child, time.monotonic() + timeout_ms / 1000)
        is_late = is_late or not _has_ended(child.pid, wait=True)
    finally:
        # Before the leader is reaped: until then nobody else can get its pid, so the group is surely its own.
        _signal_group(child.pid, signal.SIGKILL)
        code = child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    return Outcome(code, output, error.decode("utf-8", "replace")[-400:], is_late)


def _has_ended(pid: int, *, wait: bool) -> bool:
    """Whether a child has ended, without reaping it; `wait` gives it a second."""
    deadline_s = time.monotonic() + (1.0 if wait else 0.0)
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(0.005)
    return True


def _collect(child: "subprocess.Popen[bytes]", deadline_s: float) -> tuple[bytes, bytes, bool]:
    """Reads both pipes until they close, the program ends, or the deadline. What is beyond the limit is thrown away."""
    assert child.stdout is not None and child.stderr is not None
    kept = {child.stdout.fileno(): bytearray(), child.stderr.fileno(): bytearray()}
    open_pipes = set(kept)
    poller = select.poll()
    for descriptor in kept:
        os.set_blocking(descriptor, False)
        poller.register(descriptor, select.POLLIN)
    is_late = False
    while open_pipes:
        left_ms = (deadline_s - time.monotonic()) * 1000
        if left_ms <= 0:
            is_late = True
            break
        # A grandchild may hold a pipe open after the program has ended: look for its end, too.
        events = poller.poll(min(left_ms, 50))
        for descriptor, _ in events:
            chunk = os.read(descriptor, 65536)
            if not chunk:
                poller.unregister(descriptor)
                open_pipes.discard(descriptor)
            elif len(kept[descriptor]) < OUTPUT_LIMIT_BYTES:
                kept[descriptor] += chunk
        if not events and _has_ended(child.pid, wait=False):
            break
    return bytes(kept[child.stdout.fileno()]), bytes(kept[child.stderr.fileno()]), is_late
