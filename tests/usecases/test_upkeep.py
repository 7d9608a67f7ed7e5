"""What is forgotten, and what never is."""

from dataclasses import replace

from ringback.health import Outcome
from ringback.ports import rows
from ringback.ports.changes import Insert
from ringback.usecases import upkeep
from tests.usecases.test_brakes_and_orders import FACE_2
from tests.usecases.world import door_world

DAY_MS = 86_400_000


def test_answers_are_kept_for_a_day():
    world = door_world(count=1)
    now_ms = world.clock.now_ms()
    old = rows.AnswerRow("default", "old", b"", 201, b"", now_ms - DAY_MS - 1)
    young = replace(old, key="young", created_at_ms=now_ms - DAY_MS + 1)
    world.store.save([Insert(old), Insert(young)])

    world.run(lambda fleet: upkeep.old_answers([old, young], now_ms=now_ms))

    assert world.store.all(rows.AnswerRow, ("default",)) == [young]


def test_claims_go_a_month_after_their_end_and_living_ones_stay():
    world = door_world(count=1)
    world.clock.advance(31 * DAY_MS)
    world.enrol(1, prefix="new")

    forgotten = world.run(lambda fleet: upkeep.old_claims(fleet, now_ms=world.clock.now_ms()))

    assert forgotten == 1
    assert len(world.fleet.claims) == len(world.store.all(rows.ClaimRow, ("default",))) == 1


def test_words_that_no_device_uses_any_more_go_and_the_model_can_still_be_rebuilt():
    world = door_world(count=3)
    world.publish("model/face", "2.0.0")
    world.release(FACE_2)
    rollout_id = world.start("face-2")
    world.until(lambda: world.state(rollout_id) == "closed")
    world.fold()
    before = len(world.store.all(rows.FragmentRow, ("default",)))

    world.run(upkeep.unused_words)
    world.restart()
    world.pass_time(2_000)

    assert len(world.store.all(rows.FragmentRow, ("default",))) < before
    assert {box.versions["model/face"] for box in world.boxes} == {"2.0.0"}
    assert all(device.fragment is not None for device in world.fleet.devices.values())


def test_deployments_of_a_finished_rollout_become_counts_that_say_the_same():
    world = door_world(count=5)
    row = next(iter(world.fleet.rollout_rows.values()))
    world.fold()
    stored = world.store.all(rows.DeploymentRow, ("default", row.rollout_id))

    for part in (stored[:2], stored[2:]):
        counted = world.store.all(rows.CohortRow, ("default", row.rollout_id))
        world.run(lambda fleet, part=part, counted=counted: upkeep.old_deployments(fleet, row, part, counted))

    assert world.store.all(rows.DeploymentRow, ("default", row.rollout_id)) == []
    counts = world.store.all(rows.CohortRow, ("default", row.rollout_id))
    assert sum(each.entered_count for each in counts) == 5
    assert sum(each.failed_count for each in counts) == 0
    assert {each.outcome for each in stored} <= {Outcome.PROVEN, Outcome.INSTALLED}


def test_newest_command_stays_so_that_its_number_is_never_given_again():
    world = door_world(count=1)
    from ringback.usecases import single

    for _ in range(3):
        world.run(
            lambda fleet: single.command(fleet, "box-000", kind="restart", arg="camera", now_ms=world.clock.now_ms())
        )
    world.pass_time(2_000)
    world.clock.advance(100 * DAY_MS)

    world.run(lambda fleet: upkeep.old_orders(fleet, now_ms=world.clock.now_ms(), keep_ms=90 * DAY_MS))

    assert list(world.fleet.commands["box-000"]) == [3]


def test_fragment_that_was_just_given_out_is_not_forgotten_before_its_record_is_on_disk():
    world = door_world(count=1)
    world.fold()
    box = world.boxes[0]
    device = world.fleet.devices[box.name]
    from ringback.usecases import brakes
    from ringback.usecases.checkin import receive

    digest = world.fleet.catalog.by_ref["app/door@1.0.0"].digest
    world.run(
        lambda fleet: brakes.freeze(
            fleet, plane="app", digest=digest, reason="x", is_dry_run=False, ids=world.ids, now_ms=world.clock.now_ms()
        )
    )
    body = b'{"v":1,"device":"box-000","boot_id":"00000000000000aa","seq":1,"up_ms":1,"have":1}'
    checked = receive(world.fleet, device, body, now_ms=world.clock.now_ms(), signer=world.keys)
    world.fleet.fragments.are_kept(list(world.fleet.fragments.fresh.values()))
    world.fold()
    world.run(upkeep.unused_words)
    world.commit([checked.record])
    world.fold()
    world.restart()

    assert world.fleet.devices[box.name].fragment.fragment_id == checked.record.fragment.fragment_id
