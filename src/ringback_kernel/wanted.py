"""The desired state as everything else works with it: values only. `desired` makes it from a document's bytes.

A module of its own, so that a small device can forget the reader between two documents.
"""


class Desired:
    """One desired state.

    Attributes:
        gen: generation, its TUF version. release, rollout: ids, "" for none. attempt: rises when a failed try may be
        repeated.
        targets: {plane: {"plane", "name", "digest", "length", "bytes", "version", "epoch", "kind",
            "requires"}}.
        order: [[plane, ...], ...] activation groups. rules: health rules with every field set.
        trial_ms, hold_ms, every_ms, uplink_ms: windows of the trial; uplink_ms 0 switches the uplink rule off.
        ladder: [(planes, {plane: digest or ""}), ...]. first: {plane: index into ladder}.
        drill_rule: id of the rule to fail once, or "". frozen: [(plane, digest), ...]. paused, safe_mode: bool.
        commands: [(id, kind, arg), ...] by rising id. issued_ms: UTC. key: 16 hex digits. signed: the bytes.
    """

    def __init__(self, gen: int, signed: bytes):
        self.gen = gen
        self.signed = signed
        self.release = self.rollout = self.drill_rule = self.key = ""
        self.attempt = self.issued_ms = 0
        self.trial_ms = self.hold_ms = self.every_ms = self.uplink_ms = 0
        self.targets: dict = {}
        self.first: dict = {}
        self.order: list = []
        self.rules: list = []
        self.ladder: list = []
        self.frozen: list = []
        self.commands: list = []
        self.paused = self.safe_mode = False


def lost(gen: int, like) -> Desired:
    """Return what stands in for a desired state whose bytes are gone: no ladder but the whole way back, rules of
    another.
    """
    wanted = Desired(gen, b"")
    wanted.key = "lost"
    wanted.rules = like.rules if like is not None else []
    wanted.every_ms = 1000
    wanted.trial_ms = 60000
    return wanted
