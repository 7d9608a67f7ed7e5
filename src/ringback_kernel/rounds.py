"""Decides when health is read between deployments. Those readings decide nothing on the device: they are evidence for
the server.

A round is never started before the one before it was answered or given up.
"""

from ringback_kernel import gates
from ringback_kernel.vocabulary import WAITING

# Between deployments a fifth of the trial's rate is enough for the server's comparison, and leaves the board alone.
REST_FACTOR = 5


class Rounds:
    """The timer of the rounds, and what the last one said."""

    def __init__(self, limits):
        self.limits = limits
        self.at_ms: int | None = None
        self.op = 0
        self.readings: list = []
        self.memory: gates.Memory | None = None
        self.verdict = WAITING
        self.rule = ""

    def begin(self, op: int, now_ms: int) -> None:
        self.op = op
        self.at_ms = now_ms + self.limits.probe_timeout_ms

    def answered(self, readings: list, rules: list, every_ms: int, *, now_ms: int) -> None:
        """Keep a round, and when the next one is due."""
        if self.memory is None:
            self.memory = gates.Memory(0)
        self.op = 0
        self.readings = readings
        self.verdict, rule, _ = gates.judge(rules, readings, now_ms, self.memory)
        self.rule = rule["id"] if rule else ""
        self.at_ms = now_ms + max(REST_FACTOR * every_ms, self.limits.rest_probe_ms)

    def stop(self) -> None:
        """A deployment is in hand, and reads for itself."""
        self.at_ms = None
        self.op = 0
        self.memory = None
        self.verdict = WAITING
        self.rule = ""
