"""Sets the stage, plays, and strikes it: the one place where the demo's parts meet.

Decides: order and exit code. Never: leaves a process behind, unless it was asked to keep them.
"""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ringback.demo import fleet, goods
from ringback.demo.acts.program import ACTS, chosen
from ringback.demo.lag import LagMeter
from ringback.demo.processes import DemoError, end_kept
from ringback.demo.result import ActResult, summary
from ringback.demo.scene import Scene
from ringback.demo.screen import Screen
from ringback.demo.show import Show
from ringback.demo.stage import KEPT_FILE, Stage, make_folder
from ringback.demo.story import play_all
from ringback.errors import RingbackError

PASSED, FAILED, NOT_SET_UP = 0, 1, 3
SLOW_PAUSE_S = 6.0
CLAIM_USES = 1_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    is_headless: bool = False
    is_json: bool = False
    act: int | None = None
    is_slow: bool = False
    seed: int = 1
    is_kept: bool = False


class Interrupted(Exception):
    """Somebody wants the demo to end now."""


def play(options: Options) -> int:
    """Plays the demo; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    looks: list[Callable[[], Scene]] = [Scene]

    def newest() -> Scene:
        return looks[-1]()

    is_live = not options.is_headless and sys.stderr.isatty()
    with Screen(is_live=is_live, look=newest) as screen:
        try:
            return _play(options, screen, looks)
        except (DemoError, RingbackError, OSError) as error:
            screen.print(f"error: the demo could not be set up: {error}")
            screen.print("hint: look at the text above; `ringback doctor` checks this machine")
            return NOT_SET_UP
        except (Interrupted, KeyboardInterrupt) as cause:
            screen.print(f"interrupted ({str(cause) or 'Ctrl-C'}); everything was ended")
            return FAILED


def _play(options: Options, screen: Screen, looks: list[Callable[[], Scene]]) -> int:
    began_s = time.monotonic()
    screen.say("setting up: models, sound and pictures (about fifteen seconds the first time)")
    made = goods.get()
    stage = Stage(make_folder(), made)
    lag = LagMeter()
    lag.start()
    is_kept = False
    try:
        show = _set_up(stage, screen, lag, options)
        looks.append(show.scene)
        set_up_s = time.monotonic() - began_s
        screen.say(
            f"set up in {set_up_s:.1f} s: "
            f"one server, {len(fleet.BOXES)} boxes, {len(fleet.simulated())} simulated devices"
        )
        played_s = time.monotonic()
        show.watch.start()
        results = play_all(chosen(options.act), show, pause_s=SLOW_PAUSE_S if options.is_slow else 0.0)
        seconds = time.monotonic() - played_s
        violations = show.violations()
        show.watch.stop()
        more: dict[str, object] = {
            "setup_seconds": round(set_up_s, 1),
            "devices": fleet.FLEET_SIZE,
            "devices_harmed": _harmed(results),
            "invariants_broken": violations,
            "lag_ms": lag.worst_ms,
        }
        is_good = all(result.passed for result in results) and not violations
        _close(screen, stage, results, violations)
        if options.is_json:
            sys.stdout.write(json.dumps(summary(options.seed, seconds, results, more=more)) + "\n")
        is_kept = options.is_kept
        return PASSED if is_good else FAILED
    finally:
        lag.stop()
        if is_kept:
            screen.print(f"left running in {stage.folder}; end it with: ringback demo --stop {stage.keep().parent}")
        else:
            stage.strike()


def _set_up(stage: Stage, screen: Screen, lag: LagMeter, options: Options) -> Show:
    stage.start_server()
    client = stage.client()
    claim = client.create_claim(uses=CLAIM_USES, auto_accept=True)
    show = Show(stage, screen, lag, seed=options.seed)
    show.register_classes()
    stage.start_devices(claim.token)
    return show


def _harmed(results: list[ActResult]) -> int:
    """Devices harmed by bad releases; the night of act 0 is what is shown to happen without the product."""
    return sum(result.devices_harmed for result in results if result.number != ACTS[0].number)


def _close(screen: Screen, stage: Stage, results: list[ActResult], violations: list[str]) -> None:
    for text in violations:
        screen.print(f"invariant broken: {text}")
    harmed, without = _harmed(results), results[0].devices_harmed if results and results[0].number == 0 else 0
    passed = sum(1 for result in results if result.passed)
    screen.print("")
    screen.print(f"{passed} of {len(results)} acts passed.")
    aside = f"; without it, one night harmed {without}" if without else ""
    screen.print(f"Devices harmed by all bad releases together: {harmed}, each back by itself or by its ring{aside}.")
    screen.print("Try next, with --keep:")
    screen.print(f"  ringback status --server {stage.url}")
    screen.print(f"  ringback rollout list --server {stage.url}")
    screen.print(f"  ringback device show box-1 --server {stage.url}")


def stop_kept(folder: str) -> int:
    """Ends a demo that was left running; returns the exit code."""
    path = Path(folder) / KEPT_FILE
    if not path.exists():
        sys.stderr.write(f"error: {folder} holds no kept demo\nhint: the folder was named when the demo ended\n")
        return NOT_SET_UP
    ended = end_kept(path)
    shutil.rmtree(path.parent, ignore_errors=True)
    sys.stderr.write(f"ended: {', '.join(ended) or 'nothing was running any more'}\n")
    return PASSED


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(signal.Signals(number).name)
