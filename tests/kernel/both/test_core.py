"""Check-ins, back-off, late answers, rounds between deployments, and time that jumps. Runs on both interpreters."""

from ringback_kernel import transaction
from ringback_kernel.errors import KernelError, TransitionError
from ringback_kernel.vocabulary import PHASES, REST, SAFE_MODE
from tests.kernel.both import world as w


def gaps(world, for_ms):
    """Return the times between check-ins while the world runs."""
    seen = []
    plain = world.perform

    def perform(kind, obj):
        if kind == "checkin":
            seen.append(world.now_ms)
        plain(kind, obj)

    world.perform = perform
    world.run(for_ms)
    return [after - before for before, after in zip(seen, seen[1:])]  # noqa: B905 - MicroPython has no strict


def test_server_decides_the_interval_within_bounds():
    world = w.world()
    world.server.next_ms = 5000
    assert set(gaps(world, 60000)[1:]) == {5020}
    world = w.world()
    world.server.next_ms = 1
    assert min(gaps(world, 3000)) >= 50


def test_silent_server_is_asked_ever_more_rarely():
    world = w.world()
    world.server.is_reachable = False
    found = gaps(world, 600000)
    for index in range(5):
        assert 750 * (1 << index) <= found[index] <= 1250 * (1 << index) + 60, found
    assert 45000 <= min(found[8:]) and max(found) <= 75060


def test_devices_that_lost_their_server_spread_out():
    found = set()
    for name in ("box-1", "box-2", "box-3", "box-4"):
        world = w.world()
        world.core.checkin.device = name
        world.server.is_reachable = False
        found.add(tuple(gaps(world, 60000)))
    assert len(found) == 4


def test_lost_answer_of_a_check_in_is_given_up():
    world = w.world()
    plain = world.perform
    lost = []

    def perform(kind, obj):
        if kind == "checkin" and len(lost) < 1:
            lost.append(world.now_ms)
            return
        plain(kind, obj)

    world.perform = perform
    world.run(60000)
    assert len(world.server.reports) > 10
    assert world.server.reports[0]["up_ms"] >= 30000


def test_error_statuses_back_off_and_wait_as_long_as_told():
    world = w.world()
    plain = world.server.answer
    world.server.answer = lambda body: {"status": 429, "body": b"", "next_ms": 90000}
    assert min(gaps(world, 400000)) >= 90000
    world.server.answer = plain
    world.run(100000)
    assert world.server.reports


def test_report_that_is_too_long_is_made_shorter():
    world = w.world()
    world.server.answer = lambda body: {"status": 413, "body": b"", "next_ms": 0}
    world.run(200000)
    assert world.core.report_bytes == 4096


def test_late_answers_are_ignored():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="trial")
    before = world.core.tx.to_obj()
    for kind in ("fetch_done", "verify_failed", "stage_done", "activate_done", "commit_done", "safe_mode_done"):
        world.take(world.core.handle((kind, {"op": 3, "code": "x", "running": {}, "manifests": {}}), world.now_ms))
    world.take(world.core.handle(("probe_done", {"op": 3, "readings": []}), world.now_ms))
    world.take(world.core.handle(("checkin_done", {"op": 3, "status": 200, "body": b"", "next_ms": 1}), world.now_ms))
    world.take(world.core.handle(("command_done", {"op": 3, "id": 9, "ok": True, "text": ""}), world.now_ms))
    assert world.core.tx.to_obj() == before
    assert world.run(until="confirmed")


def test_event_that_no_effect_is_answered_by_is_an_error():
    world = w.world()
    try:
        world.core.handle(("explode", {}), 1)
    except KernelError as error:
        assert "explode" in error.text
        return
    raise AssertionError("took an unknown event")


def test_pair_without_a_row_names_phase_and_event():
    world = w.world()
    try:
        transaction.step(world.core.tx, ("activate_done", {"running": {}}), 5)
    except TransitionError as error:
        assert (error.phase, error.event) == ("idle", "activate_done") and "activate_done in phase idle" in error.text
        return
    raise AssertionError("made a transition out of nothing")


def test_every_phase_that_is_no_rest_has_a_timeout_and_a_boot_row():
    for phase in PHASES:
        assert (phase, "boot") in transaction.ROWS and (phase, "desired") in transaction.ROWS
        assert (phase, "heard") in transaction.ROWS and (phase, "unheard") in transaction.ROWS
        if phase not in REST:
            assert (phase, "timeout") in transaction.ROWS, phase


def test_every_phase_is_reachable_and_leads_to_a_rest():
    leads = {phase: set() for phase in PHASES}
    for key in transaction.ROWS:
        leads[key[0]].update(transaction.ROWS[key][1])
    for start, ends in (("idle", PHASES),):
        seen = {start}
        for _ in PHASES:
            for phase in list(seen):
                seen.update(leads[phase])
        assert seen == set(ends)
    for phase in PHASES:
        seen = {phase}
        for _ in PHASES:
            for each in list(seen):
                seen.update(leads[each])
        assert seen.intersection(REST) and SAFE_MODE in seen


def test_step_leaves_the_state_it_was_given_alone():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="trial")
    state = world.core.tx
    before = repr(sorted(state.to_obj().items()))
    strikes = dict(state.memory.strikes)
    for event in (("timeout", {}), ("probe_due", {}), ("probe_done", {"readings": []}), ("boot", {"planned": False})):
        transaction.step(state, event, world.now_ms + 50)
    assert repr(sorted(state.to_obj().items())) == before and state.memory.strikes == strikes


def test_health_is_read_between_deployments_and_reported():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.OLD))
    assert world.run(until="confirmed")
    world.run(10000)
    report = world.server.reports[-1]
    assert report["health"] == {"verdict": "PASS", "rule": ""} and report["read"]["service_up/app.up"] == 1
    world.unhealthy.add("ok-app")
    world.run(10000)
    assert world.server.reports[-1]["health"] == {"verdict": "FAIL", "rule": "ok-app"}
    assert world.core.tx.phase == "confirmed"


def test_clock_that_jumps_ends_no_trial():
    for jump_ms in (31536000000, -5000, 86400000):
        world = w.world()
        world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
        world.missing.add("ok-config")
        assert world.run(until="trial")
        world.now_ms += jump_ms
        world.queue = [(max(0, at_ms + jump_ms), number, kind, obj) for at_ms, number, kind, obj in world.queue]
        world.take(world.core.handle(("tick", {}), world.now_ms))
        assert world.core.tx.phase == "trial", jump_ms
        world.missing.clear()
        assert world.run(60000, until="confirmed"), (jump_ms, world.phases)
        world.run(3000)
        assert "clock_jump" in world.server.reports[-1]["flags"]


def test_sequence_of_reports_rises_over_restarts():
    world = w.world()
    for _ in range(3):
        world.run(5000)
        world.restart_agent()
    found = [each["seq"] for each in world.server.reports]
    assert found == sorted(found) and len(set(found)) == len(found)
    assert {each["boot_id"] for each in world.server.reports} == {"boot000000000001"}


def test_status_says_what_a_person_needs():
    world = w.world()
    world.run(3000)
    status = world.core.status()
    assert status["state"] == "idle" and status["next_checkin_ms"] >= 0 and status["journal"] == "absent"
    assert status["planes"]["app"] == [w.digest_of(w.APP1), "1.0.0"]


def test_new_device_keeps_what_it_runs_as_its_first_way_back():
    world = w.world()
    assert world.core.tx.confirmed == world.active


def test_rules_that_confirmed_the_old_set_judge_it_when_it_comes_back():
    """A limit that a release sets wrongly reverts the release; it must not send a good device into safe mode."""
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="confirmed")
    world.run(3000)
    strict = [w.rule("app", id="impossible", limit=5, arg="app-x")] + w.RULES
    world.unhealthy.add("impossible")
    rules = {"hold_ms": 1000, "every_ms": 500, "list": strict}
    world.server.offer(w.release(2, w.changed(config=w.CONF2), w.NEW, rules=rules))
    assert world.run(until="reverted"), world.phases
    outcome = world.core.tx.outcome
    assert outcome["rule"] == "impossible" and outcome["healthy"] and world.is_workload_on
    assert world.active["app"] == w.digest_of(w.APP1)


def test_what_runs_is_read_back_and_not_assumed():
    """A backend that says it is done and is not: nothing goes on trial that does not run."""
    world = w.world()
    world.do_activate = lambda obj: (
        "activate_done",
        {"running": {each["plane"]: world.run_of(each["plane"]) for each in obj["group"]}},
    )
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="reverted")
    assert "trial" not in world.phases and world.core.tx.outcome["code"] == "RB-TX-013"


def test_too_many_transitions_end_the_deployment():
    world = w.world()
    world.limits.moves = 4
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="refused")
    assert world.core.tx.outcome["code"] == "RB-TX-025"
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.NEW))
    world.unhealthy.update(["ok-app"])
    assert world.run(until="trial")
    world.limits.moves = 7
    assert world.run(until="safe_mode")
    assert "7 transitions" in world.core.tx.outcome["text"] or "8 transitions" in world.core.tx.outcome["text"]
