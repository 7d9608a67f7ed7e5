"""The programme: all acts in order."""

from ringback.demo.acts import (
    a00_night,
    a01_baseline,
    a02_good_model,
    a03_lens_cap,
    a04_slow_model,
    a05_bad_config,
    a06_bad_app,
    a07_dependencies,
    a08_brakes,
    a09_crashes,
    a10_push,
)
from ringback.demo.show import Show
from ringback.demo.story import Act

ACTS: tuple[Act[Show], ...] = (
    Act(0, "night", "The night without it", a00_night.EXPECTED, a00_night.play),
    Act(1, "baseline", "Baseline", a01_baseline.EXPECTED, a01_baseline.play),
    Act(2, "good-model", "A good model", a02_good_model.EXPECTED, a02_good_model.play),
    Act(
        3, "lens-cap", "A bad model that the device catches before activation", a03_lens_cap.EXPECTED, a03_lens_cap.play
    ),
    Act(4, "slow-model", "A bad model that only shows in service", a04_slow_model.EXPECTED, a04_slow_model.play),
    Act(5, "bad-config", "A bad config", a05_bad_config.EXPECTED, a05_bad_config.play),
    Act(6, "bad-app", "A bad app", a06_bad_app.EXPECTED, a06_bad_app.play),
    Act(7, "dependencies", "Dependencies", a07_dependencies.EXPECTED, a07_dependencies.play),
    Act(8, "brakes", "Brakes", a08_brakes.EXPECTED, a08_brakes.play),
    Act(9, "crashes", "Crashes", a09_crashes.EXPECTED, a09_crashes.play),
    Act(10, "push", "The small fleet's path", a10_push.EXPECTED, a10_push.play),
)
BASELINE = 1


def chosen(act: int | None) -> tuple[Act[Show], ...]:
    """All acts, or the one asked for after the baseline that it stands on."""
    if act is None:
        return ACTS
    return tuple(each for each in ACTS if each.number == act or (each.number == BASELINE and act > BASELINE))
