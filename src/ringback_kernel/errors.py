"""The kernel's errors, and every code it can name.

KernelError
├── WireError         bytes that may not be parsed                 next: drop them, report the code
├── VerifyError       a document nobody may act on                 next: keep running, report the attack class
├── DesiredError      a genuine document that makes no sense       next: the server is to send another
├── ConstraintError   a version or constraint that can't be read   next: fix the artifact
├── GoldenError       a golden set that can't be compared with     next: fix the artifact
├── JournalError      a journal this agent is too old to read      next: start the newer agent
└── TransitionError   a row the table does not have                next: a bug of ours, report it

Codes are stable; the comment beside each is its meaning in docs/reference/kernel.md. Codes of outcomes (`TX_`) are not
raised: they say in a report why a deployment ended as it did.
"""

WIRE_ENVELOPE = "RB-WIRE-001"  # not exactly {"signatures":[...],"signed":{...}}
WIRE_SYNTAX = "RB-WIRE-002"  # not canonical JSON
WIRE_SIZE = "RB-WIRE-003"  # more bytes than are read of such a document (attack class: endless data)
WIRE_DEPTH = "RB-WIRE-004"  # nested too deeply
WIRE_KEYS = "RB-WIRE-005"  # a key twice in one object, or keys out of order
WIRE_NUMBER = "RB-WIRE-006"  # a number that is no integer below 2^53
WIRE_TEXT = "RB-WIRE-007"  # a byte that is no printable ASCII
WIRE_VALUE = "RB-WIRE-008"  # a value that has no canonical form

VERIFY_SIGNATURE = "RB-VERIFY-001"  # too few valid signatures of the role (attack class: arbitrary software)
VERIFY_REPLAY = "RB-VERIFY-002"  # an older generation than this device has (attack class: replay)
VERIFY_EQUIVOCATION = "RB-VERIFY-003"  # the same generation with other bytes (attack class: mix and match)
VERIFY_EXPIRED = "RB-VERIFY-004"  # past its expiry (attack class: freeze)
VERIFY_DEVICE = "RB-VERIFY-005"  # made for another device (attack class: wrong device)
VERIFY_TENANT = "RB-VERIFY-006"  # made for another tenant (attack class: wrong device)
VERIFY_PLANE = "RB-VERIFY-007"  # a plane named twice (attack class: mix and match)
VERIFY_DELEGATION = "RB-VERIFY-008"  # a desired state that delegates (attack class: arbitrary software)
VERIFY_HARDWARE = "RB-VERIFY-009"  # an artifact for other hardware (attack class: wrong hardware)
VERIFY_EPOCH = "RB-VERIFY-010"  # an artifact below this plane's epoch floor (attack class: rollback)
VERIFY_DOCUMENT = "RB-VERIFY-011"  # not a document of this role
VERIFY_ROOT = "RB-VERIFY-012"  # a root document without usable keys
VERIFY_MANIFEST = "RB-VERIFY-013"  # a manifest that contradicts the desired state (attack class: mix and match)
VERIFY_HASH = "RB-VERIFY-014"  # other bytes than the signed listing names (attack class: arbitrary software)
VERIFY_VERSION = "RB-VERIFY-015"  # another version than the signed listing names (attack class: mix and match)
VERIFY_LISTING = "RB-VERIFY-016"  # a file that no signed listing names (attack class: arbitrary software)
VERIFY_KEY = "RB-VERIFY-017"  # a key of a scheme this verifier does not know
VERIFY_ORDER = "RB-VERIFY-018"  # a role checked before the one that vouches for it: a bug of ours

DESIRED_FIELD = "RB-DESIRED-001"  # a field is missing or not what it must be
DESIRED_ORDER = "RB-DESIRED-002"  # the activation order names a plane wrongly
DESIRED_LADDER = "RB-DESIRED-003"  # the way back is not a ladder
DESIRED_RULES = "RB-DESIRED-004"  # a health rule that can't be judged
DESIRED_DRILL = "RB-DESIRED-005"  # the drill names no required trial rule
DESIRED_MANY = "RB-DESIRED-006"  # more entries than a device accepts

CONSTRAINT_VERSION = "RB-CONSTRAINT-001"  # text that is no version
CONSTRAINT_TEXT = "RB-CONSTRAINT-002"  # text that is no constraint

GOLDEN_SET = "RB-GOLDEN-001"  # a golden set that can't be read

JOURNAL_FORMAT = "RB-JOURNAL-001"  # written in a format this agent is too old to read

TX_NO_ROW = "RB-TX-001"  # no row for this event in this phase
TX_RULE = "RB-TX-010"  # a required health rule failed in the trial
TX_TRIAL_TIME = "RB-TX-011"  # the trial ended without enough evidence
TX_BOOTS = "RB-TX-012"  # started too often during the trial or the activation
TX_FELL_BACK = "RB-TX-013"  # something else runs than was activated
TX_ACTIVATE = "RB-TX-014"  # the activation did not end in time
TX_UPLINK = "RB-TX-015"  # the server was reachable before and is not with the new set
TX_RECALLED = "RB-TX-016"  # the server asked for the old set back during the trial
TX_FROZEN = "RB-TX-017"  # a digest of the deployment is frozen
TX_FAILED_BEFORE = "RB-TX-018"  # failed here before at this attempt
TX_STALE_PLAN = "RB-TX-019"  # the way back does not lead to what runs now
TX_REQUIRES = "RB-TX-020"  # a set on the way breaks a constraint
TX_PREFLIGHT_RULE = "RB-TX-021"  # a required health rule failed in the preflight
TX_PREFLIGHT_TIME = "RB-TX-022"  # the preflight brought no evidence
TX_FETCH = "RB-TX-023"  # the download was given up for now; tried again when the server is heard
TX_CRASH_LOOP = "RB-TX-024"  # the agent was started too often before the activation
TX_CAP = "RB-TX-025"  # too many transitions in one deployment
TX_OUTAGE = "RB-TX-026"  # the uplink stayed down with the old set too: an outage, not the release
TX_SAFE_MODE = "RB-TX-027"  # ended because the server asked for safe mode
TX_NO_PROOF = "RB-TX-028"  # no required trial rule: nothing could prove the deployment
TX_STEP_TIME = "RB-TX-029"  # a step before the activation never answered


class KernelError(Exception):
    """Something refused: a stable code and one sentence that says what was found and what was expected."""

    def __init__(self, code, text):
        super().__init__(code + ": " + text)
        self.code = code
        self.text = text


class WireError(KernelError):
    """Bytes that may not be parsed."""


class VerifyError(KernelError):
    """A document that nobody may act on."""


class DesiredError(KernelError):
    """A genuine document that makes no sense."""


class ConstraintError(KernelError):
    """A version or constraint that can't be read or compared."""


class GoldenError(KernelError):
    """A golden set that can't be compared with."""


class JournalError(KernelError):
    """A journal this agent is too old to read."""


class TransitionError(KernelError):
    """A (phase, event) pair that the table does not have: a bug of ours, never input."""

    def __init__(self, phase, event):
        super().__init__(TX_NO_ROW, "no row for event " + event + " in phase " + phase)
        self.phase = phase
        self.event = event
