"""The devices that have not received the release: what would have happened without it?

Decides: whose silence a whole site shares, and at which odds a silence happened. Never: whether the release is good,
and never looks at a device of its own accord; the caller tells what it heard, and what it has not.

- A device is *missing* once it is unheard for two thirds of the heartbeat time, *silent* after all of it. So a site is
  known to be dark before the first silence there is counted.
- A site is dark while at least half of its control devices are missing. Nothing there is listened to: no silence is
  counted until the site is heard again and a heartbeat time has passed.
- A site without any control device counts as one device: while one silence there stands, no other is added.
- At every silence, on either side, the odds (updated devices at risk : control devices at risk, in this family) are
  written down; ``ringback.stats.background`` judges by them. A control device's own silence is left out where the
  *other* control devices of its site went missing too, just as an updated device's is.

Source: risk sets of Cox 1972; sites with one fate as clusters, Donner and Klar 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.health.deployment import Deployment, Outcome
from ringback.stats import BadNumber
from ringback.stats import odds_ppm as odds_of

MISSING_SHARE = 2 / 3
"""Of the heartbeat time. A heartbeat is at least three polls, so two reports in a row are missing by then."""


def missing_after_ms(heartbeat_ms: int) -> int:
    """Return how long a device is unheard before it is missing, ms."""
    return int(heartbeat_ms * MISSING_SHARE)


@dataclass(slots=True)
class _Site:
    """``control`` devices, ``missing`` ones of them, updated devices whose silence is ``counted``."""

    control: int = 0
    missing: int = 0
    counted: int = 0
    light_since_ms: int = 0

    @property
    def is_dark(self) -> bool:
        return self.missing > 0 and 2 * self.missing >= self.control


class ControlGroup:
    """Counts of one rollout's control devices and of the updated ones under watch, by family and site.

    A site is any name devices share, for example ``customer/site``; "" = unknown: such a device shares its fate with
    nobody. The caller reports every change once; what it costs does not grow with the fleet.
    """

    __slots__ = ("_at_risk", "_sites", "_watched")

    def __init__(self) -> None:
        self._at_risk: dict[str, int] = {}
        self._watched: dict[str, int] = {}
        self._sites: dict[str, _Site] = {}

    def joined(self, stratum: str, site: str) -> None:
        """A device that may serve as control was heard."""
        self._at_risk[stratum] = self._at_risk.get(stratum, 0) + 1
        if site:
            self._sites.setdefault(site, _Site()).control += 1

    def left(self, stratum: str, site: str) -> None:
        """A control device that is neither missing nor silent received the release, or is none of ours any more."""
        self._at_risk[stratum] -= 1
        assert self._at_risk[stratum] >= 0
        if site:
            self._sites[site].control -= 1

    def missed(self, site: str) -> None:
        """A control device has become missing."""
        if site:
            self._sites[site].missing += 1

    def fell_silent(self, stratum: str, site: str) -> int | None:
        """A missing control device has become silent and leaves the risk set.

        Returns:
            the odds to be counted by ``Ledger.control_fell_silent``; None where the other devices of the site are
            missing too.
        """
        odds_ppm = self.odds_ppm(stratum)
        self._at_risk[stratum] -= 1
        assert self._at_risk[stratum] >= 0
        if site:
            known = self._sites[site]
            if known.missing > 1 and 2 * (known.missing - 1) >= known.control - 1:
                return None
        return odds_ppm

    def heard(self, stratum: str, site: str, now_ms: int, *, was_silent: bool) -> None:
        """A missing (or already silent) control device was heard again, at ``now_ms`` UTC."""
        if was_silent:
            self._at_risk[stratum] += 1
        if site:
            known = self._sites[site]
            was_dark = known.is_dark
            known.missing -= 1
            assert known.missing >= 0
            if was_dark and not known.is_dark:
                known.light_since_ms = now_ms

    def changed(self, before: Deployment | None, after: Deployment, site: str) -> None:
        """A deployment has changed: it came under watch or left it, or a silence stands or is over."""
        was_watched = before is not None and before.is_watched
        if after.is_watched is not was_watched:
            self._watched[after.stratum] = self._watched.get(after.stratum, 0) + (-1 if was_watched else 1)
            assert self._watched[after.stratum] >= 0
        was_silent = before is not None and before.outcome is Outcome.SILENT
        is_silent = after.outcome is Outcome.SILENT
        if site and is_silent is not was_silent:
            self._sites.setdefault(site, _Site()).counted += -1 if was_silent else 1

    def odds_ppm(self, stratum: str) -> int:
        """Return the odds of this moment for a family, as ``ringback.stats.odds_ppm`` rounds them."""
        odds = odds_of(self._watched.get(stratum, 0), self._at_risk.get(stratum, 0))
        assert not isinstance(odds, BadNumber)
        return odds

    def listening_since_ms(self, site: str, now_ms: int) -> int:
        """Return since when silence at a site means something, UTC ms; ``now_ms`` = it means nothing right now."""
        known = self._sites.get(site)
        if known is None:
            return 0
        if known.is_dark or (not known.control and known.counted):
            return now_ms
        return known.light_since_ms
