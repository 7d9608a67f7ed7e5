"""The night without it: the demo's fleet, simulated as a whole, under "delivered means done".

Decides: nothing but the policy it shows. The same server, controller, kernel and devices run as everywhere else; only
the documents
differ: the one health rule is "online", and the release goes to everyone at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.demo import documents, fleet
from ringback.demo.goods import Goods
from ringback.sim.identity import DeviceSpec
from ringback.sim.world import World, WorldOptions

BASE = ("app-1.0", "face-fp32", "config-good")
BAD = "face-int8-lens-cap"
NIGHT_MS = 30 * 60_000
TICK_MS = 5_000
BASELINES = ("baseline", "baseline-ahead", "baseline-esp32")
ALARMS = frozenset({"verdict_failed", "evidence_alarmed", "drill_failed"})


@dataclass(frozen=True, slots=True)
class Found:
    """What the morning finds: devices that say they are up to date, doors that see nobody, doors, alarms, and after how
    long.
    """

    delivered: int
    blind: int
    doors: int
    alarms: int
    minutes: float
    violations: tuple[str, ...]


def night(goods: Goods, seed: int, *, devices: Sequence[DeviceSpec] = ()) -> Found:
    """Simulates one night.

    Args:
        goods: what is published, and what was measured of it.
        seed: of the simulation.
        devices: the fleet; none = the demo's, with a stand-in for each real box.
    """
    specs = devices or (*fleet.simulated(), *fleet.twins())
    world = World(WorldOptions(specs, fleet.FAMILIES, goods.measured, tick_ms=TICK_MS), seed)
    for name in documents.class_names():
        text = documents.device_class(name, latency_limit_us=goods.latency_limit_us())
        world.server.add_class(documents.without_gates(text))
    _publish(world, goods, *BASE, *([] if goods.no_voice else ["voice-5"]), "app-1.1", BAD)
    world.enrol()
    world.run(documents.NIGHT_POLL_MS * 2)
    for name in BASELINES:
        _roll(world, name, goods)
    began_ms = world.agenda.now_ms
    _roll(world, "face-lens-cap", goods)
    census = world.census()
    delivered = census.running.get("model/face", {}).get(goods.digest(BAD), 0)
    return Found(
        delivered=delivered,
        blind=census.blind,
        doors=census.doors,
        alarms=sum(1 for event in world.server.events() if event in ALARMS),
        minutes=round((world.agenda.now_ms - began_ms) / 60_000, 1),
        violations=tuple(str(violation) for violation in world.close()[:5]),
    )


def _publish(world: World, goods: Goods, *names: str) -> None:
    for name in names:
        package = goods.packages[name]
        world.server.publish(package.manifest, {sha256: path.read_bytes() for sha256, path in package.blobs.items()})


def _roll(world: World, name: str, goods: Goods) -> None:
    """Rolls a release out to everyone and waits for the end, if anyone is concerned at all."""
    changes = (("  model/voice: silero-vad@5.1.2\n", ""),) if goods.no_voice and name in BASELINES[:2] else ()
    text = documents.without_rings(documents.release(name, changes=changes))
    started = world.server.start_rollout(world.server.release(text))
    if isinstance(started, str):
        world.run(NIGHT_MS, until=lambda: world.server.state(started) == "closed")
