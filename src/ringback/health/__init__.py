"""From what devices said to a verdict: PASS, FAIL or WAITING, with the family and the plane to blame.

Decides: what counts as evidence, what it proves, whom it blames, and how to say so. Never: opens or closes anything
(``ringback.control`` does), reads a clock, or turns missing evidence into a pass.

- ``params``      the numbers a release promises and risks (SLO, error rates, budgets, horizons).
- ``deployment``  one release on one device: the unit of evidence, folded from its reports.
- ``evidence``    the few counts that many deployments come down to.
- ``ledger``      the fold of deployments into them, incrementally.
- ``control_group``  what happens without the release: dark sites, and the odds of every silence.
- ``signals``     event rates and measurements against control, and their shares of alpha.
- ``changes``     before and after on one device, ranked among fresh control devices.
- ``blame``       which plane, by the failing rule, else by the rung that healed.
- ``verdict``     the judgement.
- ``words``       the same for people.
"""

from ringback.health.blame import Blame, BlameBasis
from ringback.health.changes import Changes, Worse, change_ppm, drift_ppm
from ringback.health.control_group import ControlGroup
from ringback.health.deployment import (
    Deployment,
    Drill,
    Heard,
    Outcome,
    Result,
    ResultKind,
    after_report,
    after_silence,
    granted_again,
    silence_due_at_ms,
    withdrawn,
)
from ringback.health.evidence import Cause, Prefix, RingEvidence, StratumEvidence
from ringback.health.ledger import Ledger
from ringback.health.params import BUDGETS, BadGate, Budget, GateParams, checked
from ringback.health.signals import Signal, SignalKind, SignalSeen
from ringback.health.verdict import Level, Measure, SignalVerdict, Verdict, VerdictKind, judge

__all__ = [
    "BUDGETS",
    "BadGate",
    "Blame",
    "BlameBasis",
    "Budget",
    "Cause",
    "Changes",
    "ControlGroup",
    "Deployment",
    "Drill",
    "GateParams",
    "Heard",
    "Ledger",
    "Level",
    "Measure",
    "Outcome",
    "Prefix",
    "Result",
    "ResultKind",
    "RingEvidence",
    "Signal",
    "SignalKind",
    "SignalSeen",
    "SignalVerdict",
    "StratumEvidence",
    "Verdict",
    "VerdictKind",
    "Worse",
    "after_report",
    "after_silence",
    "change_ppm",
    "checked",
    "drift_ppm",
    "granted_again",
    "judge",
    "silence_due_at_ms",
    "withdrawn",
]
