"""Probe `input`: whether the input of the inference path is alive: the age of the newest frame of a service.

Values: age_ms; frames since the service started. The argument is the service, default camera.
"""

from ringback.agent.probes.scene import Scene, number


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the service's metrics. Raises ProbeError."""
    metrics = scene.metrics(arg or "camera")
    return {"age_ms": number(metrics, "age_ms"), "frames": number(metrics, "frames")}
