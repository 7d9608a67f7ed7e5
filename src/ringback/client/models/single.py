"""Orders to single devices, and recovery."""

from __future__ import annotations

from ringback.client.models.base import Answer, Request
from ringback.client.models.devices import DeviceOutcome


class RecoverRequest(Request, frozen=True):
    """Recover devices. `to`: stable | safe-mode | normal; `planes` None or empty = all (stable only)."""

    to: str
    planes: list[str] | None = None
    where: str = ""
    reason: str = ""
    dry_run: bool = False


class Recovery(Answer, frozen=True):
    """What a recovery comes to: devices selected, devices that change, planes that go back, orders made."""

    to: str
    devices: int
    changed: list[str]
    planes: list[str]
    orders: list[str]
    dry_run: bool


class PushRequest(Request, frozen=True):
    """Bring one artifact (digest or reference) to one device."""

    artifact: str
    device: str
    reason: str = ""
    dry_run: bool = False


class PushBackRequest(Request, frozen=True):
    """Bring a device back to what it ran before a push."""

    reason: str = ""
    dry_run: bool = False


class Push(Answer, frozen=True):
    """An order to one device.

    Attributes:
        kind: push | push-back | recover.
        state: waiting | offered | entered | done | failed | refused | withdrawn.
        goal, before: plane to artifact (a digest where nobody published it).
        undoes: the push whose way back this is.
    """

    id: str
    kind: str
    state: str
    device: str
    goal: dict[str, str]
    before: dict[str, str]
    reason: str
    created_at_ms: int
    outcome: DeviceOutcome | None
    undoes: str
    text: str
