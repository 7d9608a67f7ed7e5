"""What the server's endpoints share: the fleet, the desk, and the adapters behind their ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ringback.ports.blobs import Blobs
from ringback.ports.clock import Clock
from ringback.ports.ids import Ids
from ringback.ports.signer import Signer
from ringback.server.desk import AsyncDesk
from ringback.server.settings import Settings
from ringback.usecases.fleet import Fleet

if TYPE_CHECKING:
    from ringback.server.device.committer import Committer


@dataclass(slots=True)
class Context:
    """One running server. `problems`: name of a part to what is wrong with it; empty when all is well."""

    settings: Settings
    fleet: Fleet
    desk: AsyncDesk
    committer: Committer
    blobs: Blobs
    signer: Signer
    clock: Clock
    ids: Ids
    problems: dict[str, str] = field(default_factory=dict)
