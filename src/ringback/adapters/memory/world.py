"""A clock that is told what time it is, and identifiers that count: the same run gives the same names."""

import uuid


class ManualClock:
    """Implements `ringback.ports.clock.Clock`."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the instant it was told."""
        return self._now_ms

    def advance(self, by_ms: int) -> int:
        """Let time pass, 0 or more ms; return the new instant."""
        assert by_ms >= 0
        self._now_ms += by_ms
        return self._now_ms


class CountingIds:
    """Implements `ringback.ports.ids.Ids`, predictably. Never for a real server: its tokens can be guessed."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def uuid7(self, now_ms: int) -> str:
        """Return a UUIDv7 whose random part counts."""
        bits = (now_ms & (1 << 48) - 1) << 80 | 7 << 76 | 2 << 62 | self._next()
        return str(uuid.UUID(int=bits))

    def token(self) -> str:
        """Return 64 hexadecimal digits that count."""
        return f"{self._next():064x}"

    def short(self) -> str:
        """Return 8 characters that count."""
        return f"{self._next():08d}"
