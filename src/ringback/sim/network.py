"""The virtual network: who can reach the server, and how long an answer takes.

Decides: latency (from the seed and the device's name, so that two runs agree) and reachability. Never: changes what is
said.
"""

import hashlib
from collections.abc import Callable, Iterable

from ringback.agent.ports import CheckinAnswer, PortError

LATENCY_LEAST_MS = 5
LATENCY_SPREAD_MS = 60


class Network:
    """The network of one world.

    Args:
        seed: of the world.
        now_ms: UTC ms of the world.
    """

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        self._seed = seed
        self._now_ms = now_ms
        self._cut: set[str] = set()
        self._server_down_until_ms = 0

    def cut(self, devices: Iterable[str]) -> None:
        """Takes the network from devices."""
        self._cut.update(devices)

    def mend(self, devices: Iterable[str]) -> None:
        """Gives it back."""
        self._cut.difference_update(devices)

    def take_server_down(self, for_ms: int) -> None:
        """The server answers nobody for a while."""
        self._server_down_until_ms = self._now_ms() + for_ms

    def reaches(self, device: str) -> bool:
        return device not in self._cut and self._now_ms() >= self._server_down_until_ms

    def require(self, device: str) -> None:
        """Raises PortError when the device cannot reach the server."""
        if not self.reaches(device):
            raise PortError("RB-AGENT-010", "the server could not be reached", retry=True)

    def latency_ms(self, device: str) -> int:
        """The time from a question to its answer: the same for a device throughout a run."""
        digest = hashlib.sha256(f"{self._seed}/latency/{device}".encode()).digest()
        return LATENCY_LEAST_MS + int.from_bytes(digest[:2], "big") % LATENCY_SPREAD_MS


class VirtualTransport:
    """Check-ins of one device over the virtual network."""

    def __init__(self, device: str, network: Network, ask: Callable[[bytes], CheckinAnswer]) -> None:
        self._device = device
        self._network = network
        self._ask = ask

    def checkin(self, body: bytes) -> CheckinAnswer:
        self._network.require(self._device)
        return self._ask(body)
