"""The stage: the server, the six boxes and the simulated fleet as processes, in one folder.

Decides: what is started, in which order, and how all of it ends. Never: what is rolled out; that is the story's.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from ringback.client import Client
from ringback.demo import fleet
from ringback.demo.boxes import Box
from ringback.demo.goods import Goods
from ringback.demo.livefleet import LiveFleet
from ringback.demo.processes import DemoError, Process, Undertaker, end, program, write_kept
from ringback.sim.measured import to_file
from ringback.sim.orders import FleetFile

SERVER_TIMEOUT_S = 30.0
POLL_MS = 600
TICK_MS = 100
FOLD_MS = 500
KEPT_FILE = "processes.json"
# Paths of Unix sockets have room for about 100 bytes on every system; services put theirs below the folder.
FOLDER_LIMIT = 60


def make_folder() -> Path:
    """A fresh folder with a short path, for sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="rb-"))
    if len(str(folder)) > FOLDER_LIMIT:
        shutil.rmtree(folder)
        folder = Path("/tmp") / f"rb-{secrets.token_hex(4)}"  # noqa: S108 - made private and exclusive below
        folder.mkdir(mode=0o700)
    return folder


class Stage:
    """Everything that runs, and where it lives."""

    def __init__(self, folder: Path, goods: Goods) -> None:
        self.folder = folder
        self.goods = goods
        # Children must find this package also where it is used without being installed.
        self._env = {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "PYTHONUNBUFFERED": "1"}
        self.url = ""
        self.server = Process("server", [], self._env, folder / "server.log", folder)
        self.boxes: dict[str, Box] = {}
        self.fleet = LiveFleet(folder, self._env)
        self._undertaker = Undertaker(self._env, folder)
        self._undertaker.start()

    def start_server(self, *, port: int = 0) -> None:
        """Starts the server and waits until it says where it listens.

        Raises:
            DemoError: it did not; the text has the end of its log.
        """
        options = ("--data", str(self.folder / "server"), "--port", str(port), "--demo", "--auto-accept")
        pace = ("--poll-ms", str(POLL_MS), "--tick-ms", str(TICK_MS), "--fold-ms", str(FOLD_MS))
        self.server.argv = program("ringback.server.command", *options, *pace)
        self.server.start(stdout=subprocess.PIPE)
        popen = self.server.popen
        assert popen is not None
        assert popen.stdout is not None
        line = popen.stdout.readline().decode().strip()
        if not line.startswith("ready "):
            raise DemoError(f"the server did not start: {line or self.server.log_tail()}")
        self.url = line.removeprefix("ready ")
        self._undertaker.mind(self.server)

    def restart_server(self) -> float:
        """Starts the server again on the same port; returns the seconds until it answers."""
        began_s = time.monotonic()
        self.start_server(port=urlsplit(self.url).port or 0)
        return time.monotonic() - began_s

    def environment(self) -> dict[str, str]:
        """The environment of a command of this installation."""
        return {**os.environ, **self._env}

    def client(self) -> Client:
        """A client of the API, as an operator on this machine."""
        return Client(self.url)

    def start_devices(self, claim: str) -> None:
        """Starts the boxes and the simulated fleet, and waits until the fleet is enrolled."""
        for spec in fleet.BOXES:
            box = Box(spec, self.folder, url=self.url, claim=claim, env=self._env)
            box.prepare()
            self.boxes[spec.name] = box
            self.start_box(box)
        where = urlsplit(self.url)
        self.fleet.start(
            FleetFile(
                host=where.hostname or "127.0.0.1",
                port=where.port or 0,
                claim=claim,
                families=list(fleet.FAMILIES.values()),
                devices=fleet.simulated(),
                measured=to_file(self.goods.measured),
            )
        )

    def start_box(self, box: Box) -> None:
        """Starts the agent of a box, for the first time or again."""
        box.start()
        self._undertaker.mind(box.process)

    @property
    def processes(self) -> list[Process]:
        return [*(box.process for box in self.boxes.values()), self.fleet.process, self.server]

    def keep(self) -> Path:
        """Leaves everything running, and writes down what; returns the file."""
        self.fleet.detach()
        self._undertaker.forget()
        path = self.folder / KEPT_FILE
        write_kept(path, self.processes)
        return path

    def strike(self) -> None:
        """Ends everything and removes the folder."""
        self._undertaker.forget()
        end([process for process in self.processes if process.is_alive], self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
