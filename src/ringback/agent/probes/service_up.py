"""Probe `service_up`: whether a service's process runs, and how often it had to be started again.

Values: up 0/1; restarts since the last change of any plane. Without an argument: all services together.
"""

from ringback.agent.probes.scene import Scene


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the supervisor. Raises ProbeError RB-PROBE-009 for a service that the app does not have."""
    states = [scene.state(arg)] if arg else list(scene.states.values())
    return {
        "up": int(bool(states) and all(state.is_up for state in states)),
        "restarts": sum(state.restarts for state in states),
    }
