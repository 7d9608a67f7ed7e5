"""What a service counts: latencies, and who was seen in the last whole loop of the camera.

What it decides: how readings are summed up. What it never does: judge them.
Integers only; nothing here grows with uptime.
"""

from __future__ import annotations

from collections import deque

from .shapes import FULL_PPM

# Enough for a stable 95th percentile, little enough to follow a change within seconds.
LATENCY_WINDOW = 256


class Latency:
    """The newest latencies, in microseconds of CPU time of the thread that ran the model."""

    def __init__(self) -> None:
        self._newest_us: deque[int] = deque(maxlen=LATENCY_WINDOW)

    def add(self, duration_ns: int) -> None:
        """Count one run."""
        self._newest_us.append(duration_ns // 1000)

    def summary(self) -> dict[str, int]:
        """p50_us, p95_us and n, the number of runs they rest on."""
        ranked = sorted(self._newest_us)
        if not ranked:
            return {"p50_us": 0, "p95_us": 0, "n": 0}
        return {"p50_us": ranked[len(ranked) // 2], "p95_us": ranked[len(ranked) * 95 // 100], "n": len(ranked)}


class Loop:
    """The newest decision on each step of the camera's loop."""

    def __init__(self) -> None:
        self._people: dict[int, tuple[int, int]] = {}
        self._speech: dict[int, tuple[int, int]] = {}

    def see(self, place: int, people: int, sighted: int) -> None:
        """Step `place` shows `people` (0 or 1); the model says `sighted` (0 or 1)."""
        self._people[place] = (people, sighted)

    def hear(self, place: int, windows: int, speech: int) -> None:
        """Of `windows` windows of step `place`, `speech` held speech."""
        self._speech[place] = (windows, speech)

    def summary(self) -> dict[str, int]:
        """people_seen of people_total, false_people, how many steps were looked at, and the share of speech."""
        decided = list(self._people.values())
        heard = list(self._speech.values())
        windows = sum(count for count, _ in heard)
        return {
            "people_seen": sum(1 for people, sighted in decided if people and sighted),
            "people_total": sum(people for people, _ in decided),
            "false_people": sum(1 for people, sighted in decided if sighted and not people),
            "looked_at": len(decided),
            "speech_ppm": share_ppm(sum(speech for _, speech in heard), windows),
            "windows": windows,
        }

    def positives(self) -> tuple[int, int]:
        """How many of the steps looked at were sighted, and how many were looked at."""
        return sum(sighted for _, sighted in self._people.values()), len(self._people)


def share_ppm(part: int, whole: int) -> int:
    """part / whole in ppm; 0 of nothing."""
    return part * FULL_PPM // whole if whole else 0
