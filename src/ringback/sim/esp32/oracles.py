"""What must hold whatever happened to the power: judged from outside, by code that shares nothing with the agent.

a. something boots, and the agent checks in, within a bounded number of lives;
b. what runs is byte for byte an artifact of a release that this device was given;
c. firmware, model and config that run together are a set that a release allows, at every instant;
d. a version floor is never undercut (epochs; nothing here releases below one);
e. firmware that did not prove its health is never confirmed, and does not keep running;
f. a healthy update is kept in the end: a power cut alone is never its failure;
g. the server's view is the device's truth, and one deployment has one outcome;
h. no sector is erased more often than the budget allows;
i. the running slot, the identity, the table and the bootloader are never written.

Each returns sentences that name what was found; no sentence means that it held.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ringback.sim.esp32 import otadata
from ringback.sim.esp32.flash import SECTOR_BYTES, WRITE, Operation
from ringback.sim.esp32.life import CUT
from ringback.sim.esp32.scenarios import Stage, Triple, triple
from ringback.sim.esp32.world import Lived, World

LIVES_PER_CUT: Final = 3
LIVES_BASE: Final = 4
ERASES_OF_SLOT: Final = 1
ERASES_OF_OTADATA: Final = 6
ERASES_OF_LOG: Final = 8
ERASES_OF_DATA: Final = 40
"""Per update without cuts; every cut adds as many again. littlefs moves its own writes about, so its budget is wide."""


def judge(stage: Stage, world: World, problem: str) -> list[str]:
    """Return every violation of a settled world.

    Args:
        stage: what was released to it.
        problem: why it did not settle, or "".
    """
    found: list[str] = []
    for letter, oracle in ORACLES.items():
        found += [f"({letter}) {text}" for text in oracle(stage, world, problem)]
    return found


def comes_back(_stage: Stage, world: World, problem: str) -> Iterator[str]:
    """(a)"""
    cuts = sum(lived.end.kind == CUT for lived in world.history)
    if problem:
        yield problem
    elif len(world.history) > LIVES_BASE + LIVES_PER_CUT * cuts:
        yield f"it took {len(world.history)} lives with {cuts} cuts"
    for text in world.desk.malformed:
        yield f"the server could not read a report: {text}"


def is_authorised(stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(b)"""
    old, new = triple(stage.before).image, triple(stage.after).image
    for number, lived in enumerate(world.history):
        if lived.end.booted and lived.image not in (old, new):
            yield f"life {number} ran {lived.image[:16] or 'no image'} from {lived.end.booted}"
        announced = any(each.deploy and each.deploy.entered for each in world.desk.reports[: lived.reports])
        if lived.image == new != old and not announced:
            yield f"life {number} ran the new firmware before the device had announced that it would"


def runs_together(stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(c)"""
    for number, lived in enumerate(world.history):
        for ran in _sets(lived):
            if ran not in stage.allowed:
                yield f"life {number} ran image {ran.image[:16]}, model {ran.model}, config {ran.config} together"


def keeps_floor(stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(d)"""
    floor = min(goods["firmware"].artifact.epoch for goods in (stage.before, stage.after))
    if floor < 0:
        yield f"epoch {floor}"


def proves_first(stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(e)"""
    new = triple(stage.after).image
    if "firmware" not in _changed(stage) or not world.history:
        return
    healthy_ms = 0
    for number, lived in enumerate(world.history):
        mine = lived.image == new
        if mine and _sets(lived):
            healthy_ms += lived.ended_ms - lived.started_ms
        for operation in lived.end.operations[lived.end.in_bootloader :]:
            if mine and _marks_valid(world, operation) and not stage.scenario.keeps("firmware"):
                yield f"life {number} confirmed firmware that is not healthy"
            if mine and _marks_valid(world, operation) and healthy_ms < HOLD_MS:
                yield f"life {number} confirmed firmware that ran for {healthy_ms} ms, expected at least {HOLD_MS}"
    last = world.history[-1]
    if not stage.scenario.keeps("firmware") and last.image == new:
        yield "firmware that is not healthy runs in the end"
    if last.image == new and _active_state(world) != otadata.VALID:
        yield f"the new firmware runs in the end with otadata {_shown(world)}"
    if _active_slot(world) != last.end.booted and _active_state(world) == otadata.VALID:
        yield f"{last.end.booted} runs in the end, but {_shown(world)} confirms {_active_slot(world)}"


def keeps_the_healthy(stage: Stage, world: World, problem: str) -> Iterator[str]:
    """(f)"""
    if problem:
        return
    outcome = world.desk.reports[-1].outcome
    kind = outcome.kind if outcome else "nothing"
    wanted = [triple(goods) for goods in stage.finals]
    ran = [found for lived in world.history for found in _sets(lived)]
    if kind != stage.scenario.kind:
        text = f"{outcome.code} {outcome.text}" if outcome else ""
        yield f"the outcome is {kind}, expected {stage.scenario.kind}: {text}"
    if world.history[-1].image not in [each.image for each in wanted] or (ran and ran[-1] not in wanted):
        yield f"in the end {_shown_set(ran[-1] if ran else None)} runs, expected {_shown_set(wanted[0])}"


def tells_the_truth(stage: Stage, world: World, problem: str) -> Iterator[str]:
    """(g)"""
    if problem:
        return
    report = world.desk.reports[-1]
    told = {plane: found[0] for plane, found in json.loads(bytes(report.planes)).items()}
    ran = [found for lived in world.history for found in _sets(lived)]
    final = next((goods for goods in stage.finals if ran and triple(goods) == ran[-1]), stage.finals[0])
    for plane, goods in final.items():
        if told.get(plane) != goods.artifact.digest:
            yield f"the server believes that {plane} runs {told.get(plane)}, it runs {goods.artifact.digest}"
    outcomes = {
        (each.outcome.gen, each.outcome.kind, each.outcome.code)
        for each in world.desk.reports
        if each.outcome is not None and each.outcome.rollout == report.outcome.rollout  # type: ignore[union-attr]
    }
    if len(outcomes) != 1:
        yield f"one deployment had the outcomes {sorted(outcomes)}"


def spares_the_flash(stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(h)"""
    times = 1 + sum(lived.end.kind == CUT for lived in world.history)
    budget = {"ota_0": ERASES_OF_SLOT, "ota_1": ERASES_OF_SLOT, "otadata": ERASES_OF_OTADATA}
    budget |= {"rb_log": ERASES_OF_LOG, "rb_data": ERASES_OF_DATA}
    for part in world.table.partitions:
        first, end = part.at // SECTOR_BYTES, part.end // SECTOR_BYTES
        most = max((count for sector, count in world.board.flash.erases.items() if first <= sector < end), default=0)
        allowed = budget.get(part.label, 0) * times
        if most > allowed:
            yield f"a sector of {part.label} was erased {most} times, at most {allowed} were expected"


def leaves_alone(_stage: Stage, world: World, _problem: str) -> Iterator[str]:
    """(i)"""
    table = world.table
    writable = [table.named(label) for label in ("otadata", "rb_log", "rb_data", "ota_0", "ota_1")]
    for number, lived in enumerate(world.history):
        for operation in lived.end.operations:
            part = next((part for part in writable if part.at <= operation.at < part.end), None)
            if part is None or part.label == lived.end.booted:
                yield f"life {number} did {operation}, in {part.label if part else 'a place that is not its own'}"
                break


Oracle = Callable[[Stage, World, str], Iterator[str]]
ORACLES: Final[Mapping[str, Oracle]] = {
    "a": comes_back,
    "b": is_authorised,
    "c": runs_together,
    "d": keeps_floor,
    "e": proves_first,
    "f": keeps_the_healthy,
    "g": tells_the_truth,
    "h": spares_the_flash,
    "i": leaves_alone,
}
HOLD_MS: Final = 2000


def _sets(lived: Lived) -> list[Triple]:
    """Every set that test firmware said it ran, in one life."""
    found = []
    for note in lived.end.notes:
        words = dict(word.split("=", 1) for word in note.text.split() if "=" in word)
        if note.text.startswith("run "):
            found.append(Triple(lived.image, words["model"], words["config"]))
    return found


def _changed(stage: Stage) -> list[str]:
    return [plane for plane in stage.after if stage.after[plane] is not stage.before[plane]]


def _marks_valid(world: World, operation: Operation) -> bool:
    part = world.table.named("otadata")
    if operation.kind != WRITE or not part.at <= operation.at < part.end or len(operation.data) != otadata.ENTRY_BYTES:
        return False
    return otadata.decode(operation.data).state == otadata.VALID


def _active_state(world: World) -> int | None:
    pair = world.entries()
    index = otadata.active(pair)
    return None if index is None else pair[index].state


def _active_slot(world: World) -> str:
    pair = world.entries()
    index = otadata.active(pair)
    slots = world.table.ota_slots
    return "" if index is None else slots[pair[index].slot(len(slots))].label


def _shown(world: World) -> str:
    return " and ".join(str(entry) for entry in world.entries())


def _shown_set(ran: Triple | None) -> str:
    return f"image {ran.image[:16]}, model {ran.model}, config {ran.config}" if ran else "nothing"
