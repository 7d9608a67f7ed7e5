"""Probe `memory`: the resident memory of a service and its children, and whether it keeps growing.

Values: rss_kb; n readings since the last change of a plane; growth_kb once there are enough of them: how much more the
newest third of them shows than the oldest third, by their medians, 0 if not more. A load that comes and goes does not
count as growth, a leak does. Without an argument: all services together.
"""

from ringback.agent.errors import ProbeError
from ringback.agent.probes.scene import Scene
from ringback.agent.processes import rss_kb

LEAST_READINGS = 6


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads /proc. Raises ProbeError RB-PROBE-001 when a service does not run."""
    states = [scene.state(arg)] if arg else list(scene.states.values())
    down = [state.name for state in states if not state.is_up]
    if down or not states:
        raise ProbeError("RB-PROBE-001", f"not running: {', '.join(down) or 'no service'}")
    now_kb = sum(rss_kb(state.pid) for state in states)
    pids = ",".join(str(state.pid) for state in states)
    # A service that was started anew has a history of its own.
    readings = scene.history.add(f"memory {arg} {pids}", now_kb)
    values = {"rss_kb": now_kb, "n": len(readings)}
    if len(readings) >= LEAST_READINGS:
        values["growth_kb"] = growth_kb(readings)
    return values


def growth_kb(readings: list[int]) -> int:
    """Returns how much more the newest third of readings shows than the oldest third, at least 0."""
    third = len(readings) // 3
    return max(0, _middle(readings[-third:]) - _middle(readings[:third]))


def _middle(readings: list[int]) -> int:
    return sorted(readings)[(len(readings) - 1) // 2]
