"""Where the demo shows itself: a live view on a terminal, a plain log of lines elsewhere. Talk goes to stderr.

Decides: which of the two. Never: writes to stdout, which belongs to the summary.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live

from ringback.demo.scene import Scene
from ringback.demo.view import draw

REFRESH_PER_S = 4
LINES_KEPT = 200


class Screen:
    """Shows scenes and keeps the log lines of the run.

    Args:
        is_live: draw a live view; otherwise print each line as it comes.
        look: returns the scene of this moment; called from the view's own thread.
    """

    def __init__(self, *, is_live: bool, look: Callable[[], Scene]) -> None:
        self._console = Console(file=sys.stderr)
        self._look = look
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._began_s = time.monotonic()
        self._lock = threading.Lock()
        self._live = (
            Live(
                console=self._console,
                get_renderable=lambda: draw(self._look()),
                auto_refresh=True,
                refresh_per_second=REFRESH_PER_S,
                transient=True,
            )
            if is_live
            else None
        )

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def lines(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._lines)

    def say(self, line: str) -> None:
        """One line of the story."""
        stamped = f"{time.monotonic() - self._began_s:6.1f} s  {line}"
        with self._lock:
            self._lines.append(stamped)
        if self._live is None:
            self._console.print(stamped, markup=False, highlight=False, soft_wrap=True)

    def print(self, line: str) -> None:
        """One line that stays on the screen after the live view is gone."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
