"""What operators order: stop, freeze, recover, push, commands, and rollouts beside each other."""

import pytest

from ringback.control import Command, CommandKind
from ringback.errors import ConflictError, InputError
from ringback.plan.refusal import PlanRefused, Refusal
from ringback.usecases import brakes, single
from tests.usecases.world import door_world

FACE_2 = """
release: face-2
targets: {classes: [door]}
versions: {model/face: blaze@2.0.0}
rings: []
gate: {p0: 2%, p1: 10%, budget: [{horizon: 300ms, devices: 400}], heartbeat: 2s}
windows: {stability: 100ms, rollback: 8s}
health: {trial: 5s, hold: 200ms}
"""


def order(world, deed, *arguments, **options):
    return world.run(lambda fleet: deed(fleet, *arguments, now_ms=world.clock.now_ms(), **options))


def stop(world, where, is_dry_run=False):
    return order(world, brakes.stop, where=where, reason="smoke", is_dry_run=is_dry_run, ids=world.ids)


def recover(world, to, where="", planes=()):
    return order(
        world, single.recover, to=to, planes=planes, where=where, reason="night", is_dry_run=False, ids=world.ids
    )


@pytest.fixture
def world():
    world = door_world(count=8, region="eu")
    world.enrol(4, prefix="us", region="us")
    for box in world.boxes[8:]:
        box.running.update(world.boxes[0].running)
        box.boot()
    world.pass_time(1_000)
    world.publish("model/face", "2.0.0")
    world.release(FACE_2)
    return world


def on_two(world):
    """Devices that run version 2 and have said that it is confirmed."""
    return {
        box.name
        for box in world.boxes
        if box.versions["model/face"] == "2.0.0"
        and world.fleet.devices[box.name].confirmed.digests == world.fleet.devices[box.name].running.digests
        and world.fleet.devices[box.name].running.versions["model/face"] == "2.0.0"
    }


def test_stopped_region_activates_nothing_and_goes_on_when_the_stop_is_lifted(world):
    found = stop(world, "region=us")
    rollout_id = world.start("face-2")

    world.pass_time(3_000)

    assert found.reached.devices == 4
    assert on_two(world) == {box.name for box in world.boxes[:8]}
    assert world.state(rollout_id) in ("full", "rollback_window")
    world.run(lambda fleet: brakes.lift_stop(fleet, found.row.stop_id))
    world.until(lambda: len(on_two(world)) == 12)


def test_stop_in_mid_rollout_withdraws_what_has_not_entered_and_counts_what_is_beyond_recall(world):
    rollout_id = world.start("face-2")
    for box in world.boxes:
        box.on_fetch = lambda obj: None  # the download hangs
    world.until(lambda: len(world.fleet.courses[rollout_id].trials) == 12)

    dry = stop(world, "region=us", is_dry_run=True)
    found = stop(world, "region=us")

    assert (dry.reached.withdrawn, dry.row) == (4, None)
    assert (found.reached.withdrawn, found.reached.beyond_recall, found.reached.devices) == (4, 0, 4)
    trials = world.fleet.courses[rollout_id].trials
    assert {trials[box.name].deployment.outcome for box in world.boxes[8:]} == {"withdrawn"}
    world.pass_time(1_000)
    assert not {box.core.tx.phase for box in world.boxes[8:]} & {"fetching", "trial"}


def test_frozen_version_is_not_activated_by_a_device_that_was_offline_when_it_was_frozen(world):
    away = world.boxes[3]
    world.start("face-2")
    away.on_fetch = lambda obj: None
    world.pass_time(600)
    away.is_online = False
    del away.on_fetch
    artifact = world.fleet.catalog.by_ref["model/face/blaze@2.0.0"]

    order(
        world,
        brakes.freeze,
        plane="model/face",
        digest=artifact.digest,
        reason="blind",
        is_dry_run=False,
        ids=world.ids,
    )
    world.pass_time(5_000)
    away.is_online = True
    world.pass_time(3_000)

    assert away.versions["model/face"] == "1.0.0"
    assert ("model/face", "model/face/blaze@2.0.0") not in away.activated


def test_release_that_is_frozen_is_refused_with_the_reason(world):
    artifact = world.fleet.catalog.by_ref["model/face/blaze@2.0.0"]
    order(
        world,
        brakes.freeze,
        plane="model/face",
        digest=artifact.digest,
        reason="blind",
        is_dry_run=False,
        ids=world.ids,
    )

    found = world.start("face-2")

    assert isinstance(found, Refusal)
    assert "blind" in found.text


def test_second_rollout_of_the_same_planes_is_refused_or_queued_when_told_so(world):
    world.publish("model/face", "3.0.0")
    later = FACE_2.replace("face-2", "face-3").replace("2.0.0", "3.0.0")
    world.release(later)
    world.release(later.replace("face-3", "face-3q") + "when: queue\n")
    first = world.start("face-2")

    refused = world.start("face-3")
    queued = world.start("face-3q")
    world.until(lambda: world.state(first) == "rollback_window")
    in_window = world.start("face-3")

    assert isinstance(refused, Refusal)
    assert refused.causes[0].code == "RB-PLAN-015"
    assert isinstance(in_window, Refusal)
    assert world.state(queued) == "draft"
    world.until(lambda: world.state(queued) == "closed")
    assert world.state(first) == "closed"
    assert {box.versions["model/face"] for box in world.boxes} == {"3.0.0"}


def test_release_inside_another_ones_rollback_window_needs_a_reason(world):
    world.publish("model/face", "3.0.0")
    world.release(FACE_2.replace("face-2", "face-3").replace("2.0.0", "3.0.0"))
    first = world.start("face-2")
    world.until(lambda: world.state(first) == "rollback_window")

    refused = world.start("face-3")
    started = world.start("face-3", reason="security fix")

    assert isinstance(refused, Refusal)
    assert refused.causes[0].code == "RB-PLAN-016"
    assert isinstance(started, str)


def test_operator_takes_a_good_release_back_plane_by_plane(world):
    rollout_id = world.start("face-2")
    world.until(lambda: len(on_two(world)) == 12)

    world.order(rollout_id, Command(CommandKind.ROLLBACK, "tester", "customer asked", ("model/face",)))
    world.until(lambda: world.state(rollout_id) == "investigating")

    assert on_two(world) == set()
    assert {box.versions["app"] for box in world.boxes} == {"1.0.0"}
    for box in world.boxes:
        assert [plane for plane, _ in box.activated].count("app") <= 1


def test_device_that_was_away_during_the_rollback_goes_back_when_it_returns(world):
    rollout_id = world.start("face-2")
    world.until(lambda: len(on_two(world)) == 12)
    away = world.boxes[0]
    away.is_online = False
    world.pass_time(3_000)  # silent by now

    world.order(rollout_id, Command(CommandKind.ROLLBACK, "tester", "customer asked"))
    world.until(lambda: world.state(rollout_id) == "investigating")
    was_left = away.versions["model/face"]
    away.is_online = True
    world.until(lambda: away.versions["model/face"] == "1.0.0")

    assert was_left == "2.0.0"


def test_push_brings_one_artifact_to_one_device_and_back(world):
    artifact = world.fleet.catalog.by_ref["model/face/blaze@2.0.0"]

    pushed = order(
        world,
        single.push,
        digest=artifact.digest,
        device_id="box-002",
        reason="try",
        is_dry_run=False,
        ids=world.ids,
    )
    world.until(lambda: world.fleet.orders[pushed.order_id].state == "done")
    ran = on_two(world)
    back = order(world, single.push_back, pushed.order_id, reason="seen", is_dry_run=False, ids=world.ids)
    world.until(lambda: world.fleet.orders[back.order_id].state == "done")

    assert ran == {"box-002"}
    assert on_two(world) == set()


def test_push_to_a_stopped_device_waits_until_the_stop_is_lifted(world):
    artifact = world.fleet.catalog.by_ref["model/face/blaze@2.0.0"]
    found = stop(world, "region=us")

    pushed = order(
        world,
        single.push,
        digest=artifact.digest,
        device_id="us-001",
        reason="try",
        is_dry_run=False,
        ids=world.ids,
    )
    world.pass_time(3_000)

    assert on_two(world) == set()
    assert world.fleet.orders[pushed.order_id].state == "waiting"
    world.run(lambda fleet: brakes.lift_stop(fleet, found.row.stop_id))
    world.until(lambda: on_two(world) == {"us-001"})


def test_push_that_the_device_cannot_take_is_refused_with_its_causes(world):
    needy = world.publish("model/face", "4.0.0", requires={"app": ">=9"})

    with pytest.raises(PlanRefused) as refused:
        order(
            world,
            single.push,
            digest=needy.digest,
            device_id="box-002",
            reason="try",
            is_dry_run=False,
            ids=world.ids,
        )

    assert "app" in str(refused.value)


def test_pushed_model_that_is_bad_is_reverted_by_the_device_and_the_push_says_so(world):
    artifact = world.fleet.catalog.by_ref["model/face/blaze@2.0.0"]
    world.boxes[2].readings["latency", "face"] = lambda box: (
        {"p50_us": 1, "p95_us": 99_000 if box.versions["model/face"] == "2.0.0" else 1, "n": 50}
    )

    pushed = order(
        world,
        single.push,
        digest=artifact.digest,
        device_id="box-002",
        reason="try",
        is_dry_run=False,
        ids=world.ids,
    )
    world.until(lambda: world.fleet.orders[pushed.order_id].state == "failed")

    assert world.boxes[2].versions["model/face"] == "1.0.0"


def test_recover_to_stable_takes_back_what_is_not_through_its_windows_where_it_is_told_to(world):
    rollout_id = world.start("face-2")
    world.until(lambda: len(on_two(world)) == 12)

    found = recover(world, "stable", where="region=us", planes=("model/face",))
    world.pass_time(2_000)

    assert (found.devices, len(found.changed), found.planes) == (4, 4, ("model/face",))
    assert on_two(world) == {box.name for box in world.boxes[:8]}
    assert world.state(rollout_id) in ("full", "rollback_window", "closed")


def test_safe_mode_stops_the_workload_until_normal_is_ordered(world):
    recover(world, "safe-mode", where="region=us")
    world.pass_time(1_500)
    safe = {box.name for box in world.boxes if "safe_mode" in world.fleet.devices[box.name].flags}
    recover(world, "normal", where="region=us")
    world.pass_time(1_500)

    assert safe == {box.name for box in world.boxes[8:]}
    assert not any("safe_mode" in device.flags for device in world.fleet.devices.values())


def test_command_is_carried_out_once_and_says_so(world):
    made = order(world, single.command, "box-001", kind="restart", arg="inference")
    world.pass_time(1_500)

    assert world.fleet.commands["box-001"][made.command_id].state == "done"
    with pytest.raises(InputError):
        order(world, single.command, "box-001", kind="rm -rf", arg="")
    with pytest.raises(InputError):
        order(world, single.command, "box-001", kind="restart", arg="../../etc")


def test_device_is_in_one_trial_at_a_time(world):
    world.publish("config", "2.0.0")
    world.release(FACE_2.replace("face-2", "config-2").replace("model/face: blaze@2.0.0", "config: door@2.0.0"))
    model, config = world.start("face-2"), world.start("config-2")

    for _ in range(60):
        world.pass_time(100)
        for box in world.boxes:
            moving = [
                course.rollout_id
                for course in world.fleet.courses.values()
                if box.name in course.trials and course.trials[box.name].deployment.is_moving
            ]
            assert len(moving) <= 1

    assert {world.state(model), world.state(config)} <= {"rollback_window", "closed"}
    assert {box.versions["config"] for box in world.boxes} == {"2.0.0"}


def test_paused_rollout_does_not_widen_and_goes_on_when_resumed(world):
    rollout_id = world.start("face-2")
    world.tick()
    world.order(rollout_id, Command(CommandKind.PAUSE, "tester", "lunch"))
    world.pass_time(2_000)
    while_paused = on_two(world)

    world.order(rollout_id, Command(CommandKind.RESUME, "tester", ""))
    world.until(lambda: world.state(rollout_id) == "closed")

    assert while_paused == set()
    assert len(on_two(world)) == 12


def test_command_that_does_not_fit_the_state_is_refused_with_a_hint(world):
    rollout_id = world.start("face-2")

    with pytest.raises(ConflictError) as refused:
        world.order(rollout_id, Command(CommandKind.RESUME, "tester", ""))

    assert refused.value.code == "RB-CONTROL-006"
    assert refused.value.hint
