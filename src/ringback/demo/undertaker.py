"""Ends the demo's processes when the demo itself is gone, however it went: kill -9, a closed terminal, a crash.

`python -m ringback.demo.undertaker` reads process ids from standard input, one a line, and at its end (the demo is
gone) ends each with everything below it. The line "keep" makes it forget them all. Started in a session of its own, so
that what ends the demo does not end it.
"""

import sys

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
    end_trees(pids)


if __name__ == "__main__":
    main()
