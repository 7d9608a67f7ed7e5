"""Cuts the power of a scenario at every operation, in every way, and again in the recovery; keeps what went wrong.

- Depth 1: for each life of the undisturbed run and each of its operations, the life is run again and killed there;
  each way in which that operation can have ended is one world, which is run until it settles, and judged.
- Depth 2: the lives of such a recovery are cut in the same way.
- Worlds in a state that was seen before are not run again: what follows from a state is always the same.
- All chances come from one seed and are drawn in a fixed order; a violation names its scenario and its cuts, and the
  same line runs it again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ringback.sim.esp32.flash import parse_tear, tears
from ringback.sim.esp32.life import CUT
from ringback.sim.esp32.oracles import judge
from ringback.sim.esp32.scenarios import Stage
from ringback.sim.esp32.world import Cut, Tools, World, live_once, settle

BIT_TEARS = 2


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, and the line that replays it."""

    line: str
    texts: tuple[str, ...]
    cuts: int


@dataclass(slots=True)
class Budget:
    """How much may still be run; shared by everything that explores."""

    lives: int

    def is_spent(self) -> bool:
        return self.lives <= 0


@dataclass(slots=True)
class Findings:
    """What exploring came to."""

    lives: int = 0
    cuts: int = 0
    pruned: int = 0
    violations: list[Violation] = field(default_factory=list)


@dataclass(slots=True)
class Explorer:
    """Explores one stage.

    Args:
        name: what a replay line begins with.
        seed: of every chance.
        stop_at: how many violations end the search.
        sample: share of the operations at depth 1, and of those at depth 2, that are cut.
        operations: of the undisturbed run, once that was run.
    """

    stage: Stage
    tools: Tools
    name: str
    seed: int
    budget: Budget
    stop_at: int = 5
    sample: tuple[float, float] = (1.0, 1.0)
    bit_tears: int = BIT_TEARS
    seen: set[str] = field(default_factory=set)
    found: Findings = field(default_factory=Findings)
    operations: int = 0

    def run(self, depth: int) -> Findings:
        """Explore to a depth of 0 (no cut), 1 or 2 cuts."""
        base = self.stage.world.copy()
        self._settle(base, ())
        self.operations = sum(len(lived.end.operations) for lived in base.history)
        if depth >= 1:
            firsts = []
            for world, cuts in self._cuts(self.stage.world.copy(), (), self.sample[0]):
                self._settle(world.copy(), cuts)
                firsts.append((world, cuts))
                if self._is_over():
                    break
            if depth >= 2:
                self._second(firsts)
        return self.found

    def run_faults(self, faults: Sequence[str], share: float) -> Findings:
        """Let one request of the undisturbed run go wrong, for each of them and each way; then one cut beside it."""
        base = self.stage.world.copy()
        first = base.network.requests
        self._settle(base, ())
        dice = random.Random(f"{self.seed}/{self.name}/faults")
        for number in range(first, base.network.requests):
            for fault in faults:
                if self._is_over():
                    return self.found
                if share < 1 and dice.random() >= share:
                    continue
                world = self.stage.world.copy()
                world.network.faults = {number: fault}
                self._settle(world, (), faults=f"{number}={fault}")
                self._cut_beside(number, fault, dice)
        return self.found

    def _cut_beside(self, number: int, fault: str, dice: random.Random) -> None:
        """The same fault again, and power lost at one operation that is drawn."""
        world = self.stage.world.copy()
        world.network.faults = {number: fault}
        start = world.copy()
        end = live_once(start, self.tools, self.stage.goal)
        self._count(1)
        if not end.operations:
            return
        index = dice.randrange(len(end.operations))
        for torn, cuts in self._torn(world, index, (), len(self.stage.world.history)):
            self._settle(torn, cuts, faults=f"{number}={fault}")
            return

    def _count(self, lives: int) -> None:
        self.found.lives += lives
        self.budget.lives -= lives

    def _second(self, firsts: list[tuple[World, tuple[Cut, ...]]]) -> None:
        dice = random.Random(f"{self.seed}/second")
        order = list(firsts)
        dice.shuffle(order)
        for world, cuts in order:
            if self._is_over():
                return
            for again, both in self._cuts(world, cuts, self.sample[1]):
                self._settle(again, both)
                if self._is_over():
                    return

    def _cuts(self, world: World, before: tuple[Cut, ...], share: float) -> Iterator[tuple[World, tuple[Cut, ...]]]:
        """Yield a world for every way in which power can be lost on the way from here to rest."""
        dice = random.Random(f"{self.seed}/{self.name}/{'/'.join(map(str, before))}")
        base = len(self.stage.world.history)
        for _ in range(LIVES_SEARCHED):
            start = world.copy()
            end = live_once(world, self.tools, self.stage.goal)
            self._count(1)
            for index in range(len(end.operations)):
                if share < 1 and dice.random() >= share:
                    continue
                if self._is_over():
                    return
                yield from self._torn(start, index, before, base)
            if end.kind not in GOES_ON:
                return

    def _torn(
        self, start: World, index: int, before: tuple[Cut, ...], base: int
    ) -> Iterator[tuple[World, tuple[Cut, ...]]]:
        """Yield a world for every way in which operation `index` of the next life can have ended."""
        world = start.copy()
        end = live_once(world, self.tools, self.stage.goal, cut_at=index)
        self._count(1)
        assert end.kind == CUT, f"a life that has operation {index} was not cut there: {end.kind}"
        assert end.interrupted is not None
        life = len(world.history) - 1 - base
        dice = random.Random(f"{self.seed}/{end.interrupted}/{index}")
        for tear in tears(end.interrupted, dice, bit_tears=self.bit_tears):
            torn = world.copy()
            torn.cut(end.interrupted, tear)
            if self._is_new(torn):
                self.found.cuts += 1
                yield torn, (*before, Cut(life, index, tear))

    def _is_new(self, world: World) -> bool:
        name = world.digest()
        if name in self.seen:
            self.found.pruned += 1
            return False
        self.seen.add(name)
        return True

    def _settle(self, world: World, cuts: tuple[Cut, ...], *, faults: str = "") -> None:
        """Run a world to its end and judge it."""
        before = len(world.history)
        problem = settle(world, self.tools, self.stage.goal)
        self._count(len(world.history) - before)
        texts = judge(self.stage, world, problem)
        if texts:
            self.found.violations.append(Violation(replay_line(self.name, cuts, faults), tuple(texts), len(cuts)))

    def _is_over(self) -> bool:
        return self.budget.is_spent() or len(self.found.violations) >= self.stop_at


LIVES_SEARCHED = 12
"""Lives of one recovery whose operations are cut; longer chains are loops, which oracle (a) names."""
GOES_ON = ("reset", "watchdog", "deepsleep")


def replay_line(name: str, cuts: tuple[Cut, ...], faults: str = "") -> str:
    """Return the line that runs these cuts again: the scenario's name, the request that goes wrong, the cuts."""
    return " ".join([name, *([faults] if faults else []), *map(str, cuts)])


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay line, read: the scenario (`mutant/scenario` for a seeded bug), cuts, requests that go wrong."""

    name: str
    cuts: tuple[Cut, ...]
    faults: Mapping[int, str]


def parse_line(line: str) -> Replay:
    """Return what a replay line says. Raises ValueError."""
    name, *words = line.split()
    cuts, faults = [], {}
    for word in words:
        if "=" in word:
            number, _, fault = word.partition("=")
            faults[int(number)] = fault
            continue
        place, _, tear = word.partition(":")
        life, _, operation = place.partition("@")
        cuts.append(Cut(int(life), int(operation), parse_tear(tear)))
    return Replay(name, tuple(cuts), faults)


def replay(stage: Stage, tools: Tools, what: Replay) -> tuple[World, list[str]]:
    """Run exactly these cuts and faults, and return the world and its violations."""
    world = stage.world.copy()
    world.network.faults = dict(what.faults)
    problem = settle(world, tools, stage.goal, what.cuts)
    return world, judge(stage, world, problem)
