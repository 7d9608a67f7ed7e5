"""Probe `telemetry`: whether results still arrive at the far end of the inference path.

Values: age_ms since upload last accepted any; rejected since the last change of a plane. The argument is the service,
default upload.
"""

from ringback.agent.probes.scene import Scene, number


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the service's metrics. Raises ProbeError."""
    name = arg or "upload"
    metrics = scene.metrics(name)
    return {"age_ms": number(metrics, "age_ms"), "rejected": since_change(scene, name, number(metrics, "rejected"))}


def since_change(scene: Scene, service: str, count: int) -> int:
    """Returns how much a counter of a service rose since the last change of a plane.

    A process that was started after the change counts from 0; for an older one the first reading is the baseline.
    """
    state = scene.state(service)
    baseline = 0 if state.started_ms >= scene.history.began_ms else count
    return count - scene.history.marks.setdefault(f"rejected {service} {state.pid}", baseline)
