"""The state of the transaction: everything the device must know to go on, or back, after a power cut at any instant.

Decides nothing; the handlers do. Two kinds of fields:

- durable ones (`Durable`) travel through the journal as JSON, only where they differ from their default. A field this
  version does not know is kept and written again, because the keeper may start the older agent on the newer journal.
- passing ones are about this run of the agent: timers, the answer that is waited for, readings.

Handlers never change a list or dict in place: they put a new one, so that a copy of the state is a copy.
"""

from ringback_kernel import wire
from ringback_kernel.vocabulary import IDLE, REST, SAFE_MODE

KEPT_MOVES = 16


class Env:
    """What does not change while the agent runs: the device's class and capabilities, and the limits."""

    def __init__(self, device_class: str, capabilities: dict, limits):
        self.device_class = device_class
        self.capabilities = capabilities
        self.limits = limits


def _later():
    """Stand for an object that the core puts in later. Untyped on purpose: where it is used, it is there."""


class Durable:
    """What the journal keeps."""

    def __init__(self) -> None:
        self.phase = IDLE
        self.step = ""  # which of a phase's effects is under way
        self.n = 0  # transitions ever
        self.trans: tuple = ()  # the last ones: [n, from, event, to, up_ms]
        self.starts = 0  # times the agent was started, ever
        self.boot_id = ""
        self.planned = ""  # why we are about to reboot by ourselves: a start without it is a crash
        self.gen = 0  # newest accepted desired state
        self.hand_gen = 0  # the one in hand
        self.base_gen = 0  # the one whose rules confirmed what is the way back now
        self.issued_ms = 0  # UTC; time never was before this
        self.deploy: dict | None = None  # {"gen","release","rollout","attempt"} of the deployment in hand
        self.key = ""
        self.done_key = ""  # the last deployment that ended for good
        self.drilled = ""  # key of the deployment whose drill was run
        self.outage = ""  # key of the deployment that an outage took back once
        self.changed: dict = {}  # {plane: [old digest or "", new digest]}
        self.doubt: tuple = ()  # planes that a failed activation left nobody knows where
        self.group = 0
        self.rung = -1
        self.cause: dict | None = None  # why it goes back
        self.moves = 0  # transitions of this deployment
        self.boots = 0  # unplanned starts in this part of it
        self.retries = 0
        self.elapsed_ms = 0  # trial time so far, over all restarts
        self.entered = False
        self.had_uplink = False
        self.heard_in_trial = False
        self.detect_ms = 0
        self.outcome: dict | None = None
        self.acked = True  # the server has the outcome
        self.failed: tuple = ()  # [{plane: digest}, attempt, code]
        self.confirmed: dict = {}  # last-known-good: {plane: digest}
        self.previous: dict = {}
        self.floors: dict = {}  # {plane: epoch}
        self.safe = ""  # who switched the workload off
        self.cmds: tuple = ()  # [id, state]
        self.cmd_hi = 0


DURABLE = tuple(Durable().__dict__)


class Tx(Durable):
    """One state: what the journal keeps, what it kept of a newer agent's, and what is about this run only."""

    def __init__(self) -> None:
        Durable.__init__(self)
        self.unknown: dict = {}
        self.env = _later()  # Env
        self.hand = _later()
        self.newest = _later()
        self.base = _later()
        self.running: dict = {}  # {plane: [digest, version, requires]}
        self.now_ms = 0
        self.event = ""
        self.op = 0  # of the effect whose answer is waited for
        self.ops = 0
        self.deadline_ms: int | None = None
        self.probe_at_ms: int | None = None
        self.phase_ms = 0
        self.step_ms = 0
        self.counted_ms = 0  # up to when elapsed_ms is counted
        self.saved_ms = 0  # elapsed_ms as last written down
        self.pass_ms: int | None = None  # since when every rule passes
        self.healthy_ms: int | None = None
        self.verdict_ms = 0
        self.inject_ms: int | None = None
        self.waits_for: dict | None = None
        self.outcome_ms = 0
        self.heard_ms: int | None = None  # last answer of the server
        self.next_ms = 0  # what it said about the next check-in
        self.memory = _later()
        self.wants_checkin = False
        self.dirty = False
        self.out: tuple = ()

    def copy(self):
        other = Tx()
        for name in self.__dict__:
            setattr(other, name, getattr(self, name))
        return other

    def to_obj(self) -> dict:
        """Return what the journal keeps."""
        obj = {}
        obj.update(self.unknown)
        blank = Durable()
        for name in DURABLE:
            value = getattr(self, name)
            if value != getattr(blank, name):
                obj[name] = value
        return obj

    @property
    def is_busy(self) -> bool:
        """Whether a deployment is in hand."""
        return self.phase not in REST and self.phase != SAFE_MODE

    def emit(self, kind: str, obj: dict) -> None:
        """Ask for an effect whose answer this phase waits for."""
        self.ops += 1
        self.op = self.ops
        obj["op"] = self.op
        self.out = self.out + ((kind, obj),)
        self.dirty = True

    def observe(self, kind: str, obj: dict) -> None:
        """Ask for an effect that changes nothing on the device, so that it needs no record first."""
        self.ops += 1
        obj["op"] = self.ops
        if kind == "probe":
            self.op = self.ops
        self.out = self.out + ((kind, obj),)

    def say(self, event: str, fields: dict) -> None:
        self.out = self.out + (("log", {"event": event, "fields": fields}),)

    def move(self, phase: str, step: str = "") -> None:
        """Go to a phase by the event in hand, and write the transition down."""
        self.n += 1
        self.moves += 1
        self.trans = tuple(self.trans)[1 - KEPT_MOVES :] + ((self.n, self.phase, self.event, phase, self.now_ms),)
        self.say("moved", {"from": self.phase, "event": self.event, "to": phase})
        self.phase = phase
        self.phase_ms = self.now_ms
        self.enter(step)

    def enter(self, step: str) -> None:
        """Begin a part of a phase; no timer of the part before survives."""
        self.step = step
        self.step_ms = self.now_ms
        self.op = 0
        self.deadline_ms = None
        self.probe_at_ms = None
        self.dirty = True

    def wait(self, timeout_ms: int) -> None:
        """Set the timeout of what is under way."""
        self.deadline_ms = self.now_ms + timeout_ms


def from_obj(obj: dict) -> Tx:
    """Return the state the journal kept. Fields this version does not know stay in `unknown`."""
    tx = Tx()
    for name in DURABLE:
        if name in obj:
            value = obj[name]
            # JSON has one kind of list; ours are tuples so that nobody adds to one in place.
            setattr(tx, name, tuple(value) if isinstance(getattr(tx, name), tuple) else value)
    tx.unknown = {name: obj[name] for name in obj if name not in DURABLE}
    return tx


def cause(code: str, text: str = "", *, rule=None, reading=None, plane=None) -> dict:
    """Return why a deployment ends, as the report carries it.

    Args:
        rule: the rule that failed or that is waited for; its plane is indicted unless `plane` says otherwise.
        reading: the integer found, or None.
    """
    return {
        "code": code,
        "rule": rule["id"] if rule else "",
        "plane": plane or (rule["plane"] if rule else None) or "",
        "reading": reading,
        "op": rule["op"] if rule else "",
        "limit": rule["limit"] if rule else None,
        "text": wire.clean(text),
        "drill": False,
    }
