"""The night without gates: every door goes blind, and with gates none does, in the same world."""

import pytest

from ringback.demo import documents, fleet, goods, night
from ringback.sim.world import World, WorldOptions


@pytest.fixture(scope="module")
def made() -> goods.Goods:
    return goods.get()


@pytest.mark.timeout(180)
def test_delivered_means_done_leaves_every_door_blind_and_nobody_is_told(made: goods.Goods) -> None:
    found = night.night(made, 1, devices=fleet.simulated()[::10])

    assert found.doors == 30
    assert (found.delivered, found.blind, found.alarms) == (30, 30, 0)
    assert found.violations == ()


@pytest.mark.timeout(180)
def test_with_the_gates_on_the_same_model_is_refused_before_it_runs_anywhere(made: goods.Goods) -> None:
    world = World(WorldOptions(fleet.simulated()[::6], fleet.FAMILIES, made.measured, tick_ms=500), 1)
    for name in documents.class_names():
        world.server.add_class(documents.device_class(name, latency_limit_us=made.latency_limit_us()))
    night._publish(world, made, "app-1.0", "app-1.1", "face-fp32", "config-good", night.BAD)
    world.enrol()
    world.run(4_000)
    changes = (("  model/voice: silero-vad@5.1.2\n", ""),)
    for name in night.BASELINES[:1]:
        world.server.start_rollout(world.server.release(documents.release(name, changes=changes)))
    world.run(30_000)

    rollout = world.server.start_rollout(world.server.release(documents.release("face-lens-cap")))
    assert isinstance(rollout, str), rollout
    world.run(60_000, until=lambda: world.server.state(rollout) == "investigating")

    assert world.server.blamed(rollout) == "model/face"
    assert made.digest(night.BAD) not in world.census().running["model/face"]
    assert world.census().blind == 0
    assert world.close() == []
