"""A real server in a process of its own, for tests of what talks to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
START = "from ringback.server.command import command; command()"


@contextmanager
def running_server(data: Path, *options: str) -> Iterator[str]:
    """Yields the address of a server that keeps its data in a folder; it is stopped in order at the end."""
    arguments = [sys.executable, "-c", START, "--data", str(data), "--port", "0", "--demo", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with (data.parent / f"{data.name}.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            assert said[:1] == ["ready"], (data.parent / f"{data.name}.log").read_text()
            yield said[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=15)
            assert process.stdout is not None
            process.stdout.close()
