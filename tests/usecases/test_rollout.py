"""A release moves over a fleet and back: real plans, controller and kernels; only clock, network and disk are not."""

from tests.usecases.world import door_world


def test_baseline_installs_every_plane_and_becomes_last_known_good():
    world = door_world(count=4)

    for box in world.boxes:
        assert box.versions == {"app": "1.0.0", "model/face": "1.0.0", "config": "1.0.0"}
        device = world.fleet.devices[box.name]
        assert device.confirmed.digests == device.running.digests


GOOD_MODEL = """
release: face-2
targets: {classes: [door]}
versions: {model/face: blaze@2.0.0}
rings: [{name: canary, count: 3, drill: true, bake: 200ms}, {name: most, percent: 60%, bake: 200ms}]
gate: {p0: 2%, p1: 10%, budget: [{horizon: 300ms, devices: 16}], heartbeat: 2s}
windows: {stability: 300ms, rollback: 500ms}
health: {trial: 5s, hold: 200ms}
"""


def test_good_release_goes_ring_by_ring_with_a_drill_to_the_whole_fleet():
    world = door_world(count=60)
    world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)

    rollout_id = world.start("face-2")
    world.until(lambda: world.state(rollout_id) == "closed")

    assert {box.versions["model/face"] for box in world.boxes} == {"2.0.0"}
    assert {box.versions["app"] for box in world.boxes} == {"1.0.0"}
    drilled = [box for box in world.boxes if [ref for _, ref in box.activated].count("model/face/blaze@2.0.0") == 2]
    assert len(drilled) == 3
    states = [str(decision.rollout.state) for decision in world.decisions if decision.rollout_id == rollout_id]
    assert states == ["drill", "canary", "bake", "ring", "bake", "stability", "full", "rollback_window", "closed"]


def test_bad_model_is_taken_back_frozen_and_reaches_no_further_ring():
    world = door_world(count=60)
    bad = world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    for box in world.boxes:
        box.readings["latency", "face"] = slow_with(bad.digest)

    rollout_id = world.start("face-2")
    world.until(lambda: world.state(rollout_id) == "investigating")

    assert {box.versions["model/face"] for box in world.boxes} == {"1.0.0"}
    exposed = [box for box in world.boxes if ("model/face", bad.ref) in box.activated]
    assert 1 <= len(exposed) <= 6
    course = world.fleet.courses[rollout_id]
    assert (course.rollout.blamed, course.rollout.family) in {("model/face", "arm"), ("model/face", "")}
    assert ("model/face", bad.digest) in world.fleet.frozen


def slow_with(digest):
    def read(box):
        is_bad = box.running.get("model/face", [""])[0] == digest
        return {"p50_us": 9000, "p95_us": 16500, "n": 50} if is_bad else {"p50_us": 1000, "p95_us": 2000, "n": 50}

    return read
