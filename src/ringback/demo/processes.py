"""The demo's child processes: started with a log file each, ended together, restarted by whoever plays the crash.

Decides: how a process is started and ended. Never: leaves one behind, unless the demo was told to keep them; then the
file `processes.json` names each by id and start time, so that a later `ringback demo --stop` ends these and no other.
"""

import json
import os
import signal
import subprocess
import sys
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

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.popen.poll() if self.popen is not None else None
        if code is None:
            return "not started" if self.popen is None else "running"
        return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

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


class Undertaker:
    """The program that ends all others if the demo goes without a word."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        argv = [sys.executable, "-m", "ringback.demo.undertaker", str(folder)]
        self._process = Process("undertaker", argv, env, folder / "undertaker.log", folder)

    def start(self) -> None:
        self._process.start(stdin=subprocess.PIPE)

    def mind(self, process: Process) -> None:
        """Puts a process into its care."""
        self._write(str(process.pid))

    def forget(self) -> None:
        """Lets everything live on, or be gone already; the undertaker ends."""
        self._write("keep")
        popen = self._process.popen
        if popen is not None and popen.stdin is not None:
            popen.stdin.close()
            popen.wait()

    def _write(self, line: str) -> None:
        popen = self._process.popen
        if popen is not None and popen.stdin is not None:
            popen.stdin.write(line.encode() + b"\n")
            popen.stdin.flush()


def end(processes: Sequence[Process], folder: Path) -> None:
    """Asks all to end, waits, and kills those that do not, and whatever else was started from the demo's folder."""
    end_trees([process.pid for process in processes if process.is_alive], folder)
    for process in processes:
        if process.popen is not None:
            process.popen.wait()


def write_kept(path: Path, processes: Sequence[Process]) -> None:
    """Writes down which processes are left running."""
    rows = [
        {"name": each.name, "pid": each.pid, "started": psutil.Process(each.pid).create_time()}
        for each in processes
        if each.is_alive
    ]
    path.write_text(json.dumps(rows, indent=1))


def end_kept(path: Path) -> list[str]:
    """Ends the processes written down by `write_kept`; a reused process id is left alone. Returns the names ended."""
    found = {}
    for row in json.loads(path.read_text()):
        try:
            if abs(psutil.Process(row["pid"]).create_time() - row["started"]) <= 1.0:
                found[row["pid"]] = str(row["name"])
        except psutil.NoSuchProcess:
            continue
    end_trees(list(found), path.parent)
    path.unlink()
    return list(found.values())


def end_trees(pids: Sequence[int], folder: Path) -> None:
    """Ends processes, everything below them, and all that runs from a folder of the demo's own: asks, waits, kills.

    An agent that is asked as Ctrl-C would ends its services. One that was killed left them behind; they run from the
    folder.
    """
    roots, family = [], []
    for pid in pids:
        try:
            root = psutil.Process(pid)
            family += [*root.children(recursive=True), root]
            roots.append(root)
        except psutil.NoSuchProcess:
            continue
    for root in roots:
        _quietly(lambda root=root: root.send_signal(signal.SIGINT))  # type: ignore[misc]
    for process in [*psutil.wait_procs(family, timeout=END_TIMEOUT_S)[1], *_started_from(folder)]:
        _quietly(process.kill)


def _started_from(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names a folder; the folder's name is random, so they are ours."""
    mine = os.getpid()
    found = psutil.process_iter(["pid", "cmdline"])
    return [
        each for each in found if each.pid != mine and any(str(folder) in part for part in each.info["cmdline"] or ())
    ]


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
