"""Seeded bugs: small wrong changes of the agent that its oracles must catch, each with the shortest cuts that show it.

A mutant that is not caught says that an oracle or a way of cutting power is missing, or that the line it changes is not
needed. Each names the scenarios in which it can show; they are tried with no cut, then with one, then with two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.sim.esp32.explore import Budget, Explorer, Violation
from ringback.sim.esp32.firmware import Patch
from ringback.sim.esp32.scenarios import SCENARIOS, stage
from ringback.sim.esp32.world import Tools

DEPTH_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Mutant:
    """One seeded bug."""

    name: str
    patches: tuple[Patch, ...]
    scenarios: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mutant was caught, by what, and after how many lives."""

    mutant: Mutant
    caught: Violation | None
    lives: int


def hunt(mutant: Mutant, tools: Tools, *, seed: int, lives: int) -> Verdict:
    """Look for the shortest cuts that show a mutant."""
    bundle = tools.workshop.bundle(mutant.patches)
    spent = 0
    for depth in range(DEPTH_MAX + 1):
        for name in mutant.scenarios:
            budget = Budget(lives)
            explorer = Explorer(
                stage=stage(SCENARIOS[name], tools, bundle=bundle),
                tools=tools,
                name=f"{mutant.name}/{name}",
                seed=seed,
                budget=budget,
                stop_at=1,
            )
            found = explorer.run(depth)
            spent += found.lives
            if found.violations:
                return Verdict(mutant, found.violations[0], spent)
    return Verdict(mutant, None, spent)


def _one(name: str, module: str, change: tuple[str, str], *scenarios: str) -> Mutant:
    return Mutant(name, (Patch(f"ringback_esp32/{module}.py", *change),), scenarios)


MUTANTS: Final = (
    _one(
        "valid-on-every-boot",
        "agent",
        (
            "    guard.look(",
            "    from esp32 import Partition\n    Partition.mark_app_valid_cancel_rollback()\n    guard.look(",
        ),
        "firmware-deaf-app",
    ),
    _one("valid-before-health", "guard", ("    if not is_trial and otadata", "    if otadata"), "firmware-slow"),
    _one(
        "trial-is-not-tried-again",
        "guard",
        ("        if was_cut or not is_trial:", "        if not is_trial:"),
        "firmware-good",
    ),
    _one(
        "crash-is-tried-again",
        "guard",
        ("        if was_cut or not is_trial:", "        if True:"),
        "firmware-crashes",
    ),
    _one(
        "confirmation-is-forgotten",
        "guard",
        ('    return state.get("confirmed", {}).get(FIRMWARE, ""), False', '    return "", False'),
        "firmware-good",
    ),
    _one(
        "unknown-states-are-believed",
        "otadata",
        ("entries[index][1] not in (NEW, PENDING, VALID, UNDEFINED)", "entries[index][1] == 77"),
        "firmware-crashes",
    ),
    _one(
        "an-old-trial-counts-as-running",
        "guard",
        (
            'record["digest"] == wanted and slots.end_of(slots.running())[0] == record["end"]\n    if not is',
            "True\n    if not is",
        ),
        "firmware-good",
    ),
    _one(
        "a-torn-piece-is-written-behind",
        "rawlog",
        ("        return pieces, total, -1\n", "        return pieces, total, at\n"),
        "config-good",
        "firmware-good",
    ),
    _one(
        "the-log-is-erased-in-place",
        "rawlog",
        (
            'self.areas = {"journal-a": first, "journal-b": first + sectors}',
            'self.areas = {"journal-a": first, "journal-b": first}',
        ),
        "config-good",
    ),
    _one(
        "a-slot-is-filled-without-erasing",
        "slots",
        (
            "        if not _is_blank(part, block):\n            part.ioctl(6, block)",
            "        if block == 77:\n            part.ioctl(6, block)",
        ),
        "firmware-third",
    ),
    _one(
        "files-are-tidied-before-the-switch",
        "work",
        (
            "    if changes:\n        store.switch(changes)",
            "    if changes:\n        store.tidy(changes.values())\n        store.switch(changes)",
        ),
        "model-slow",
    ),
    _one(
        "the-pointer-is-not-turned-back",
        "work",
        (
            "    if changes:\n        store.switch(changes)",
            '    if changes and effect["direction"] != "back":\n        store.switch(changes)',
        ),
        "model-slow",
    ),
    _one(
        "the-golden-set-is-not-replayed",
        "app",
        (
            "return replay.compare(golden, module.replay(context, golden, inputs))",
            'return {"fidelity_ppm": 1000000, "quality_ppm": 1000000, "n": 8}',
        ),
        "model-wrong",
    ),
    _one(
        "the-watchdog-is-not-armed",
        "board",
        ("    _watchdog = machine.WDT(timeout=window_ms)", "    _watchdog = None"),
        "firmware-hangs",
    ),
    _one(
        "the-image-is-not-hashed",
        "slots",
        (
            "    if binascii.hexlify(hashed.digest()).decode() != sha:\n        notes.put",
            "    if not sha:\n        notes.put",
        ),
        "firmware-good",
    ),
)
"""Every one must be caught."""
