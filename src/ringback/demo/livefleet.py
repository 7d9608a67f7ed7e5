"""The demo's end of a live fleet: starts its program, gives it orders, and reads its answers.

Decides: nothing.
"""

import subprocess
import threading
from pathlib import Path

import msgspec

from ringback.demo.processes import DemoError, Process, program
from ringback.sim.orders import DeviceLine, FactLine, FleetFile, Order, Reply, Truth


class LiveFleet:
    """Hundreds of simulated devices in one child process."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        argv = program("ringback.sim.command", "fleet", str(folder / "fleet.json"))
        self.process = Process("fleet", argv, env, folder / "fleet.log", folder)

    def start(self, file: FleetFile) -> None:
        """Starts the fleet and waits until every device is enrolled.

        Raises:
            DemoError: it did not come up; the text has the end of its log.
        """
        (self._folder / "fleet.json").write_bytes(msgspec.json.encode(file))
        self.process.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._read()

    def truth(self) -> Truth:
        truth = self._ask(Order("truth")).truth
        assert truth is not None
        return truth

    def facts(self, since: int = 0) -> tuple[list[FactLine], int]:
        """Facts from number `since` on, and the number of the next one."""
        reply = self._ask(Order("facts", since=since))
        return reply.facts, reply.next

    def devices(self, *names: str) -> list[DeviceLine]:
        return self._ask(Order("devices", list(names))).devices

    def cut(self, *names: str) -> None:
        """Takes the network from these devices."""
        self._ask(Order("cut", list(names)))

    def mend(self, *names: str) -> None:
        """Gives it back."""
        self._ask(Order("mend", list(names)))

    def power(self, *names: str, off_ms: int = 500) -> None:
        """Cuts the power of these devices for a while."""
        self._ask(Order("power", list(names), off_ms=off_ms))

    def detach(self) -> None:
        """Lets the fleet live on when the demo ends."""
        self._ask(Order("detach"))

    def _ask(self, order: Order) -> Reply:
        with self._lock:
            popen = self.process.popen
            assert popen is not None
            assert popen.stdin is not None
            try:
                popen.stdin.write(msgspec.json.encode(order) + b"\n")
                popen.stdin.flush()
            except BrokenPipeError as error:
                raise DemoError(f"the simulated fleet has ended: {self.process.log_tail()}") from error
            return self._read()

    def _read(self) -> Reply:
        popen = self.process.popen
        assert popen is not None
        assert popen.stdout is not None
        line = popen.stdout.readline()
        if not line:
            raise DemoError(f"the simulated fleet has ended: {self.process.log_tail()}")
        reply = msgspec.json.decode(line, type=Reply)
        if reply.error:
            raise DemoError(f"the simulated fleet refused an order: {reply.error}")
        return reply
