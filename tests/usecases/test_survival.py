"""What was acknowledged survives; nothing is done twice; two controllers never both act."""

import msgspec
import pytest

from ringback.health import Outcome
from ringback.ports.rows import DeploymentRow, LeaseRow
from ringback.ports.store import StaleError
from ringback.usecases.tick import Lease, look
from tests.usecases.test_rollout import GOOD_MODEL, slow_with
from tests.usecases.world import door_world


def picture(world):
    """Everything the read model says that must not depend on how it was rebuilt."""
    fleet = world.fleet
    devices = {
        name: (
            device.seen_at_ms,
            device.boot_id,
            device.seq,
            device.running.digests,
            device.confirmed.digests,
            device.previous.digests,
            device.boots,
            device.generation,
            device.issued_ms,
            device.fragment and device.fragment.fragment_id,
            device.busy_with,
        )
        for name, device in fleet.devices.items()
    }
    courses = {
        name: (
            course.row.generation,
            course.rollout.state,
            {device_id: msgspec.json.encode(trial) for device_id, trial in course.trials.items()},
            course.ledger.strata(),
            course.ledger.rings(),
            [sorted(device.row.device_id for device in members) for members in course.waiting],
        )
        for name, course in fleet.courses.items()
    }
    return devices, courses, dict(fleet.frozen), dict(fleet.orders), {k: dict(v) for k, v in fleet.commands.items()}


@pytest.mark.parametrize("fold_every", [0, 3])
def test_model_rebuilt_from_store_and_journal_equals_the_one_that_was_lost(fold_every):
    world = door_world(count=20)
    bad = world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    for box in world.boxes:
        box.readings["latency", "face"] = slow_with(bad.digest)
    rollout_id = world.start("face-2")

    for moment in range(40):
        world.pass_time(100)
        if fold_every and moment % fold_every == 0:
            world.fold()
        before = picture(world)
        world.restart()
        assert picture(world) == before, moment

    world.until(lambda: world.state(rollout_id) == "investigating")
    assert {box.versions["model/face"] for box in world.boxes} == {"1.0.0"}


def test_folding_twice_and_replaying_what_is_folded_changes_nothing():
    world = door_world(count=3)
    world.boxes[0].boot()
    world.pass_time(500)
    kept = dict(world.journal._batches)
    world.fold()
    world.restart()
    before = picture(world)

    world.journal._batches = kept  # a crash between the fold and forgetting
    world.restart()

    assert picture(world) == before


def test_drop_waits_for_the_whole_pass_so_a_crash_in_its_middle_loses_nothing():
    world = door_world(count=5)
    world.pass_time(1_000)
    before = picture(world)

    world.fold(crash_after=2)
    world.restart()

    assert picture(world) == before


def test_device_that_lost_its_answer_gets_the_same_bytes_again_also_after_a_restart():
    world = door_world(count=1)
    box = world.boxes[0]
    report = msgspec.json.encode(
        {"v": 1, "device": box.name, "boot_id": "00000000000000aa", "seq": 1, "up_ms": 1, "have": 0}
    )
    first = world.checkin(box, report)
    again = world.checkin(box, report)
    world.fold()
    world.restart()
    after_restart = world.checkin(box, report)

    assert first[0] == 200
    assert again == first
    assert after_restart == first


def test_server_restored_from_an_old_backup_goes_on_above_what_its_devices_know():
    world = door_world(count=1)
    box = world.boxes[0]
    device = world.fleet.devices[box.name]
    report = {"v": 1, "device": box.name, "boot_id": "00000000000000aa", "seq": 1, "up_ms": 1, "have": 700}

    status, body = world.checkin(box, msgspec.json.encode(report))

    assert status == 200
    assert b'"version":701}' in body
    assert device.generation == 701


def test_repeated_and_outlived_reports_are_answered_but_not_folded():
    world = door_world(count=1)
    box = world.boxes[0]
    report = {"v": 1, "device": box.name, "boot_id": "00000000000000aa", "seq": 5, "up_ms": 1, "have": 900}
    world.checkin(box, msgspec.json.encode(report))
    world.checkin(box, msgspec.json.encode({**report, "boot_id": "00000000000000bb", "seq": 1, "have": 901}))
    device = world.fleet.devices[box.name]
    no = world.fleet.applied_no

    same = world.checkin(box, msgspec.json.encode({**report, "boot_id": "00000000000000bb", "seq": 1, "have": 901}))
    old = world.checkin(box, msgspec.json.encode({**report, "seq": 6, "have": 901}))

    assert (same[0], old[0]) == (204, 204)
    assert (device.boot_id, device.seq, world.fleet.applied_no) == ("00000000000000bb", 1, no)


def test_two_controllers_never_both_act_on_a_rollout():
    world = door_world(count=6)
    world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    rollout_id = world.start("face-2")
    course, now_ms = world.fleet.courses[rollout_id], world.clock.now_ms()
    mine = Lease(None, "controller-a", now_ms + 10_000)
    other = Lease(None, "controller-b", now_ms + 10_000)
    seen_by_a = look(world.fleet, course, lease=mine, ids=world.ids, now_ms=now_ms)
    seen_by_b = look(world.fleet, course, lease=other, ids=world.ids, now_ms=now_ms)

    world.store.save(seen_by_a.changes)

    with pytest.raises(StaleError):
        world.store.save(seen_by_b.changes)
    row = world.store.find(LeaseRow, ("default", rollout_id))
    late = look(world.fleet, course, lease=Lease(row, "controller-b", 0), ids=world.ids, now_ms=now_ms)
    assert (late.changes, late.answer) == ((), None)


def test_decision_on_a_rollout_that_an_operator_has_changed_meanwhile_is_dropped():
    world = door_world(count=6)
    world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    rollout_id = world.start("face-2")
    course, now_ms = world.fleet.courses[rollout_id], world.clock.now_ms()
    seen = look(world.fleet, course, lease=Lease(None, "a", now_ms + 1), ids=world.ids, now_ms=now_ms)

    from ringback.control import Command, CommandKind

    world.order(rollout_id, Command(CommandKind.CANCEL, "tester", "no"))

    with pytest.raises(StaleError):
        world.store.save(seen.changes)


def test_another_controller_takes_over_when_the_first_is_gone_and_repeats_nothing():
    world = door_world(count=60)
    world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    rollout_id = world.start("face-2")
    world.pass_time(500)
    opened = len(world.decisions)

    world.controller = "controller-b"
    world.pass_time(5_000)
    while_leased = len(world.decisions)
    world.until(lambda: world.state(rollout_id) == "closed")

    assert opened >= 1
    assert while_leased == opened
    seqs = [row.seq for row in world.store.all(kind_of_decisions(), ("default", rollout_id))]
    assert seqs == list(range(1, len(seqs) + 1))


def kind_of_decisions():
    from ringback.ports.rows import DecisionRow

    return DecisionRow


def test_silence_is_counted_from_when_the_server_listened_and_a_leap_of_time_harms_nobody():
    world = door_world(count=40)
    world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL)
    rollout_id = world.start("face-2")
    world.until(lambda: world.fleet.courses[rollout_id].rollout.ring >= 1)

    world.clock.advance(365 * 86_400_000)  # the server was off for a year, or its clock leapt
    world.restart()
    world.tick()

    outcomes = {trial.deployment.outcome for trial in world.fleet.courses[rollout_id].trials.values()}
    assert Outcome.SILENT not in outcomes
    assert world.state(rollout_id) not in ("stopped", "rolling_back")


def test_device_that_falls_silent_after_activating_counts_as_failed_and_that_is_stored():
    world = door_world(count=40)
    bad = world.publish("model/face", "2.0.0")
    world.release(GOOD_MODEL.replace("drill: true, ", ""))
    for box in world.boxes:
        box.on_activate = dies_with(box, bad.digest)
    rollout_id = world.start("face-2")

    world.until(lambda: world.fleet.rollout_rows[rollout_id].state in ("stopped", "rolling_back", "investigating"))

    stored = world.store.all(DeploymentRow, ("default", rollout_id))
    assert "silent" in {row.outcome for row in stored}


def dies_with(box, digest):
    activate = type(box).on_activate

    def on_activate(obj):
        event = activate(box, obj)
        if any(each["digest"] == digest for each in obj["group"]):
            box.is_online = False
        return event

    return on_activate
