"""The whole brain of an agent: events in, effects and the next wake-up out. Runs unchanged on Linux, ESP32 and in the
simulator.

Decides what the transaction does not: when to check in and how long to back off, which desired states are accepted,
when a command runs (once), what is read between deployments, and that every state is durable before its effects leave
this module.

- `boot` once, then `handle` for every event and for ("tick", {}) when `next_wakeup_ms` is due. Nothing here blocks or
  waits.
- An answer to an effect that is not waited for any more is ignored.
- A disk that refuses keeps a deployment from going forward, and never from going back: every effect may be repeated,
  so a state that could not be written is worth less than a device that runs.
- Time is the driver's monotonic clock. A jump is not time that passed.

Never: performs an effect, reads a clock, or draws a random number.
"""

from ringback_kernel import commands, errors, journal, report, transaction, wanted, wire
from ringback_kernel import limits as limits_of
from ringback_kernel import tx as state
from ringback_kernel.checkin import Checkin
from ringback_kernel.errors import KernelError
from ringback_kernel.rounds import Rounds
from ringback_kernel.vocabulary import BEFORE, REST, SAFE_MODE

# Each start of the agent numbers its effects from here times the count of starts, so that no answer fits two effects.
OPS_PER_START = 1048576
# What a jump of the clock counts as.
JUMP_COUNTS_MS = 1000
_ANSWERS = (
    "fetch_done", "fetch_failed", "verify_done", "verify_failed", "stage_done", "stage_failed", "preflight_done",
    "preflight_failed", "activate_done", "activate_failed", "commit_done", "safe_mode_done",
)  # fmt: skip


class Core:
    """One device's brain.

    Args:
        storage: the journal's files, see `journal.Journal`.
        identity: {"device", "tenant", "class", "capabilities": {name: int or str}, "root": bytes of the Director's root
            document, "agent_version"}.
        verifier: callable(public_key, signature, data) -> bool for ECDSA P-256 (65-byte point, DER signature), or
            a dict {scheme: callable}.
        limits: from `limits`; those of a Linux box when None.

    A pinned root that can't be used shows when the first document comes: it is refused, and the report says why.
    """

    def __init__(self, storage, identity: dict, verifier, limits=None):
        self.identity = identity
        self.limits = limits if limits is not None else limits_of.Limits()
        self.verifiers = verifier if isinstance(verifier, dict) else {"ecdsa-sha2-nistp256": verifier}
        self.trust = _later()
        self.journal = journal.Journal(storage, self.limits.journal_bytes)
        self.checkin = Checkin(identity["device"], self.limits)
        self.rounds = Rounds(self.limits)
        self.tx = state.Tx()
        self.condition = journal.ABSENT
        self.rejected: dict | None = None
        self.report_bytes = self.limits.report_bytes
        self.now_ms = 0
        self._raw_ms = 0
        self._log_seq = 0
        self._has_jumped = False
        self._lacks_room = False
        self._retry_at_ms: int | None = None
        self._utc = (0, 0)
        self._out: list = []

    # --- in and out ---------------------------------------------------------------------------------------------------

    def boot(self, boot_id: str, running: dict, now_ms: int) -> list:
        """Recover from the journal and return the effects to start. Once, before anything else.

        Args:
            boot_id: another one for each boot of the device, the same for each start of the agent within it.
            running: {plane: [digest, version, requires]} as read back from the backends.
            now_ms: monotonic.

        Raises JournalError when the journal was written by a much newer agent.
        """
        self.now_ms = self._raw_ms = now_ms
        obj, documents, self.condition = self.journal.load()
        tx = state.from_obj(obj) if obj is not None else state.Tx()
        tx.env = state.Env(self.identity["class"], self.identity["capabilities"], self.limits)
        tx.running = running
        tx.now_ms = now_ms
        if obj is None:
            # What a device runs before it was ever told anything is its first way back.
            tx.confirmed = {plane: running[plane][0] for plane in running}
        self._attach(tx, documents)
        is_planned = tx.planned != "" and boot_id != tx.boot_id
        commands.settle(tx, is_planned)
        tx.planned = ""
        tx.boot_id = boot_id
        tx.starts += 1
        tx.ops = tx.starts * OPS_PER_START
        tx.dirty = True
        self.tx = tx
        self._say("started", {"journal": self.condition, "phase": tx.phase, "starts": tx.starts, "planned": is_planned})
        self._step("boot", {"planned": is_planned})
        self.checkin.at_ms = now_ms
        return self._finish()

    def handle(self, event: tuple, now_ms: int) -> list:
        """Take one event and return the effects to start.

        Args:
            event: (kind, object): the answer to an effect, with its "op", or ("tick", {}).
            now_ms: monotonic, from the same clock as every call before.

        Raises KernelError for an event no effect is answered by.
        """
        self._advance(now_ms)
        kind, obj = event
        if kind == "probe_done":
            self._probed(obj)
        elif kind in _ANSWERS:
            if obj["op"] == self.tx.op:
                self._shift(obj.get("readings", ()))
                self._note_room(kind, obj)
                self._step(kind, obj)
            else:
                self._say("late", {"event": kind, "op": obj["op"]})
        elif kind == "checkin_done":
            self._checked_in(obj)
        elif kind == "checkin_failed":
            if obj["op"] == self.checkin.op:
                self._unheard(obj.get("code", ""), 0)
        elif kind == "command_done":
            self._commanded(obj)
        elif kind != "tick":
            raise KernelError(errors.TX_NO_ROW, "no effect is answered by " + wire.clean(kind, 40))
        return self._finish()

    def next_wakeup_ms(self) -> int:
        """Return when to call `handle(("tick", {}), ..)` at the latest, on the driver's clock."""
        due = [self.checkin.wakeup_ms()]
        for at_ms in (transaction.next_wakeup_ms(self.tx), self.rounds.at_ms, self._retry_at_ms):
            if at_ms is not None:
                due.append(at_ms)
        return self._raw_ms + max(0, min(due) - self.now_ms)

    def status(self) -> dict:
        """Return what a local status page shows: the report, and what the device waits for."""
        facts = self._facts(self.tx.ops)
        facts["next_checkin_ms"] = max(0, self.checkin.wakeup_ms() - self.now_ms)
        facts["step"] = self.tx.step
        facts["failed"] = [[entry[0], entry[1], entry[2]] for entry in self.tx.failed]
        facts["previous"] = self.tx.previous
        facts["journal"] = self.condition
        return facts

    def forget(self) -> None:
        """Drop what only the next document needs: a small device unloads `verify`, `desired` and `constraints` then."""
        self.trust = _later()

    def wants_workload(self) -> bool:
        """Say whether the workload should run; a driver asks before it starts services by itself."""
        return self.tx.safe == ""

    # --- time ---------------------------------------------------------------------------------------------------------

    def _advance(self, raw_ms: int) -> None:
        """Move kernel time by what passed. A jump counts as a second: a trial may not end by it, and not hang by it."""
        passed_ms = raw_ms - self._raw_ms
        due_ms = self.next_wakeup_ms() - self._raw_ms
        if passed_ms < 0 or passed_ms > due_ms + self.limits.jump_ms:
            self._has_jumped = True
            self._say("clock_jumped", {"by_ms": passed_ms})
            self.checkin.tell(self.now_ms)
            passed_ms = min(due_ms, JUMP_COUNTS_MS)
        self.now_ms += passed_ms
        self._raw_ms = raw_ms

    def _finish(self) -> list:
        """Do everything that is due now, and hand the effects out."""
        for _ in range(transaction.MAX_DUE):
            if not self._run_one_due():
                break
        out = self._out
        self._out = []
        return out

    def _run_one_due(self) -> bool:
        """Do one thing that is due; says whether there was one."""
        now_ms = self.now_ms
        if self.tx.wants_checkin:
            self.tx.wants_checkin = False
            self.checkin.tell(now_ms)
        if self._retry_at_ms is not None and self._retry_at_ms <= now_ms:
            self._write(self.tx)
            return True
        if self.tx.deadline_ms is not None and self.tx.deadline_ms <= now_ms:
            return self._step("timeout", {})
        if self.tx.probe_at_ms is not None and self.tx.probe_at_ms <= now_ms:
            return self._step("probe_due", {})
        if self.checkin.is_overdue(now_ms):
            self._unheard("no answer", 0)
            return True
        return self._start_command() or self._start_round() or self._start_checkin()

    # --- the transaction ----------------------------------------------------------------------------------------------

    def _step(self, kind: str, obj: dict) -> bool:
        """Let the transaction take one event: the new state is durable before its effects are handed out."""
        old = self.tx
        new, effects = transaction.step(old, (kind, obj), self.now_ms)
        if new.dirty and not self._write(new) and not _may_go_on(old, new, kind):
            self._hold_back(old)
            return True
        new.dirty = False
        self.tx = new
        for effect in effects:
            if effect[0] == "log":
                self._say(effect[1]["event"], effect[1]["fields"])
            else:
                self._out.append(effect)
        return True

    def _write(self, tx) -> bool:
        documents = {}
        for document in (tx.hand, tx.newest, tx.base):
            if document is not None and document.signed:
                documents[document.gen] = document.signed
        try:
            self.journal.write(tx.to_obj(), documents)
        except OSError as error:
            self._say("journal_refused", {"error": wire.clean(error, 80)})
            self._retry_at_ms = self.now_ms + self.limits.storage_retry_ms
            return False
        self._retry_at_ms = None
        return True

    def _hold_back(self, old) -> None:
        """A step forward could not be written down, so it did not happen; it is tried again by the timer of its
        phase.
        """
        at_ms = self.now_ms + self.limits.storage_retry_ms
        if old.is_busy:
            old.op = 0
            if old.phase == "trial":
                old.probe_at_ms = at_ms
            else:
                old.deadline_ms = at_ms

    def _attach(self, tx, documents: dict) -> None:
        """Give the state its desired states back."""
        from ringback_kernel import desired

        found = {}
        for number in (tx.gen, tx.hand_gen, tx.base_gen):
            if number in documents and number not in found:
                found[number] = desired.parse(documents[number], self.identity["class"])
        tx.newest = found.get(tx.gen)
        tx.hand = found.get(tx.hand_gen)
        tx.base = found.get(tx.base_gen)
        if tx.hand is None and tx.is_busy:
            # Only a damaged journal comes here. What was changed is known, so it can be taken back.
            self._say("document_lost", {"gen": tx.hand_gen})
            tx.hand = wanted.lost(tx.hand_gen, tx.base or tx.newest)
            if tx.phase in BEFORE:
                tx.phase, tx.step, tx.deploy = "idle", "", None
            else:
                tx.phase, tx.step, tx.rung = "reverting", "activate", 0
                tx.cause = tx.cause or state.cause(errors.TX_FELL_BACK, "the desired state was lost with the journal")

    # --- check-in -----------------------------------------------------------------------------------------------------

    def _start_checkin(self) -> bool:
        tx = self.tx
        if tx.hand is not None and tx.hand.uplink_ms and tx.phase in ("trial", "reverting"):
            self.checkin.within(tx.hand.uplink_ms // 4)
        if not self.checkin.is_due(self.now_ms):
            return False
        tx.ops += 1
        self.checkin.begin(tx.ops, self.now_ms)
        body = report.build(self._facts(tx.ops), self.report_bytes)
        self._out.append(("checkin", {"op": tx.ops, "body": body}))
        return True

    def _checked_in(self, obj: dict) -> None:
        if obj["op"] != self.checkin.op:
            return
        status = obj["status"]
        if status not in (200, 204):
            if status == 413:
                self.report_bytes = max(4096, self.report_bytes // 2)
            self._unheard("status %d" % status, obj.get("next_ms") or 0)
            return
        since_ms = self.checkin.since_ms
        self.checkin.succeeded(obj.get("next_ms") or 0, self.now_ms)
        if status == 200:
            self._accept(obj["body"], obj.get("utc_ms") or 0)
        self._step("heard", {"since_ms": since_ms, "next_ms": self.checkin.next_ms})

    def _unheard(self, reason: str, wait_ms: int) -> None:
        self._say("unheard", {"reason": wire.clean(reason, 64), "failures": self.checkin.failures + 1})
        self.checkin.failed(wait_ms, self.now_ms)
        self._step("unheard", {})

    def _accept(self, body: bytes, utc_ms: int) -> None:
        """Take a newer desired state, or say why not."""
        from ringback_kernel import desired, verify

        tx = self.tx
        signed = tx.newest.signed if tx.newest is not None else b""
        known_ms = max(self._utc_now(utc_ms), tx.issued_ms)
        expected = verify.Expected(
            self.identity["device"], self.identity["tenant"], generation=self._have(), signed=signed, utc_ms=known_ms
        )
        try:
            if self.trust is None:
                self.trust = verify.Trust(self.identity["root"], self.verifiers)
            found = verify.director(body, self.trust, expected, self.limits.document_bytes)
            if found is None:
                return
            document = desired.read(found[0], found[1], self.identity["class"])
            desired.check_floors(document, tx.floors)
        except KernelError as error:
            self.rejected = {"code": error.code, "text": wire.clean(error.text)}
            self._say("rejected", self.rejected)
            return
        self.rejected = None
        self._step("desired", {"doc": document})

    def _have(self) -> int:
        """Return the generation this device has; one less when its bytes were lost, so that it comes again."""
        return self.tx.gen if self.tx.newest is not None or not self.tx.gen else self.tx.gen - 1

    def _utc_now(self, utc_ms: int) -> int:
        """Return the time of day as far as it can be believed: after the first, a clock that jumps is not followed."""
        known_ms, at_ms = self._utc
        expected_ms = known_ms + self.now_ms - at_ms
        if not known_ms or not utc_ms or abs(utc_ms - expected_ms) < self.limits.jump_ms:
            self._utc = (utc_ms or known_ms, self.now_ms if utc_ms else at_ms)
            return utc_ms or (expected_ms if known_ms else 0)
        self._has_jumped = True
        return expected_ms

    # --- commands, rounds ---------------------------------------------------------------------------------------------

    def _start_command(self) -> bool:
        command = commands.next_of(self.tx)
        if command is None:
            return False
        number, kind, arg = command
        new = self.tx.copy()
        is_own = kind in ("normal", "reboot")
        is_known = commands.is_known(kind)
        first = commands.STARTED if is_known and kind != "normal" else commands.DONE
        commands.mark(new, number, first if is_known else commands.UNKNOWN)
        new.planned = "command" if kind == "reboot" else new.planned
        if not self._write(new):
            return False
        new.dirty = False
        self.tx = new
        self._say("command", {"id": number, "kind": wire.clean(kind, 32)})
        if not is_known:
            return True
        if kind == "normal":
            return self._step("normal", {})
        new.ops += 1
        if is_own:
            self._out.append(("reboot", {"op": new.ops, "reason": "command %d" % number}))
        else:
            self._out.append(("command", {"op": new.ops, "id": number, "kind": kind, "arg": arg}))
        return True

    def _commanded(self, obj: dict) -> None:
        if [entry for entry in self.tx.cmds if entry[0] == obj["id"] and entry[1] == commands.STARTED]:
            new = self.tx.copy()
            commands.mark(new, obj["id"], commands.DONE if obj["ok"] else commands.FAILED)
            self._write(new)
            new.dirty = False
            self.tx = new
            self.checkin.tell(self.now_ms)

    def _start_round(self) -> bool:
        newest = self.tx.newest
        if self.tx.phase not in REST or newest is None or not newest.rules:
            self.rounds.stop()
            return False
        if self.rounds.at_ms is not None and self.rounds.at_ms > self.now_ms:
            return False
        self.tx.ops += 1
        self.rounds.begin(self.tx.ops, self.now_ms)
        self._out.append(("probe", {"op": self.tx.ops, "rules": self._rest_rules()}))
        return True

    def _rest_rules(self) -> list:
        return [rule for rule in self.tx.newest.rules if "trial" in rule["at"]]

    def _shift(self, readings) -> None:
        """Give readings our time: the driver stamps them with its clock, and after a jump ours differs."""
        for reading in readings:
            reading["at_ms"] += self.now_ms - self._raw_ms

    def _note_room(self, kind: str, obj: dict) -> None:
        """Note whether a step failed for want of room on the disk; the next download that ends well had room again."""
        if kind in ("fetch_failed", "verify_failed", "stage_failed"):
            self._lacks_room = bool(obj.get("full"))
        elif kind == "fetch_done":
            self._lacks_room = False

    def _probed(self, obj: dict) -> None:
        readings = obj["readings"]
        self._shift(readings)
        if obj["op"] == self.rounds.op:
            self.rounds.answered(readings, self._rest_rules(), self.tx.newest.every_ms, now_ms=self.now_ms)
        elif obj["op"] == self.tx.op:
            self.rounds.readings = readings
            self._step("probe_done", obj)

    # --- what is said -------------------------------------------------------------------------------------------------

    def _say(self, event: str, fields: dict) -> None:
        self._log_seq += 1
        self._out.append(("log", {"event": event, "fields": fields, "seq": self._log_seq}))

    def _flags(self) -> list:
        found = []
        for name, is_set in (
            ("safe_mode", self.tx.safe != ""),
            ("updates_paused", self.tx.newest is not None and self.tx.newest.paused),
            ("disk_full", self._lacks_room or self._retry_at_ms is not None),
            ("clock_jump", self._has_jumped),
            ("journal_" + self.condition, self.condition in (journal.DAMAGED, journal.LOST)),
        ):
            if is_set:
                found.append(name)
        return found

    def _facts(self, number: int) -> dict:
        tx = self.tx
        deploy = None
        if tx.deploy is not None:
            deploy = {"entered": tx.entered}
            deploy.update(tx.deploy)
        read, bad = report.readings(self.rounds.readings)
        return {
            "v": report.VERSION,
            "device": self.identity["device"],
            "class": self.identity["class"],
            "agent": self.identity["agent_version"],
            "boot_id": tx.boot_id,
            "starts": tx.starts,
            "seq": number,
            "up_ms": self._raw_ms,
            "have": self._have(),
            "root": _root_version(self.identity["root"]),
            "state": tx.phase,
            "deploy": deploy,
            "planes": {plane: [tx.running[plane][0], wire.clean(tx.running[plane][1], 64)] for plane in tx.running},
            "confirmed": tx.confirmed,
            "outcome": tx.outcome,
            "trans": [list(move) for move in tuple(tx.trans)[-self.limits.report_moves :]],
            "read": read,
            "bad": bad,
            "health": {"verdict": self.rounds.verdict, "rule": self.rounds.rule},
            "log_seq": self._log_seq,
            "flags": self._flags(),
            "cmds": [list(entry) for entry in tuple(tx.cmds)[-report.MAX_COMMANDS :]],
            "rejected": self.rejected,
        }


def _may_go_on(old, new, kind: str) -> bool:
    """Whether a step may happen although it could not be written down: one that repeats itself, or that goes back."""
    if kind == "boot" or new.phase in ("trial", "reverting", "reverted", SAFE_MODE):
        return True
    return new.phase == old.phase and new.phase in REST


def _later():
    """Stand for an object that is made when it is needed. Untyped on purpose: where it is used, it is there."""


def _root_version(root: bytes) -> int:
    """Return the version of a canonical root file: its last key, so that a report needs no parser."""
    at = root.rfind(b'"version":')
    digits = root[at + 10 : root.find(b"}", at)]
    return int(digits) if at >= 0 and digits.isdigit() else 0
