"""The trace of a run: what was done to every device, one line each, and its digest.

Decides: nothing. Two runs of one seed must give the same digest; signatures are left out of the lines, because ECDSA
signatures differ from run to run while meaning the same.
"""

import hashlib
from collections import deque
from dataclasses import dataclass

# Lines kept for people to read; the digest covers all of them.
TAIL_LINES = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when (UTC ms), to whom, what, and the rest as text."""

    at_ms: int
    who: str
    what: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.at_ms} {self.who} {self.what} {self.text}".rstrip()


class Trace:
    """Keeps the last lines of a run, counts all of them, and digests all of them in order."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._tail: deque[Line] = deque(maxlen=TAIL_LINES)
        self.count = 0

    def add(self, line: Line) -> None:
        self._tail.append(line)
        self._sha256.update(f"{line}\n".encode())
        self.count += 1

    def digest(self) -> str:
        return self._sha256.hexdigest()

    def tail(self, who: str = "", limit: int = 60) -> list[str]:
        """The last lines, of one device or of all."""
        lines = [str(line) for line in self._tail if who in ("", line.who)]
        return lines[-limit:]
