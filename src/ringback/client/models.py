"""Every body of the operator API, one struct each. The server encodes them, the client decodes them.

- Instants are UTC ms (`_at_ms`); shares are parts per million (`_ppm`); digests are `sha256:<64 hex>`.
- Unknown fields in an answer are ignored (a newer server may say more); in a request they are refused.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Answer(msgspec.Struct, frozen=True, omit_defaults=False):
    """Base of everything the server says."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything a client asks."""


class Page(Answer, Generic[Item], frozen=True):
    """A part of a list. `next` is the cursor of the following part, None at the end."""

    items: list[Item]
    next: str | None = None


class ErrorBody(Answer, frozen=True):
    """Every error, everywhere."""

    code: str
    message: str
    fields: dict[str, str]
    hint: str


class Health(Answer, frozen=True):
    """Whether the server lives and can take work. `checks`: name to "ok" or what is wrong."""

    ok: bool
    checks: dict[str, str]


# --- devices ----------------------------------------------------------------------------------------------------------


class PlaneState(Answer, frozen=True):
    """One plane of one device. References are empty where nobody published that digest; digests where nothing is there.

    Attributes:
        running: what the device says it runs.
        desired: what it was told to run.
        confirmed: last-known-good.
        previous: what it ran before its last deployment that changed this plane.
        is_unknown: the running digest is none that was ever published here.
    """

    plane: str
    running: str = ""
    running_digest: str = ""
    running_version: str = ""
    desired: str = ""
    desired_digest: str = ""
    confirmed: str = ""
    confirmed_digest: str = ""
    previous: str = ""
    previous_digest: str = ""
    is_unknown: bool = False


class DeviceOutcome(Answer, frozen=True):
    """How the last deployment of a device ended, as the device says it."""

    generation: int
    kind: str
    rollout: str = ""
    code: str = ""
    rule: str = ""
    plane: str = ""
    reading: int | None = None
    operator: str = ""
    limit: int | None = None
    rung: list[str] = []
    healthy: bool | None = None
    drill: bool = False
    detect_ms: int | None = None
    recover_ms: int | None = None
    text: str = ""


class DeviceBrief(Answer, frozen=True):
    """One line about a device.

    Attributes:
        status: pending | accepted | revoked.
        state: what its agent is doing: idle, fetching, trial, ...
        is_silent: not heard for three times its interval, counted while the server listened.
        planes: plane to running version.
        generation: newest desired state issued; `have_generation`: newest the device said it has.
    """

    id: str
    device_class: str
    family: str
    labels: dict[str, str]
    status: str
    state: str
    is_silent: bool
    last_report_at_ms: int | None
    planes: dict[str, str]
    generation: int
    have_generation: int
    flags: list[str]
    rollout: str = ""


class Device(Answer, frozen=True):
    """Everything about a device. `readings`: latest readings by name; `labels` as enrolled."""

    id: str
    serial: str
    device_class: str
    family: str
    labels: dict[str, str]
    status: str
    state: str
    is_silent: bool
    enrolled_at_ms: int
    last_report_at_ms: int | None
    agent: str
    boot_id: str
    boots: int
    up_ms: int
    generation: int
    have_generation: int
    row_generation: int
    flags: list[str]
    planes: list[PlaneState]
    outcome: DeviceOutcome | None
    readings: dict[str, int]
    commands: list[Command]
    rollout: str = ""
    unknown_digests: list[str] = []


class Command(Answer, frozen=True):
    """One command of a device's queue. `state`: queued | done | failed."""

    id: int
    kind: str
    arg: str
    state: str
    created_at_ms: int


class CommandRequest(Request, frozen=True):
    """A command from the closed list: reboot, restart (arg: service), bundle."""

    kind: str
    arg: str = ""


class Claim(Answer, frozen=True):
    """Lets devices enrol. `token` is only in the answer that made it."""

    id: str
    uses_left: int
    expires_at_ms: int
    auto_accept: bool
    created_at_ms: int
    token: str = ""


class ClaimRequest(Request, frozen=True):
    """`auto_accept` None: as the server's `--auto-accept` says."""

    uses: int = 1
    ttl_ms: int = 86_400_000
    auto_accept: bool | None = None
