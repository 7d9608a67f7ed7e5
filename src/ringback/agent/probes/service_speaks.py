"""Probe `service_speaks`: whether a service answers its /health as the contract of its app says.

Values: ok 0/1 (it is the service it should be, ready, and speaks the app's interface); interface, the number it names.
Without an argument: all services together, and the lowest interface.
"""

from ringback.agent.probes.scene import Scene, number


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Asks the services. Raises ProbeError when one does not answer."""
    wanted = scene.app()[1].interface
    ok, interfaces = True, []
    for name in [arg] if arg else list(scene.states):
        health = scene.health(name)
        interface = number(health, "interface")
        interfaces.append(interface)
        ok = ok and health.get("service") == name and health.get("ready") is True and wanted in {0, interface}
    return {"ok": int(ok and bool(interfaces)), "interface": min(interfaces, default=0)}
