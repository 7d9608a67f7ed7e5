"""Probe `logs`: whether the numbered log of a service arrives without gaps.

Values: seq, the newest number; n lines looked at and gap, how many numbers were missing, both since the last change
of a plane. Until lines were seen there is no gap to know. The argument is the service, default upload.

A service that keeps a numbered log answers `GET /logs/after/<number>` with {"log_seq", "lines": [[number, text], ...]}.
"""

from ringback.agent.errors import ProbeError
from ringback.agent.probes.scene import Scene, number

KEPT_LINES = 200
"""Lines a service keeps at least. After a longer pause between two readings only the newest are looked at."""


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Asks for the lines since the last reading. Raises ProbeError."""
    name = arg or "upload"
    key = f"logs {name} {scene.state(name).pid}"
    marks = scene.history.marks
    seq = number(scene.metrics(name), "log_seq")
    last = marks.get(f"{key} last")
    if last is None or last > seq:
        marks[f"{key} last"] = seq
        return {"seq": seq}
    page = scene.fresh(name, f"/logs/after/{last}")
    newest = number(page, "log_seq")
    expected = range(max(last, newest - KEPT_LINES) + 1, newest + 1)
    present = set(_numbers(page.get("lines")))
    marks[f"{key} n"] = marks.get(f"{key} n", 0) + len(expected)
    marks[f"{key} gap"] = marks.get(f"{key} gap", 0) + sum(1 for number_ in expected if number_ not in present)
    marks[f"{key} last"] = newest
    if not marks[f"{key} n"]:
        return {"seq": newest}
    return {"seq": newest, "gap": marks[f"{key} gap"], "n": marks[f"{key} n"]}


def _numbers(lines: object) -> list[int]:
    if not isinstance(lines, list):
        raise ProbeError("RB-PROBE-002", "the log's lines are no list")
    return [line[0] for line in lines if isinstance(line, list) and line and isinstance(line[0], int)]
