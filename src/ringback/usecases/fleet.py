"""The read model: one tenant's whole fleet in memory, rebuilt from the store and the journal at every start.

Decides: what a saved change or a folded record means for the model. Never: does I/O, or changes in any other way than
by `apply` and `fold`.

- `apply` takes the very values that the store has just saved; `load` applies the rows that the store yields. One path.
- `revision` rises whenever something changes that a desired state may depend on, so a check-in of a device for which
  nothing changed costs one comparison.
- The fold is paced from outside: `dirt` names what is newer here than in the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ringback.plan.catalog import Catalog
from ringback.plan.inventory import DeviceFacts
from ringback.ports import rows
from ringback.ports.changes import Change, Delete
from ringback.ports.rows import Row
from ringback.spec.device_class import DeviceClass
from ringback.spec.selector import parse_selector, with_reserved
from ringback.usecases import order as orders
from ringback.usecases import trial as trials
from ringback.usecases.course import OFFERING, RETURNING, Course
from ringback.usecases.device import ACCEPTED, Batch, Device, KeptRecord, Record
from ringback.usecases.dirt import Dirt
from ringback.usecases.document import Fragment, Kind
from ringback.usecases.fragments import Fragments
from ringback.usecases.matching import Matcher
from ringback.usecases.published import Published
from ringback.usecases.report import NOTHING, PlaneSet, PlaneSets, Report, decode

DIRTY_PAGE_DEVICES = 128
"""Devices of one page lie near each other in the store; the fold goes page by page, in order of enrolment."""

Pairs = tuple[tuple[str, str], ...]


class Fleet:
    """One tenant.

    Args:
        tenant_id: whose fleet it is.
        listening_since_ms: UTC ms when this server began to listen: nobody was silent before it.
    """

    def __init__(self, tenant_id: str, *, listening_since_ms: int) -> None:
        self.tenant_id = tenant_id
        self.listening_since_ms = listening_since_ms
        self.has_tenant = False
        self.revision = 0
        self.applied_no = -1
        # devices
        self.devices: dict[str, Device] = {}
        self.by_token: dict[bytes, Device] = {}
        self.by_serial: dict[str, Device] = {}
        self.by_class: Counter[str] = Counter()
        self.by_set: Counter[PlaneSet] = Counter()
        self.sets = PlaneSets()
        # what is published
        self.published = Published()
        # what is wanted
        self.courses: dict[str, Course] = {}
        self.drawn_seats: dict[str, Mapping[str, int]] = {}
        self.rollout_rows: dict[str, rows.RolloutRow] = {}
        self.orders: dict[str, rows.DeviceOrderRow] = {}
        self.active_orders: dict[str, dict[str, rows.DeviceOrderRow]] = defaultdict(dict)
        self.commands: dict[str, dict[int, rows.CommandRow]] = defaultdict(dict)
        self.stops: dict[str, rows.StopRow] = {}
        self.freezes: dict[str, rows.FreezeRow] = {}
        self.frozen: dict[tuple[str, str], rows.FreezeRow] = {}
        self.stopped: set[Device] = set()
        self.offering: list[Course] = []
        self.returning: list[Course] = []
        # what was told
        self.fragments = Fragments()
        self.steady: dict[tuple[str, int, PlaneSet, Pairs], Fragment] = {}
        # access
        self.claims: dict[bytes, rows.ClaimRow] = {}
        self.operator_tokens: dict[bytes, rows.OperatorTokenRow] = {}
        self.audit_seq = 0
        # the fold
        self.dirt = Dirt()
        self._frozen_on: dict[str, Pairs] = {}
        self._texts: dict[str, str] = {}
        self._labels: dict[Pairs, Pairs] = {}
        self._is_loading = False

    # --- changes of operators and controller ----------------------------------------------------------------------

    def load(self, found: Iterable[Row]) -> None:
        """Take the rows that the store holds for this tenant, in the store's order."""
        self._is_loading = True
        for row in found:
            self._put(row)
        self._is_loading = False
        self._sort_courses()
        self._find_stopped()

    def started(self) -> None:
        """Work out memberships after loading and replaying, and give everyone a full heartbeat to be heard."""
        for course in self.courses.values():
            course.rewatch()
            for device in self.accepted():
                course.seat(device)
            for trial in course.trials.values():
                course.put(trial, self.devices.get(trial.deployment.device_id))

    def apply(self, changes: Iterable[Change]) -> None:
        """Take changes that the store has saved."""
        for change in changes:
            if isinstance(change, Delete):
                self._drop(change.row)
            else:
                self._put(change.row)
        self._sort_courses()
        self.revision += 1

    def _put(self, row: Row) -> None:
        match row:
            case rows.DeviceRow():
                self._put_device(row)
            case rows.DeviceNowRow():
                self._restore(row)
            case rows.RolloutRow():
                self._put_rollout(row)
            case rows.DeploymentRow():
                course = self.courses.get(row.rollout_id)
                if course is not None:
                    course.put(trials.trial_from(row.document), self.devices.get(row.device_id))
            case rows.DeviceOrderRow():
                self._put_order(row)
            case rows.CommandRow():
                self.commands[row.device_id][row.command_id] = row
            case rows.StopRow():
                self.stops[row.stop_id] = row
                if not self._is_loading:
                    self._find_stopped()
            case rows.FreezeRow():
                self.freezes[row.freeze_id] = row
                self.frozen[row.plane, row.digest] = row
                self._frozen_on.clear()
            case _:
                self._put_rest(row)

    def _put_rest(self, row: Row) -> None:
        match row:
            case rows.TenantRow():
                self.has_tenant = True
            case rows.FragmentRow():
                self.fragments.load(row.document, is_stored=True)
            case rows.PlaneSetRow():
                self.sets.load(row.set_id, row.document)
            case rows.ClaimRow():
                self.claims[row.token_sha256] = row
            case rows.AuditRow():
                self.audit_seq = row.seq
            case rows.OperatorTokenRow():
                self.operator_tokens[row.token_sha256] = row
            case _:
                self.published.put(row)  # or history, which is asked for when someone wants to see it

    def _drop(self, row: Row) -> None:
        match row:
            case rows.StopRow():
                del self.stops[row.stop_id]
                self._find_stopped()
            case rows.ClaimRow():
                del self.claims[row.token_sha256]
            case rows.DeviceOrderRow():
                del self.orders[row.order_id]
            case rows.CommandRow():
                del self.commands[row.device_id][row.command_id]
            case rows.FragmentRow():
                del self.fragments.by_id[row.fragment_id]
            case rows.PlaneSetRow():
                self.sets.forget(row.set_id)
            case rows.AnswerRow() | rows.DeploymentRow():
                pass  # not in memory: of rollouts that are over, or asked for by key
            case rows.FreezeRow():
                del self.freezes[row.freeze_id]
                del self.frozen[row.plane, row.digest]
                self._frozen_on.clear()
            case _:
                raise AssertionError(f"nothing of this kind is ever dropped: {type(row).__name__}")

    def _put_device(self, row: rows.DeviceRow) -> None:
        row = self._shared(row)
        device = self.devices.get(row.device_id)
        if device is None:
            device = self.devices[row.device_id] = Device(row, len(self.devices) // DIRTY_PAGE_DEVICES)
            self.by_set[device.running] += 1
        else:
            self.by_token.pop(device.row.token_sha256, None)
            self.by_class[device.row.class_id] -= 1
            device.row = row
        self.by_class[row.class_id] += 1
        self.by_token[row.token_sha256] = device
        if row.serial != row.device_id:
            self.by_serial[row.serial] = device
        if not self._is_loading:
            self._seat(device)

    def _seat(self, device: Device) -> None:
        self.stopped.discard(device)
        if any(matches(device) for matches in self._brakes()):
            self.stopped.add(device)
        if device.row.status == ACCEPTED:
            for course in self.courses.values():
                course.seat(device)

    def _restore(self, row: rows.DeviceNowRow) -> None:
        device = self.devices[row.device_id]
        self.by_set[device.running] -= 1
        device.restore(row, self.sets, self.fragments.by_id)
        self.by_set[device.running] += 1
        self.applied_no = max(self.applied_no, row.applied_no)

    def _shared(self, row: rows.DeviceRow) -> rows.DeviceRow:
        """Return the row with one object for each text that many devices share."""
        known = self._texts.setdefault
        return replace(
            row,
            tenant_id=self.tenant_id,
            serial=row.device_id if row.serial == row.device_id else row.serial,
            class_id=known(row.class_id, row.class_id),
            status=known(row.status, row.status),
            mode=known(row.mode, row.mode),
            labels=self._labels.setdefault(row.labels, row.labels),
        )

    def _put_rollout(self, row: rows.RolloutRow) -> None:
        self.rollout_rows[row.rollout_id] = row
        course = self.courses.get(row.rollout_id)
        if course is not None:
            course.moved(row)
            if course.is_over:
                self._end(course)
            return
        course = Course(
            row,
            self.published.releases[row.release_id].yaml,
            catalog=self.catalog,
            labels_of=self.labels_of,
            family_of=self.family,
        )
        if course.is_over:
            return
        self.courses[row.rollout_id] = course
        seats = self.drawn_seats.pop(row.rollout_id, None)
        if seats is not None:
            course.seat_all(seats, self.devices)
        elif not self._is_loading:
            for device in self.accepted():
                course.seat(device)

    def _end(self, course: Course) -> None:
        del self.courses[course.rollout_id]
        for trial in course.trials.values():
            device = self.devices.get(trial.deployment.device_id)
            if device is not None and device.busy_with == course.rollout_id:
                device.busy_with = ""

    def _sort_courses(self) -> None:
        ordered = sorted(self.courses.values(), key=lambda course: course.rollout_id)
        self.offering = [course for course in ordered if course.rollout.state in OFFERING]
        self.returning = [course for course in ordered if course.rollout.state in RETURNING]

    def _put_order(self, row: rows.DeviceOrderRow) -> None:
        self.orders[row.order_id] = row
        device = self.devices.get(row.device_id)
        if row.state in orders.ACTIVE:
            self.active_orders[row.device_id][row.order_id] = row
            if device is not None and row.state != orders.WAITING:
                device.busy_with = row.order_id
        else:
            self.active_orders[row.device_id].pop(row.order_id, None)
            if device is not None and device.busy_with == row.order_id:
                device.busy_with = ""

    def _find_stopped(self) -> None:
        brakes = self._brakes()
        self.stopped = set()
        if brakes:
            self.stopped.update(
                device for device in self.devices.values() if any(matches(device) for matches in brakes)
            )

    # --- records of the journal -----------------------------------------------------------------------------------

    def fold(self, record: Record) -> None:
        """Take one record that the journal has kept."""
        device = record.device
        if record.issue is not None:
            self._redeem(record)
        if record.no <= device.applied_no:
            return
        if record.report is not None:
            if device.busy_with or device.fragment is not None or record.report.deploy is not None:
                self._heard(record, record.report)
            if record.report.cmds:
                self._commands_done(device.row.device_id, record.report)
        if record.issue is not None and record.fragment is not None:
            self._told(record, record.fragment)
        before = device.running
        device.fold(record)
        if device.running is not before:
            self.by_set[before] -= 1
            self.by_set[device.running] += 1
        self.applied_no = max(self.applied_no, record.no)
        self.dirt.device(device)

    def give_back(self, record: Record) -> None:
        """Forget a record that could not be kept: its device is looked at anew, what it took is free again."""
        record.device.settled = -1
        self._redeem(record)

    def _heard(self, record: Record, report: Report) -> None:
        device = record.device
        device_id = device.row.device_id
        named = {device.busy_with}
        if report.deploy is not None:
            named.add(report.deploy.rollout)
        if device.fragment is not None:
            named.add(device.fragment.origin.rollout)
        for rollout_id in named:
            course = self.courses.get(rollout_id)
            trial = None if course is None else course.trials.get(device_id)
            if course is not None and trial is not None:
                self._put_trial(course, trials.heard(trial, report, record), before=trial)
        for order in list(self.active_orders.get(device_id, {}).values()):
            self._move_order(order, orders.after_report(order, report, record))

    def _told(self, record: Record, fragment: Fragment) -> None:
        device = record.device
        course = self.courses.get(fragment.origin.rollout)
        if course is not None and fragment.origin.kind is not Kind.STEADY:
            before = course.trials.get(device.row.device_id)
            trial = trials.told(before, record, stratum=self.family(device))
            self._put_trial(course, trial, before=before)
        for order in list(self.active_orders.get(device.row.device_id, {}).values()):
            self._move_order(order, orders.after_issue(order, record))

    def _put_trial(self, course: Course, trial: trials.Trial, *, before: trials.Trial | None) -> None:
        if trial is before:
            return
        device_id = trial.deployment.device_id
        course.put(trial, self.devices.get(device_id))
        self.dirt.rest(device_id, self.trial_row(course, trial))

    def trial_row(self, course: Course, trial: trials.Trial) -> rows.DeploymentRow:
        """Return a trial as the store keeps it."""
        deployment = trial.deployment
        return rows.DeploymentRow(
            self.tenant_id, course.rollout_id, deployment.device_id, deployment.outcome, trials.trial_bytes(trial)
        )

    def _move_order(self, before: rows.DeviceOrderRow, after: rows.DeviceOrderRow) -> None:
        if after is not before:
            self._put_order(after)
            self.dirt.rest(after.device_id, after)

    def _commands_done(self, device_id: str, report: Report) -> None:
        queued = self.commands.get(device_id)
        if not queued:
            return
        for number, state in report.cmds:
            row = queued.get(number)
            if row is not None and row.state == "queued":
                after = replace(row, state="done" if state == "done" else "failed")
                queued[number] = after
                self.dirt.rest(device_id, after)

    def replay(self, first_no: int, batch: Batch) -> None:
        """Take a batch that the journal kept before the last stop."""
        for document in batch.fragments:
            self.fragments.load(document, is_stored=False)
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
            fragment=self.fragments.by_id.get(kept.issue.fragment_id) if kept.issue else None,
        )

    def _redeem(self, record: Record) -> None:
        """Take back what a record held while it was on its way."""
        if record.granted_by is not None:
            record.granted_by.in_flight -= 1
            record.granted_by = None
        if record.is_pledged and record.fragment is not None:
            self.fragments.redeem(record.fragment)
            record.is_pledged = False

    # --- questions ------------------------------------------------------------------------------------------------

    def device_of_token(self, token_sha256: bytes) -> Device | None:
        """Return the device whose token has this hash, accepted or not."""
        return self.by_token.get(token_sha256)

    def device_of_serial(self, serial: str) -> Device | None:
        """Return the device that enrolled with this serial."""
        device = self.by_serial.get(serial) or self.devices.get(serial)
        return device if device is not None and device.row.serial == serial else None

    def accepted(self) -> Iterator[Device]:
        """Yield the devices that belong to the fleet."""
        return (device for device in self.devices.values() if device.row.status == ACCEPTED)

    @property
    def catalog(self) -> Catalog:
        """Return the device classes and artifacts, as the planner sees them."""
        return self.published.catalog

    def is_published(self, sha256: str) -> bool:
        """Say whether a blob is the manifest or a file of a published artifact."""
        return sha256 in self.published.served

    def poll_ms(self, device: Device) -> int:
        """Return the time between check-ins of this device, or 0 where its class does not say."""
        device_class = self.catalog.classes.get(device.row.class_id)
        return 0 if device_class is None else device_class.policy.poll_ms

    def family(self, device: Device) -> str:
        """Return the hardware family of a device; its class where nobody registered that."""
        device_class = self.catalog.classes.get(device.row.class_id)
        return device.row.class_id if device_class is None else device_class.family

    def labels_of(self, device: Device) -> dict[str, str]:
        """Return a device's labels with the reserved ones: class, family, device."""
        row = device.row
        return with_reserved(dict(row.labels), device=row.device_id, class_id=row.class_id, family=self.family(device))

    def facts(self) -> list[DeviceFacts]:
        """Return the accepted devices as the planner sees them."""
        labels = {pairs: dict(pairs) for pairs in self._labels}
        return [
            DeviceFacts(
                device.row.device_id,
                device.row.class_id,
                labels[device.row.labels],
                device.running.pairs,
                device.confirmed.pairs,
            )
            for device in self.accepted()
        ]

    def _brakes(self) -> list[Matcher]:
        return [Matcher(parse_selector(row.where), self.labels_of) for row in self.stops.values()]

    def frozen_on(self, device_class: DeviceClass) -> Pairs:
        """Return what is frozen on the planes of a class, sorted."""
        known = self._frozen_on.get(device_class.id)
        if known is None:
            planes = {plane.name for plane in device_class.planes}
            known = tuple(sorted(pair for pair in self.frozen if pair[0] in planes))
            self._frozen_on[device_class.id] = known
        return known

    def order_of(self, device: Device) -> rows.DeviceOrderRow | None:
        """Return the newest order that is not over for a device."""
        waiting = self.active_orders.get(device.row.device_id)
        return waiting[max(waiting)] if waiting else None

    def rollouts_of(self, release_id: str) -> list[str]:
        """Return the rollouts of a release, oldest first."""
        return sorted(row.rollout_id for row in self.rollout_rows.values() if row.release_id == release_id)

    def running_count(self, digest: str) -> int:
        """Return how many devices say that they run an artifact."""
        return sum(count for each, count in self.by_set.items() if digest in each.digests.values())
