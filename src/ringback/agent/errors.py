"""The errors of the agent, by what to do next, and the table of their codes.

    RingbackError
    ├── InputError
    │   └── SetupError     fix the device file, the folder or the flags; the agent does not start
    └── PortError          an effect failed; the kernel decides what follows; `retry` says whether again may help

A code never changes its meaning; `CODES` is the reference that the docs are generated from.
"""

from ringback.errors import InputError, RingbackError

CODES = {
    "RB-AGENT-001": "device.toml is missing, unreadable or has an unknown or wrong entry",
    "RB-AGENT-002": "another agent runs on this state folder",
    "RB-AGENT-003": "the box has no identity yet and no claim was given to enrol with",
    "RB-AGENT-004": "the server refused the enrolment",
    "RB-AGENT-005": "the state folder cannot be written",
    "RB-AGENT-006": "no agent answers on this state folder",
    "RB-AGENT-010": "the server could not be reached or broke off",
    "RB-AGENT-011": "the server sent an answer that is larger than the limit or not HTTP as agreed",
    "RB-AGENT-020": "the download broke off or was too slow; it resumes where it stopped",
    "RB-AGENT-021": "the server does not have these bytes",
    "RB-AGENT-022": "the bytes are not the ones that were signed for",
    "RB-AGENT-023": "the artifact's manifest is not well-formed",
    "RB-AGENT-024": "not enough room on the disk",
    "RB-AGENT-025": "the disk refused to read or write",
    "RB-AGENT-026": "the download was given up because another one was asked for",
    "RB-AGENT-030": "the device has no backend for this plane",
    "RB-AGENT-031": "the slot to activate is absent or does not hold what its name says",
    "RB-AGENT-032": "a service did not become ready in time",
    "RB-AGENT-033": "a service ended while it was being started",
    "RB-AGENT-034": "a service refused the new model or config",
    "RB-AGENT-035": "no app is active, so there is no service to act on",
    "RB-AGENT-036": "a service cannot be started at all",
    "RB-AGENT-040": "the config does not satisfy the schema of the app that will read it",
    "RB-AGENT-041": "the app's config schema uses a keyword this agent does not know",
    "RB-AGENT-050": "this command is not known or not possible on this box",
    "RB-AGENT-090": "a bug in the agent; the log has the trace",
    "RB-PROBE-001": "the service does not answer",
    "RB-PROBE-002": "the service answers, but not what the contract says",
    "RB-PROBE-003": "the probe did not end in time and was killed",
    "RB-PROBE-004": "the file the probe reads is missing or holds no number",
    "RB-PROBE-005": "the device file does not name what the probe needs",
    "RB-PROBE-006": "the probe's program failed or printed something else",
    "RB-PROBE-007": "the artifact has no golden set, or the app no replay entry",
    "RB-PROBE-008": "no such probe",
    "RB-PROBE-009": "there is no such service, slot or stream",
}


class SetupError(InputError):
    """The agent cannot start: a person has to fix the device file, the folder or the flags."""


class PortError(RingbackError):
    """An effect failed.

    Args:
        code: a key of `CODES`.
        message: what was tried, found and expected; at most 200 characters reach the server.
        retry: whether trying the very same again can help (network, room on the disk).
    """

    def __init__(self, code: str, message: str, *, retry: bool = False, hint: str = "") -> None:
        assert code in CODES, code
        super().__init__(code, message, hint=hint)
        self.retry = retry


class ProbeError(PortError):
    """A probe could not measure; the reading carries the code and counts as no evidence."""
