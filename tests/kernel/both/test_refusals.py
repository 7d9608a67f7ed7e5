"""What a device refuses although its server asked for it, and what it says then. Runs on both interpreters."""

from tests.kernel.both import test_brakes as brakes
from tests.kernel.both import world as w

CONFIG = w.changed(config=w.CONF2)


def refusal(document, world=None):
    world = world or w.world()
    world.server.offer(document)
    assert world.run(until="refused"), world.phases
    assert not [each for each in world.effects if each[0] == "activate"]
    return world.core.tx.outcome


def test_way_back_to_something_else_than_what_runs_is_refused():
    other = dict(w.OLD)
    other["config"] = w.manifest("config", "0.9.0")
    outcome = refusal(w.release(1, other, CONFIG))
    assert (
        outcome["code"] == "RB-TX-019" and outcome["plane"] == "config" and "the way back leads to" in outcome["text"]
    )


def test_changed_plane_outside_the_order_is_refused():
    outcome = refusal(w.release(1, w.OLD, w.NEW, order=[["config"], ["model/face"]]))
    assert outcome["code"] == "RB-TX-019" and outcome["plane"] == "app"


def test_ladder_that_leaves_a_plane_behind_is_refused():
    ladder = [{"planes": ["config"], "set": {"config": w.digest_of(w.CONF1)}}]
    outcome = refusal(w.release(1, w.OLD, w.NEW, ladder=ladder, first={"config": 0}))
    assert outcome["code"] == "RB-TX-019" and "last rung does not take back" in outcome["text"]


def test_document_without_a_required_trial_rule_is_refused():
    rules = {"hold_ms": 0, "every_ms": 500, "list": [w.rule("config", level="wanted")]}
    assert refusal(w.release(1, w.OLD, CONFIG, rules=rules))["code"] == "RB-TX-028"


def test_set_on_the_way_that_breaks_a_constraint_is_refused():
    face3 = w.manifest("model/face", "3.0.0", {"app": ">=1.1"})
    world = w.world()
    world.publish(face3)
    new = dict(w.NEW)
    new["model/face"] = face3
    outcome = refusal(w.release(1, w.OLD, new, order=[["model/face"], ["app"], ["config"]]), world)
    assert outcome["code"] == "RB-TX-020" and "model/face needs app >=1.1; this device has 1.0.0" in outcome["text"]
    world = w.world()
    world.publish(face3)
    world.server.offer(w.release(1, w.OLD, new, order=[["app"], ["model/face"], ["config"]]))
    assert world.run(until="confirmed")


def test_capability_this_device_lacks_is_refused():
    face3 = w.manifest("model/face", "3.0.0", {"cap:ram_mb": ">=1024"})
    world = w.world()
    world.publish(face3)
    outcome = refusal(w.release(1, w.OLD, w.changed(face=face3)), world)
    assert outcome["code"] == "RB-TX-020" and "cap:ram_mb >=1024; this device has 512" in outcome["text"]


def test_stepping_stone_that_was_left_out_is_refused():
    app3 = w.manifest("app", "3.0.0", {"app": ">=1.1"})
    world = w.world()
    world.publish(app3)
    assert refusal(w.release(1, w.OLD, w.changed(app=app3)), world)["code"] == "RB-TX-020"


def test_manifest_that_contradicts_the_desired_state_is_refused():
    world = w.world()
    document = w.release(1, w.OLD, CONFIG)
    document["targets"]["config/config/2.0.0"]["custom"]["epoch"] = 7
    outcome = refusal(document, world)
    assert outcome["code"] == "RB-VERIFY-013" and "another epoch" in outcome["text"]


def test_failed_verification_is_refused_and_remembered():
    world = w.world()
    world.failing["verify"] = {"code": "RB-AGENT-022", "text": "bytes differ", "plane": "config"}
    outcome = refusal(w.release(1, w.OLD, CONFIG), world)
    assert outcome["code"] == "RB-AGENT-022" and outcome["plane"] == "config"
    world.run(3000)
    world.failing.clear()
    world.server.offer(w.release(2, w.OLD, CONFIG))
    world.run(10000)
    assert world.core.tx.outcome["code"] == "RB-TX-018"


def test_download_that_can_be_retried_is_retried_with_back_off():
    world = w.world()
    world.failing["fetch"] = [{"code": "RB-AGENT-020", "text": "reset", "retry": True} for _ in range(5)]
    world.server.offer(w.release(1, w.OLD, CONFIG))
    assert world.run(until="confirmed")
    assert world.now_ms > 31000  # 1 + 2 + 4 + 8 + 16 s


def test_download_given_up_blames_nobody_and_starts_again_when_the_server_is_heard():
    world = w.world()
    world.limits.fetch_retries = 3
    world.failing["fetch"] = [{"code": "RB-AGENT-020", "text": "reset", "retry": True} for _ in range(4)]
    world.server.offer(w.release(1, w.OLD, CONFIG))
    assert world.run(until=lambda now: now.core.tx.outcome is not None)
    outcome = world.core.tx.outcome
    assert outcome["kind"] == "failed" and outcome["code"] == "RB-TX-023" and not outcome["blame"]
    assert world.run(until="confirmed")


def test_missing_artifact_is_refused():
    assert refusal(w.release(1, w.OLD, w.changed(config=w.manifest("config", "9.0.0"))))["code"] == "RB-AGENT-021"


def test_preflight_without_evidence_refuses():
    rules = w.RULES + [w.rule("config", id="golden", at=["preflight"])]
    world = w.world()
    world.missing.add("golden")
    outcome = refusal(w.release(1, w.OLD, CONFIG, rules={"hold_ms": 0, "every_ms": 100, "list": rules}), world)
    assert outcome["code"] == "RB-TX-022" and outcome["rule"] == "golden"


def test_failing_preflight_rule_refuses_and_names_rule_reading_and_limit():
    rules = w.RULES + [w.rule("config", id="golden", at=["preflight"])]
    world = w.world()
    world.unhealthy.add(w.digest_of(w.CONF2))
    outcome = refusal(w.release(1, w.OLD, CONFIG, rules={"hold_ms": 0, "every_ms": 100, "list": rules}), world)
    assert (outcome["code"], outcome["rule"], outcome["reading"], outcome["limit"]) == ("RB-TX-021", "golden", 0, 1)
    assert not outcome["entered"]


def test_crash_loop_before_the_activation_is_refused():
    world = brakes.started("preflight")
    for _ in range(9):
        world.power_cut()
    assert world.core.tx.phase == "refused" and world.core.tx.outcome["code"] == "RB-TX-024"


def test_step_that_lacked_room_is_tried_again_and_blames_nobody():
    for effect in ("verify", "stage", "preflight"):
        world = w.world()
        world.failing[effect] = [
            {"code": "RB-AGENT-024", "text": "no room", "retry": True, "full": True} for _ in range(3)
        ]
        world.server.offer(w.release(1, w.OLD, CONFIG))
        assert world.run(60000, until="confirmed"), effect
        assert world.now_ms > 7000 and not world.core.tx.failed, effect
        world = w.world()
        world.limits.fetch_retries = 2
        world.failing[effect] = [{"code": "RB-AGENT-024", "text": "no room", "retry": True} for _ in range(3)]
        world.server.offer(w.release(1, w.OLD, CONFIG))
        assert world.run(until=lambda now: now.core.tx.outcome is not None), effect
        assert world.core.tx.outcome["code"] == "RB-TX-023" and not world.core.tx.outcome["blame"], effect


def test_preflight_reads_only_what_the_change_can_break():
    rules = [w.rule(plane, id="golden-" + plane[-4:], at=["preflight"]) for plane in ("app", "model/face", "config")]
    rules = {
        "hold_ms": 0,
        "every_ms": 100,
        "list": w.RULES + rules + [dict(w.rule("app", id="room", at=["preflight"]), plane=None)],
    }
    for new, wanted in (
        (CONFIG, ["golden-nfig", "room"]),
        (w.changed(face=w.FACE2), ["golden-face", "room"]),
        (w.changed(app=w.APP2), ["golden-app", "golden-face", "golden-nfig", "room"]),
    ):
        world = w.world()
        world.server.offer(w.release(1, w.OLD, new, rules=rules))
        assert world.run(until="confirmed")
        asked = [obj["rules"] for kind, obj in world.effects if kind == "preflight"][0]
        assert sorted([each["id"] for each in asked]) == wanted
