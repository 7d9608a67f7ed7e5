"""The machine that was measured, and how its disk syncs: without both, no figure means anything."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True):
    """What a table names. `load`: the machine's load average before measuring: a busy neighbour shows here."""

    cpu: str
    cores: int
    system: str
    python: str
    sqlite: str
    sync_p50_ms: float
    load: float


def machine(folder: Path) -> Machine:
    """Return the machine, its disk measured in a folder."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        sync_p50_ms=round(_sync_ms(folder), 3),
        load=round(os.getloadavg()[0], 2),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _sync_ms(folder: Path) -> float:
    took_ms: list[float] = []
    path = folder / "sync"
    with path.open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took_ms.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return statistics.median(took_ms)
