"""Moves a release over a fleet, ring by ring, and back.

Decides: what a rollout does next and why. Never: touches a device, a database, a clock or a die.

- ``table``      every state, event and effect: the whole machine.
- ``rollout``    the values it decides on.
- ``questions``  which event is due in each state, or what is waited for.
- ``decide``     one decision, with reasons.
- ``commands``   what people may order.
- ``exposure``   how many more devices may receive the release.
- ``ring``       who is in which ring.
- ``brakes``     stop and freeze.
- ``windows``    maintenance windows.
- ``start``      from a release as written to a rollout that can begin.
- ``record``     the stored form, and making a decision of the past again.
"""

from ringback.control.brakes import Braked, Freeze, Stop, StopAnswer, braked, reached
from ringback.control.commands import Command, CommandKind, CommandRefused, command
from ringback.control.decide import Decision, Effect, decide
from ringback.control.exposure import NO_GRANTS, Exposure, Grants, Limit, Reach, StratumGrant, exposure, reach
from ringback.control.questions import CERTIFICATE, Waiting, WaitKind
from ringback.control.record import decision_bytes, inputs_bytes, recomputed, rollout_bytes, rollout_from
from ringback.control.ring import Member, RingFrame, RingKind, StratumCut, cuts, is_below, place, ring_of
from ringback.control.rollout import (
    Change,
    FirstRung,
    Ring,
    RollbackEvidence,
    Rollout,
    RolloutEvidence,
    Rung,
)
from ringback.control.start import Targeted, WayBack, cuts_of, frames_of, gate_of, new_rollout
from ringback.control.table import TABLE, TERMINAL, EffectKind, Event, Row, State, TransitionError
from ringback.control.windows import Interval, Opening, opening

__all__ = [
    "CERTIFICATE",
    "NO_GRANTS",
    "TABLE",
    "TERMINAL",
    "Braked",
    "Change",
    "Command",
    "CommandKind",
    "CommandRefused",
    "Decision",
    "Effect",
    "EffectKind",
    "Event",
    "Exposure",
    "FirstRung",
    "Freeze",
    "Grants",
    "Interval",
    "Limit",
    "Member",
    "Opening",
    "Reach",
    "Ring",
    "RingFrame",
    "RingKind",
    "RollbackEvidence",
    "Rollout",
    "RolloutEvidence",
    "Row",
    "Rung",
    "State",
    "Stop",
    "StopAnswer",
    "StratumCut",
    "StratumGrant",
    "Targeted",
    "TransitionError",
    "WaitKind",
    "Waiting",
    "WayBack",
    "braked",
    "command",
    "cuts",
    "cuts_of",
    "decide",
    "decision_bytes",
    "exposure",
    "frames_of",
    "gate_of",
    "inputs_bytes",
    "is_below",
    "new_rollout",
    "opening",
    "place",
    "reach",
    "reached",
    "recomputed",
    "ring_of",
    "rollout_bytes",
    "rollout_from",
]
