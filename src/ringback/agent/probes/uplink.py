"""Probe `uplink`: whether the newest check-in was answered. Seldom a required rule: an outage is no bad release.

Values: ok 0/1; age_ms since then. Before the first check-in there is neither.
"""

from ringback.agent.probes.scene import Scene


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Asks the transport."""
    answered, at_ms = scene.lab.uplink()
    if not at_ms:
        return {}
    return {"ok": int(answered), "age_ms": max(0, scene.lab.now_ms() - at_ms)}
