"""What every backend offers, and the contract that tests/agent/backends holds against each of them.

The contract:

- `stage` never touches what is active. After it, `switch` needs no network and no more room than one pointer.
- `switch` is atomic and durable: after a crash anywhere inside it the plane runs wholly the old or wholly the new.
- Everything may be run again from the start after a crash, and ends the same.
- `running` reads back what is there, down to the bytes; it never repeats what somebody remembered.
- `keep` removes every other slot, and never the active one.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from ringback.agent.manifest import Manifest
from ringback.agent.ports import Running

RESTART = "restart"
"""The consequence of a switch after which the app's services start anew. Any other one names what services read."""


class Backend(Protocol):
    """One plane of this box."""

    plane: str
    consequence: str

    def stage(self, manifest: Manifest) -> None:
        """Puts an artifact from the content store into a slot. Raises PortError."""
        ...

    def slot(self, digest: str) -> Path:
        """Returns the folder of a staged artifact, after proving its bytes. Raises PortError RB-AGENT-031."""
        ...

    def manifest(self, digest: str) -> Manifest:
        """Returns the manifest of a staged artifact. Raises PortError RB-AGENT-031."""
        ...

    def active(self) -> str:
        """Returns the digest that the pointer names, empty when the plane holds nothing."""
        ...

    def switch(self, digest: str) -> None:
        """Makes a staged artifact the active one; an empty digest empties the plane. Raises PortError."""
        ...

    def running(self) -> Running | None:
        """Returns what is active, its digest computed from the bytes on the disk; None when nothing is."""
        ...

    def keep(self, digests: Collection[str]) -> None:
        """Removes every slot but these and the active one."""
        ...
