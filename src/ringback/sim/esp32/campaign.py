"""A whole run of the bench: every scenario cut and disturbed within a number of lives, every seeded bug hunted.

It decides how lives are shared out; what is found is `explore`'s and `mutants`' to say.

- First every scenario with one cut at every operation, thinned out evenly where the lives do not reach that far.
- Then network faults, and one cut beside each.
- What is left goes into second cuts during the recovery, scenario by scenario.
- A large image (1.4 MB, as real MicroPython is) gets at most 2 % of the lives: it takes long, and most of its
  operations are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ringback.sim.esp32 import scene
from ringback.sim.esp32.explore import Budget, Explorer, Findings, Violation
from ringback.sim.esp32.mutants import MUTANTS, Mutant, Verdict, hunt
from ringback.sim.esp32.network import FAULTS
from ringback.sim.esp32.scenarios import SCENARIOS, Scenario, stage
from ringback.sim.esp32.world import Tools

LIVES_PER_OPERATION: Final = 16
"""What one operation costs at depth 1, about: its life, and two for each way in which it can end."""
LARGE_SHARE: Final = 0.02
LARGE_BYTES: Final = 1_427_216
"""Size of the app in a real MicroPython image for the ESP32 (v1.15, June 2021)."""
FAULTY: Final = ("firmware-good", "model-good", "model-slow")
SLOW: Final = ("firmware-hangs",)
"""Scenarios whose lives end by the watchdog after seconds of computing: they get a tenth of the lives."""
MUTANT_LIVES: Final = 1500


@dataclass(slots=True)
class Outcome:
    """What a campaign came to.

    Attributes:
        lives, cuts, pruned: of all scenarios; those of mutants are not in them.
        by_scenario: what each came to.
        mutants: every verdict.
    """

    lives: int = 0
    cuts: int = 0
    pruned: int = 0
    violations: list[Violation] = field(default_factory=list)
    by_scenario: dict[str, tuple[int, int]] = field(default_factory=dict)
    mutants: list[Verdict] = field(default_factory=list)

    def add(self, name: str, found: Findings) -> None:
        self.lives += found.lives
        self.cuts += found.cuts
        self.pruned += found.pruned
        self.violations += found.violations
        lives, cuts = self.by_scenario.get(name, (0, 0))
        self.by_scenario[name] = (lives + found.lives, cuts + found.cuts)


Say = Callable[[str], None]


def explore_all(tools: Tools, *, seed: int, lives: int, say: Say, names: Sequence[str] = ()) -> Outcome:
    """Cut and disturb scenarios within about this many lives; `names` for some of them only."""
    outcome = Outcome()
    chosen = [SCENARIOS[name] for name in names or SCENARIOS]
    bundle = tools.workshop.bundle()
    if not names:
        _run_large(tools, bundle, outcome, seed=seed, lives=int(lives * LARGE_SHARE))
    share = max(1, (lives - outcome.lives) // (len(chosen) + len(FAULTY) // 2))
    for scenario in chosen:
        say(f"{scenario.name}: one cut at every operation")
        mine = share // 10 if scenario.name in SLOW else share
        outcome.add(scenario.name, _first_cuts(scenario, tools, bundle, seed=seed, lives=mine))
    for scenario in chosen:
        if scenario.name in FAULTY and lives > outcome.lives:
            say(f"{scenario.name}: requests that go wrong")
            left = min(share, lives - outcome.lives)
            outcome.add(scenario.name, _faults(scenario, tools, bundle, seed=seed, lives=left))
    for place, scenario in enumerate(chosen):
        left = (lives - outcome.lives) // (len(chosen) - place)
        if left > 0 and scenario.name not in SLOW:
            say(f"{scenario.name}: second cuts in the recovery")
            outcome.add(scenario.name, _second_cuts(scenario, tools, bundle, seed=seed, lives=left))
    return outcome


def hunt_all(tools: Tools, *, seed: int, say: Say, mutants: Sequence[Mutant] = MUTANTS) -> list[Verdict]:
    """Hunt every seeded bug."""
    verdicts = []
    for mutant in mutants:
        say(f"seeded bug: {mutant.name}")
        verdicts.append(hunt(mutant, tools, seed=seed, lives=MUTANT_LIVES))
    return verdicts


def _explorer(scenario: Scenario, tools: Tools, bundle: str, *, seed: int, lives: int) -> Explorer:
    ready = stage(scenario, tools, bundle=bundle)
    return Explorer(ready, tools, scenario.name, seed, Budget(lives))


def _first_cuts(scenario: Scenario, tools: Tools, bundle: str, *, seed: int, lives: int) -> Findings:
    explorer = _explorer(scenario, tools, bundle, seed=seed, lives=lives)
    explorer.run(0)
    operations = max(1, explorer.operations)
    explorer.sample = (min(1.0, lives / (operations * LIVES_PER_OPERATION)), 1.0)
    return explorer.run(1)


def _faults(scenario: Scenario, tools: Tools, bundle: str, *, seed: int, lives: int) -> Findings:
    explorer = _explorer(scenario, tools, bundle, seed=seed, lives=lives)
    return explorer.run_faults(FAULTS, min(1.0, lives / 600))


def _second_cuts(scenario: Scenario, tools: Tools, bundle: str, *, seed: int, lives: int) -> Findings:
    explorer = _explorer(scenario, tools, bundle, seed=seed, lives=lives)
    explorer.sample = (0.25, min(1.0, lives / 20000))
    return explorer.run(2)


def _run_large(tools: Tools, bundle: str, outcome: Outcome, *, seed: int, lives: int) -> None:
    """One update of a 1.4 MB image, cut at a few operations that are drawn."""
    if lives < 4:
        return
    scenario = SCENARIOS["firmware-good"]
    ready = stage(scenario, tools, bundle=bundle, pad_bytes=LARGE_BYTES, slot_bytes=scene.REAL_SLOT_BYTES)
    explorer = Explorer(ready, tools, "firmware-large", seed, Budget(lives), sample=(lives / 20000, 0.0), bit_tears=1)
    outcome.add("firmware-large", explorer.run(1))
