"""A board, its server and their history: lives one after the other, until the deployment has ended or nothing ends.

It decides when to stop looking; whether what was seen is right, `oracles` decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ringback.publisher.errors import FirmwareUnreadable
from ringback.publisher.esp_image import read_image
from ringback.sim.esp32 import idf_app, otadata
from ringback.sim.esp32.desk import Desk
from ringback.sim.esp32.firmware import Workshop
from ringback.sim.esp32.flash import Operation, Tear
from ringback.sim.esp32.life import CUT, DEAD, HORIZON, HUNG, PROMPT, SETTLED, Bench, Board, Clock, End, live
from ringback.sim.esp32.network import Network
from ringback.sim.esp32.partitions import TABLE_AT, TABLE_BYTES, Table, parse
from ringback.sim.esp32.process import Processes

LIVES_MAX: Final = 16
"""A deployment takes two or three; more resets than this in a row are a loop."""
LIFE_MS: Final = 900_000
AT_REST: Final = ("idle", "confirmed", "reverted", "refused", "safe_mode")
QUIET_REPORTS: Final = 2
"""Reports after the outcome that show a device at rest."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Power is lost in operation `operation` of life `life` (both from 0), which ends as `tear` says."""

    life: int
    operation: int
    tear: Tear

    def __str__(self) -> str:
        return f"{self.life}@{self.operation}:{self.tear}"


@dataclass(frozen=True, slots=True)
class Lived:
    """One life as it was seen from outside.

    Attributes:
        image: SHA-256 of the image that ran, hexadecimal; empty where nothing did.
        started_ms, ended_ms: world time.
        reports: how many reports the server had when it ended.
    """

    end: End
    image: str
    started_ms: int
    ended_ms: int
    reports: int


@dataclass(slots=True)
class World:
    """One board with its server. `history` grows with every life."""

    board: Board
    desk: Desk
    clock: Clock
    network: Network
    history: list[Lived] = field(default_factory=list)

    @classmethod
    def of(cls, board: Board, desk: Desk) -> World:
        return cls(board, desk, Clock(), Network(desk))

    def copy(self) -> World:
        """Return an independent world in the same state."""
        desk = self.desk.copy()
        network = replace(self.network, handler=desk, faults=dict(self.network.faults), _streams={})
        board = replace(self.board, flash=self.board.flash.copy())
        board.flash.erases = dict(self.board.flash.erases)
        return World(board, desk, Clock(self.clock.now_ms), network, list(self.history))

    @property
    def table(self) -> Table:
        return parse(self.board.flash.read(TABLE_AT, TABLE_BYTES), self.board.flash.size_bytes)

    def entries(self) -> tuple[otadata.Entry, otadata.Entry]:
        """Return both otadata entries as they stand in flash."""
        return idf_app.read_pair(_Look(self), self.table)

    def digest(self) -> str:
        """Return a name of everything that decides what happens next."""
        board, desk = self.board, self.desk
        told = (desk.generation, len(desk.reports), desk.down_for, desk.forgotten)
        coming = {number: fault for number, fault in self.network.faults.items() if number >= self.network.requests}
        parts = (board.flash.digest, board.rtc, board.cause, told, sorted(coming.items()), self.network.requests)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]

    def cut(self, operation: Operation, tear: Tear) -> None:
        """End the operation that power was lost in, and lose power."""
        self.board.flash.apply(operation, tear)
        self.board.lose_power()


class _Look:
    """Reads a world's flash; writes nothing."""

    def __init__(self, world: World) -> None:
        self.size_bytes = world.board.flash.size_bytes
        self.read = world.board.flash.read

    def do(self, operation: Operation) -> None:
        raise AssertionError(f"an onlooker does not {operation}")


@dataclass(frozen=True, slots=True)
class Tools:
    """What every life needs, shared by all. `pad_bytes`: how much larger than their modules images are made."""

    processes: Processes
    workshop: Workshop
    pad_bytes: int = 0


Goal = Callable[[World], bool]
"""Whether there is nothing more to wait for; asked while the device sleeps."""


def live_once(world: World, tools: Tools, goal: Goal, *, cut_at: int | None = None) -> End:
    """Run one life and add it to the history. After a cut the caller ends the interrupted operation (`World.cut`)."""
    started_ms = world.clock.now_ms
    bench = Bench(tools.processes, tools.workshop, world.clock, world.network)
    until_ms = started_ms + LIFE_MS
    end = live(world.board, bench, until_ms=until_ms, cut_at=cut_at, is_settled=lambda: goal(world))
    image = ""
    if end.booted:
        part = world.table.named(end.booted)
        image = image_name(world.board.flash.read(part.at, part.size_bytes))
    world.history.append(Lived(end, image, started_ms, world.clock.now_ms, len(world.desk.reports)))
    return end


def settle(world: World, tools: Tools, goal: Goal, cuts: Sequence[Cut] = ()) -> str:
    """Run lives until the goal is reached. Returns "" or why that did not happen.

    Args:
        cuts: where power is lost, counted in lives from now on.
    """
    first = len(world.history)
    for number in range(LIVES_MAX + len(cuts)):
        cut = next((each for each in cuts if each.life == number), None)
        end = live_once(world, tools, goal, cut_at=cut.operation if cut else None)
        if end.kind == CUT:
            assert cut is not None
            assert end.interrupted is not None
            world.cut(end.interrupted, cut.tear)
        elif end.kind == SETTLED:
            return ""
        elif end.kind in (DEAD, PROMPT, HUNG, HORIZON):
            return f"life {len(world.history) - 1} ended in {end.kind}: {end.output[-400:].strip()}"
    return f"no end after {len(world.history) - first} lives"


def image_name(slot: bytes) -> str:
    """Return the SHA-256 of the image at the start of a slot, hexadecimal; empty where there is none."""
    try:
        size = read_image(slot).size_bytes
    except FirmwareUnreadable:
        return ""
    return hashlib.sha256(slot[:size]).hexdigest()


def ended(world: World, rollout: str) -> bool:
    """Whether the device has reported the end of a rollout's deployment, knows the newest state and is at rest."""
    reports = world.desk.reports[-QUIET_REPORTS:]
    return len(reports) == QUIET_REPORTS and all(
        report.outcome is not None
        and report.outcome.rollout == rollout
        and report.deploy is None
        and report.state in AT_REST
        and report.have == world.desk.generation
        for report in reports
    )
