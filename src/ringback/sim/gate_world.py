"""A fleet as far as a gate can tell: when devices can be reached, how long they take, which of them a release breaks.

Decides: the fate of every device under one release, and the weather, from a seed. Never: when a device is offered the
release, nor what is known about it; that is the rollout's part (``gate_run``, ``ringback.bench.gate_rivals``). So every
policy is shown the same devices, and a difference between policies is no luck.

- Times are minutes, counted from the start of the rollout.
- A device that fails reverts and reports 5 to 15 minutes after it entered, or, one in four, is never heard again.
- Late defects show after a Weibull time with a median of eight hours, on devices that were healthy until then.
- The weather happens without any release: sites that go dark, devices that fall silent for a while. It hits devices
  with and without the release alike, more at day than at night.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, log, pi

DAY_MIN = 24 * 60
FAMILIES = (("f40", 0.40), ("f25", 0.25), ("f17", 0.17), ("f10", 0.10), ("f08", 0.08))
"""Hardware families and their shares of the fleet; the last one is the rare one."""

RARE = "f08"
POLL_MIN = 15
"""A device asks for updates every 15 minutes. It reports every few minutes, so it can be missed sooner than that."""

REACHABLE = 0.85
AWAY_MIN = 600.0
"""15 % of the devices are away when the rollout starts; they come back after an exponential time, 10 h in the mean."""

INSTALL_MEDIAN_MIN = 8.0
INSTALL_SIGMA = 0.5
SILENT = 0.25
LATE_SHAPE = 1.5
LATE_MEDIAN_MIN = 480.0
_LATE_SCALE_MIN = LATE_MEDIAN_MIN / log(2) ** (1 / LATE_SHAPE)


@dataclass(frozen=True, slots=True)
class Defect:
    """What a release breaks.

    Attributes:
        share: share of devices that fail soon after they entered, 0..1.
        family: hardware family with a share of its own; "" = none.
        family_share: share of that family that fails.
        late_share: share of devices that fail hours later.
        site_share: share of devices that take their whole site off the network when they enter.
    """

    share: float
    family: str = ""
    family_share: float = 0.0
    late_share: float = 0.0
    site_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens without any release.

    Attributes:
        site_devices: devices per site; they go dark together.
        outages: outages per site and day, in the mean.
        outage_min: how long one lasts, in the mean (exponential).
        lapses: times per day that one device falls silent alone.
        lapse_min: how long, in the mean (exponential).
    """

    site_devices: int
    outages: float
    outage_min: float
    lapses: float
    lapse_min: float


CALM: Weather | None = None
ROUGH = Weather(site_devices=10, outages=0.25, outage_min=60.0, lapses=0.02, lapse_min=60.0)
"""Every site is dark once in four days, every device silent alone once in fifty: one entered device in twenty is
unheard for longer than a heartbeat within four hours, twelve times as many as a release may break."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One device under one release.

    Attributes:
        family: hardware family.
        site: where it stands; "" = unknown.
        reachable_at: minute from which it polls.
        phase: it polls at every minute that is ``phase`` modulo ``POLL_MIN``.
        install_min: from offer to entry.
        fails_after: minutes from entry to the failure; None = it does not fail.
        report_after: minutes from the failure to the report of the revert; None = never heard again.
        order: random place in the fleet, for rollouts that fix their groups.
        dark: spans (from, to) in which it is not heard, for reasons of its own or its site's, in order, apart.
        takes_site_down: its whole site goes dark when it enters.
    """

    family: str
    site: str
    reachable_at: float
    phase: int
    install_min: float
    fails_after: float | None
    report_after: float | None
    order: float
    dark: tuple[tuple[float, float], ...] = ()
    takes_site_down: bool = False


def fates(devices: int, defect: Defect, seed: int, weather: Weather | None = CALM, *, days: int = 3) -> list[Fate]:
    """Return the fate of each of ``devices`` devices (1 or more); the same seed, the same fates.

    Args:
        days: how long the weather lasts.
    """
    dice = random.Random(seed)
    chance = dice.random
    names = [name for name, share in FAMILIES for _ in range(round(share * 1000))]
    skies = _Skies(dice, weather, devices, days)
    made = []
    for index in range(devices):
        family = names[int(chance() * len(names))]
        share = defect.family_share if family == defect.family else defect.share
        fails_after = report_after = None
        if chance() < share:
            fails_after = 0.0
        elif defect.late_share and chance() < defect.late_share:
            fails_after = dice.weibullvariate(_LATE_SCALE_MIN, LATE_SHAPE)
        if fails_after is not None and chance() >= SILENT:
            report_after = dice.uniform(5.0, 15.0)
        made.append(
            Fate(
                family=family,
                site=skies.site(index),
                reachable_at=0.0 if chance() < REACHABLE else dice.expovariate(1 / AWAY_MIN),
                phase=int(chance() * POLL_MIN),
                install_min=dice.lognormvariate(log(INSTALL_MEDIAN_MIN), INSTALL_SIGMA),
                fails_after=fails_after,
                report_after=report_after,
                order=chance(),
                dark=skies.over(index),
                takes_site_down=bool(defect.site_share) and chance() < defect.site_share,
            )
        )
    return made


class _Skies:
    """The weather over a fleet: outages of sites, drawn once, and lapses of devices."""

    def __init__(self, dice: random.Random, weather: Weather | None, devices: int, days: int) -> None:
        self._dice, self._weather, self._end_min = dice, weather, float(days * DAY_MIN)
        self._outages: list[list[tuple[float, float]]] = []
        if weather is not None:
            sites = max(1, devices // weather.site_devices)
            self._outages = [list(self._spans(weather.outages, weather.outage_min)) for _ in range(sites)]

    def site(self, index: int) -> str:
        """Return the site of a device."""
        return f"site-{index % len(self._outages)}" if self._outages else ""

    def over(self, index: int) -> tuple[tuple[float, float], ...]:
        """Return when a device is dark."""
        if self._weather is None:
            return ()
        own = list(self._spans(self._weather.lapses, self._weather.lapse_min))
        return tuple(_merged([*own, *self._outages[index % len(self._outages)]]))

    def _spans(self, per_day: float, mean_min: float) -> Iterator[tuple[float, float]]:
        """A Poisson process that is three times as busy at noon as at midnight, by thinning."""
        at = 0.0
        while per_day:
            at += self._dice.expovariate(1.5 * per_day / DAY_MIN)
            if at >= self._end_min:
                return
            if self._dice.random() < (1 - 0.5 * cos(2 * pi * at / DAY_MIN)) / 1.5:
                yield at, at + self._dice.expovariate(1 / mean_min)


def _merged(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Join spans that overlap or are less than a minute apart."""
    spans.sort()
    while spans:
        start, end = spans.pop(0)
        while spans and spans[0][0] <= end + 1:
            end = max(end, spans.pop(0)[1])
        yield start, end
