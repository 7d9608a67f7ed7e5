"""Devices, their planes, claims and commands."""

from __future__ import annotations

import msgspec

from ringback.client.models.base import Answer, Request


class PlaneState(Answer, frozen=True):
    """One plane of one device. References are empty where nobody published that digest; digests where nothing is there.

    Attributes:
        running: what the device says it runs.
        desired: what it was told to run.
        confirmed: last-known-good.
        previous: last-known-good before that.
        stable: what `recover --to-stable` would bring it to.
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
    stable: str = ""
    stable_digest: str = ""
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
    rung: list[str] = msgspec.field(default_factory=list)
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
    """Everything about a device. `mode`: normal | safe-mode; `readings`: latest readings by name."""

    id: str
    serial: str
    device_class: str
    family: str
    labels: dict[str, str]
    status: str
    mode: str
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
    unknown_digests: list[str] = msgspec.field(default_factory=list)


class DeviceStatus(Answer, frozen=True):
    """Whether a device belongs to the fleet: pending | accepted | revoked. `generation` is that of its row."""

    id: str
    status: str
    generation: int


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
