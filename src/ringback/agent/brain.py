"""Makes the kernel's `Core` for a Linux box: identity, capabilities, verifier."""

import os
from collections.abc import Mapping

from ringback import __version__
from ringback.agent.device_file import DeviceFile
from ringback.agent.driver import Brain
from ringback.agent.identity import Identity
from ringback.agent.storage import FileStorage
from ringback_kernel import core, ecdsa


def capabilities_of(device_file: DeviceFile) -> dict[str, int | str]:
    """Returns what artifacts may require of this box: what its owner says, and what can be measured."""
    page_bytes, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return {"ram_mb": pages * page_bytes >> 20, "arch": os.uname().machine, **device_file.capabilities}


def identity_object(identity: Identity, capabilities: Mapping[str, int | str]) -> dict[str, object]:
    """Returns the identity as the kernel reads it."""
    return {
        "device": identity.device,
        "tenant": identity.tenant,
        "class": identity.device_class,
        "capabilities": dict(capabilities),
        "root": identity.director_root,
        "agent_version": __version__,
    }


def make(identity: Identity, device_file: DeviceFile, storage: FileStorage) -> Brain:
    """Returns the kernel's core on this journal."""
    known = identity_object(identity, capabilities_of(device_file))
    brain: Brain = core.Core(storage, known, ecdsa.verify)
    return brain
