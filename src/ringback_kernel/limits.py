"""Every bound of the kernel in one place, each with its unit and the reason for its size. Decides nothing by itself.

A driver may change a value on its own `Limits` object before it makes the core; `small()` is for a microcontroller.
"""


class Limits:
    """Bounds for a Linux box."""

    def __init__(self):
        # Journal file before it is compacted: some 200 records, so that a flash block is not rewritten for each step.
        self.journal_bytes = 262144
        # A desired state: six times that of a big box.
        self.document_bytes = 65536
        # A report; what does not fit is left out, readings first.
        self.report_bytes = 65536
        # Transitions in a report: two whole deployments.
        self.report_moves = 16
        # A round trip to the server may take this long before the device goes on by what it last heard.
        self.announce_ms = 3000
        # How old the last answer may be then, however rarely the device polls: a freeze may have been said meanwhile.
        self.fresh_ms = 60000
        # A check-in without an answer is given up after this, so that another can follow.
        self.checkin_timeout_ms = 30000
        # Never faster than this, whatever the server says: a busy loop empties a battery and a data plan.
        self.checkin_min_ms = 50
        # Never rarer than once a day: a device must hear of a freeze.
        self.checkin_max_ms = 86400000
        # The longest pause after failures in a row: an outage of an hour is over within a minute.
        self.backoff_max_ms = 60000
        # A download makes progress or fails by itself (driver); this only catches an answer that was lost.
        self.fetch_ms = 1800000
        # With the back-off, about an hour; then the download rests until the server is heard.
        self.fetch_retries = 64
        # Hashing every file from a slow card.
        self.verify_ms = 600000
        # Writing a firmware image to its slot.
        self.stage_ms = 600000
        # Golden samples on the slowest board, more than once.
        self.preflight_ms = 300000
        # Rounds of a preflight that wait for a reading, and answers of one step that may be lost.
        self.preflight_tries = 8
        # How long a whole deployment may wait for updates to go on, before it is put away.
        self.hold_ms = 3600000
        # A firmware image is written and rebooted into within this.
        self.activate_ms = 600000
        # Tidying up slots, or switching the workload.
        self.commit_ms = 60000
        # Tidying up is left to the next commit after this many answers that never came.
        self.commit_tries = 5
        # A round of probes without an answer is read again after this; probes have shorter timeouts of their own.
        self.probe_timeout_ms = 30000
        # Starts of the agent that it did not plan, in one activation and trial: one may be bad luck, four are a loop.
        self.trial_boots = 3
        # The same before the activation, where nothing is at stake but time.
        self.idle_boots = 8
        # Mender stops after 28 stored transitions; our longest honest deployment (eight rungs) takes about 30.
        self.moves = 48
        # Sets that failed here; the oldest is forgotten first.
        self.failed_memory = 16
        # Trial time is written down this often at most: a cut forgets no more than this, flash wears no faster.
        self.checkpoint_ms = 1000
        # Readings between deployments, for the report only.
        self.rest_probe_ms = 2000
        # A step of the clock this far beyond the wake-up that was asked for is a jump, not time that passed.
        self.jump_ms = 60000
        # A disk that refused is asked again after this.
        self.storage_retry_ms = 5000


def small() -> Limits:
    """Return the bounds for a microcontroller: a 4 KiB report, a small journal, slow probes."""
    limits = Limits()
    limits.journal_bytes = 16384
    limits.document_bytes = 16384
    limits.report_bytes = 4096
    limits.report_moves = 8
    limits.rest_probe_ms = 60000
    limits.checkpoint_ms = 10000
    limits.failed_memory = 8
    return limits
