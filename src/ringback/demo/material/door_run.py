"""Start one program of the door app: `run.py camera | inference | upload | replay …`. Ships as the app's run.py."""

from __future__ import annotations

import importlib
import os
import sys


def main() -> None:
    """Run `door.<name>` with the remaining arguments."""
    # One thread is what a box gives each service; set before numpy reads it, or it starts one per core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The app slot is what the artifact's digest says it is: no byte code is written into it.
    sys.dont_write_bytecode = True
    name = sys.argv.pop(1)
    importlib.import_module(f"door.{name}").main()


if __name__ == "__main__":
    main()
