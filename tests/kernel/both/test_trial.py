"""The trial and its windows: what confirms, what turns round, and what restarts do to it. Runs on both interpreters."""

from ringback_kernel import back, gates, tx, wanted
from tests.kernel.both import world as w


def offered(new=None, running=None, **ota):
    world = w.world(running)
    world.server.offer(w.release(1, w.OLD if running is None else running, w.NEW if new is None else new, **ota))
    return world


def rules_with(*rules, hold_ms=1000, every_ms=500):
    return {"hold_ms": hold_ms, "every_ms": every_ms, "list": list(rules)}


def test_trial_without_evidence_reverts_at_its_deadline():
    world = offered(w.changed(config=w.CONF2), trial_ms=5000)
    world.missing.add("ok-config")
    assert world.run(until="trial")
    assert world.run(4900) and world.core.tx.phase == "trial"
    assert world.run(200, until="reverting")
    cause = world.core.tx.cause
    assert cause["code"] == "RB-TX-011" and cause["rule"] == "ok-config" and "waiting for ok-config" in cause["text"]


def test_missing_reading_of_one_rule_is_never_a_pass():
    world = offered(w.changed(config=w.CONF2), trial_ms=5000)
    world.missing.add("ok-app")
    assert not world.run(30000, until="confirmed")
    assert "confirmed" not in world.phases


def test_confirm_needs_the_hold_time_without_a_failing_round():
    world = offered(w.changed(config=w.CONF2), rules=rules_with(*w.RULES, hold_ms=3000))
    assert world.run(until="trial")
    began_ms = world.now_ms
    assert world.run(until="confirmed")
    assert world.now_ms - began_ms >= 3000


def test_waiting_round_starts_the_hold_time_anew():
    world = offered(w.changed(config=w.CONF2), rules=rules_with(*w.RULES, hold_ms=2000))
    assert world.run(until="trial")
    assert world.run(1500)
    world.missing.add("ok-config")
    assert world.run(1000)
    world.missing.clear()
    began_ms = world.now_ms
    assert world.run(until="confirmed")
    assert world.now_ms - began_ms >= 2000


def test_strikes_let_single_failures_pass():
    rules = [w.rule("config", strikes=3)]
    world = offered(w.changed(config=w.CONF2), rules=rules_with(*rules))
    assert world.run(until="trial")
    world.unhealthy.add("ok-config")
    assert world.run(700) and world.core.tx.phase == "trial"
    world.unhealthy.clear()
    assert world.run(until="confirmed")


def test_strikes_in_a_row_revert():
    rules = [w.rule("config", strikes=3)]
    world = offered(w.changed(config=w.CONF2), rules=rules_with(*rules))
    assert world.run(until="trial")
    world.unhealthy.add(w.digest_of(w.CONF2))
    assert world.run(until="reverted")
    assert world.core.tx.outcome["rule"] == "ok-config" and world.core.tx.outcome["healthy"]


def test_wanted_rule_only_informs():
    rules = [w.rule("config"), w.rule("app", level="wanted")]
    world = offered(w.changed(config=w.CONF2), rules=rules_with(*rules))
    world.unhealthy.add("ok-app")
    assert world.run(until="confirmed")


def test_trial_time_is_counted_over_restarts_of_the_agent():
    world = offered(w.changed(config=w.CONF2), trial_ms=6000)
    world.missing.add("ok-config")
    assert world.run(until="trial")
    lived_ms = 0
    for _ in range(3):
        world.run(1800, until="reverting")
        lived_ms += 1800
        world.restart_agent()
    assert world.core.tx.phase == "trial"
    world.run(3000, until="reverting")
    assert world.core.tx.phase == "reverting", world.core.tx.elapsed_ms


def test_too_many_unplanned_starts_in_a_trial_revert():
    world = offered(w.changed(config=w.CONF2))
    world.missing.add("ok-config")
    assert world.run(until="trial")
    for _ in range(3):
        world.power_cut()
        assert world.core.tx.phase == "trial"
    world.power_cut()
    assert world.core.tx.phase == "reverting" and world.core.tx.cause["code"] == "RB-TX-012"


def test_power_cuts_after_the_trial_undo_nothing():
    world = offered(w.changed(config=w.CONF2))
    assert world.run(until="confirmed")
    for _ in range(30):
        world.power_cut()
        world.run(300)
    assert world.core.tx.phase == "confirmed" and world.active["config"] == w.digest_of(w.CONF2)


def test_own_reboot_for_a_command_counts_as_no_crash():
    world = offered(w.changed(config=w.CONF2))
    world.missing.add("ok-config")
    assert world.run(until="trial")
    for number in range(1, 7):
        commands = [{"id": each, "kind": "reboot", "arg": ""} for each in range(1, number + 1)]
        world.server.offer(
            w.release(
                1 + number, w.OLD, w.changed(config=w.CONF2), release="rel-1", rollout="roll-1", commands=commands
            )
        )
        booted = world.boots
        assert world.run(4000, until=lambda now, booted=booted: now.boots > booted)
    assert world.boots == 7 and world.core.tx.boots == 0 and not world.violations


def test_boot_that_fell_back_to_the_old_set_reverts():
    world = offered(w.changed(app=w.APP2))
    world.missing.add("ok-app")
    assert world.run(until="trial")
    world.active["app"] = w.digest_of(w.APP1)
    world.power_cut()
    world.missing.clear()
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-013" and outcome["plane"] == "app" and outcome["healthy"]


def test_activation_that_reboots_goes_on_after_it():
    world = offered(w.NEW)
    plain = world.do_activate

    def activate(obj):
        kind, answer = plain(obj)
        if obj["group"][0]["plane"] == "app":
            answer["reboot"] = True
        return kind, answer

    world.do_activate = activate
    assert world.run(until="confirmed")
    assert world.boots == 2 and not world.violations and world.core.tx.boots == 0


def test_failed_activation_takes_back_what_was_switched_and_what_was_not():
    world = offered(w.NEW)
    plain = world.do_activate

    def activate(obj):
        if obj["direction"] == "forward" and obj["group"][0]["plane"] == "model/face":
            return "activate_failed", {"code": "RB-AGENT-040", "text": "no space"}
        return plain(obj)

    world.do_activate = activate
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-AGENT-040" and outcome["plane"] == "model/face"
    # The config was never activated, so only a set that is old in model and config was proven valid.
    assert "model/face" in outcome["rung"] and "config" in outcome["rung"]


# --- uplink -----------------------------------------------------------------------------------------------------------


def test_release_that_cuts_the_uplink_is_taken_back_and_blamed():
    world = offered(w.changed(config=w.CONF2), uplink_ms=8000, trial_ms=6000)
    world.run(until="activating")
    world.server.is_reachable = False
    assert world.run(until="reverting")
    assert world.core.tx.cause["code"] == "RB-TX-015" and world.core.tx.elapsed_ms >= 8000
    world.server.is_reachable = True
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-015" and outcome["blame"] and outcome["healthy"]
    assert world.active["config"] == w.digest_of(w.CONF1)


def test_outage_keeps_the_old_set_blames_nobody_and_tries_again_once():
    world = offered(w.changed(config=w.CONF2), uplink_ms=4000, trial_ms=6000)
    world.run(until="activating")
    world.server.is_reachable = False
    assert world.run(until="reverted")
    outcome = world.core.tx.outcome
    assert outcome["code"] == "RB-TX-026" and not outcome["blame"]
    assert world.active["config"] == w.digest_of(w.CONF1) and not world.core.tx.failed
    world.run(100000)
    assert world.core.tx.phase == "reverted"
    world.server.is_reachable = True
    assert world.run(120000, until="confirmed")


def test_second_outage_waits_for_a_raised_attempt():
    world = offered(w.changed(config=w.CONF2), uplink_ms=4000, trial_ms=6000)
    for _ in range(2):
        assert world.run(120000, until="activating") or world.core.tx.phase == "trial", world.phases
        world.server.is_reachable = False
        assert world.run(until="reverted")
        world.server.is_reachable = True
    world.run(120000)
    assert world.core.tx.phase == "reverted" and world.active["config"] == w.digest_of(w.CONF1)
    again = w.release(2, w.OLD, w.changed(config=w.CONF2), attempt=2, uplink_ms=4000)
    world.server.offer(again)
    assert world.run(120000, until="confirmed")


def test_healthy_trial_waits_for_the_uplink_before_it_confirms():
    world = offered(w.changed(config=w.CONF2), uplink_ms=30000, trial_ms=5000)
    world.run(until="activating")
    world.server.is_reachable = False
    world.run(12000)
    assert world.core.tx.phase == "trial"
    world.server.is_reachable = True
    assert world.run(30000, until="confirmed")


def test_device_that_had_no_uplink_confirms_without_the_server():
    world = offered(w.changed(config=w.CONF2), uplink_ms=4000)
    assert world.run(until="preflight")
    world.server.is_reachable = False
    assert world.run(until="confirmed")
    assert not world.core.tx.had_uplink


def test_trial_ends_without_the_server_when_the_uplink_rule_is_off():
    world = offered(w.changed(config=w.CONF2), uplink_ms=0)
    world.run(until="activating")
    world.server.is_reachable = False
    assert world.run(until="confirmed")


def test_way_back_reads_again_soon_only_while_evidence_is_missing():
    state = tx.Tx()
    state.hand = wanted.Desired(1, b"")
    state.hand.every_ms = 5000
    state.memory = gates.Memory(0)
    state.step_ms = 1000
    pauses = []
    for now_ms in (1000, 1050, 1400, 9000, 60000):
        state.now_ms = now_ms
        pauses.append(back._pause_ms(state, "WAITING"))
    assert pauses == [50, 50, 200, 4000, 5000]
    state.now_ms = 1000
    assert back._pause_ms(state, "PASS") == 5000
    state.memory.strikes["ok-app"] = 1
    assert back._pause_ms(state, "WAITING") == 5000
