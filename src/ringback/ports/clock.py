"""Time for use cases: UTC milliseconds that never run backwards and never leap."""

from typing import Protocol


class Clock(Protocol):
    """A clock whose readings are UTC ms since 1970 and never decrease, whatever the machine's wall clock does."""

    def now_ms(self) -> int:
        """Return the present instant, UTC ms."""
        ...
