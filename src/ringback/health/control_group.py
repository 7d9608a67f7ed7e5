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
- A site whose control devices all go missing is an event of its own: sites with updated devices under watch are
  compared with the others (``signals.DARK_SITES``), because a release that takes its whole site offline excuses itself
  above.

Source: risk sets of Cox 1972; sites with one fate as clusters, Donner and Klar 2000.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ringback.health.deployment import Deployment, Outcome
from ringback.health.signals import DARK_SITES, WHOLE_FLEET, SignalSeen
from ringback.stats import BadNumber, RiskSet
from ringback.stats import odds_ppm as odds_of

MISSING_SHARE = 2 / 3
"""Of the heartbeat time. A heartbeat is at least three polls, so two reports in a row are missing by then."""


def missing_after_ms(heartbeat_ms: int) -> int:
    """Return how long a device is unheard before it is missing, ms."""
    return int(heartbeat_ms * MISSING_SHARE)


CONTROLS_MIN = 2
"""Control devices that a site needs to be watched as a site, and that must all be missing for it to go dark as one: so
that a site does not go dark more easily for having fewer control devices left."""


@dataclass(slots=True)
class _Site:
    """One site.

    ``control`` devices, ``missing`` ones of them, updated devices under watch (``watched``), and updated devices whose
    silence stands (``counted``).
    """

    control: int = 0
    missing: int = 0
    watched: int = 0
    counted: int = 0
    light_since_ms: int = 0

    @property
    def is_dark(self) -> bool:
        return self.missing > 0 and 2 * self.missing >= self.control

    @property
    def is_at_risk(self) -> bool:
        """It could go dark as a whole, and has not."""
        return self.control >= CONTROLS_MIN and self.missing < self.control


class ControlGroup:
    """Counts of one rollout's control devices and of the updated ones under watch, by family and site.

    A site is any name devices share, for example ``customer/site``; "" = unknown: such a device shares its fate with
    nobody. The caller reports every change once; what it costs does not grow with the fleet.
    """

    __slots__ = ("_at_risk", "_dark", "_sites", "_sites_at_risk", "_watched")

    def __init__(self) -> None:
        self._at_risk: dict[str, int] = {}
        self._watched: dict[str, int] = {}
        self._sites: dict[str, _Site] = {}
        self._sites_at_risk = [0, 0]
        self._dark: dict[int, RiskSet] = {}

    def joined(self, stratum: str, site: str) -> None:
        """A device that may serve as control was heard."""
        self._at_risk[stratum] = self._at_risk.get(stratum, 0) + 1
        with self._at(site) as known:
            known.control += 1

    def left(self, stratum: str, site: str) -> None:
        """A control device that is neither missing nor silent received the release, or is none of ours any more."""
        self._at_risk[stratum] -= 1
        assert self._at_risk[stratum] >= 0
        with self._at(site) as known:
            known.control -= 1

    def missed(self, site: str) -> None:
        """A control device has become missing."""
        with self._at(site) as known:
            if known.is_at_risk and known.missing + 1 == known.control:
                self._goes_dark(is_touched=known.watched > 0)
            known.missing += 1

    def fell_silent(self, stratum: str, site: str) -> int | None:
        """A missing control device has become silent and leaves the risk set.

        Returns:
            the odds to be counted by ``Ledger.control_fell_silent``; None where the other devices of the site are
            missing too.
        """
        odds_ppm = self.odds_ppm(stratum)
        self._at_risk[stratum] -= 1
        assert self._at_risk[stratum] >= 0
        known = self._sites.get(site)
        if known is not None and known.missing > 1 and 2 * (known.missing - 1) >= known.control - 1:
            return None
        return odds_ppm

    def heard(self, stratum: str, site: str, now_ms: int, *, was_silent: bool) -> None:
        """A missing (or already silent) control device was heard again, at ``now_ms`` UTC."""
        if was_silent:
            self._at_risk[stratum] += 1
        with self._at(site) as known:
            was_dark = known.is_dark
            known.missing -= 1
            assert known.missing >= 0 or not site
            if was_dark and not known.is_dark:
                known.light_since_ms = now_ms

    def changed(self, before: Deployment | None, after: Deployment, site: str) -> None:
        """A deployment has changed: it came under watch or left it, or a silence stands or is over."""
        was_watched = before is not None and before.is_watched
        was_silent = before is not None and before.outcome is Outcome.SILENT
        watched = after.is_watched - was_watched
        counted = (after.outcome is Outcome.SILENT) - was_silent
        if not (watched or counted):
            return
        self._watched[after.stratum] = self._watched.get(after.stratum, 0) + watched
        assert self._watched[after.stratum] >= 0
        with self._at(site) as known:
            known.watched += watched
            known.counted += counted

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

    def dark_sites(self) -> SignalSeen:
        """Return how often sites with and without updated devices under watch went dark as a whole."""
        return SignalSeen(DARK_SITES.name, WHOLE_FLEET, tuple(risk for _odds, risk in sorted(self._dark.items())))

    def _goes_dark(self, *, is_touched: bool) -> None:
        untouched, touched = self._sites_at_risk
        odds = odds_of(touched + is_touched, untouched + (not is_touched))  # with this one, which is just leaving
        assert not isinstance(odds, BadNumber)
        before = self._dark.get(odds, RiskSet(odds, 0, 0))
        self._dark[odds] = RiskSet(odds, before.treated + is_touched, before.control + (not is_touched))

    @contextmanager
    def _at(self, site: str) -> Iterator[_Site]:
        """Give a site to be changed, and keep count of the sites at risk, untouched and touched."""
        known = self._sites.setdefault(site, _Site()) if site else _Site()
        if site and known.is_at_risk:
            self._sites_at_risk[known.watched > 0] -= 1
        yield known
        if site and known.is_at_risk:
            self._sites_at_risk[known.watched > 0] += 1
