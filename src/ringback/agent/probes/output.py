"""Probe `output`: what a model slot decides, as the inference service counts it.

Values: positive_ppm, the share of positive decisions; n decisions. Without a decision there is only n.
"""

from ringback.agent.probes.scene import Scene, number


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the metrics of the service that reads models. Raises ProbeError."""
    metrics = scene.metrics(scene.model_service())
    decisions = number(metrics, "output", arg, "n")
    if not decisions:
        return {"n": 0}
    return {"positive_ppm": number(metrics, "output", arg, "positive_ppm"), "n": decisions}
