"""Backend `directory`: a plane that is a folder, switched by one symlink. For models.

Services read `<models>/<name>`, which leads through the plane's pointer into the active slot. A switch restarts
nothing: the services that read models are told to look again.
"""

from collections.abc import Collection
from pathlib import Path

from ringback.agent.files import Disk
from ringback.agent.manifest import Manifest
from ringback.agent.platform.slots import POINTER, Slots
from ringback.agent.ports import Running
from ringback.agent.store import ContentStore


class DirectoryBackend:
    """One model plane.

    Args:
        plane: its name, for example `model/face`.
        folder: where its slots are.
        models: the folder that services get as RINGBACK_MODELS; this plane appears in it under its last name.
    """

    consequence = "model"

    def __init__(self, plane: str, folder: Path, *, models: Path, disk: Disk, store: ContentStore) -> None:
        self.plane = plane
        self._slots = Slots(folder, disk, store)
        self._disk = disk
        self._entry = models / plane.rpartition("/")[2]
        disk.make_folder(models)

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
        # The entry in the models folder is fixed: it always leads through the pointer, so one rename switches all.
        wanted = str(self._slots.folder / POINTER)
        if digest and not (self._entry.is_symlink() and self._entry.readlink() == Path(wanted)):
            self._disk.point(self._entry, wanted)
        self._slots.point(digest)
        if not digest and self._entry.is_symlink():
            self._disk.remove(self._entry)

    def running(self) -> Running | None:
        """Returns what the pointer leads to, read back from its bytes."""
        digest = self.active()
        return self._slots.read_back(digest) if digest else None

    def keep(self, digests: Collection[str]) -> None:
        """Removes the other slots."""
        self._slots.keep(digests)
