"""The whole at a glance."""

from __future__ import annotations

from ringback.client.models.base import Answer
from ringback.client.models.brakes import Freeze, Stop
from ringback.client.models.rollouts import RolloutBrief


class Disk(Answer, frozen=True):
    """The disk of the data folder."""

    free_bytes: int
    used_ppm: int


class DeviceCounts(Answer, frozen=True):
    """Devices by status, and what concerns them now."""

    total: int
    accepted: int
    pending: int
    revoked: int
    silent: int
    busy: int
    safe_mode: int
    stopped: int


class Status(Answer, frozen=True):
    """The whole at a glance. `warnings`: what is weak or wrong, with what to do."""

    version: str
    now_at_ms: int
    listening_since_at_ms: int
    tenant: str
    devices: DeviceCounts
    states: dict[str, int]
    rollouts: list[RolloutBrief]
    stops: list[Stop]
    freezes: list[Freeze]
    warnings: list[str]
    disk: Disk


class Audit(Answer, frozen=True):
    """One thing that was done. `object`: what the path named; `actor`: loopback, or a token."""

    seq: int
    at_ms: int
    actor: str
    action: str
    object: str
    reason: str
