"""Stop, freeze, resume, recover: shown first, done only when confirmed, and lifted again."""

import json

import pytest

from ringback.cli.exits import ExitCode
from tests.cli.conftest import config_folder, wait


def stops(ringback_json):
    return [each["where"] for each in ringback_json("status")["stops"]]


def test_a_stop_is_shown_first_and_not_set_without_a_confirmation(fleet, ringback, ringback_json):
    shown = ringback("stop", "--where", "region=eu", "--dry-run")
    assert shown.exit_code == 0
    assert "stop               (dry run: nothing was done)\n" in shown.stdout
    assert "devices            2\n" in shown.stdout
    assert shown.stderr == "next: ringback stop --where region=eu --yes\n"
    unsure = ringback("stop", "--where", "region=eu")
    assert unsure.exit_code == ExitCode.USAGE
    assert unsure.stderr == (
        "Where region=eu: 2 devices; 0 offers taken back, 0 devices beyond recall.\n"
        "Error: RB-CLI-020: not done: this needs a confirmation, and no one is at the terminal\n"
        "hint: to do it without being asked: ringback stop --where region=eu --yes\n"
    )
    assert stops(ringback_json) == []


def test_a_stopped_device_gets_nothing_new_until_the_stop_is_lifted(fleet, ringback, ringback_json, tmp_path):
    folder = config_folder(tmp_path / "config", version="20.0.0", text='{"stopped": true}')
    assert ringback("artifact", "publish", folder).exit_code == 0
    stopped = ringback("stop", "--where", "customer=acme, region=eu", "--reason", "a storm", "--yes")
    assert stopped.exit_code == 0, stopped.output
    stop_id = stopped.stdout.splitlines()[0].split()[1]
    assert stopped.stderr.endswith(f"next: ringback resume {stop_id}\n")
    status = ringback("status")
    assert "Stopped: nothing newly activates here" in status.stdout
    assert "a storm" in status.stdout
    held = ringback("push", "config/door@20.0.0", "--to", "box-1", "--timeout", "1s")
    # The order of a selector's parts and the spaces between them make no difference.
    lifted = ringback("resume", "--where", "region=eu,customer=acme")
    said = " ".join(lifted.stdout.split())
    assert said == f"{stop_id} is lifted: what is wanted activates again where customer=acme, region=eu."
    assert held.exit_code == ExitCode.STILL_GOING, held.output
    assert stops(ringback_json) == []
    assert wait(lambda: ringback_json("device", "show", "box-1")["planes"][2]["running"] == "config/door@20.0.0")
    assert ringback("rollback", "box-1", "--yes").exit_code == 0


def test_a_stop_is_lifted_by_its_id_too(fleet, ringback, ringback_json):
    stop_id = json.loads(ringback("stop", "--where", "region=moon", "--yes", "--json").stdout)["id"]
    assert ringback("resume", stop_id).exit_code == 0
    assert stops(ringback_json) == []


def test_lifting_what_was_not_set_is_exit_code_4(fleet, ringback):
    result = ringback("resume", "--where", "region=mars")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr == (
        "Error: RB-CLI-033: nothing is stopped where region=mars\nhint: see what is stopped with: ringback status\n"
    )


@pytest.mark.parametrize("arguments", [[], ["x", "--where", "region=eu"]])
def test_resume_takes_one_brake(fleet, ringback, arguments):
    result = ringback("resume", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: name a rollout, a stop or a freeze, or the --where of a stop" in result.stderr


def test_a_stop_without_a_selector_is_a_usage_error(fleet, ringback):
    result = ringback("stop", "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: Missing option '--where'" in result.stderr


def test_a_frozen_artifact_reaches_nobody_until_the_freeze_is_lifted(fleet, ringback, ringback_json, tmp_path):
    folder = config_folder(tmp_path / "config", version="21.0.0", text='{"frozen": true}')
    assert ringback("artifact", "publish", folder).exit_code == 0
    unsure = ringback("freeze", "config/door@21.0.0")
    assert unsure.exit_code == ExitCode.USAGE
    assert "config/door@21.0.0: 0 devices run it and keep it, 0 devices beyond recall; nobody else gets it." in (
        unsure.stderr.replace("\n", " ")
    )
    digest = ringback_json("artifact", "show", "config/door@21.0.0")["digest"]
    frozen = ringback("freeze", digest[7:19], "--reason", "sees nobody", "--yes")
    assert frozen.exit_code == 0, frozen.output
    freeze_id = frozen.stdout.splitlines()[0].split()[1]
    assert "frozen" in ringback("artifact", "show", "config/door@21.0.0").stdout
    refused = ringback("push", "config/door@21.0.0", "--to", "box-1")
    assert refused.exit_code == ExitCode.CONFLICT
    assert "RB-CONTROL-021: config/door@21.0.0 is frozen (sees nobody)" in refused.stderr
    assert ringback("resume", freeze_id).stdout == "config/door@21.0.0 is not frozen any more.\n"
    assert ringback_json("artifact", "show", "config/door@21.0.0")["is_frozen"] is False


def test_freezing_what_nobody_published_is_exit_code_4(fleet, ringback):
    assert ringback("freeze", "config/door@99.0.0", "--yes").exit_code == ExitCode.NOT_FOUND


def test_recovering_says_how_many_devices_change_before_it_asks(fleet, ringback):
    result = ringback("recover", "--to-stable", "--plane", "model/face", "--where", "region=eu")
    assert result.exit_code == ExitCode.USAGE
    assert "0 of 2 devices go back to their last-known-good versions." in result.stderr
    assert result.stderr.rstrip().endswith("ringback recover --to-stable --where region=eu --plane model/face --yes")


def test_safe_mode_is_entered_and_left_by_hand(fleet, ringback, ringback_json):
    entered = ringback("recover", "--safe-mode", "--where", "device=box-2", "--yes")
    assert entered.exit_code == 0, entered.output
    assert "1 of 1 device stop their workload and keep only the agent: box-2." in entered.stderr
    assert wait(lambda: "safe_mode" in ringback_json("device", "show", "box-2")["flags"])
    assert "safe mode" in ringback("device", "list", "--where", "device=box-2").stdout
    left = ringback("recover", "--normal", "--where", "device=box-2", "--yes")
    assert left.exit_code == 0, left.output
    assert wait(lambda: "safe_mode" not in ringback_json("device", "show", "box-2")["flags"])


def test_a_dry_run_of_a_recovery_changes_nothing(fleet, ringback, ringback_json):
    found = ringback_json("recover", "--safe-mode", "--where", "device=box-2", "--dry-run")
    assert (found["dry_run"], found["changed"]) == (True, ["box-2"])
    assert ringback_json("device", "show", "box-2")["mode"] == "normal"


def test_recovering_to_nothing_is_a_usage_error(fleet, ringback):
    result = ringback("recover", "--where", "region=eu")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: say what to recover to: --to-stable, --safe-mode or --normal" in result.stderr


def test_planes_of_safe_mode_are_refused(fleet, ringback):
    result = ringback("recover", "--safe-mode", "--plane", "app", "--where", "region=eu", "--yes")
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-RECOVER-002" in result.stderr
