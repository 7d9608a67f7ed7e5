"""The server of a virtual world: the production use cases, read model and controller, in one thread and in memory.

Decides: nothing. It calls the same functions as the real server, in the same order: a report is folded before it is
answered, a decision is saved before the next one is made. Never: stores anything outside the process.
"""

import hashlib
import json
import random
from collections.abc import Callable
from zlib import crc32

import msgspec

from ringback.adapters.memory import MemoryBlobs, MemoryJournal, MemoryKeys, MemoryStore
from ringback.agent.ports import CheckinAnswer, PortError
from ringback.control import Command, CommandKind
from ringback.errors import RingbackError
from ringback.plan.refusal import Refusal
from ringback.ports.changes import Insert
from ringback.ports.rows import ClaimRow, DecisionRow, LeaseRow, TenantRow
from ringback.sim.brain import director_keys
from ringback.sim.facts import Fact, Frozen, Published, RingOpened, RolloutBegan, Stopped
from ringback.sim.identity import DeviceSpec, Enrolled
from ringback.usecases import brakes, checkin, enrol, publish, rollouts, tick
from ringback.usecases.device import Batch, Record, decode_batch
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Desk

TENANT = "default"
CLAIM_USES = 1_000_000
DAY_MS = 86_400_000
LEASE_MS = 10_000
DECISIONS_PER_TICK = 32
POLL_DEFAULT_MS = 60_000
BLOB_LIMIT_BYTES = 64 * 1024 * 1024


class SeededIds:
    """Identifiers from a seed, so that two runs have the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids/{seed}")
        self._count = 0

    def uuid7(self, now_ms: int) -> str:
        self._count += 1
        high = (now_ms << 16) | 0x7000 | self._count % 4096
        digits = f"{high:016x}{(1 << 63) | self._random.getrandbits(62):016x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def token(self) -> str:
        return f"{self._random.getrandbits(256):064x}"

    def short(self) -> str:
        return "".join(self._random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(8))


class InProcessServer:
    """One tenant's server.

    Args:
        now_ms: UTC ms of the world.
        seed: of the world.
        note: told what operators and controller did.
    """

    def __init__(self, now_ms: Callable[[], int], seed: int, note: Callable[[Fact], None]) -> None:
        self._now_ms = now_ms
        self._note = note
        self._ids = SeededIds(seed)
        self._number = 0
        self._rings: dict[str, int] = {}
        self._store = MemoryStore()
        self._journal = MemoryJournal()
        self._blobs = MemoryBlobs()
        self._signer = MemoryKeys(now_ms=now_ms())
        self._store.save([Insert(TenantRow(TENANT, now_ms()))])
        self.fleet, self.desk = self._load()
        self._claim = self._make_claim()

    def restart(self) -> None:
        """Forgets everything that is not in the store or the journal, as after kill -9, and reads it back."""
        self.fleet, self.desk = self._load()

    def _load(self) -> tuple[Fleet, Desk]:
        fleet = Fleet(TENANT, listening_since_ms=self._now_ms())
        fleet.load(self._store.load(TENANT))
        for first_no, batch in self._journal.replay():
            fleet.replay(first_no, decode_batch(batch))
        fleet.started()
        return fleet, Desk(fleet, self._store)

    def director_keys(self) -> list[bytes]:
        """Public keys (DER) that may sign desired states."""
        return director_keys(self._signer.root)

    # --- devices ------------------------------------------------------------------------------------------------------

    def enrol(self, spec: DeviceSpec) -> Enrolled:
        """Lets a device join."""
        joined = self.desk.run(
            lambda fleet: enrol.enrol(
                fleet,
                claim_token=self._claim,
                serial=spec.name,
                class_id=spec.device_class,
                labels=spec.labels,
                ids=self._ids,
                now_ms=self._now_ms(),
            )
        )
        return Enrolled(joined.device.device_id, TENANT, joined.token, self._signer.root)

    def checkin(self, enrolled: Enrolled, body: bytes, heard: Callable[[bytes], None]) -> CheckinAnswer:
        """Takes a report and answers it, as the real endpoint does; `heard` is told the answer."""
        try:
            device = checkin.authenticate(self.fleet, enrol.hash_of(enrolled.token))
            checked = checkin.receive(self.fleet, device, body, now_ms=self._now_ms(), signer=self._signer)
        except RingbackError as error:
            raise PortError("RB-AGENT-010", str(error), retry=True) from error
        if checked.record is not None:
            self._keep(checked.record)
        poll_ms = self.fleet.poll_ms(device) or POLL_DEFAULT_MS
        draw = crc32(b"%d" % device.seq, crc32(device.row.device_id.encode())) % 2001
        heard(checked.document or b"")
        status = 200 if checked.document else 204
        return CheckinAnswer(status, checked.document or b"", poll_ms * (9_000 + draw) // 10_000, self._now_ms())

    def _keep(self, record: Record) -> None:
        """Journals one record, then folds it: what the real committer does for many at once."""
        fragments = list(self.fleet.fragments.fresh.values())
        batch = Batch([record.kept()], [fragment.document for fragment in fragments])
        self._journal.append(self._number, msgspec.msgpack.encode(batch))
        self.fleet.fragments.are_kept(fragments)
        record.no = self._number
        self._number += 1
        self.fleet.fold(record)

    def manifest(self, digest: str) -> bytes | None:
        return self._read(digest.removeprefix("sha256:"))

    def blob(self, sha256: str) -> bytes | None:
        return self._read(sha256)

    def _read(self, sha256: str) -> bytes | None:
        if self._blobs.size_bytes(sha256) is None:
            return None
        return self._blobs.read(sha256, limit_bytes=BLOB_LIMIT_BYTES)

    # --- operators ----------------------------------------------------------------------------------------------------

    def add_class(self, text: str) -> None:
        """Registers a device class."""
        self.desk.run(lambda fleet: publish.create_class(fleet, text, now_ms=self._now_ms()))

    def publish(self, manifest: bytes, blobs: dict[str, bytes]) -> str:
        """Publishes an artifact; `blobs` are its files by SHA-256. Returns its digest."""
        for sha256, data in {**blobs, hashlib.sha256(manifest).hexdigest(): manifest}.items():
            self._upload(sha256, data)
        made = self.desk.run(
            lambda fleet: publish.publish_artifact(fleet, manifest, blobs=self._blobs, now_ms=self._now_ms())
        )
        requires = {need.subject: str(need.constraint) for need in made.requires}
        self._note(Published(self._now_ms(), "", made.digest, made.plane, str(made.version), requires))
        return made.digest

    def _upload(self, sha256: str, data: bytes) -> None:
        upload = self._blobs.upload(sha256, announced_bytes=len(data), limit_bytes=BLOB_LIMIT_BYTES)
        upload.write(data)
        size_bytes = upload.finish()
        self.desk.run(lambda fleet: publish.note_blob(fleet, sha256, size_bytes=size_bytes, now_ms=self._now_ms()))

    def release(self, text: str) -> str:
        """Registers a release; returns its id."""
        return self.desk.run(lambda fleet: publish.create_release(fleet, text, now_ms=self._now_ms())).id

    def start_rollout(self, release_id: str) -> str | Refusal:
        """Plans and starts a rollout; returns its id, or why there is no plan."""
        now_ms = self._now_ms()
        rollout_id = self._ids.uuid7(now_ms)
        text = rollouts.release_text(self.fleet, release_id)
        prepared = rollouts.prepare(rollouts.snapshot(self.fleet), text, rollout_id=rollout_id, now_ms=now_ms)
        if isinstance(prepared, Refusal):
            return prepared
        gate = prepared.rollout.gate
        self.desk.run(
            lambda fleet: rollouts.start(fleet, prepared, plan_report=b"{}", actor="world", reason="", now_ms=now_ms)
        )
        digests = frozenset(change.digest for change in prepared.rollout.changes)
        self._note(
            RolloutBegan(
                now_ms,
                "",
                rollout_id,
                digests,
                gate.budgets[0].devices,
                gate.shortest_horizon_ms,
                gate.delta_ppm,
            )
        )
        return rollout_id

    def state(self, rollout_id: str) -> str:
        """The state of a rollout, in one word."""
        row = self.fleet.rollout_rows.get(rollout_id)
        course = self.fleet.courses.get(rollout_id)
        return course.rollout.state.value if course is not None else row.state if row is not None else ""

    def blamed(self, rollout_id: str) -> str:
        """The plane that the stopping verdict of a rollout named; "" = none."""
        return self.fleet.courses[rollout_id].rollout.blamed

    def family(self, rollout_id: str) -> str:
        """The one hardware family that the verdict named; "" = none."""
        return self.fleet.courses[rollout_id].rollout.family

    def events(self) -> list[str]:
        """The events of all decisions so far, in order."""
        rows = self._store.all(DecisionRow, (TENANT,))
        return [_event_of(row) for row in rows if isinstance(row, DecisionRow)]

    def order(self, rollout_id: str, kind: CommandKind, reason: str) -> None:
        """Gives a rollout an operator's command."""
        given = Command(kind, "world", reason)
        self.desk.run(lambda fleet: rollouts.order(fleet, rollout_id, given, ids=self._ids, now_ms=self._now_ms()))

    def stop(self, where: str, reason: str) -> brakes.Stopped:
        """Stops everything where a selector holds."""
        now_ms = self._now_ms()
        stopped = self.desk.run(
            lambda fleet: brakes.stop(fleet, where=where, reason=reason, is_dry_run=False, ids=self._ids, now_ms=now_ms)
        )
        assert stopped.row is not None
        names = frozenset(each.row.device_id for each in brakes.selected(self.fleet, brakes.selector(where)))
        self._note(Stopped(now_ms, "", stopped.row.stop_id, names))
        return stopped

    def lift_stop(self, stop_id: str) -> None:
        self.desk.run(lambda fleet: brakes.lift_stop(fleet, stop_id))
        self._note(Stopped(self._now_ms(), "", stop_id))

    def freeze(self, plane: str, digest: str, reason: str) -> None:
        """Freezes an artifact."""
        now_ms = self._now_ms()
        self.desk.run(
            lambda fleet: brakes.freeze(
                fleet,
                plane=plane,
                digest=digest,
                reason=reason,
                is_dry_run=False,
                ids=self._ids,
                now_ms=now_ms,
            )
        )
        self._note(Frozen(now_ms, "", digest))

    # --- the controller -----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks at every rollout that may have something to decide."""
        now_ms = self._now_ms()
        for course in list(self.fleet.courses.values()):
            self.desk.run(lambda fleet, course=course: tick.count_time(fleet, course, now_ms))  # type: ignore[misc]
            for _ in range(DECISIONS_PER_TICK):
                if not tick.is_due(course, now_ms):
                    break
                row = self._store.find(LeaseRow, (TENANT, course.rollout_id))
                assert row is None or isinstance(row, LeaseRow)
                lease = tick.Lease(row, "world", now_ms + LEASE_MS)
                decision = self.desk.run(
                    lambda fleet, course=course, lease=lease: tick.look(  # type: ignore[misc]
                        fleet, course, lease=lease, ids=self._ids, now_ms=now_ms
                    )
                )
                if decision is None:
                    break
                tick.looked(course, decision)
                self._note_ring(course.rollout_id, course.rollout.ring)
                if decision.event is None and decision.next_wakeup_ms != decision.at_ms:
                    break

    def _note_ring(self, rollout_id: str, ring: int) -> None:
        known = self._rings.get(rollout_id, -1)
        if ring > known:
            self._rings[rollout_id] = ring
            self._note(RingOpened(self._now_ms(), "", rollout_id, ring))

    def _make_claim(self) -> str:
        now_ms = self._now_ms()
        claimed = self.desk.run(
            lambda fleet: enrol.create_claim(
                fleet,
                ids=self._ids,
                uses_count=CLAIM_USES,
                expires_at_ms=now_ms + 365 * DAY_MS,
                auto_accept=True,
                now_ms=now_ms,
            )
        )
        assert isinstance(claimed.claim, ClaimRow)
        return claimed.token


def _event_of(row: DecisionRow) -> str:
    event = json.loads(row.document)["decision"].get("event")
    return event if isinstance(event, str) else ""
