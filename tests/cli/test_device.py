"""Devices: listed, shown, accepted, revoked, told."""

import pytest

from ringback.cli import device
from ringback.cli.exits import ExitCode
from ringback.client.models import DeviceOutcome
from tests.cli.conftest import wait


def test_devices_are_listed_with_what_they_run_and_when_they_were_heard(fleet, ringback):
    result = ringback("device", "list", "--where", "region=eu")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["DEVICE", "FAMILY", "STATE", "RUNS", "HEARD"]
    assert [line.split()[0] for line in lines[1:] if line.startswith("box")] == ["box-1", "box-2"]
    assert "app 1.0.0" in lines[1]
    assert " ago" in lines[1]
    assert result.stderr == "next: ringback device show box-1\n"


def test_a_selector_that_matches_nobody_says_so(fleet, ringback):
    assert ringback("device", "list", "--where", "region=moon").stdout == "No device matches region=moon.\n"


def test_a_selector_that_is_none_is_refused(fleet, ringback):
    result = ringback("device", "list", "--where", "region in (eu")
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-SPEC-013" in result.stderr


def test_a_device_is_shown_plane_by_plane(fleet, ringback):
    result = ringback("device", "show", "box-4")
    assert result.exit_code == 0
    planes = result.stdout[result.stdout.index("Planes") :].splitlines()
    assert planes[1].split() == ["PLANE", "RUNS", "WANTED", "LAST", "GOOD", "STABLE", "BEFORE"]
    assert planes[2].split()[:2] == ["app", "door@1.0.0"]
    assert "labels      customer=acme, region=us" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_what_the_data_says_of_a_device_is_what_the_api_says(fleet, ringback_json):
    found = ringback_json("device", "show", "box-4")
    assert (found["id"], found["device_class"], found["status"]) == ("box-4", "door", "accepted")
    assert {plane["plane"] for plane in found["planes"]} == {"app", "model/face", "config"}


def test_a_pending_device_is_named_first_and_can_be_accepted_and_revoked(newcomer, ringback):
    listed = ringback("device", "list", "--status", "pending")
    assert newcomer in listed.stdout
    assert listed.stderr.startswith("next: ringback device accept new-")
    assert ringback("device", "show", newcomer).stderr == f"next: ringback device accept {newcomer}\n"
    accepted = ringback("device", "accept", newcomer)
    assert accepted.stdout == f"{newcomer} is accepted; it gets its first desired state at its next check-in.\n"
    revoked = ringback("device", "revoke", newcomer, "--yes")
    assert "keeps running what it runs, and is not heard any more" in revoked.stderr
    assert revoked.stdout == f"{newcomer} is revoked.\n"
    again = ringback("device", "accept", newcomer)
    assert again.exit_code == ExitCode.CONFLICT
    assert "RB-ENROL-003" in again.stderr


def test_a_device_is_not_revoked_without_a_confirmation(newcomer, ringback, ringback_json):
    result = ringback("device", "revoke", newcomer)
    assert result.exit_code == ExitCode.USAGE
    assert f"hint: to do it without being asked: ringback device revoke {newcomer} --yes" in result.stderr
    assert ringback_json("device", "show", newcomer)["status"] == "pending"


def test_a_command_is_carried_out_at_the_next_check_in(fleet, ringback, ringback_json):
    result = ringback("device", "command", "box-4", "bundle")
    assert result.exit_code == 0
    assert "(bundle) is queued; box-4 takes it at its next check-in." in result.stdout

    def is_done():
        return ringback_json("device", "show", "box-4")["commands"][-1]["state"] == "done"

    assert wait(is_done)
    assert "bundle" in ringback("device", "show", "box-4").stdout


def test_a_command_that_stops_inference_needs_a_confirmation(fleet, ringback):
    result = ringback("device", "command", "box-4", "restart", "camera")
    assert result.exit_code == ExitCode.USAGE
    assert "box-4 will restart camera; its inference stops meanwhile." in result.stderr
    assert result.stderr.rstrip().endswith("ringback device command box-4 restart camera --yes")


@pytest.mark.parametrize("arguments", [["restart"], ["reboot", "camera"], ["bundle", "x"]])
def test_a_command_with_an_argument_that_does_not_fit_is_a_usage_error(fleet, ringback, arguments):
    result = ringback("device", "command", "box-4", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: restart takes the name of a service; reboot and bundle take nothing" in result.stderr


def test_a_device_that_is_none_is_exit_code_4(fleet, ringback):
    result = ringback("device", "show", "box-99")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr == "Error: RB-DEVICE-001: no device 'box-99' here\nhint: ringback device list\n"


@pytest.mark.parametrize(("operator", "read"), [("<=", "16500, must be <= 8000"), ("", "16500, the limit is 8000")])
def test_a_failed_deployment_reads_as_observed_and_limit(operator, read):
    outcome = DeviceOutcome(
        3,
        "reverted",
        rule="latency-face",
        code="RB-TX-010",
        plane="model/face",
        reading=16_500,
        operator=operator,
        limit=8_000,
        rung=["model/face"],
        healthy=True,
        drill=True,
        detect_ms=900,
        recover_ms=80,
    )
    facts = {name: value for name, value in device.outcome_facts(outcome) if value}
    assert facts == {
        "ended": "reverted (drill)",
        "rule": "latency-face RB-TX-010",
        "observed": read,
        "plane": "model/face",
        "went back": "model/face",
        "healthy": "yes",
        "found in": "900 ms",
        "back in": "80 ms",
    }
