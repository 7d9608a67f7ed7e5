"""The state folder of one agent: where everything lies, and the lock that lets only one agent use it.

    <state>/device.toml        the owner's file (device_file)
    <state>/identity.json      who this box is (identity)
    <state>/journal/           the kernel's journal (storage)
    <state>/store/             files by hash (store)
    <state>/planes/<plane>/    slots and pointer of each plane (platform)
    <state>/models/            pointers that services read
    <state>/active/config.json the config that services read
    <state>/logs/              output of the services
    <state>/run/               sockets and pid files

Nobody else writes below it; what a service keeps, it keeps elsewhere or in the run folder.
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from ringback.agent.device_file import DeviceFile
from ringback.agent.errors import SetupError

LOCK_NAME = "agent.lock"


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths below one state folder."""

    state: Path
    run_dir: Path

    @property
    def journal(self) -> Path:
        """The kernel's journal."""
        return self.state / "journal"

    @property
    def store(self) -> Path:
        """Files by hash."""
        return self.state / "store"

    @property
    def models(self) -> Path:
        """Pointers to the active models."""
        return self.state / "models"

    @property
    def config(self) -> Path:
        """The active config."""
        return self.state / "active" / "config.json"

    @property
    def logs(self) -> Path:
        """Output of the services."""
        return self.state / "logs"


def of(state: Path, device_file: DeviceFile) -> Folder:
    """Returns the paths; creates nothing."""
    state = state.resolve()
    return Folder(state, Path(device_file.run_dir) if device_file.run_dir else state / "run")


def prepare(folder: Folder) -> None:
    """Makes the folders that must be there. Raises SetupError RB-AGENT-005."""
    for path in (folder.state, folder.run_dir, folder.logs):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError("RB-AGENT-005", f"cannot make {path}: {error.strerror}") from error


def lock(folder: Folder) -> int:
    """Takes the folder for this process until it ends; returns the descriptor that holds it.

    Raises:
        SetupError: RB-AGENT-002 another agent has it, RB-AGENT-005 the folder cannot be written.
    """
    path = folder.state / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError("RB-AGENT-005", f"cannot write in {folder.state}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        hint = "see what it does with: ringback agent status --state DIR"
        raise SetupError("RB-AGENT-002", f"another agent runs on {folder.state}", hint=hint) from error
    return descriptor
