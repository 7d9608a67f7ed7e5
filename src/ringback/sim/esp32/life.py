"""One life of a board: from power on, through the bootloader and the firmware, to the reset or the cut that ends it.

It decides nothing about the agent; it is the hardware: flash through `Power`, the clock, RTC memory, the watchdog,
Wi-Fi.

- A power cut kills the process with SIGKILL before the operation is done; nothing in it runs after that.
- Time is virtual: it passes when the device sleeps, waits for the network, or changes the flash.
- A program that computes for `HANG_CPU_S` without a message hangs: the watchdog ends its life, or nothing does.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ringback.sim.esp32 import idf_app
from ringback.sim.esp32.bootloader import Boot, boot
from ringback.sim.esp32.firmware import Workshop
from ringback.sim.esp32.flash import BLANK, ERASE, SECTOR_BYTES, WRITE, Flash, Operation, split
from ringback.sim.esp32.images import Chip, refusal
from ringback.sim.esp32.network import ETIMEDOUT, Network
from ringback.sim.esp32.partitions import TABLE_AT, TABLE_BYTES, Partition, Table, parse
from ringback.sim.esp32.power import Power, PowerCut
from ringback.sim.esp32.process import MESSAGE_MAX, Process, Processes

FED: Final = 0x80
BOOT_MS: Final = 350
ERASE_MS: Final = 45
WRITE_PAGE_BYTES: Final = 256
HANG_CPU_S: Final = 1.0
QUIET_S: Final = 0.25
TICK_PERIOD: Final = 1 << 30
BOOTLOADER_WATCHDOG_MS: Final = 9000
RTC_MEMORY_MAX: Final = 2048

POWER_ON: Final = 1
HARD_RESET: Final = 2
WATCHDOG_RESET: Final = 3
DEEPSLEEP_RESET: Final = 4

CUT: Final = "cut"
RESET: Final = "reset"
DEEPSLEEP: Final = "deepsleep"
WATCHDOG: Final = "watchdog"
PROMPT: Final = "prompt"
HUNG: Final = "hung"
DEAD: Final = "dead"
SETTLED: Final = "settled"
HORIZON: Final = "horizon"


@dataclass(slots=True)
class Clock:
    """Virtual time of one world, in ms; shared by board, network and server."""

    now_ms: int = 0


@dataclass(slots=True)
class Board:
    """What stays when a life ends.

    Attributes:
        rtc: RTC memory; empty after a power cut.
        cause: why the next life starts.
        tick_base: where the tick counter starts at power on, to let it wrap in the middle of a life.
        epoch_s: the real-time clock, seconds since 2000, at `epoch_at_ms`; 0 at power on.
    """

    flash: Flash
    chip: Chip = field(default_factory=Chip)
    rtc: bytes = b""
    cause: int = POWER_ON
    heap: str = "128K"
    tick_base: int = TICK_PERIOD - 5000
    epoch_s: int = 0
    epoch_at_ms: int = 0

    def lose_power(self) -> None:
        self.rtc = b""
        self.cause = POWER_ON
        self.epoch_s = self.epoch_at_ms = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something that test firmware told the oracles."""

    at_ms: int
    slot: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """How a life ended.

    Attributes:
        kind: one of the words above.
        operations: what was done to the flash, by bootloader and app.
        in_bootloader: how many of them the bootloader did.
        interrupted: the operation that power was lost in, not done yet.
        booted: label of the slot, or empty.
        notes: what the firmware told.
        output: what it printed.
    """

    kind: str
    operations: tuple[Operation, ...]
    in_bootloader: int
    interrupted: Operation | None
    booted: str
    refusals: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    output: str


class _Over(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Bench:
    """What a life is run with: processes, firmware, the world's clock and network."""

    processes: Processes
    workshop: Workshop
    clock: Clock
    network: Network


def live(board: Board, bench: Bench, *, until_ms: int, cut_at: int | None, is_settled: Callable[[], bool]) -> End:
    """Run one life and leave the board as the next one finds it.

    After a cut the interrupted operation is not done; the caller applies it with the tear it wants, and then calls
    `board.lose_power`.

    Args:
        until_ms: the world's time that ends the life at the latest.
        cut_at: index of the flash operation that power is lost in, bootloader included; None for none.
        is_settled: asked whenever the device sleeps; True ends the life.
    """
    return _Life(board, bench, until_ms, (cut_at, is_settled)).run()


class _Life:
    def __init__(self, board: Board, bench: Bench, until_ms: int, cut: tuple[int | None, Callable[[], bool]]) -> None:
        self._board = board
        self._bench = bench
        self._clock = bench.clock
        self._network = bench.network
        self._until_ms = until_ms
        self._is_settled = cut[1]
        self._power = Power(board.flash, cut[0])
        self._started_ms = bench.clock.now_ms
        self._watchdog: tuple[int, int] | None = None
        self._notes: list[Note] = []
        self._boot = Boot(None, ())
        self._table = Table(())
        self._running: Partition | None = None

    def run(self) -> End:
        kind, interrupted, output, in_bootloader = "", None, "", 0
        process: Process | None = None
        try:
            self._boot = boot(self._power, self._verify)
            in_bootloader = len(self._power.operations)
            self._clock.now_ms += BOOT_MS
            process = self._start()
            self._serve(process)
        except PowerCut as cut:
            kind, interrupted = CUT, cut.operation
            if process is None:
                in_bootloader = len(self._power.operations)
        except _Over as over:
            kind = over.kind
        finally:
            if process is not None:
                output = process.close()
            self._network.power_off()
        self._leave(kind)
        booted = self._running.label if self._running else ""
        return End(
            kind,
            tuple(self._power.operations),
            in_bootloader,
            interrupted,
            booted,
            self._boot.refusals,
            tuple(self._notes),
            output,
        )

    def _verify(self, data: bytes) -> str:
        return refusal(data, self._board.chip)

    def _start(self) -> Process:
        self._running = self._boot.partition
        if self._running is None:
            raise _Over(DEAD)
        self._table = parse(self._power.read(TABLE_AT, TABLE_BYTES), self._board.flash.size_bytes)
        image = self._power.read(self._running.at, self._running.size_bytes)
        roms = self._bench.workshop.roms(image)
        if roms is None:
            raise _Over(PROMPT)
        self._bench.processes.mirror.show(self._board.flash)
        return self._bench.processes.start(roms, heap=self._board.heap)

    def _leave(self, kind: str) -> None:
        causes = {RESET: HARD_RESET, WATCHDOG: WATCHDOG_RESET, DEEPSLEEP: DEEPSLEEP_RESET}
        self._board.cause = causes.get(kind, POWER_ON)

    def _serve(self, process: Process) -> None:
        wire = process.wire
        wire.settimeout(QUIET_S)
        used_s = process.cpu_s()
        while True:
            try:
                message = wire.recv(MESSAGE_MAX)
            except TimeoutError:
                if process.cpu_s() - used_s < HANG_CPU_S:
                    continue
                self._bite(HUNG)
            except ConnectionResetError:
                message = b""
            if not message:
                self._bite(PROMPT)
            head, first, second = struct.unpack_from("<BII", message)
            if head & FED:
                self._feed()
            try:
                self._reply(wire, _TABLE[head & ~FED](self, first, second, message[9:]))
            except (BrokenPipeError, ConnectionResetError):
                self._bite(PROMPT)
            if len(self._power.operations) % 64 == 0:
                used_s = process.cpu_s()

    def _reply(self, wire: socket.socket, answer: int | bytes) -> None:
        """Send a number, or the length of bytes and then the bytes; with the time."""
        if isinstance(answer, int):
            wire.send(struct.pack("<iI", answer, self._now_ticks()))
            return
        wire.send(struct.pack("<iI", len(answer), self._now_ticks()))
        if answer:
            wire.send(answer)

    def _feed(self) -> None:
        if self._watchdog is not None:
            self._watchdog = (self._clock.now_ms, self._watchdog[1])

    def _now_ticks(self) -> int:
        return (self._board.tick_base + self._clock.now_ms - self._started_ms) % TICK_PERIOD

    def _bite(self, without: str) -> None:
        """Let the watchdog end a life in which nothing happens any more; without one it is stuck."""
        if self._watchdog is None:
            raise _Over(without)
        self._clock.now_ms = max(self._clock.now_ms, sum(self._watchdog))
        raise _Over(WATCHDOG)

    def _pass(self, duration_ms: int) -> None:
        """Let time pass. Raises _Over when the watchdog or the horizon ends the life in it."""
        end_ms = self._clock.now_ms + duration_ms
        if self._watchdog is not None and end_ms >= sum(self._watchdog):
            self._clock.now_ms = sum(self._watchdog)
            raise _Over(WATCHDOG)
        self._clock.now_ms = end_ms
        if end_ms >= self._until_ms:
            raise _Over(HORIZON)

    # --- flash --------------------------------------------------------------------------------------------------------

    def _erase(self, at: int, size: int, _data: bytes) -> int:
        for operation in split(ERASE, at, size):
            self._do(operation)
            self._pass(ERASE_MS)
        return 0

    def _write(self, at: int, _size: int, data: bytes) -> int:
        for operation in split(WRITE, at, data):
            self._do(operation)
            self._pass(1 + len(operation.data) // WRITE_PAGE_BYTES)
        return 0

    def _do(self, operation: Operation) -> None:
        self._power.do(operation)
        self._show(operation.sector)

    def _show(self, sector: int) -> None:
        content = self._board.flash.sectors.get(sector, BLANK)
        self._bench.processes.mirror.put(sector, content)

    def _show_otadata(self) -> None:
        part = self._table.otadata
        assert part is not None
        for sector in range(part.at // SECTOR_BYTES, part.end // SECTOR_BYTES):
            self._show(sector)

    def _set_boot(self, at: int, _size: int, _data: bytes) -> int:
        partition = next(part for part in self._table.partitions if part.at == at)
        status = idf_app.set_boot(self._power, self._table, partition, self._verify)
        self._show_otadata()
        return status

    def _mark_valid(self, _first: int, _second: int, _data: bytes) -> int:
        status = idf_app.mark_valid(self._power, self._table)
        self._show_otadata()
        return status

    def _boot_slot(self, _first: int, _second: int, _data: bytes) -> bytes:
        return idf_app.boot_partition(self._power, self._table).label.encode()

    def _running_slot(self, _first: int, _second: int, _data: bytes) -> bytes:
        assert self._running is not None
        return self._running.label.encode()

    def _partitions(self, _first: int, _second: int, _data: bytes) -> bytes:
        return b"".join(
            struct.pack("<BBxxII16s", part.type, part.subtype, part.at, part.size_bytes, part.label.encode())
            for part in self._table.partitions
        )

    # --- time, reset, memory ------------------------------------------------------------------------------------------

    def _ticks(self, _first: int, _second: int, _data: bytes) -> int:
        return 0

    def _sleep(self, duration_ms: int, _second: int, _data: bytes) -> int:
        if self._is_settled():
            raise _Over(SETTLED)
        self._pass(duration_ms)
        return 0

    def _reset(self, _first: int, _second: int, _data: bytes) -> int:
        raise _Over(RESET)

    def _deepsleep(self, duration_ms: int, _second: int, _data: bytes) -> int:
        self._clock.now_ms += duration_ms
        raise _Over(DEEPSLEEP)

    def _arm(self, timeout_ms: int, _second: int, _data: bytes) -> int:
        self._watchdog = (self._clock.now_ms, timeout_ms)
        return 0

    def _cause(self, _first: int, _second: int, _data: bytes) -> int:
        return self._board.cause

    def _epoch(self, _first: int, _second: int, _data: bytes) -> int:
        return self._board.epoch_s + (self._clock.now_ms - self._board.epoch_at_ms) // 1000

    def _set_epoch(self, seconds: int, _second: int, _data: bytes) -> int:
        self._board.epoch_s, self._board.epoch_at_ms = seconds, self._clock.now_ms
        return 0

    def _rtc_read(self, _first: int, _second: int, _data: bytes) -> bytes:
        return self._board.rtc

    def _rtc_write(self, _first: int, _second: int, data: bytes) -> int:
        self._board.rtc = data[:RTC_MEMORY_MAX]
        return 0

    def _ended(self, _first: int, _second: int, _data: bytes) -> int:
        self._bite(PROMPT)
        return 0

    def _note(self, _first: int, _second: int, data: bytes) -> int:
        assert self._running is not None
        self._notes.append(Note(self._clock.now_ms, self._running.label, data.decode("utf-8", "replace")))
        return 0

    # --- network ------------------------------------------------------------------------------------------------------

    def _wlan_connect(self, _first: int, _second: int, _data: bytes) -> int:
        return 0

    def _wlan_state(self, _first: int, _second: int, _data: bytes) -> int:
        return int(self._network.is_up(self._clock.now_ms))

    def _wlan_stop(self, _first: int, _second: int, _data: bytes) -> int:
        self._network.power_off()
        return 0

    def _dial(self, _port: int, timeout_ms: int, _data: bytes) -> int:
        handle = self._network.dial(self._clock.now_ms)
        self._pass(min(timeout_ms, 30) if handle > 0 else min(timeout_ms, 500))
        return handle

    def _send(self, handle: int, _second: int, data: bytes) -> int:
        return self._network.send(handle, data, self._clock.now_ms)

    def _receive(self, handle: int, size: int, data: bytes) -> int | bytes:
        timeout_ms = struct.unpack("<I", data)[0]
        piece, at_ms = self._network.receive(handle, size, self._clock.now_ms)
        if piece is None or at_ms - self._clock.now_ms > timeout_ms:
            self._pass(timeout_ms)
            return -ETIMEDOUT
        self._pass(at_ms - self._clock.now_ms)
        return piece

    def _hang_up(self, handle: int, _second: int, _data: bytes) -> int:
        self._network.hang_up(handle)
        return 0

    def _ntp(self, _port: int, _timeout_ms: int, _data: bytes) -> int:
        return -ETIMEDOUT


_Handler = Callable[[_Life, int, int, bytes], int | bytes]

_TABLE: Final[dict[int, _Handler]] = {
    2: _Life._erase,
    3: _Life._write,
    4: _Life._ticks,
    5: _Life._sleep,
    6: _Life._reset,
    7: _Life._deepsleep,
    8: _Life._arm,
    10: _Life._cause,
    11: _Life._epoch,
    12: _Life._set_epoch,
    13: _Life._rtc_read,
    14: _Life._rtc_write,
    15: _Life._set_boot,
    16: _Life._mark_valid,
    17: _Life._boot_slot,
    18: _Life._running_slot,
    19: _Life._partitions,
    20: _Life._ended,
    21: _Life._note,
    30: _Life._wlan_connect,
    31: _Life._wlan_state,
    32: _Life._wlan_stop,
    33: _Life._dial,
    34: _Life._send,
    35: _Life._receive,
    36: _Life._hang_up,
    37: _Life._ntp,
}
"""What each message of on-board/_host.py does."""
