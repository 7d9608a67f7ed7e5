"""Writes decisions and what they rest on as bytes, and makes any decision of the past again from them.

Decides: the stored form. Never: interprets it. The same value always gives the same bytes: fields keep the order of
their declaration, and every number that is stored is an integer.

- ``recomputed(inputs)`` equals the bytes of the decision that was made from them, or the code has changed; the writer's
  version is part of the inputs, so that is told apart from tampering.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ringback.control.decide import Decision, decide
from ringback.control.rollout import Rollout, RolloutEvidence

FORMAT = 1
"""Version of the stored form; rises when a field changes its meaning."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything one decision rests on."""

    format: int
    rollout: Rollout
    evidence: RolloutEvidence
    now_ms: int


_rollouts = msgspec.json.Decoder(Rollout)
_inputs = msgspec.json.Decoder(Inputs)


def rollout_bytes(rollout: Rollout) -> bytes:
    """Return the rollout's memory as JSON."""
    return msgspec.json.encode(rollout)


def rollout_from(document: bytes) -> Rollout:
    """Return the rollout that ``rollout_bytes`` wrote.

    Raises:
        msgspec.ValidationError: the bytes are none of ours.
    """
    return _rollouts.decode(document)


def inputs_bytes(rollout: Rollout, evidence: RolloutEvidence, now_ms: int) -> bytes:
    """Return what a decision rests on as JSON, to be stored beside it."""
    return msgspec.json.encode(Inputs(FORMAT, rollout, evidence, now_ms))


def decision_bytes(decision: Decision) -> bytes:
    """Return a decision as JSON."""
    return msgspec.json.encode(decision)


def recomputed(document: bytes) -> bytes:
    """Return the bytes of the decision that follows from stored inputs.

    Raises:
        msgspec.ValidationError: the bytes are none of ours.
    """
    inputs = _inputs.decode(document)
    if inputs.format != FORMAT:
        raise msgspec.ValidationError(f"format {inputs.format} found, {FORMAT} expected")
    return decision_bytes(decide(inputs.rollout, inputs.evidence, inputs.now_ms))
