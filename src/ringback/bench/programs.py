"""Programs that a benchmark starts and watches: servers and load generators, each a process of its own.

CPU time is that of the whole process tree: it survives a busy neighbour, requests per second do not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from ringback.bench.load import Load, Measured

SERVER = ("-c", "from ringback.server.command import command; command()")
BARE = ("-m", "ringback.bench.bare")


class Program:
    """A started server."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = process
        self._watched = psutil.Process(process.pid)

    def cpu_s(self) -> float:
        """Return CPU seconds spent so far, children included."""
        family = [self._watched, *self._watched.children(recursive=True)]
        return float(sum(each.cpu_times().user + each.cpu_times().system for each in family))

    def memory_mb(self) -> float:
        """Return resident memory, children included."""
        family = [self._watched, *self._watched.children(recursive=True)]
        return float(sum(each.memory_info().rss for each in family)) / 1_000_000

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()


@contextmanager
def program(*arguments: str) -> Iterator[Program]:
    """Start a Python program that says `ready <address>`; stop it at the end."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready "):
        talk = process.communicate(timeout=30)[1]
        raise RuntimeError(f"{' '.join(arguments[:2])} did not start: {talk}")
    try:
        yield Program(process, int(line.rsplit(":", 1)[1]))
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def server(data: Path, *options: str) -> Iterator[Program]:
    """Start a Ringback server on a data folder."""
    with program(*SERVER, "--data", str(data), "--port", "0", "--log-level", "error", *options) as started:
        yield started


def drive(load: Load) -> Measured:
    """Send a load from a process of its own and return what came back."""
    done = subprocess.run(
        [sys.executable, "-m", "ringback.bench.load"],
        input=msgspec.json.encode(load) + b"\n",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.decode()}")
    return msgspec.json.decode(done.stdout, type=Measured)
