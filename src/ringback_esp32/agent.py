"""The agent's loop: pumps the kernel, runs its effects one after the other, and gives the app its turns between them.

It decides nothing about a deployment; `work` runs the effects, the kernel decides. Everything that may fail is
answered; what nobody foresaw resets the board, is counted, and after three times the board comes up without user code.

- The watchdog is fed by this loop and inside every wait, never by a timer.
- Parts that only an update needs are loaded for it and dropped afterwards.
"""

import binascii
import gc
import hashlib
import sys
import time

from ringback_esp32 import VERSION, board, errors, late, notes, store
from ringback_esp32.app import Runner
from ringback_esp32.errors import PortError
from ringback_esp32.net import Server, set_clock, utc_ms
from ringback_esp32.rawlog import RawLog

FIRMWARE = "firmware"
EVENTS_MAX = 64
# Longest sleep between two rounds: the app is due, and the watchdog wants to be fed.
NAP_MS = 250
# Modules that are dropped when nothing is under way.
ON_DEMAND = ("slots", "otadata", "work", "probes", "guard", "ident")


class Agent:
    """One agent on one board.

    Args:
        ident: of this board.
        is_bare: whether user code stays off, because the board crashed too often with it.
    """

    def __init__(self, ident, is_bare):
        self.ident = ident
        self.is_bare = is_bare
        self.server = Server(ident)
        self.runner = Runner(ident.get("app", "app"))
        self.events = []
        self.heard = False
        self.log_seq = 0
        self.fault = ""
        self.core = None

    def boot(self, state, fault):
        """Start the kernel from its journal."""
        late.install()
        from ringback_kernel import ecdsa, limits
        from ringback_kernel.core import Core

        self.fault = fault
        own = limits.small()
        own.journal_bytes = notes.JOURNAL_SECTORS * board.SECTOR - 512
        identity = {
            "device": self.ident["device"],
            "tenant": self.ident["tenant"],
            "class": self.ident["class"],
            "capabilities": self.ident.get("capabilities", {}),
            "root": self.ident["director_root"].encode(),
            "agent_version": VERSION,
        }
        storage = RawLog(notes.JOURNAL_AT, notes.JOURNAL_SECTORS)
        self.core = Core(storage, identity, ecdsa.verify, own)
        effects = self.core.boot(self._boot_id(state), self.running(), board.now_ms())
        set_clock(self.core.tx.issued_ms)
        self.set_app()
        self._start(effects)

    def _boot_id(self, state):
        starts = state.get("starts", 0) if state else 0
        seed = "%s/%d/%d/%d" % (self.ident["device"], starts, time.ticks_us(), utc_ms())
        return binascii.hexlify(hashlib.sha256(seed.encode()).digest()[:8]).decode()

    def set_app(self):
        """Run the app where the kernel wants a workload and the board may have one."""
        self.runner.run(self.core.wants_workload() and not self.is_bare)

    def running(self):
        """Return {plane: [digest, version, requires]} as read back from where it lives."""
        found = {}
        record = firmware_record(notes.Notes())
        found[FIRMWARE] = [record["digest"], record["version"], record["requires"]]
        pointed, is_whole = store.active()
        if not is_whole:
            self.fault = errors.POINTER
        for plane in pointed:
            try:
                manifest = store.manifest(pointed[plane])
                found[plane] = [pointed[plane], manifest["version"], manifest.get("requires", {})]
            except PortError as error:
                self.fault = error.code
        return found

    def loop(self):
        """Never returns."""
        is_steady = False
        while True:
            board.feed()
            now_ms = board.now_ms()
            self.pump(now_ms)
            if not is_steady and now_ms > board.STEADY_MS:
                is_steady = True
                board.steady()
            self.runner.step()
            self._tidy_heap()
            pause_ms = self.core.next_wakeup_ms() - board.now_ms()
            if not self.events and pause_ms > 0:
                time.sleep_ms(min(pause_ms, NAP_MS))

    def pump(self, now_ms):
        """Feed what has been answered, and tick when it is time."""
        for _ in range(EVENTS_MAX):
            if self.events:
                self._start(self.core.handle(self.events.pop(0), now_ms))
            elif self.core.next_wakeup_ms() <= now_ms:
                self._start(self.core.handle(("tick", {}), now_ms))
            else:
                return
            now_ms = board.now_ms()

    def _start(self, effects):
        for kind, effect in effects:
            if kind == "log":
                self.log_seq = effect["seq"]
                print(board.now_ms(), effect["event"], effect["fields"])
            elif kind == "reboot":
                board.reset()
            else:
                self.events.append(self._perform(kind, effect))

    def _perform(self, kind, effect):
        """Run one effect; returns its answer."""
        from ringback_esp32 import work

        board.feed()
        event, answer = work.perform(self, kind, effect)
        answer["op"] = effect["op"]
        board.feed()
        gc.collect()
        return event, answer

    def _tidy_heap(self):
        """Drop what only an update needs, when none is under way."""
        if self.core.tx.phase in ("idle", "confirmed", "reverted", "refused") and not self.events:
            drop()


def drop():
    """Forget the modules of an update."""
    package = sys.modules["ringback_esp32"]
    for name in ON_DEMAND:
        if sys.modules.pop("ringback_esp32." + name, None) is not None:
            delattr(package, name)
    late.drop()


def firmware_record(remembered):
    """Return the record of the firmware that runs; one made from its hash where nobody wrote one down."""
    from ringback_esp32 import slots

    part = slots.running()
    end, size = slots.end_of(part)
    record = remembered.slot(part.info()[4])
    if record is not None and record["end"] == end:
        return record
    return {"digest": "sha256:" + end, "version": "unknown", "requires": {}, "size": size, "sha": "", "end": end}


def run(crashes, was_cut):
    """Start the agent; never returns. Called by main.py.

    Args:
        crashes: starts in a row that nobody planned.
        was_cut: whether power was lost before this one.
    """
    from ringback_esp32 import guard, ident
    from ringback_kernel.journal import Journal

    own = ident.load()
    if "token" not in own:
        from ringback_esp32 import enrol

        own = enrol.enrol(own)
    fault = "littlefs was formatted" if store.mount() else ""
    remembered = notes.Notes()
    if "firmware" in own and not remembered.all:
        _adopt_factory(remembered, own["firmware"])
    state = Journal(RawLog(notes.JOURNAL_AT, notes.JOURNAL_SECTORS), 0).load()[0]
    guard.look(remembered, state, was_cut)
    _heal_pointer(state)
    agent = Agent(own, crashes >= board.CRASHES_MAX)
    drop()
    agent.boot(state, fault)
    agent.loop()


def _adopt_factory(remembered, record):
    """Take what provisioning says about the firmware it flashed, if that is what runs."""
    from ringback_esp32 import slots

    part = slots.running()
    if slots.end_of(part)[0] == record["end"]:
        remembered.put_slot(part.info()[4], record)


def _heal_pointer(state):
    """Make a pointer again that can't be read, from what was confirmed, if every byte of that is there."""
    _, is_whole = store.active()
    if is_whole or not state:
        return
    confirmed = state.get("confirmed", {})
    wanted = {plane: confirmed[plane] for plane in confirmed if plane != FIRMWARE}
    try:
        store.switch(wanted)
    except PortError:
        # What is missing shows in the next report as planes that run nothing.
        pass
