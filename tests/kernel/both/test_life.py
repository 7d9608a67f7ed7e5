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
    assert (outcome["reading"], outcome["limit"], outcome["plane"]) == (0, 1, "config")
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
