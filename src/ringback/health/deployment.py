"""One release on one device: the unit of evidence, folded from that device's reports.

Decides: what a device's reports mean for the release it was given. Never: counts a retry, a crash or a frame twice
(one device has one outcome per rollout), and never judges the release.

- Entry is "activation announced or begun". It must not depend on the outcome, so a device refused by a health rule in
  preflight, the last step before announcing, enters at that moment too.
- Silence: an entered device unheard for the heartbeat time fails *silently*, measured only while the server listened
  to it. Once counted, it stays a failure for halting, even if the device comes back; otherwise counts would run
  backwards. For certifying a device that came back and is healthy is no failure: there, the end counts.
- A drill's injected failure is no failure of the release. A device that does not come back from it is lost in the
  drill: it fails the ring, whatever the release is worth.
- Reports of another attempt than the deployment's present one change nothing but "last heard".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter


class Outcome(StrEnum):
    """What became of the release on this device, as operators see it."""

    OFFERED = "offered"
    DOWNLOADING = "downloading"
    INSTALLED = "installed-unproven"
    PROVEN = "proven"
    FAILED = "failed"
    FELL_BACK = "fell-back"
    SILENT = "silent"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Drill(StrEnum):
    """Whether this device was made to fail a reading, and came back by itself."""

    NONE = "none"
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class ResultKind(StrEnum):
    """How the device says its deployment ended."""

    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    REFUSED = "refused"
    FAILED = "failed"


FAILURES = frozenset({Outcome.FAILED, Outcome.FELL_BACK, Outcome.SILENT})

NOT_YET_ENTERED = frozenset({Outcome.OFFERED, Outcome.DOWNLOADING, Outcome.WITHDRAWN})
"""A withdrawn device that activates all the same was beyond recall: it is evidence like any other."""

WATCHED = frozenset({Outcome.OFFERED, Outcome.DOWNLOADING, Outcome.INSTALLED})
"""A device that is offered the release again still runs it from before: its silence counts as well."""

RETURNED = frozenset({Outcome.INSTALLED, Outcome.PROVEN})


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one attempt, as the device reports it.

    Attributes:
        kind: how it ended.
        drill: the device says that the failure was the injected one.
        rule, plane: the rule that failed and the plane it indicts; None where no rule did.
        operator, reading, limit: observed value, comparison and limit of that rule, in the rule's own unit.
        rung: planes that had gone back when the device was healthy again.
        healthy: the device was healthy after reverting; None where it did not revert.
        detect_ms, recover_ms: activation to failing reading, and failing reading to healthy.
    """

    kind: ResultKind
    drill: bool = False
    code: str = ""
    rule: str | None = None
    plane: str | None = None
    operator: str = ""
    reading: int | None = None
    limit: int | None = None
    rung: tuple[str, ...] = ()
    healthy: bool | None = None
    detect_ms: int | None = None
    recover_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one report says about one deployment.

    Attributes:
        attempt: the attempt the report is about.
        downloading: the device has begun to fetch or stage it.
        entered: activation was announced or begun.
        result: the end of this attempt, or None while it runs.
    """

    attempt: int
    downloading: bool = False
    entered: bool = False
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One release on one device. All instants are UTC ms by the server's clock.

    Attributes:
        stratum: hardware family.
        ring: index of the ring through which the device was granted.
        entered_at_ms: latest activation; None before the first.
        confirmed_at_ms: when its confirmation was heard; None if not, or if it failed later.
        counted_silent: silence was counted; stays even if the device comes back.
        silent_odds_ppm: updated devices at risk per control device at risk when it was counted, from
            ``ringback.stats.odds_ppm``; None = control was not watched, and nothing can excuse the silence.
        result: the end of the last attempt that ended, for blame and for people.
    """

    rollout_id: str
    device_id: str
    stratum: str
    ring: int
    granted_at_ms: int
    heard_at_ms: int
    attempt: int = 1
    outcome: Outcome = Outcome.OFFERED
    outcome_at_ms: int = 0
    entered_at_ms: int | None = None
    confirmed_at_ms: int | None = None
    counted_silent: bool = False
    silent_odds_ppm: int | None = None
    drill: Drill = Drill.NONE
    result: Result | None = None
    detect_ms: int | None = None
    recover_ms: int | None = None

    @property
    def is_failed(self) -> bool:
        """Counts as a failure of the release: by its outcome once it entered, or by counted silence."""
        if self.counted_silent:
            return True
        is_bad_end = self.outcome in FAILURES or self.outcome is Outcome.REFUSED
        return is_bad_end and self.entered_at_ms is not None and not self.is_lost_in_drill

    @property
    def is_lost_in_drill(self) -> bool:
        """The injected failure was not noticed, or the device did not come back: that is the way back, not the release.

        It fails its ring, stays unverified, and is neither good nor evidence against the release.
        """
        if self.drill is not Drill.FAILED or self.result is None:
            return False
        return self.result.drill or self.result.kind is ResultKind.CONFIRMED

    @property
    def is_good(self) -> bool:
        """Confirmed and not failed since."""
        return self.confirmed_at_ms is not None and not self.is_failed

    @property
    def is_returned(self) -> bool:
        """Was counted silent, has been heard since, and is confirmed: a failure for halting, none for certifying."""
        return self.counted_silent and self.confirmed_at_ms is not None and self.outcome in RETURNED

    @property
    def is_watched(self) -> bool:
        """Entered and neither ended nor proven: its silence would be noticed."""
        return self.entered_at_ms is not None and self.outcome in WATCHED and not self.is_lost_in_drill

    @property
    def is_moving(self) -> bool:
        """Offered or on its way: neither confirmed, failed, refused nor withdrawn."""
        if self.is_failed or self.is_lost_in_drill or self.confirmed_at_ms is not None:
            return False
        return self.outcome in (Outcome.OFFERED, Outcome.DOWNLOADING, Outcome.INSTALLED)


_PLACES = {each.name: place for place, each in enumerate(fields(Deployment))}
_values = attrgetter(*_PLACES)


def _changed(deployment: Deployment, **changes: object) -> Deployment:
    """``dataclasses.replace`` at half its price: a server does this for every report."""
    values = list(_values(deployment))
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Deployment(*values)


def granted_again(deployment: Deployment, attempt: int, *, drill: bool, now_ms: int) -> Deployment:
    """Return the deployment after it was offered once more (after a drill, or by an operator's retry)."""
    return _changed(
        deployment,
        attempt=attempt,
        outcome=Outcome.OFFERED,
        outcome_at_ms=now_ms,
        granted_at_ms=now_ms,
        confirmed_at_ms=None,
        drill=Drill.PENDING if drill else deployment.drill,
    )


def withdrawn(deployment: Deployment, now_ms: int) -> Deployment:
    """Return the deployment after its offer was withdrawn; an entered one is beyond recall and stays as it is."""
    if deployment.entered_at_ms is not None or not deployment.is_moving:
        return deployment
    return _changed(deployment, outcome=Outcome.WITHDRAWN, outcome_at_ms=now_ms)


def after_report(deployment: Deployment, heard: Heard, now_ms: int) -> Deployment:
    """Return the deployment after one report; folding the same report again changes nothing but ``heard_at_ms``.

    Args:
        heard: what the report says about this deployment.
        now_ms: UTC ms of receipt by the server.
    """
    known = _changed(deployment, heard_at_ms=max(deployment.heard_at_ms, now_ms))
    if heard.attempt != known.attempt:
        return known
    if known.outcome is Outcome.SILENT:
        known = _changed(known, outcome=Outcome.INSTALLED, outcome_at_ms=now_ms)
    if heard.entered and known.outcome in NOT_YET_ENTERED:
        known = _changed(known, outcome=Outcome.INSTALLED, outcome_at_ms=now_ms, entered_at_ms=now_ms)
    elif heard.downloading and known.outcome is Outcome.OFFERED:
        known = _changed(known, outcome=Outcome.DOWNLOADING, outcome_at_ms=now_ms)
    if heard.result is None or heard.result == known.result or known.outcome is Outcome.WITHDRAWN:
        return known
    return _ended(known, heard.result, now_ms)


def _ended(known: Deployment, result: Result, now_ms: int) -> Deployment:
    if result.kind is ResultKind.CONFIRMED:
        return _confirmed(known, result, now_ms)
    ended = _changed(
        known,
        result=result,
        confirmed_at_ms=None,
        detect_ms=known.detect_ms if result.detect_ms is None else result.detect_ms,
        recover_ms=known.recover_ms if result.recover_ms is None else result.recover_ms,
    )
    if known.drill is Drill.PENDING and result.kind is ResultKind.REVERTED:
        came_back = result.healthy is True
        ended = _changed(ended, drill=Drill.PASSED if came_back else Drill.FAILED)
        if result.drill and came_back:
            return ended  # the failure was the injected one: the release has still to be tried
    if result.kind is ResultKind.REVERTED:
        return _changed(ended, outcome=Outcome.FELL_BACK, outcome_at_ms=now_ms)
    if result.kind is ResultKind.FAILED:
        return _changed(ended, outcome=Outcome.FAILED, outcome_at_ms=now_ms)
    # Refused. By a health rule it is a failure of the release and enters now; otherwise the device is unsuitable.
    entered_at_ms = known.entered_at_ms if result.rule is None else now_ms
    return _changed(ended, outcome=Outcome.REFUSED, outcome_at_ms=now_ms, entered_at_ms=entered_at_ms)


def _confirmed(known: Deployment, result: Result, now_ms: int) -> Deployment:
    """A drill that ended confirmed was no drill: the injected reading did not make the device come back."""
    if known.drill is Drill.PENDING:
        return _changed(known, result=result, drill=Drill.FAILED, outcome=Outcome.FAILED, outcome_at_ms=now_ms)
    if known.confirmed_at_ms is not None:
        return known
    entered_at_ms = now_ms if known.entered_at_ms is None else known.entered_at_ms
    return _changed(
        known,
        result=result,
        entered_at_ms=entered_at_ms,
        confirmed_at_ms=now_ms,
        outcome=Outcome.INSTALLED,
        outcome_at_ms=now_ms,
    )


def after_silence(
    deployment: Deployment,
    *,
    listening_since_ms: int,
    heartbeat_ms: int,
    horizon_ms: int,
    now_ms: int,
    odds_ppm: int | None = None,
) -> Deployment:
    """Return the deployment after time has passed without a report: silent, proven, or unchanged.

    Args:
        listening_since_ms: since when the server has listened to this device without a gap; its own outage, and one of
            the device's site (``ringback.health.control_group``), is nobody's silence.
        heartbeat_ms: silence that counts as failure.
        horizon_ms: the longest horizon; a confirmed device heard past it is proven and no longer watched.
        now_ms: UTC ms.
        odds_ppm: written down if silence is counted now; see ``Deployment.silent_odds_ppm``.
    """
    entered_at_ms = deployment.entered_at_ms
    if entered_at_ms is None or not deployment.is_watched:
        return deployment
    is_healthy = deployment.is_good or deployment.is_returned
    if is_healthy and deployment.heard_at_ms >= entered_at_ms + horizon_ms:
        return _changed(deployment, outcome=Outcome.PROVEN, outcome_at_ms=now_ms)
    if now_ms - max(deployment.heard_at_ms, listening_since_ms) < heartbeat_ms:
        return deployment
    return _changed(
        deployment,
        counted_silent=True,
        silent_odds_ppm=deployment.silent_odds_ppm if deployment.counted_silent else odds_ppm,
        outcome=Outcome.SILENT,
        outcome_at_ms=now_ms,
    )


def silence_due_at_ms(deployment: Deployment, *, listening_since_ms: int, heartbeat_ms: int) -> int | None:
    """Return when ``after_silence`` could first change an unproven entered deployment; None if never."""
    if not deployment.is_watched:
        return None
    return max(deployment.heard_at_ms, listening_since_ms) + heartbeat_ms
