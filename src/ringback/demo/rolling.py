"""One rollout of the story, watched from start to end.

Decides: how long to wait, stretched by how late this machine is. Never: judges; what was waited for and did not come is
a claim that does not hold, with what the server says it waits for.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ringback.client import Client, models
from ringback.demo.result import Ledger
from ringback.sim.orders import FactLine

POLL_S = 0.2
VERDICT_WITHIN_S = 40.0
BACK_WITHIN_S = 30.0
# States of a rollout that was stopped by evidence, in the order in which it passes through them.
STOPPED = ("stopped", "rolling_back", "rolled_back", "frozen", "investigating")


class Onlooker(Protocol):
    """What a rollout is watched with."""

    client: Client

    @property
    def lag_factor(self) -> float: ...

    @property
    def fact_count(self) -> int: ...

    def facts(self, since: int) -> list[FactLine]: ...

    def boxes_seen_with(self, digest: str, *, since_s: float) -> set[str]: ...

    def running(self, digest: str) -> frozenset[str]: ...

    def now_rolling(self, rollout: models.Rollout) -> None: ...


class Rolling:
    """A rollout under way."""

    def __init__(self, show: Onlooker, rollout_id: str, release: str) -> None:
        self.rollout_id = rollout_id
        self.release = release
        self._show = show
        self.since_fact = show.fact_count
        self.began_s = time.monotonic()

    # --- reading ------------------------------------------------------------------------------------------------------

    def state(self) -> models.Rollout:
        return self._show.client.rollout(self.rollout_id)

    def decisions(self) -> Sequence[models.Decision]:
        return self._show.client.decisions(self.rollout_id, limit=1000).items

    def deployments(self) -> Sequence[models.Deployment]:
        return self._show.client.deployments(self.rollout_id, limit=1000).items

    def opened(self) -> list[str]:
        """Names of the rings that were opened."""
        return [ring.name for ring in self.state().rings if ring.opened_at_ms is not None]

    def activated(self, digest: str) -> set[str]:
        """Devices that newly activated a digest since this rollout began, as the devices show it."""
        lines = self._show.facts(self.since_fact)
        simulated = {
            line.device
            for line in lines
            if line.kind == "activated" and not line.back and digest in line.changed.values()
        }
        return simulated | self._show.boxes_seen_with(digest, since_s=self.began_s)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait(
        self, what: str, is_so: Callable[[models.Rollout], bool], *, ledger: Ledger, within_s: float
    ) -> models.Rollout:
        """Waits until the rollout is as wanted.

        Raises:
            ActFailed: it is not, in time; the text says what the server waits for.
        """
        deadline_s = time.monotonic() + within_s * self._show.lag_factor
        while True:
            state = self.state()
            self._show.now_rolling(state)
            if is_so(state):
                return state
            if time.monotonic() > deadline_s:
                waits = "; ".join(each.text for each in state.waiting_on) or state.cause
                ledger.require(f"{self.release}: {what} within {within_s:.0f} s", False, f"{state.state}: {waits}")
            time.sleep(POLL_S)

    def wait_stopped(self, ledger: Ledger, *, within_s: float = VERDICT_WITHIN_S) -> None:
        """Waits until evidence has stopped the rollout and nothing of it is left to take back."""
        self.wait("stopped by evidence", lambda state: state.state in STOPPED, ledger=ledger, within_s=within_s)
        self.wait("taken back", lambda state: state.state == "investigating", ledger=ledger, within_s=BACK_WITHIN_S)

    def wait_closed(self, ledger: Ledger, *, within_s: float) -> None:
        """Waits until the rollout has come to its good end."""

        def is_over(state: models.Rollout) -> bool:
            return state.state in ("closed", *STOPPED)

        state = self.wait("closed", is_over, ledger=ledger, within_s=within_s)
        ledger.require(
            f"{self.release} comes to its good end", state.state == "closed", f"{state.state}: {state.cause}"
        )

    def wait_activated(self, digest: str, *, at_least: int, ledger: Ledger, within_s: float = VERDICT_WITHIN_S) -> None:
        """Waits until so many devices have newly activated a digest."""
        self.wait(
            f"activated on {at_least} devices",
            lambda _state: len(self.activated(digest)) >= at_least,
            ledger=ledger,
            within_s=within_s,
        )

    def wait_back(self, digest: str, ledger: Ledger, *, within_s: float = BACK_WITHIN_S) -> None:
        """Waits until no device runs a digest any more."""
        self.wait(
            "gone from every device",
            lambda _state: not self._show.running(digest),
            ledger=ledger,
            within_s=within_s,
        )

    # --- ending -------------------------------------------------------------------------------------------------------

    def order(self, verb: str, reason: str) -> None:
        """Gives the rollout an operator's command."""
        self._show.client.order_rollout(self.rollout_id, verb, reason=reason)

    def take_back(self, ledger: Ledger) -> None:
        """Rolls it back by an operator's command, and closes the case."""
        self.order("rollback", "the story goes on without it")
        self.wait("taken back", lambda state: state.state == "investigating", ledger=ledger, within_s=BACK_WITHIN_S)
        self.close()

    def close(self) -> None:
        """Closes the case of a rollout that was stopped."""
        self.order("close", "seen, and understood")

    def measure(self, ledger: Ledger) -> None:
        """Writes down seconds to the verdict, and from the verdict until every device was back."""
        decisions = self.decisions()
        began_ms = min((each.at_ms for each in decisions), default=0)
        verdict_ms = next((each.at_ms for each in decisions if each.after == "stopped"), None)
        back_ms = next((each.at_ms for each in decisions if each.after == "rolled_back"), None)
        if verdict_ms is not None:
            ledger.seconds_to_verdict = (verdict_ms - began_ms) / 1000
        if verdict_ms is not None and back_ms is not None:
            ledger.seconds_to_healthy = (back_ms - verdict_ms) / 1000
