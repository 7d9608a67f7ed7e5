"""The demo's child processes: started with a log file each, ended together, restarted by whoever plays the crash.

Decides: how a process is started and ended. Never: leaves one behind, unless the demo was told to keep them; then the
file `processes.json` names each by id and start time, so that a later `ringback demo --stop` ends these and no other.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

END_TIMEOUT_S = 8.0
LOG_TAIL_BYTES = 4000


class DemoError(Exception):
    """The demo can't go on: a process does not start, or something it needs is missing. The text says what to do."""


@dataclass(slots=True)
class Process:
    """One child. `name` is also the name of its log."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    popen: "subprocess.Popen[bytes] | None" = None

    def start(self, *, stdin: int = subprocess.DEVNULL, stdout: int | None = None) -> None:
        """Starts it in a session of its own, so that Ctrl-C in the terminal reaches only the demo."""
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.argv,
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def kill(self) -> None:
        """Kills it at once and waits until it is gone: the crash of the story."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def signal(self, number: int) -> None:
        if self.is_alive:
            os.kill(self.pid, number)

    def log_tail(self) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()


def program(module: str, *args: str) -> list[str]:
    """The command line of a program of this installation, by the module of its command; needs no entry points."""
    return [sys.executable, "-c", f"from {module} import command; command()", *args]


def end(processes: Sequence[Process], *, timeout_s: float = END_TIMEOUT_S) -> None:
    """Asks all to end, waits, and kills those that do not."""
    for process in processes:
        process.signal(signal.SIGINT)
    deadline_s = time.monotonic() + timeout_s
    for process in processes:
        if process.popen is None:
            continue
        try:
            process.popen.wait(max(0.1, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            _kill_tree(process.pid)
            process.popen.wait()


def write_kept(path: Path, processes: Sequence[Process]) -> None:
    """Writes down which processes are left running."""
    rows = [
        {"name": p.name, "pid": p.pid, "started": psutil.Process(p.pid).create_time()} for p in processes if p.is_alive
    ]
    path.write_text(json.dumps(rows, indent=1))


def end_kept(path: Path) -> list[str]:
    """Ends the processes written down by `write_kept`; a reused process id is left alone. Returns the names ended."""
    ended = []
    for row in json.loads(path.read_text()):
        try:
            process = psutil.Process(row["pid"])
            if abs(process.create_time() - row["started"]) > 1.0:
                continue
            _kill_tree(row["pid"])
            ended.append(str(row["name"]))
        except psutil.NoSuchProcess:
            continue
    path.unlink()
    return ended


def _kill_tree(pid: int) -> None:
    """Ends a process and its children: asks first, then kills."""
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for process in family:
        _quietly(process.terminate)
    for process in psutil.wait_procs(family, timeout=3)[1]:
        _quietly(process.kill)


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
