"""Probe `latency`: how long one inference of a model slot takes, as the inference service measures it.

Values: p50_us, p95_us, and n, the number of runs since the slot's model came into use. Without a run there is only n.
"""

from ringback.agent.probes.scene import Scene, number


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Reads the metrics of the service that reads models. Raises ProbeError."""
    metrics = scene.metrics(scene.model_service())
    runs = number(metrics, "latency", arg, "n")
    if not runs:
        return {"n": 0}
    return {field: number(metrics, "latency", arg, field) for field in ("p50_us", "p95_us", "n")}
