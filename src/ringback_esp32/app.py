"""Runs the user's module in the agent's own loop: starts it, steps it, counts, and outlives whatever it does.

The module (named in the identity, `app` by default) has:

- `start(context)`: set up sensor and model, or raise. `context.config` is the active config as a dict,
  `context.file(slot, role)` the path of a file of the model in that slot.
- `step()`: take one input and decide; returns the decision as an integer, or None where there was no input.
- `replay(context, golden, inputs)`: decide on every golden sample; returns {"decisions": [...], "values": [[ppm]]}.

Invariants:

- A step that raises restarts the app; one that hangs is ended by the watchdog; one that eats the heap is let go of, and
  where that does not help the board resets and comes up without it.
- The agent holds no reference into the app but the module's, and drops it first.
"""

import gc
import json
import sys
import time

from ringback_esp32 import board, errors, store
from ringback_esp32.errors import PortError

# Latencies kept for the percentiles.
WINDOW = 32
# Bytes of heap below which the app is let go of: one TLS connection and one journal must fit.
RESERVE = 16384
RESTART_MS = 2000
STEP_MS = 50


class Context:
    """What the app may know.

    Args:
        active: {plane: digest} to run with.
    """

    def __init__(self, active):
        self.active = active
        self.config = {}
        digest = active.get("config", "")
        if digest:
            with open(store.file_of(store.manifest(digest), "config"), "rb") as file:
                self.config = json.loads(file.read(4096))

    def file(self, slot, role):
        """Return the path of a file of the model in a slot, "" where the slot is empty."""
        digest = self.active.get("model/" + slot, "")
        return store.file_of(store.manifest(digest), role) if digest else ""


class Runner:
    """The app, running or not."""

    def __init__(self, name):
        self.name = name
        self.module = None
        self.wanted = False
        self.restarts = 0
        self.fault = ""
        self.due_ms = 0
        self.clear()

    def clear(self):
        """Forget what was counted: another set runs from here on."""
        self.frames = 0
        self.positive = 0
        self.latencies = []
        self.started_ms = self.frame_ms = board.now_ms()
        self.low = gc.mem_free()

    def run(self, wanted):
        """Say whether the app should run; it starts at the next step."""
        self.stop()
        self.wanted = wanted
        self.restarts = 0
        self.due_ms = board.now_ms()
        self.clear()

    def stop(self):
        """Let go of the app."""
        self.module = None
        sys.modules.pop(self.name, None)
        gc.collect()

    def step(self):
        """Give the app its turn, if it is due. Never raises."""
        now_ms = board.now_ms()
        if not self.wanted or now_ms < self.due_ms:
            return
        try:
            if self.module is None:
                self._start()
            self._step()
            self.due_ms = board.now_ms() + STEP_MS
        except Exception as error:
            self.fault = repr(error)[:80]
            self.restarts += 1
            self.stop()
            self.due_ms = board.now_ms() + RESTART_MS
        free = gc.mem_free()
        if free < RESERVE:
            gc.collect()
            free = gc.mem_free()
            if free < RESERVE:
                self._starved(free)
        self.low = min(self.low, free)

    def _start(self):
        module = __import__(self.name)
        module.start(Context(store.active()[0]))
        self.module = module
        self.fault = ""

    def _step(self):
        began = time.ticks_us()
        decision = self.module.step()
        took = time.ticks_diff(time.ticks_us(), began)
        if decision is None:
            return
        self.frames += 1
        self.positive += 1 if decision else 0
        self.frame_ms = board.now_ms()
        self.latencies.append(took)
        if len(self.latencies) > WINDOW:
            self.latencies.pop(0)

    def _starved(self, free):
        self.fault = "only %d bytes of heap are free" % free
        self.restarts += 1
        self.stop()
        if gc.mem_free() < RESERVE:
            board.crash()
        self.due_ms = board.now_ms() + RESTART_MS

    def replay(self, context, slot):
        """Return the golden set's own comparison {"fidelity_ppm", "quality_ppm", "n"} of the model in a slot.

        Raises PortError.
        """
        from ringback_kernel import replay

        found = store.manifest(context.active["model/" + slot])
        path = store.file_of(found, "golden")
        if not path:
            raise PortError(errors.NO_REPLAY, "the model brings no golden set")
        try:
            module = self.module or __import__(self.name)
            with open(path, "rb") as file:
                golden = json.loads(file.read())
            inputs = {entry["path"]: store.path_of(entry["sha256"]) for entry in found["files"]}
            return replay.compare(golden, module.replay(context, golden, inputs))
        except Exception as error:
            raise PortError(errors.NO_REPLAY, repr(error)[:120])
