"""Stops and freezes."""

from __future__ import annotations

from ringback.client.models.base import Answer, Request


class StopRequest(Request, frozen=True):
    """Stop everything where a selector holds."""

    where: str = ""
    reason: str = ""
    dry_run: bool = False


class Stop(Answer, frozen=True):
    """A stop. `id` is "" for a dry run.

    Attributes:
        withdrawn: offers taken back. beyond_recall: devices that were activating already. devices: all that match.
    """

    id: str
    where: str
    reason: str
    created_at_ms: int
    devices: int
    withdrawn: int = 0
    beyond_recall: int = 0


class FreezeRequest(Request, frozen=True):
    """Freeze an artifact, by reference (`artifact`) or by plane and digest."""

    artifact: str = ""
    plane: str = ""
    digest: str = ""
    reason: str = ""
    dry_run: bool = False


class Freeze(Answer, frozen=True):
    """A freeze. `id` is "" for a dry run; `rollout` is the rollout whose failure caused it, or "".

    Attributes:
        devices: that run the digest. beyond_recall: that were activating it already.
    """

    id: str
    plane: str
    artifact: str
    digest: str
    reason: str
    rollout: str
    created_at_ms: int
    devices: int
    beyond_recall: int = 0
