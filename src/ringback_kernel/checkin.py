"""Decides when the device checks in: as the server said, at once when there is news, with back-off when nobody answers.

- One check-in at a time. News during one makes another follow it.
- Back-off is 1, 2, 4 .. 60 s, spread by a quarter each way by a hash of device and number, so that a fleet that lost
  its server does not come back as one.
- The server's interval is kept within bounds, whatever it says.
"""

import hashlib

from ringback_kernel.forward import backoff_ms

# After a failure, news waits at least this long: a refused connection answers in no time.
RETRY_GAP_MS = 500
DEFAULT_NEXT_MS = 5000


class Checkin:
    """The timer of the check-ins."""

    def __init__(self, device: str, limits):
        self.device = device
        self.limits = limits
        self.at_ms = 0
        self.op = 0
        self.since_ms = 0
        self.ended_ms: int | None = None
        self.failures = 0
        self.next_ms = DEFAULT_NEXT_MS
        self.has_news = False

    def tell(self, now_ms: int) -> None:
        """There is something the server should hear or say now."""
        if self.op:
            self.has_news = True
        elif self.failures and self.ended_ms is not None:
            self.at_ms = min(self.at_ms, max(now_ms, self.ended_ms + RETRY_GAP_MS))
        else:
            self.at_ms = min(self.at_ms, now_ms)

    def within(self, interval_ms: int) -> None:
        """Let the next one be at most this long after the last: something waits for an answer."""
        if self.ended_ms is not None and not self.op:
            gap_ms = RETRY_GAP_MS if self.failures else self.limits.checkin_min_ms
            self.at_ms = min(self.at_ms, self.ended_ms + max(gap_ms, interval_ms))

    def is_due(self, now_ms: int) -> bool:
        return not self.op and self.at_ms <= now_ms

    def is_overdue(self, now_ms: int) -> bool:
        return self.op != 0 and now_ms - self.since_ms >= self.limits.checkin_timeout_ms

    def begin(self, op: int, now_ms: int) -> None:
        self.op = op
        self.since_ms = now_ms
        self.has_news = False

    def succeeded(self, next_ms: int, now_ms: int) -> None:
        self.failures = 0
        self.next_ms = max(self.limits.checkin_min_ms, min(next_ms or DEFAULT_NEXT_MS, self.limits.checkin_max_ms))
        self._end(self.next_ms, now_ms)

    def failed(self, wait_ms: int, now_ms: int) -> None:
        """Nobody answered, or not well; `wait_ms` is what the server asked for, 0 for nothing."""
        number = self.op
        self.failures += 1
        pause_ms = backoff_ms(self.failures, self.limits.backoff_max_ms)
        spread = hashlib.sha256(("%s/%d" % (self.device, number)).encode()).digest()
        pause_ms += pause_ms * ((spread[0] << 8 | spread[1]) - 32768) // 131072
        self._end(max(pause_ms, min(wait_ms, self.limits.checkin_max_ms)), now_ms)

    def _end(self, pause_ms: int, now_ms: int) -> None:
        self.op = 0
        self.ended_ms = now_ms
        self.at_ms = now_ms + pause_ms
        if self.has_news:
            self.has_news = False
            self.tell(now_ms)

    def wakeup_ms(self) -> int:
        return self.since_ms + self.limits.checkin_timeout_ms if self.op else self.at_ms
