"""A deployment from the desired state to its end, in whole lives of a device. Runs on CPython and on MicroPython."""

from tests.kernel.both import world as w


def test_good_release_goes_forward_and_is_confirmed():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="confirmed")
    assert world.phases == [
        "idle", "fetching", "verified", "preflight", "announced", "activating", "trial", "confirmed",
    ]  # fmt: skip
    assert world.active == {plane: w.digest_of(found) for plane, found in w.NEW.items()}
    assert world.core.tx.confirmed == world.active
    assert world.core.tx.outcome["kind"] == "confirmed" and world.core.tx.outcome["entered"]
    assert not world.violations


def test_failing_config_takes_back_the_config_alone():
    world = w.world()
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["rung"] == ["config"] and outcome["rule"] == "ok-config" and outcome["healthy"] and outcome["blame"]
    assert (outcome["reading"], outcome["op"], outcome["limit"], outcome["plane"]) == (0, ">=", 1, "config")
    assert world.active["config"] == w.digest_of(w.CONF1) and world.active["app"] == w.digest_of(w.APP2)
    assert not world.violations


def test_drill_goes_back_and_then_forward_to_the_end():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.NEW, drill={"rule": "ok-config"}))
    assert world.run(until="confirmed")
    assert world.phases.count("trial") == 2 and world.phases.count("reverted") == 1
    drills = [each["outcome"] for each in world.server.reports if each["outcome"]]
    assert drills[0]["drill"] and drills[0]["kind"] == "reverted" and not drills[0]["blame"]
    assert world.core.tx.outcome["kind"] == "confirmed" and not world.violations


def test_activation_that_fails_is_taken_back_even_where_the_planes_seem_old():
    world = w.world()
    world.failing["activate-forward"] = [{"code": "RB-AGENT-032", "text": "not ready", "breaks": True}]
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["healthy"] and outcome["code"] == "RB-AGENT-032" and not outcome["drill"]
    assert world.is_workload_on and world.active == {plane: w.digest_of(found) for plane, found in w.OLD.items()}
    assert not world.violations


def test_step_that_lacked_room_is_said_until_there_is_room():
    world = w.world()
    world.failing["fetch"] = [{"code": "RB-AGENT-024", "text": "no room", "retry": True, "full": True}]
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="confirmed")
    flags = [report["flags"] for report in world.server.reports]
    assert ["disk_full"] in flags and flags[-1] == []
