"""Ends the demo's processes when the demo itself is gone, however it went: kill -9, a closed terminal, a crash.

`python -m ringback.demo.undertaker FOLDER` reads process ids from standard input, one a line, and at its end (the demo
is gone) ends each with everything below it, and what runs from the folder. The line "keep" makes it forget them all.
Started in a session of its own, so that what ends the demo does not end it.
"""

import sys
from pathlib import Path

from ringback.demo.processes import end_trees

KEEP = "keep"


def main() -> None:
    """Waits for the end of standard input."""
    pids: list[int] = []
    for line in sys.stdin:
        if line.strip() == KEEP:
            pids.clear()
        else:
            pids.append(int(line))
    if pids:
        end_trees(pids, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
