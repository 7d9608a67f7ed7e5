"""What is kept: one frozen dataclass per table. Every key begins with the tenant.

Decides: names and types of what is stored. Never: behaviour.

- Instants are UTC ms (`_at_ms`) by the server's clock; durations `_ms`; sizes `_bytes`.
- `generation` counts changes of one row; a change names the generation that it read (see `changes.Advance`).
- A column of `bytes` named `document` holds canonical JSON, decoded by the use case that owns it.
- History (decision, audit) is only ever inserted.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A customer of the platform; owner of everything below. Key: tenant_id."""

    tenant_id: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """Who a device is. Changes rarely. Key: tenant_id, device_id.

    Attributes:
        status: pending | accepted | revoked.
        mode: normal | safe-mode; safe-mode = the workload is stopped until an operator says normal.
        updates_paused: nothing newly activates until an operator says so.
        token_sha256: SHA-256 of its bearer token; the token itself is never kept.
        labels: sorted (name, value) pairs.
    """

    tenant_id: str
    device_id: str
    serial: str
    class_id: str
    labels: tuple[tuple[str, str], ...]
    status: str
    mode: str
    updates_paused: bool
    token_sha256: bytes
    enrolled_at_ms: int
    generation: int


@dataclass(frozen=True, slots=True)
class DeviceNowRow:
    """What a device last said and was last told. Written by the fold, newest only. Key: tenant_id, device_id.

    Attributes:
        applied_no: number of the newest journal record in it; a replay skips what is not newer.
        document: what the server keeps of its newest report and of what it was told, MessagePack.
    """

    tenant_id: str
    device_id: str
    applied_no: int
    document: bytes


@dataclass(frozen=True, slots=True)
class FragmentRow:
    """The part of a desired state that many devices share. Immutable. Key: tenant_id, fragment_id (a SHA-256)."""

    tenant_id: str
    fragment_id: str
    document: bytes


@dataclass(frozen=True, slots=True)
class PlaneSetRow:
    """Which artifact on which plane: a set that devices run or have confirmed. Immutable. Key: tenant_id, set_id."""

    tenant_id: str
    set_id: int
    document: bytes


@dataclass(frozen=True, slots=True)
class DeviceClassRow:
    """A device class, one immutable version of it. Key: tenant_id, class_id, version."""

    tenant_id: str
    class_id: str
    version: int
    document: bytes
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A tenant has uploaded these bytes. Key: tenant_id, sha256 (hexadecimal)."""

    tenant_id: str
    sha256: str
    size_bytes: int
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """A published artifact. Immutable. Key: tenant_id, digest (`sha256:...`); unique: tenant_id, reference.

    Attributes:
        reference: `plane/name@version`; names exactly one digest for ever.
        document: the manifest, exact bytes: their SHA-256 is the digest.
    """

    tenant_id: str
    digest: str
    reference: str
    plane: str
    document: bytes
    published_at_ms: int


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release document as its author wrote it. Immutable. Key: tenant_id, release_id."""

    tenant_id: str
    release_id: str
    yaml: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A release moving over the fleet. Key: tenant_id, rollout_id (UUIDv7).

    Attributes:
        state: the controller's state, for queries; the truth is in `document`.
        document: the controller's whole memory of the rollout.
        plan: the plan it follows, fixed when it started.
    """

    tenant_id: str
    rollout_id: str
    release_id: str
    state: str
    document: bytes
    plan: bytes
    created_at_ms: int
    generation: int


@dataclass(frozen=True, slots=True)
class RingRow:
    """One ring of a rollout. Opening it is one row, whatever its size. Key: tenant_id, rollout_id, ring_index."""

    tenant_id: str
    rollout_id: str
    ring_index: int
    name: str
    opened_at_ms: int | None
    document: bytes
    generation: int


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One release on one device. Key: tenant_id, rollout_id, device_id.

    Written by the fold, and by the controller where only time has passed (silence, proof, withdrawal).
    """

    tenant_id: str
    rollout_id: str
    device_id: str
    outcome: str
    document: bytes


@dataclass(frozen=True, slots=True)
class CohortRow:
    """Devices of a rollout folded by minute, kept after the deployments themselves are gone.

    Key: tenant_id, rollout_id, family, minute_at_ms.
    """

    tenant_id: str
    rollout_id: str
    family: str
    minute_at_ms: int
    entered_count: int
    failed_count: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision of the controller or of an operator about a rollout. Key: tenant_id, rollout_id, seq."""

    tenant_id: str
    rollout_id: str
    seq: int
    at_ms: int
    document: bytes


@dataclass(frozen=True, slots=True)
class StopRow:
    """Nothing newly activates where the selector holds. Key: tenant_id, stop_id."""

    tenant_id: str
    stop_id: str
    where: str
    reason: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class FreezeRow:
    """Nobody newly activates this digest on this plane. Key: tenant_id, freeze_id; unique: tenant, plane, digest."""

    tenant_id: str
    freeze_id: str
    plane: str
    digest: str
    reason: str
    rollout_id: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class DeviceOrderRow:
    """What an operator wants on one device, rollouts aside: a push, its way back, or a recovery.

    Key: tenant_id, order_id (UUIDv7).

    Attributes:
        kind: push | push-back | recover.
        goal: sorted (plane, digest) pairs.
        before: what the device ran on these planes when the order was given.
        state: waiting | offered | entered | done | failed | refused | withdrawn.
        document: how it ended, as the device said it (JSON); empty until then.
        first_generation: the generation it was first issued under; 0 before.
        undoes: the order whose way back this is; empty else.
    """

    tenant_id: str
    order_id: str
    device_id: str
    kind: str
    goal: tuple[tuple[str, str], ...]
    before: tuple[tuple[str, str], ...]
    state: str
    attempt: int
    first_generation: int
    document: bytes
    reason: str
    undoes: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command of a closed list for one device. Key: tenant_id, device_id, command_id (rises per device).

    Attributes:
        state: queued | done | failed.
    """

    tenant_id: str
    device_id: str
    command_id: int
    kind: str
    arg: str
    state: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A token that lets devices enrol. Key: tenant_id, claim_id.

    Attributes:
        uses_left: enrolments that it still allows.
        expires_at_ms: UTC ms; no enrolment at or after it.
        auto_accept: devices need no operator to be accepted.
    """

    tenant_id: str
    claim_id: str
    token_sha256: bytes
    uses_left: int
    expires_at_ms: int
    auto_accept: bool
    created_at_ms: int
    generation: int


@dataclass(frozen=True, slots=True)
class OperatorTokenRow:
    """An operator's or a machine's access. Key: tenant_id, token_id."""

    tenant_id: str
    token_id: str
    token_sha256: bytes
    name: str
    role: str
    expires_at_ms: int | None
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when and why. Only ever inserted. Key: tenant_id, seq."""

    tenant_id: str
    seq: int
    at_ms: int
    actor: str
    action: str
    object_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """Which controller acts on a rollout. Key: tenant_id, rollout_id.

    Attributes:
        holder: the controller's own random name.
        until_at_ms: UTC ms; from then on another one may take it.
    """

    tenant_id: str
    rollout_id: str
    holder: str
    until_at_ms: int
    generation: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What was answered under an Idempotency-Key, so that a repeated request changes nothing. Key: tenant_id, key.

    Attributes:
        request_sha256: of method, path and body; the same key with another request is refused.
    """

    tenant_id: str
    key: str
    request_sha256: bytes
    status: int
    body: bytes
    created_at_ms: int


Row = (
    TenantRow
    | DeviceRow
    | FragmentRow
    | PlaneSetRow
    | DeviceNowRow
    | DeviceClassRow
    | BlobRow
    | ArtifactRow
    | ReleaseRow
    | RolloutRow
    | RingRow
    | DeploymentRow
    | CohortRow
    | DecisionRow
    | StopRow
    | FreezeRow
    | DeviceOrderRow
    | CommandRow
    | ClaimRow
    | OperatorTokenRow
    | AuditRow
    | LeaseRow
    | AnswerRow
)
"""Any row."""

KEYS: dict[type[Row], tuple[str, ...]] = {
    TenantRow: ("tenant_id",),
    DeviceRow: ("tenant_id", "device_id"),
    FragmentRow: ("tenant_id", "fragment_id"),
    PlaneSetRow: ("tenant_id", "set_id"),
    DeviceNowRow: ("tenant_id", "device_id"),
    DeviceClassRow: ("tenant_id", "class_id", "version"),
    BlobRow: ("tenant_id", "sha256"),
    ArtifactRow: ("tenant_id", "digest"),
    ReleaseRow: ("tenant_id", "release_id"),
    RolloutRow: ("tenant_id", "rollout_id"),
    RingRow: ("tenant_id", "rollout_id", "ring_index"),
    DeploymentRow: ("tenant_id", "rollout_id", "device_id"),
    CohortRow: ("tenant_id", "rollout_id", "family", "minute_at_ms"),
    DecisionRow: ("tenant_id", "rollout_id", "seq"),
    StopRow: ("tenant_id", "stop_id"),
    FreezeRow: ("tenant_id", "freeze_id"),
    DeviceOrderRow: ("tenant_id", "order_id"),
    CommandRow: ("tenant_id", "device_id", "command_id"),
    ClaimRow: ("tenant_id", "claim_id"),
    OperatorTokenRow: ("tenant_id", "token_id"),
    AuditRow: ("tenant_id", "seq"),
    LeaseRow: ("tenant_id", "rollout_id"),
    AnswerRow: ("tenant_id", "key"),
}
"""The key of each table, in order. Tables are loaded in this order, too: what is named comes before what names it."""


UNIQUE: dict[type[Row], tuple[str, ...]] = {
    ArtifactRow: ("tenant_id", "reference"),
    FreezeRow: ("tenant_id", "plane", "digest"),
}
"""Further columns that no two rows may share."""

UNLOADED: tuple[type[Row], ...] = (DecisionRow, AuditRow, AnswerRow, LeaseRow, CohortRow, RingRow)
"""Tables that are asked one row at a time or page by page: no part of the read model."""


def key_of(row: Row) -> tuple[str | int, ...]:
    """Return a row's key, tenant first."""
    return tuple(getattr(row, name) for name in KEYS[type(row)])
