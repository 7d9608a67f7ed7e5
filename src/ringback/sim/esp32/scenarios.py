"""What is released to the board on the bench, and what must have come of it in the end.

A scenario is a prepared world and a promise: which artifacts run when everything has settled, and with which outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from ringback.sim.esp32 import scene
from ringback.sim.esp32.desk import Desk, Goods, Order
from ringback.sim.esp32.life import Board
from ringback.sim.esp32.scene import RULES, Behaviour
from ringback.sim.esp32.world import Tools, World, ended, settle

PLANES: Final = ("firmware", "model/digits", "config")
BASELINE: Final = "baseline"
PRIOR: Final = "prior"
ROLLOUT: Final = "under-test"
HEAP: Final = "512K"


@dataclass(frozen=True, slots=True)
class Triple:
    """What runs together: SHA-256 of the image, first 16 hex digits of the model file's, the config's name."""

    image: str
    model: str
    config: str


Release = Callable[[Tools, str], Mapping[str, Goods]]
"""What changes, for an agent's bundle."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One release to one board.

    Attributes:
        name: to replay it by.
        release: planes that change, with what they change to.
        kind, code: of the outcome that must be reported; an empty code stands for any.
        prior: what was released, and confirmed, before.
        kept: changed planes that stay although the deployment does not end confirmed.
    """

    name: str
    release: Release
    kind: str
    code: str = ""
    prior: Release | None = None
    kept: tuple[str, ...] = ()

    def keeps(self, plane: str) -> bool:
        """Whether a changed plane runs its new version in the end."""
        return self.kind == "confirmed" or plane in self.kept


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario ready to run, and what its oracles compare with.

    Attributes:
        before, after: the artifacts of every plane, before the release and under it.
        allowed: the sets that may run together at any instant.
    """

    scenario: Scenario
    world: World
    before: Mapping[str, Goods]
    after: Mapping[str, Goods]
    allowed: frozenset[Triple]

    @property
    def finals(self) -> tuple[Mapping[str, Goods], ...]:
        """The sets of which one must run in the end.

        Where a part of a release stays and power is lost while the rest goes back, the whole old set may return: it was
        the only one that had been proven.
        """
        final = {plane: (self.after if self.scenario.keeps(plane) else self.before)[plane] for plane in PLANES}
        return (final, self.before) if self.scenario.kept else (final,)

    def goal(self, world: World) -> bool:
        return ended(world, ROLLOUT)


def triple(goods: Mapping[str, Goods]) -> Triple:
    """Return the set that these artifacts make."""
    image = hashlib.sha256(scene.image_of(goods["firmware"])).hexdigest()
    model = next(file.sha256 for file in goods["model/digits"].artifact.files if file.role == "model")
    return Triple(image, model[:16], str(goods["config"].artifact.version))


def first_set(tools: Tools, bundle: str, *, pad_bytes: int = 0) -> dict[str, Goods]:
    """Return what a board runs before anything is released to it."""
    return {
        "firmware": scene.firmware(tools.workshop, "1.0.0", Behaviour(), bundle=bundle, pad_bytes=pad_bytes),
        "model/digits": scene.model("1.0.0", add=1),
        "config": scene.config("1.0.0", {"name": "1.0.0", "period": 1}),
    }


def stage(scenario: Scenario, tools: Tools, *, bundle: str, pad_bytes: int = 0, slot_bytes: int = 0) -> Stage:
    """Return a board that runs the first set, confirmed, with the scenario's release waiting at its server.

    Args:
        bundle: of the agent that runs on the board.
        pad_bytes: how much larger than their modules the images are made.
        slot_bytes: of an OTA slot; 0 for the smallest.
    """
    world = _baseline(tools, bundle, pad_bytes, slot_bytes or scene.SMALL_SLOT_BYTES).copy()
    before: Mapping[str, Goods] = first_set(tools, bundle, pad_bytes=pad_bytes)
    if scenario.prior is not None:
        changes = scenario.prior(tools, bundle)
        _give(world, before, changes, rollout=PRIOR)
        before = {**before, **changes}
        _must_confirm(world, tools, PRIOR)
    changes = scenario.release(replace(tools, pad_bytes=pad_bytes), bundle)
    after = {**before, **changes}
    _give(world, before, changes, rollout=ROLLOUT)
    world.board.flash.erases.clear()
    world.history.clear()
    return Stage(scenario, world, before, after, _allowed(before, after, list(changes)))


def _give(world: World, before: Mapping[str, Goods], changes: Mapping[str, Goods], *, rollout: str) -> None:
    world.desk.give(
        Order(
            goods={**before, **changes},
            order=[[plane] for plane in PLANES if plane in changes],
            before={plane: before[plane].artifact.digest for plane in changes if plane in before},
            rules=RULES,
            rollout=rollout,
        )
    )


def _must_confirm(world: World, tools: Tools, rollout: str) -> None:
    problem = settle(world, tools, lambda each: ended(each, rollout))
    outcome = world.desk.reports[-1].outcome if world.desk.reports else None
    if problem or outcome is None or outcome.kind != "confirmed":
        raise AssertionError(f"the board does not take {rollout}: {problem or outcome}")


def _allowed(before: Mapping[str, Goods], after: Mapping[str, Goods], changed: list[str]) -> frozenset[Triple]:
    """Every set on the way: planes switch in their order, and go back from the cheapest on."""
    sets = [before, after]
    forward = dict(before)
    for plane in PLANES:
        if plane in changed:
            forward = {**forward, plane: after[plane]}
            sets.append(forward)
    back = dict(after)
    for plane in reversed(PLANES):
        if plane in changed:
            back = {**back, plane: before[plane]}
            sets.append(back)
    return frozenset(triple(each) for each in sets)


@lru_cache(maxsize=16)
def _baseline(tools: Tools, bundle: str, pad_bytes: int, slot_bytes: int) -> World:
    goods = first_set(tools, bundle, pad_bytes=pad_bytes)
    board = Board(scene.flashed(goods["firmware"], slot_bytes=slot_bytes), heap=HEAP)
    world = World.of(board, Desk())
    _give(world, {"firmware": goods["firmware"]}, {each: goods[each] for each in PLANES[1:]}, rollout=BASELINE)
    _must_confirm(world, tools, BASELINE)
    return world


def _firmware(behaviour: Behaviour, version: str = "2.0.0") -> Release:
    return lambda tools, bundle: {
        "firmware": scene.firmware(tools.workshop, version, behaviour, bundle=bundle, pad_bytes=tools.pad_bytes)
    }


def _model(version: str, **faults: bool) -> Release:
    return lambda _tools, _bundle: {"model/digits": scene.model(version, add=2, **faults)}


def _config(version: str) -> Release:
    return lambda _tools, _bundle: {"config": scene.config(version, {"name": version})}


def _both(first: Release, second: Release) -> Release:
    return lambda tools, bundle: {**first(tools, bundle), **second(tools, bundle)}


SCENARIOS: Final = {
    each.name: each
    for each in (
        Scenario("firmware-good", _firmware(Behaviour()), "confirmed"),
        Scenario("firmware-deaf-app", _firmware(Behaviour(start="raise OSError('sensor')")), "reverted"),
        Scenario("firmware-hangs", _firmware(Behaviour(step="while True: pass")), "reverted"),
        Scenario("firmware-crashes", _firmware(Behaviour(boot="raise ValueError('boot')")), "reverted"),
        Scenario("firmware-slow", _firmware(Behaviour(step="__import__('time').sleep_ms(90)")), "reverted"),
        Scenario("firmware-third", _firmware(Behaviour(), "3.0.0"), "confirmed", prior=_firmware(Behaviour(), "2.0.0")),
        Scenario("firmware-back", _firmware(Behaviour(), "1.0.0"), "confirmed", prior=_firmware(Behaviour(), "2.0.0")),
        Scenario("firmware-and-model", _both(_firmware(Behaviour()), _model("2.0.0")), "confirmed"),
        Scenario(
            "firmware-and-slow-model",
            _both(_firmware(Behaviour()), _model("2.0.0", slow=True)),
            "reverted",
            kept=("firmware",),
        ),
        Scenario("model-good", _model("2.0.0"), "confirmed"),
        Scenario("model-wrong", _model("2.0.0", wrong=True), "refused"),
        Scenario("model-slow", _model("2.0.0", slow=True), "reverted"),
        Scenario("config-good", _config("2.0.0"), "confirmed"),
    )
}
