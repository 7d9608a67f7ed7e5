"""What a newer desired state does in each phase: withdraw, pause, freeze, recall, safe mode, commands. Both
interpreters.
"""

from tests.kernel.both import world as w

CONFIG = w.changed(config=w.CONF2)


def started(until, new=None, **ota):
    """Return a world whose device is in a phase of a deployment that needs long in its trial."""
    world = w.world()
    ota.setdefault("rules", {"hold_ms": 8000, "every_ms": 500, "list": w.RULES})
    world.server.offer(w.release(1, w.OLD, new or CONFIG, **ota))
    assert world.run(until=until), world.phases
    return world


def same_again(generation, new=None, **ota):
    """Return generation 1's deployment again, as a later generation."""
    ota.setdefault("rules", {"hold_ms": 8000, "every_ms": 500, "list": w.RULES})
    return w.release(generation, w.OLD, new or CONFIG, release="rel-1", rollout="roll-1", **ota)


def tell(world, document):
    """Hand a document to the core at once, as the answer to a check-in that is under way."""
    core = world.core
    if not core.checkin.op:
        core.checkin.at_ms = core.now_ms
        world.take(core.handle(("tick", {}), world.now_ms))
    world.queue = [entry for entry in world.queue if entry[2] != "checkin"]
    world.server.offer(document)
    answer = {"op": core.checkin.op, "status": 200, "body": world.server.document, "next_ms": 1000}
    world.take(core.handle(("checkin_done", answer), world.now_ms))


# --- withdrawal and refresh -------------------------------------------------------------------------------------------


def test_deployment_withdrawn_before_the_activation_leaves_no_trace():
    for phase in ("fetching", "verified", "preflight", "announced"):
        world = started(phase)
        tell(world, w.release(2, w.OLD, w.OLD, rollout=""))
        assert world.core.tx.phase == "idle" and world.core.tx.deploy is None, phase
        world.run(20000)
        assert world.active == {plane: w.digest_of(found) for plane, found in w.OLD.items()}
        assert not [each for each in world.effects if each[0] == "activate"]


def test_other_deployment_replaces_one_that_changed_nothing_yet():
    world = started("preflight")
    tell(world, w.release(2, w.OLD, w.changed(face=w.FACE2)))
    assert world.run(until="confirmed")
    assert world.core.tx.outcome["gen"] == 2 and world.active["config"] == w.digest_of(w.CONF1)


def test_same_deployment_in_a_newer_generation_goes_on():
    for phase in ("fetching", "verified", "preflight", "announced", "trial"):
        world = started(phase)
        tell(world, same_again(2))
        assert world.core.tx.gen == 2 and world.core.tx.hand_gen == 2, phase
        assert world.run(until="confirmed")
        assert world.core.tx.outcome["gen"] == 1 and world.phases.count("fetching") == 1


def test_other_deployment_waits_until_the_trial_is_over():
    world = started("trial")
    tell(world, w.release(2, CONFIG, w.changed(config=w.CONF2, face=w.FACE2)))
    assert world.core.tx.phase == "trial"
    assert world.run(until="confirmed") and world.core.tx.outcome["gen"] == 1
    assert world.run(30000, until=lambda now: now.core.tx.outcome["gen"] == 2)
    assert world.active["model/face"] == w.digest_of(w.FACE2)


def test_new_deployment_waits_until_the_last_outcome_was_heard():
    world = started("trial")
    tell(world, w.release(2, CONFIG, w.changed(config=w.CONF2, face=w.FACE2)))
    world.server.is_reachable = False
    assert world.run(until="confirmed")
    world.run(20000)
    assert world.core.tx.phase == "confirmed" and not world.core.tx.acked
    world.server.is_reachable = True
    assert world.run(90000, until=lambda now: now.core.tx.outcome["gen"] == 2)
    world.run(3000)
    kinds = [each["outcome"]["gen"] for each in world.server.reports if each["outcome"]]
    assert 1 in kinds and 2 in kinds


def test_document_that_changes_nothing_confirms_its_rollout_without_a_trial():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.OLD))
    assert world.run(until="confirmed")
    assert world.core.tx.outcome["kind"] == "confirmed" and not world.core.tx.outcome["entered"]
    assert not world.effects


def test_document_at_rest_for_another_set_asks_for_nothing():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.NEW, order=[], ladder=[], first={}, rollout="", release=""))
    world.run(20000)
    assert world.core.tx.phase == "idle" and not world.effects
    assert ("not_planned", {"planes": ["app", "config", "model/face"]}) in world.log


# --- pause ------------------------------------------------------------------------------------------------------------


def test_paused_device_starts_nothing_until_updates_go_on():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, CONFIG, updates_paused=True))
    world.run(20000)
    assert world.core.tx.phase == "idle" and "updates_paused" in world.server.reports[-1]["flags"]
    world.server.offer(w.release(2, w.OLD, CONFIG))
    assert world.run(until="confirmed")


def test_pause_at_the_announcement_holds_the_staged_deployment():
    world = started("announced")
    tell(world, same_again(2, updates_paused=True))
    assert world.core.tx.phase == "staged" and not world.core.tx.entered
    world.run(10000)
    assert world.core.tx.phase == "staged" and world.active["config"] == w.digest_of(w.CONF1)
    world.server.offer(same_again(3))
    assert world.run(until="confirmed")


def test_paused_for_too_long_puts_the_deployment_away():
    world = started("announced")
    tell(world, same_again(2, updates_paused=True))
    world.run(3700000)
    assert world.core.tx.phase == "idle"


def test_way_back_is_never_paused():
    world = started("trial")
    assert world.run(until="confirmed")
    world.server.offer(w.release(2, CONFIG, w.OLD, updates_paused=True))
    assert world.run(until=lambda now: now.active["config"] == w.digest_of(w.CONF1))


# --- freeze -----------------------------------------------------------------------------------------------------------

FROZEN = [["config", w.digest_of(w.CONF2)]]


def test_frozen_digest_is_refused_before_it_is_fetched():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, CONFIG, frozen=FROZEN))
    assert world.run(until="refused")
    assert world.core.tx.outcome["code"] == "RB-TX-017" and not world.effects


def test_freeze_before_the_activation_refuses_in_each_phase():
    for phase in ("fetching", "verified", "preflight", "announced"):
        world = started(phase)
        tell(world, same_again(2, frozen=FROZEN))
        assert world.core.tx.phase == "refused", phase
        world.run(20000)
        assert world.active["config"] == w.digest_of(w.CONF1)


def test_freeze_during_the_trial_takes_the_plane_back():
    world = started("trial", w.NEW)
    tell(world, same_again(2, w.NEW, frozen=FROZEN))
    assert world.core.tx.phase == "reverting"
    assert world.run(until=lambda now: now.core.tx.outcome is not None)
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-017" and outcome["rung"] == ["config"] and not outcome["blame"]
    world.run(20000)
    assert world.active["config"] == w.digest_of(w.CONF1) and world.active["app"] == w.digest_of(w.APP2)


def test_device_that_was_offline_does_not_activate_what_was_frozen_meanwhile():
    world = started("preflight")
    world.server.is_reachable = False
    world.core.tx.heard_ms = -60000  # heard a minute ago: long before the freeze
    assert world.run(until="staged")
    world.server.offer(same_again(2, frozen=FROZEN))
    world.run(60000)
    assert world.core.tx.phase == "staged"
    world.server.is_reachable = True
    assert world.run(90000, until="refused")
    assert not [each for each in world.effects if each[0] == "activate"]


def test_device_that_polls_rarely_asks_before_it_activates():
    world = started("preflight")
    world.core.tx.next_ms = 3600000
    world.core.tx.heard_ms = world.core.now_ms - 65000
    world.server.is_reachable = False
    assert world.run(until="staged")


def test_freeze_is_remembered_over_a_restart():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.OLD, frozen=FROZEN))
    assert world.run(until="confirmed")
    world.power_cut()
    assert world.core.tx.newest.frozen == [("config", w.digest_of(w.CONF2))]


# --- recall -----------------------------------------------------------------------------------------------------------


def test_return_to_the_old_set_during_the_trial_reverts_without_blame():
    world = started("trial", w.NEW)
    tell(world, w.release(2, w.OLD, w.OLD, rollout=""))
    assert world.core.tx.phase == "reverting" and world.core.tx.cause["code"] == "RB-TX-016"
    assert world.run(until="reverted")
    assert world.active == {plane: w.digest_of(found) for plane, found in w.OLD.items()}
    assert not world.core.tx.failed and not world.core.tx.outcome["blame"]


def test_return_of_one_plane_during_the_trial_takes_back_only_that():
    world = started("trial", w.NEW)
    new = dict(w.NEW)
    new["model/face"] = w.FACE1
    tell(world, w.release(2, w.NEW, new))
    assert world.run(until=lambda now: now.core.tx.outcome is not None)
    assert world.core.tx.outcome["rung"] == ["model/face"]
    assert world.active["app"] == w.digest_of(w.APP2)


# --- memory of failures -----------------------------------------------------------------------------------------------


def failed_once():
    world = w.world()
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.server.offer(w.release(1, w.OLD, CONFIG))
    assert world.run(until="reverted")
    world.run(3000)
    return world


def test_failed_digest_is_not_tried_again_at_the_same_attempt():
    world = failed_once()
    world.server.offer(w.release(2, w.OLD, CONFIG))
    assert world.run(until="refused")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-018" and "attempt 1" in outcome["text"] and outcome["plane"] == "config"
    assert len([each for each in world.effects if each[0] == "activate" and each[1]["direction"] == "forward"]) == 1


def test_failed_deployment_in_a_newer_generation_changes_nothing():
    world = failed_once()
    rules = {"hold_ms": 1000, "every_ms": 500, "list": w.RULES}
    world.server.offer(same_again(2, rules=rules))
    world.run(20000)
    assert world.core.tx.phase == "reverted" and world.core.tx.gen == 2 and world.core.tx.outcome["gen"] == 1


def test_raised_attempt_tries_again():
    world = failed_once()
    world.unhealthy.clear()
    world.server.offer(w.release(2, w.OLD, CONFIG, attempt=2))
    assert world.run(until="confirmed")


def test_failed_memory_survives_a_restart():
    world = failed_once()
    world.power_cut()
    world.server.offer(w.release(2, w.OLD, CONFIG))
    assert world.run(until="refused")


def test_digest_that_failed_only_together_may_come_with_others():
    world = w.world()
    world.unhealthy.update([w.digest_of(w.APP2), w.digest_of(w.FACE2), w.digest_of(w.CONF2)])
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="reverted")
    world.run(3000)
    world.unhealthy.clear()
    world.server.offer(w.release(2, w.OLD, w.changed(face=w.FACE2)))
    assert world.run(until="confirmed")


# --- safe mode --------------------------------------------------------------------------------------------------------


def nothing_helps():
    """A device whose old set is not healthy either."""
    world = w.world()
    world.server.offer(w.release(1, w.OLD, CONFIG))
    assert world.run(until="trial")
    world.unhealthy.add("ok-app")
    assert world.run(until="safe_mode")
    world.run(5000)
    return world


def test_device_that_nothing_helps_stops_its_workload_and_stays_reachable():
    world = nothing_helps()
    outcome = world.core.tx.outcome
    assert outcome["kind"] == "failed" and not outcome["healthy"] and outcome["rule"] == "ok-app"
    assert not world.is_workload_on and world.core.tx.safe == "local" and not world.core.wants_workload()
    assert world.server.reports[-1]["state"] == "safe_mode" and "safe_mode" in world.server.reports[-1]["flags"]


def test_safe_mode_stays_over_a_restart_and_does_not_loop():
    world = nothing_helps()
    activations = len([each for each in world.effects if each[0] == "activate"])
    for _ in range(5):
        world.power_cut()
        world.is_workload_on = True
        world.run(5000)
        assert world.core.tx.phase == "safe_mode" and not world.is_workload_on
    assert len([each for each in world.effects if each[0] == "activate"]) == activations


def test_new_deployment_leads_out_of_local_safe_mode():
    world = nothing_helps()
    world.unhealthy.clear()
    world.server.offer(w.release(2, w.OLD, w.changed(app=w.APP2)))
    assert world.run(until="confirmed")
    assert world.is_workload_on and world.core.tx.safe == ""


def test_raised_attempt_of_the_same_set_proves_it_again_in_safe_mode():
    world = nothing_helps()
    world.unhealthy.clear()
    world.server.offer(w.release(2, w.OLD, w.OLD, attempt=2))
    assert world.run(until="confirmed")
    assert world.is_workload_on and world.core.tx.outcome["entered"]


def test_refused_deployment_leaves_a_device_in_safe_mode():
    world = nothing_helps()
    world.server.offer(w.release(2, w.OLD, w.changed(app=w.APP2), frozen=[["app", w.digest_of(w.APP2)]]))
    assert world.run(until=lambda now: now.core.tx.outcome["kind"] == "refused")
    assert world.core.tx.phase == "safe_mode" and not world.is_workload_on


def test_server_switches_safe_mode_on_and_off():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.OLD, safe_mode=True, rollout=""))
    assert world.run(until="safe_mode")
    assert not world.is_workload_on and world.core.tx.safe == "remote"
    world.server.offer(w.release(2, w.OLD, w.OLD, rollout=""))
    assert world.run(until="idle")
    assert world.is_workload_on


def test_safe_mode_asked_for_during_a_trial_takes_the_old_set_along():
    world = started("trial", w.NEW)
    tell(world, same_again(2, w.NEW, safe_mode=True))
    assert world.run(until="safe_mode")
    assert world.active == {plane: w.digest_of(found) for plane, found in w.OLD.items()}
    assert not world.is_workload_on and not world.core.tx.outcome["blame"]


def test_safe_mode_before_the_activation_withdraws():
    for phase in ("fetching", "verified", "preflight", "announced"):
        world = started(phase)
        tell(world, same_again(2, safe_mode=True))
        assert world.run(until="safe_mode"), phase
        world.server.offer(same_again(3))
        assert world.run(until="confirmed"), phase


def test_normal_command_leaves_local_safe_mode_only():
    world = nothing_helps()
    world.unhealthy.clear()
    world.server.offer(
        w.release(2, w.OLD, w.OLD, rollout="", release="", commands=[{"id": 1, "kind": "normal", "arg": ""}])
    )
    assert world.run(until="idle")
    world.run(3000)
    assert world.is_workload_on and world.server.reports[-1]["cmds"] == [[1, "done"]]


# --- commands ---------------------------------------------------------------------------------------------------------


def commanded(*commands):
    world = w.world()
    listed = [{"id": number, "kind": kind, "arg": arg} for number, kind, arg in commands]
    world.server.offer(w.release(1, w.OLD, w.OLD, rollout="", commands=listed))
    return world


def test_commands_run_once_each_in_the_order_of_their_ids():
    world = commanded((2, "restart", "camera"), (1, "bundle", ""))
    world.run(20000)
    ran = [(obj["id"], obj["kind"], obj["arg"]) for kind, obj in world.effects if kind == "command"]
    assert ran == [(1, "bundle", ""), (2, "restart", "camera")]
    assert world.server.reports[-1]["cmds"] == [[1, "done"], [2, "done"]]


def test_command_under_way_at_a_power_cut_is_lost_and_not_repeated():
    world = commanded((1, "restart", "camera"))
    world.run(until=lambda now: [each for each in now.queue if each[2] == "command"])
    world.power_cut()
    world.run(20000)
    assert world.server.reports[-1]["cmds"] == [[1, "lost"]]
    assert not [each for each in world.effects if each[0] == "command"]


def test_reboot_command_reboots_once_and_is_done():
    world = commanded((1, "reboot", ""))
    world.run(20000)
    assert world.boots == 2 and world.server.reports[-1]["cmds"] == [[1, "done"]] and not world.violations


def test_unknown_command_is_named_and_does_not_stop_the_next():
    world = commanded((1, "shell", "rm"), (2, "restart", ""))
    world.run(20000)
    assert world.server.reports[-1]["cmds"] == [[1, "unknown"], [2, "done"]]


def test_reboot_waits_until_no_plane_is_being_switched():
    world = started("activating")
    tell(world, same_again(2, commands=[{"id": 1, "kind": "reboot", "arg": ""}]))
    assert not [each for each in world.queue if each[2] == "reboot"]
    assert world.run(until="confirmed")
    assert world.boots == 2 and not world.violations
