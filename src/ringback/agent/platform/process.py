"""Backend `process`: a plane that is a set of services, run from a slot by the embedded supervisor. For the app.

It switches the pointer and says how the services of the active slot are started; stopping and starting them is done by
`box` through the supervisor, because a joint switch with models and config must happen while they are down.
"""

import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback.agent.files import Disk
from ringback.agent.manifest import Manifest, fill
from ringback.agent.platform.backend import RESTART
from ringback.agent.platform.slots import Slots
from ringback.agent.ports import Running
from ringback.agent.processes import MARK_RUN
from ringback.agent.store import ContentStore
from ringback.agent.supervisor import Launch

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What services see of the agent's environment; never its flags or secrets."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What services are told about the box."""

    run_dir: Path
    config: Path
    models: Path
    device: str
    python: str
    extra: Mapping[str, str]

    def environment(self, slot: Path) -> dict[str, str]:
        """Returns the environment of a process that belongs to the app in `slot`."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            **inherited,
            # A slot is what its digest says; byte code written into it would be something else.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.extra,
            "RINGBACK_DIR": str(slot),
            MARK_RUN: str(self.run_dir),
            "RINGBACK_CONFIG": str(self.config),
            "RINGBACK_MODELS": str(self.models),
            "RINGBACK_DEVICE": self.device,
        }

    def interpreter(self) -> str:
        """Returns what {python} stands for."""
        return self.python or sys.executable


class ProcessBackend:
    """One app plane.

    Args:
        plane: its name.
        folder: where its slots are.
        surroundings: what its services are told.
    """

    consequence = RESTART

    def __init__(
        self, plane: str, folder: Path, *, surroundings: Surroundings, disk: Disk, store: ContentStore
    ) -> None:
        self.plane = plane
        self._slots = Slots(folder, disk, store)
        self._surroundings = surroundings

    def stage(self, manifest: Manifest) -> None:
        """Builds the slot. Raises PortError."""
        self._slots.stage(manifest)

    def slot(self, digest: str) -> Path:
        """Returns a staged artifact's folder. Raises PortError."""
        return self._slots.path(digest)

    def manifest(self, digest: str) -> Manifest:
        """Returns a staged artifact's manifest. Raises PortError."""
        return self._slots.manifest(digest)

    def active(self) -> str:
        """Returns the digest that the pointer names."""
        return self._slots.active()

    def switch(self, digest: str) -> None:
        """Switches the pointer. Raises PortError."""
        self._slots.point(digest)

    def running(self) -> Running | None:
        """Returns what the pointer leads to, read back from its bytes."""
        digest = self.active()
        return self._slots.read_back(digest) if digest else None

    def keep(self, digests: Collection[str]) -> None:
        """Removes the other slots."""
        self._slots.keep(digests)

    def launches(self) -> list[Launch]:
        """Returns the services of the active slot in their order. Raises PortError RB-AGENT-031 when it is damaged."""
        digest = self.active()
        if not digest:
            return []
        slot = self.slot(digest)
        values = {"python": self._surroundings.interpreter(), "dir": str(slot)}
        environment = self._surroundings.environment(slot)
        return [
            Launch(
                name=service.name,
                slot=digest,
                argv=tuple(fill(service.argv, values)),
                environment=environment,
                cwd=self._surroundings.run_dir,
                ready_ms=service.ready_ms,
            )
            for service in self.manifest(digest).services
        ]
