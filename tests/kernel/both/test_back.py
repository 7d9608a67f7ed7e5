"""The way back and what can go wrong on it, and answers that never come. Runs on both interpreters."""

from tests.kernel.both import world as w

CONFIG = w.changed(config=w.CONF2)


def offered(new=None, running=None, **ota):
    world = w.world(running)
    world.server.offer(w.release(1, w.OLD if running is None else running, w.NEW if new is None else new, **ota))
    return world


def losing(world, kind, times):
    """Let the answers of an effect get lost; what it does, it does. Returns how often it was asked for, as a list of
    one.
    """
    plain = world.perform
    asked = [0]
    # Lost answers take hours of the device's time: let it check in and look around rarely meanwhile.
    world.server.next_ms = 60000
    world.limits.rest_probe_ms = 60000

    def perform(found, obj):
        if found == kind:
            asked[0] += 1
            if asked[0] <= times:
                if kind != "probe":
                    getattr(world, "do_" + kind)(obj)
                return
        plain(found, obj)

    world.perform = perform
    return asked


# --- rungs ------------------------------------------------------------------------------------------------------------


def test_rung_that_can_not_be_taken_is_tried_again():
    world = offered(CONFIG)
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.failing["activate-back"] = [{"code": "RB-AGENT-041", "text": "busy"}] * 2
    assert world.run(until="reverted")
    assert world.active["config"] == w.digest_of(w.CONF1) and world.core.tx.outcome["healthy"]


def test_rung_that_can_never_be_taken_gives_way_to_the_next():
    world = offered()
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.failing["activate-back"] = [{"code": "RB-AGENT-041", "text": "busy"}] * 3
    assert world.run(until="reverted")
    assert world.core.tx.outcome["rung"] == ["config", "model/face"]


def test_last_rung_that_can_not_be_taken_ends_in_safe_mode_with_the_reason():
    world = offered(CONFIG)
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.failing["activate-back"] = {"code": "RB-AGENT-041", "text": "busy"}
    assert world.run(until="safe_mode")
    outcome = world.core.tx.outcome
    assert outcome["kind"] == "failed" and "the last rung could not be taken: RB-AGENT-041" in outcome["text"]
    assert not world.is_workload_on


def test_backend_that_only_says_it_went_back_is_not_believed():
    world = offered(CONFIG)
    world.unhealthy.add(w.digest_of(w.CONF2))
    assert world.run(until="trial")
    plain, lies = world.do_activate, [0]

    def activate(obj):
        lies[0] += 1
        if lies[0] < 3:
            return "activate_done", {"running": {"config": world.run_of("config")}}
        return plain(obj)

    world.do_activate = activate
    assert world.run(until="reverted")
    assert world.active["config"] == w.digest_of(w.CONF1) and lies == [3]


def test_way_back_that_needs_a_reboot_goes_on_after_it():
    world = offered(w.changed(app=w.APP2))
    world.unhealthy.add(w.digest_of(w.APP2))
    plain = world.do_activate

    def activate(obj):
        kind, answer = plain(obj)
        answer["reboot"] = obj["direction"] == "back"
        return kind, answer

    world.do_activate = activate
    assert world.run(until="reverted")
    assert world.boots == 2 and world.active["app"] == w.digest_of(w.APP1) and not world.violations


def test_reboot_that_did_not_take_the_plane_back_counts_as_a_try():
    world = offered(w.changed(app=w.APP2))
    world.unhealthy.add(w.digest_of(w.APP2))
    assert world.run(until="trial")
    world.do_activate = lambda obj: ("activate_done", {"running": {"app": world.run_of("app")}, "reboot": True})
    assert world.run(120000, until="safe_mode")
    assert 3 <= world.boots <= 5 and world.core.tx.outcome["kind"] == "failed"


def test_too_many_starts_on_the_way_back_take_the_next_rung():
    world = offered()
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.failing["activate-back"] = [{"code": "RB-AGENT-041", "text": "busy"}]
    assert world.run(until="reverting")
    for _ in range(3):
        world.power_cut()
        assert world.core.tx.phase == "reverting" and world.core.tx.rung == 0
    world.power_cut()
    assert world.core.tx.rung > 0
    assert world.run(until="reverted")
    assert len(world.core.tx.outcome["rung"]) > 1


def test_rung_without_evidence_gives_way_to_the_next_in_its_time():
    world = offered(trial_ms=4000)
    assert world.run(until="trial")
    world.unhealthy.add(w.digest_of(w.CONF2))
    world.missing.add("ok-app")
    assert world.run(until="reverting")
    began_ms = world.now_ms
    assert world.run(until="safe_mode")
    assert 12000 <= world.now_ms - began_ms <= 14000 and "no evidence of health" in world.core.tx.outcome["text"]


def test_device_that_ran_nothing_is_empty_and_safe_after_a_failure():
    world = offered(running={})
    world.unhealthy.update([w.digest_of(w.APP2), "ok-app"])
    assert world.run(until="safe_mode")
    assert world.active == {} and world.core.tx.outcome["kind"] == "failed" and not world.is_workload_on
    world.unhealthy.clear()
    world.server.offer(w.release(2, {}, w.NEW, attempt=2))
    assert world.run(until="confirmed")


def test_added_plane_is_emptied_again():
    world = offered(w.NEW, running={"app": w.APP1, "config": w.CONF1})
    world.unhealthy.add(w.digest_of(w.FACE2))
    assert world.run(until="reverted")
    assert "model/face" not in world.active and world.core.tx.outcome["rung"] == ["model/face"]


def test_ladder_of_other_planes_falls_back_to_the_last_rung():
    """Rungs of planes that this device did not change are not there."""
    old = dict(w.OLD)
    old["app"] = w.APP2
    world = offered(w.NEW, running=old)
    world.server.offer(w.release(1, w.OLD, w.NEW, order=[["app"], ["model/face"], ["config"]]))
    world.unhealthy.add(w.digest_of(w.CONF2))
    # The app is new already: the way back from it is not this deployment's.
    assert world.run(until="reverted")
    assert world.active["app"] == w.digest_of(w.APP2) and world.core.tx.outcome["rung"] == ["config"]


# --- answers that never come ------------------------------------------------------------------------------------------


def test_lost_answers_before_the_activation_are_asked_for_again():
    for kind in ("fetch", "verify", "stage", "preflight"):
        world = offered(CONFIG)
        asked = losing(world, kind, 2)
        assert world.run(8000000, until="confirmed"), kind
        assert asked == [3], kind


def test_step_that_never_answers_is_given_up_without_blame():
    for kind in ("verify", "stage", "preflight"):
        world = offered(CONFIG)
        losing(world, kind, 1000)
        assert world.run(20000000, until=lambda now: now.core.tx.outcome is not None), kind
        outcome = world.core.tx.outcome
        assert (outcome["kind"], outcome["code"], outcome["blame"]) == ("failed", "RB-TX-029", False), kind
        assert world.active["config"] == w.digest_of(w.CONF1)


def test_activation_that_never_answers_is_taken_back():
    world = offered(CONFIG)
    losing(world, "activate", 1)
    assert world.run(2000000, until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-014" and "took longer than 600000 ms" in outcome["text"]
    assert world.active["config"] == w.digest_of(w.CONF1)


def test_way_back_that_never_answers_is_tried_again():
    world = offered(CONFIG)
    world.unhealthy.add(w.digest_of(w.CONF2))
    assert world.run(until="trial")
    asked = losing(world, "activate", 1)
    assert world.run(3000000, until="reverted")
    assert asked[0] >= 1 and world.active["config"] == w.digest_of(w.CONF1)


def test_lost_round_of_probes_is_read_again():
    world = offered(CONFIG, trial_ms=120000)
    assert world.run(until="trial")
    asked = losing(world, "probe", 1)
    assert world.run(100000, until="confirmed")
    assert asked[0] > 1


def test_commit_that_never_answers_does_not_stop_the_next_deployment():
    world = offered(CONFIG)
    asked = losing(world, "commit", 1000)
    assert world.run(until=lambda now: now.core.tx.phase == "confirmed")
    world.server.offer(w.release(2, CONFIG, w.changed(config=w.CONF2, face=w.FACE2)))
    assert world.run(2000000, until=lambda now: now.active["model/face"] == w.digest_of(w.FACE2))
    assert asked[0] >= 5 and "commit_given_up" in [event for event, _ in world.log]


def test_commit_interrupted_by_a_cut_is_done_after_it():
    world = offered(CONFIG)
    asked = losing(world, "commit", 1)
    assert world.run(until=lambda now: now.core.tx.phase == "confirmed" and asked[0] == 1)
    world.power_cut()
    assert world.run(until="confirmed")
    assert asked == [2]


def test_switch_to_safe_mode_that_never_answers_is_asked_for_again():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.OLD, safe_mode=True, rollout=""))
    asked = losing(world, "safe_mode", 2)
    assert world.run(300000, until="safe_mode")
    assert asked == [3]


# --- starts in the middle ---------------------------------------------------------------------------------------------


def test_start_between_two_groups_goes_on_with_the_next():
    world = offered()
    plain, done = world.do_activate, []

    def activate(obj):
        done.append(obj["group"][0]["plane"])
        if len(done) == 2:
            raise w.PowerCut("in the second group")
        return plain(obj)

    world.do_activate = activate
    try:
        world.run()
    except w.PowerCut:
        world.power_cut()
    assert world.run(until="confirmed")
    assert done == ["app", "model/face", "model/face", "config"]


def test_too_many_starts_in_the_activation_take_it_back():
    world = offered(CONFIG)
    assert world.run(until="activating")
    for _ in range(3):
        world.power_cut()
        assert world.core.tx.phase == "activating"
    world.power_cut()
    assert world.core.tx.phase in ("reverting", "reverted") or world.core.tx.cause["code"] == "RB-TX-012"
    assert world.run(until="reverted")
    assert world.core.tx.outcome["code"] == "RB-TX-012"


def test_start_while_the_workload_comes_out_of_safe_mode_goes_on():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, CONFIG))
    assert world.run(until="trial")
    world.unhealthy.add("ok-app")
    assert world.run(until="safe_mode")
    world.run(3000)
    world.unhealthy.clear()
    world.server.offer(w.release(2, w.OLD, w.changed(app=w.APP2)))
    assert world.run(until=lambda now: now.core.tx.step == "unsafe")
    world.power_cut()
    assert world.run(until="confirmed") and world.is_workload_on


def test_backend_without_a_manifest_or_for_another_class_is_refused():
    for change in ("missing", "classes"):
        world = offered(CONFIG)
        plain = world.do_verify

        def verify(obj, plain=plain, change=change):
            kind, answer = plain(obj)
            found = answer["manifests"].pop("config")
            if change == "classes":
                answer["manifests"]["config"] = dict(found, classes=["toaster"])
            return kind, answer

        world.do_verify = verify
        assert world.run(until="refused")
        assert world.core.tx.outcome["code"] == ("RB-VERIFY-013" if change == "missing" else "RB-VERIFY-009")


def test_new_held_deployment_waits_with_a_timer():
    """Updates are paused by a newer generation while the slots are being written."""
    world = offered(CONFIG)
    assert world.run(until="verified")
    rules = w.release(2, w.OLD, CONFIG, release="rel-1", rollout="roll-1", updates_paused=True)
    world.server.offer(rules)
    world.core.checkin.at_ms = world.core.now_ms
    world.latency_ms = 1
    assert world.run(until="staged") or world.core.tx.phase == "staged"
    assert world.core.tx.deadline_ms is not None
