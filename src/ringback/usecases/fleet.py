"""The read model: one tenant's whole fleet in memory, rebuilt from the store and the journal at every start.

Decides: what a saved change or a folded record means for the model. Never: does I/O, or changes in any other way than
by `apply` and `fold`.

- `apply` takes the very values that the store has just saved; `load` applies the rows that the store yields. One path.
- `revision` rises whenever something changes that a desired state may depend on, so a check-in of a device for which
  nothing changed costs one comparison.
- The fold is paced from outside: `dirty` names what is newer here than in the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ringback.ports import rows
from ringback.ports.changes import Change, Delete
from ringback.ports.rows import Row, key_of
from ringback.ports.store import FoldedRow
from ringback.usecases.device import ACCEPTED, Batch, Device, KeptRecord, Record
from ringback.usecases.document import Fragment
from ringback.usecases.report import NOTHING, PlaneSets, decode

DIRTY_PAGE_DEVICES = 128
"""Devices of one page lie near each other in the store; the fold goes page by page, in order of enrolment."""


class Fleet:
    """One tenant.

    Args:
        tenant_id: whose fleet it is.
        listening_since_ms: UTC ms when this server began to listen: nobody was silent before it.
    """

    def __init__(self, tenant_id: str, *, listening_since_ms: int) -> None:
        self.tenant_id = tenant_id
        self.listening_since_ms = listening_since_ms
        self.devices: dict[str, Device] = {}
        self.by_token: dict[bytes, Device] = {}
        self.by_serial: dict[str, Device] = {}
        self.fragments: dict[str, Fragment] = {}
        self.new_fragments: dict[str, Fragment] = {}
        self.unfolded_fragments: dict[str, Fragment] = {}
        self.claims: dict[bytes, rows.ClaimRow] = {}
        self.has_tenant = False
        self.operator_tokens: dict[bytes, rows.OperatorTokenRow] = {}
        self.served: set[str] = set()
        self.sets = PlaneSets()
        self.revision = 0
        self.applied_no = -1
        self.dirty: dict[int, set[str]] = {}
        self._texts: dict[str, str] = {}
        self._labels: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    # --- changes of operators and controller ---------------------------------------------------------------------

    def load(self, found: Iterable[Row]) -> None:
        """Take the rows that the store holds for this tenant, in the store's order."""
        for row in found:
            self._put(row)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take changes that the store has saved."""
        for change in changes:
            if isinstance(change, Delete):
                self._drop(change.row)
            else:
                self._put(change.row)
        self.revision += 1

    def _put(self, row: Row) -> None:
        match row:
            case rows.TenantRow():
                self.has_tenant = True
            case rows.DeviceRow():
                self._put_device(row)
            case rows.DeviceNowRow():
                self.devices[row.device_id].restore(row, self.sets, self.fragments)
                self.applied_no = max(self.applied_no, row.applied_no)
            case rows.PlaneSetRow():
                self.sets.load(row.set_id, row.document)
            case rows.FragmentRow():
                self.fragments[row.fragment_id] = Fragment(row.document)
            case rows.ClaimRow():
                self.claims[row.token_sha256] = row
            case rows.OperatorTokenRow():
                self.operator_tokens[row.token_sha256] = row
            case _:
                pass

    def _put_device(self, row: rows.DeviceRow) -> None:
        row = self._shared(row)
        device = self.devices.get(row.device_id)
        if device is None:
            device = self.devices[row.device_id] = Device(row, len(self.devices) // DIRTY_PAGE_DEVICES)
        else:
            self.by_token.pop(device.row.token_sha256, None)
            device.row = row
        self.by_token[row.token_sha256] = device
        if row.serial != row.device_id:
            self.by_serial[row.serial] = device

    def _shared(self, row: rows.DeviceRow) -> rows.DeviceRow:
        """Return the row with one object for each text that many devices share."""
        known = self._texts.setdefault
        return replace(
            row,
            tenant_id=self.tenant_id,
            serial=row.device_id if row.serial == row.device_id else row.serial,
            class_id=known(row.class_id, row.class_id),
            status=known(row.status, row.status),
            labels=self._labels.setdefault(row.labels, row.labels),
        )

    def _drop(self, row: Row) -> None:
        raise AssertionError(f"nothing of this kind is ever dropped: {key_of(row)}")

    # --- records of the journal -----------------------------------------------------------------------------------

    def fold(self, record: Record) -> None:
        """Take one record that the journal has kept."""
        device = record.device
        if record.no <= device.applied_no:
            return
        device.fold(record)
        self.applied_no = max(self.applied_no, record.no)
        self._is_dirty(device.row.device_id)

    def _is_dirty(self, device_id: str) -> None:
        page = self.devices[device_id].page
        waiting = self.dirty.get(page)
        if waiting is None:
            self.dirty[page] = {device_id}
        else:
            waiting.add(device_id)

    def replay(self, first_no: int, batch: Batch) -> None:
        """Take a batch that the journal kept before the last stop."""
        for document in batch.fragments:
            fragment = Fragment(document)
            self.fragments[fragment.fragment_id] = fragment
            self.unfolded_fragments[fragment.fragment_id] = fragment
        for place, kept in enumerate(batch.records):
            record = self._record(kept)
            if record is not None:
                record.no = first_no + place
                self.fold(record)
        self.applied_no = max(self.applied_no, first_no + len(batch.records) - 1)

    def _record(self, kept: KeptRecord) -> Record | None:
        device = self.devices.get(kept.device_id)
        if device is None or kept.tenant_id != self.tenant_id:
            return None
        report = decode(kept.body) if kept.body else None
        return Record(
            device,
            kept.at_ms,
            kept.body,
            report,
            self.sets.read(report.planes) if report else NOTHING,
            self.sets.read(report.confirmed) if report else NOTHING,
            issue=kept.issue,
            fragment=self.fragments.get(kept.issue.fragment_id) if kept.issue else None,
        )

    def keep_fragment(self, fragment: Fragment) -> Fragment:
        """Return the one fragment of this content; a new one goes into the journal with the next batch."""
        known = self.fragments.get(fragment.fragment_id)
        if known is not None:
            return known
        self.fragments[fragment.fragment_id] = fragment
        self.new_fragments[fragment.fragment_id] = fragment
        return fragment

    def fragments_are_kept(self, kept: Iterable[Fragment]) -> None:
        """Note that the journal has these fragments; the next fold takes them to the store."""
        for fragment in kept:
            self.unfolded_fragments[fragment.fragment_id] = self.new_fragments.pop(fragment.fragment_id)

    def take_dirty(self, page: int) -> list[FoldedRow]:
        """Return the rows of a page that are newer here than in the store, and call them clean."""
        return [self.devices[device_id].kept() for device_id in sorted(self.dirty.pop(page))]

    def still_dirty(self, taken: Iterable[FoldedRow]) -> None:
        """Take rows back that could not be stored."""
        for row in taken:
            if isinstance(row, rows.DeviceNowRow):
                self._is_dirty(row.device_id)

    # --- questions ------------------------------------------------------------------------------------------------

    def device_of_token(self, token_sha256: bytes) -> Device | None:
        """Return the device whose token has this hash, accepted or not."""
        return self.by_token.get(token_sha256)

    def device_of_serial(self, serial: str) -> Device | None:
        """Return the device that enrolled with this serial."""
        device = self.by_serial.get(serial) or self.devices.get(serial)
        return device if device is not None and device.row.serial == serial else None

    def is_published(self, sha256: str) -> bool:
        """Say whether a blob is the manifest or a file of a published artifact."""
        return sha256 in self.served

    def poll_ms(self, device: Device) -> int:
        """Return the time between check-ins of this device, or 0 where its class does not say."""
        return 0

    def accepted(self) -> Iterable[Device]:
        """Yield the devices that belong to the fleet."""
        return (device for device in self.devices.values() if device.row.status == ACCEPTED)
