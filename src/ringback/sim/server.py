"""The server of a virtual world: the production use cases, read model and controller, in one thread and in memory.

Decides: nothing. It calls the same functions as the real server, in the same order: a report is folded before it is answered,
a decision is saved before the next one is made. Never: stores anything outside the process.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

from ringback.adapters.signing import DirectorKeys
from ringback.agent.ports import CheckinAnswer, PortError
from ringback.control import Command, CommandKind
from ringback.errors import RingbackError
from ringback.plan.refusal import Refusal
from ringback.ports.changes import Change, Insert
from ringback.ports.rows import ClaimRow, DecisionRow, Row, TenantRow
from ringback.ports.store import FoldedRow
from ringback.sim.brain import director_keys
from ringback.sim.facts import Fact, Frozen, Published, RingOpened, RolloutBegan, Stopped
from ringback.sim.identity import DeviceSpec, Enrolled
from ringback.usecases import brakes, checkin, enrol, publish, rollouts, tick
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Desk

TENANT = "default"
CLAIM_USES = 1_000_000
DAY_MS = 86_400_000
LEASE_MS = 10_000
DECISIONS_PER_TICK = 32
POLL_DEFAULT_MS = 60_000
# Where a file of an artifact stands in no blob store: the world's own shelf of bytes by SHA-256.
Shelf = dict[str, bytes]


class SeededIds:
    """Identifiers from a seed, so that two runs have the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids/{seed}")  # noqa: S311 - a simulation wants to be repeated
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


class Memory:
    """A store that keeps the history of decisions; the rest is in the read model, which lives as long as the world."""

    def __init__(self) -> None:
        self.decisions: list[DecisionRow] = []

    def load(self, tenant_id: str) -> Iterator[Row]:
        return iter(())

    def save(self, changes: Sequence[Change]) -> None:
        self.decisions += [change.row for change in changes if isinstance(change.row, DecisionRow)]

    def fold(self, rows: Sequence[FoldedRow]) -> None:
        """Nothing is written down that memory does not hold already."""

    def settle(self) -> None:
        """Nothing waits for a disk."""

    def history(self, kind: type[Row], key: tuple[str | int, ...], *, after: int, limit: int) -> list[Row]:
        return []

    def find(self, kind: type[Row], key: tuple[str | int, ...]) -> Row | None:
        return None


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
        self._shelf: Shelf = {}
        self._rings: dict[str, int] = {}
        self.store = Memory()
        self.fleet = Fleet(TENANT, listening_since_ms=now_ms())
        self.desk = Desk(self.fleet, self.store)
        self.fleet.apply([Insert(TenantRow(TENANT, now_ms()))])
        with tempfile.TemporaryDirectory() as folder:
            self._signer = DirectorKeys.open(Path(folder) / "keys", demo=True, now_ms=now_ms())
        self._claim = self._make_claim()

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
        if self.fleet.new_fragments:
            self.fleet.fragments_are_kept(list(self.fleet.new_fragments.values()))
        if checked.record is not None:
            checked.record.no = self._number
            self._number += 1
            self.fleet.fold(checked.record)
        poll_ms = self.fleet.poll_ms(device) or POLL_DEFAULT_MS
        draw = crc32(b"%d" % device.seq, crc32(device.row.device_id.encode())) % 2001
        heard(checked.document or b"")
        status = 200 if checked.document else 204
        return CheckinAnswer(status, checked.document or b"", poll_ms * (9_000 + draw) // 10_000)

    def manifest(self, digest: str) -> bytes | None:
        artifact = self.fleet.catalog.artifacts.get(digest)
        return artifact.manifest if artifact is not None else None

    def blob(self, sha256: str) -> bytes | None:
        return self._shelf.get(sha256)

    # --- operators ----------------------------------------------------------------------------------------------------

    def add_class(self, text: str) -> None:
        """Registers a device class."""
        self.desk.run(lambda fleet: publish.create_class(fleet, text, now_ms=self._now_ms()))

    def publish(self, manifest: bytes, blobs: dict[str, bytes]) -> str:
        """Publishes an artifact; `blobs` are its files by SHA-256. Returns its digest."""
        for sha256, data in blobs.items():
            self._shelf[sha256] = data
            size_bytes = len(data)
            self.desk.run(
                lambda fleet, sha256=sha256, size_bytes=size_bytes: publish.note_blob(  # type: ignore[misc]
                    fleet, sha256, size_bytes=size_bytes, now_ms=self._now_ms()
                )
            )
        made = self.desk.run(
            lambda fleet: publish.publish_artifact(fleet, manifest, blobs=_ShelfBlobs(self._shelf), now_ms=self._now_ms())
        )
        requires = {need.subject: str(need.constraint) for need in made.requires}
        self._note(Published(self._now_ms(), "", made.digest, made.plane, str(made.version), requires))
        return made.digest

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
            lambda fleet: rollouts.start(
                fleet, prepared, plan_report=b"{}", actor="world", reason="", now_ms=now_ms
            )
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

    def events(self) -> list[str]:
        """The events of all decisions so far, in order."""
        return [event for event in map(_event_of, self.store.decisions) if event]

    def order(self, rollout_id: str, kind: CommandKind, reason: str) -> None:
        """Gives a rollout an operator's command."""
        given = Command(kind, "world", reason)
        self.desk.run(
            lambda fleet: rollouts.order(fleet, rollout_id, given, ids=self._ids, now_ms=self._now_ms())
        )

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
                fleet, plane=plane, digest=digest, reason=reason, ids=self._ids, now_ms=now_ms
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
                lease = tick.Lease(None, "world", now_ms + LEASE_MS)
                decision = self.desk.run(
                    lambda fleet, course=course, lease=lease: tick.look(  # type: ignore[misc]
                        fleet, course, lease=lease, ids=self._ids, now_ms=now_ms
                    )
                )
                if decision is None:
                    break
                tick.looked(course, decision)
                self._note_ring(course.rollout_id, course.rollout.ring)
                if decision.event is None:
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


class _ShelfBlobs:
    """The blobs port over bytes in memory: only what publishing reads."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def read(self, sha256: str, *, limit_bytes: int) -> bytes:
        return self._shelf[sha256][:limit_bytes]


def _event_of(row: DecisionRow) -> str:
    event = json.loads(row.document)["decision"].get("event")
    return event if isinstance(event, str) else ""
