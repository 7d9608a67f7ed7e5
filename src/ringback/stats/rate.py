"""Engine B: do updated devices have events at a higher rate than the control devices of the same stratum and hour?

Decides: how strongly a stream of events (crash, watchdog reset, silence; the first per device and window) speaks
against "the rate ratio treated : control is at most theta0". Never: compares before with after, or different hours.

- When an event happens in a stratum with exposure t on the treated and c on the control side (devices at risk, or
  device-hours), it is a treated one with chance  r = t a / (t a + c)  if the true ratio is a. One event multiplies by

      r_theta / r_theta0  (treated)    or    (1 - r_theta) / (1 - r_theta0)  (control),   mixed over theta

  Under every ratio <= theta0 each factor has conditional mean at most 1, for any baseline hazard, time of day or
  ageing; so P(E ever >= 1/alpha) <= alpha.
- Exposures are those *before* the event. A device that leaves the risk set (its first event, offline for good) leaves
  it for both sides' next event.

Sources: Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022; ter Schure, Perez-Ortiz,
Ly and Grunwald, "The anytime-valid logrank test", NEJSDS 2024; Cox 1972 for the risk-set argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log

from ringback.stats.mixture import decreasing_weights, mixed
from ringback.stats.refused import EVENT_FROM_EMPTY_SIDE, OUT_OF_RANGE, BadNumber, bad_count, bad_finite, bad_rate
from ringback.stats.risk import PPM, RiskSet

RATIO_MULTIPLES = (2.0, 5.0, 15.0)
"""Alternatives as multiples of theta0: a doubled crash rate, a clear defect, a crash loop."""


@dataclass(frozen=True, slots=True)
class RateState:
    """The whole state of engine B: one logarithm per alternative, and how many events were counted on each side."""

    logs: tuple[float, ...]
    treated_events: int
    control_events: int


@dataclass(frozen=True, slots=True)
class RateGate:
    """The rate comparison against a tolerated ratio ``theta0``. Build it with ``rate_gate``."""

    theta0: float
    thetas: tuple[float, ...]
    weights: tuple[float, ...]

    def start(self) -> RateState:
        """Return the state before any event: evidence 1."""
        return RateState((0.0,) * len(self.thetas), 0, 0)

    def evidence(self, state: RateState) -> float:
        """Return E >= 0: how strongly the events so far speak against "at most theta0 times the control's rate"."""
        return mixed(self.weights, state.logs)

    def after(
        self,
        state: RateState,
        *,
        treated_events: object,
        control_events: object,
        treated_exposure: object,
        control_exposure: object,
    ) -> RateState | BadNumber:
        """Return the state after the events of one stratum and moment, or why they are no evidence.

        Args:
            treated_events, control_events: events on each side since the last call for this stratum.
            treated_exposure, control_exposure: devices at risk, or device-hours, on each side before these events.

        Without exposure on one side an event teaches nothing about the ratio: it is counted and changes no evidence.
        """
        refused = (
            bad_count("treated_events", treated_events)
            or bad_count("control_events", control_events)
            or _bad_exposure("treated_exposure", treated_exposure, treated_events)
            or _bad_exposure("control_exposure", control_exposure, control_events)
        )
        if refused is not None:
            return refused
        assert isinstance(treated_events, int) and isinstance(control_events, int)
        assert isinstance(treated_exposure, (int, float)) and isinstance(control_exposure, (int, float))
        logs = state.logs
        if treated_exposure > 0 and control_exposure > 0:
            logs = self._moved(logs, treated_events, control_events, treated_exposure / control_exposure)
        return RateState(logs, state.treated_events + treated_events, state.control_events + control_events)

    def evidence_of(self, risks: Iterable[RiskSet]) -> float:
        """Return E >= 0 of all events so far, by the odds at which they happened; their order does not matter."""
        logs = [0.0] * len(self.thetas)
        for each in risks:
            moved = self._moved((0.0,) * len(logs), each.treated, each.control, each.odds_ppm / PPM)
            logs = [before + more for before, more in zip(logs, moved, strict=True)]
        return mixed(self.weights, logs)

    def _moved(self, logs: tuple[float, ...], treated: int, control: int, odds: float) -> tuple[float, ...]:
        """With odds o = t/c: r_theta/r_theta0 = theta (o theta0 + 1) / (theta0 (o theta + 1)), control alike."""
        moved = []
        for theta, before in zip(self.thetas, logs, strict=True):
            share = log((odds * self.theta0 + 1) / (odds * theta + 1))
            moved.append(before + treated * (share + log(theta / self.theta0)) + control * share)
        return tuple(moved)


def rate_gate(theta0: object) -> RateGate | BadNumber:
    """Build engine B for the tolerated rate ratio ``theta0`` (above 0, below 100; 1 = no worse than control)."""
    refused = bad_rate("theta0", theta0, above=0.0, below=100.0)
    if refused is not None:
        return refused
    assert isinstance(theta0, (int, float))
    thetas = tuple(multiple * theta0 for multiple in RATIO_MULTIPLES)
    return RateGate(float(theta0), thetas, decreasing_weights(len(thetas)))


def _bad_exposure(field: str, exposure: object, events: object) -> BadNumber | None:
    refused = bad_finite(field, exposure)
    if refused is not None:
        return refused
    assert isinstance(exposure, (int, float))
    if exposure < 0:
        return BadNumber(OUT_OF_RANGE, field, str(exposure), "0 or more")
    if exposure == 0 and events:
        return BadNumber(EVENT_FROM_EMPTY_SIDE, field, "0", f"more than 0, because this side had {events} events")
    return None
