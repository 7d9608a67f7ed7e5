"""Doctor finds what goes wrong between a person and a fleet, and never passes what it could not look at."""

import json

import pytest

from ringback import __version__
from ringback.cli import doctor, settings
from ringback.cli.exits import ExitCode
from ringback.client.models import DeviceCounts, Disk, Status
from tests.cli.conftest import call


def results(findings):
    return {finding.check: finding.result for finding in findings}


def status(*, disk=None, devices=None, warnings=()):
    counts = dict.fromkeys("total accepted pending revoked silent busy safe_mode stopped".split(), 0)
    return Status(
        version=__version__,
        now_at_ms=0,
        listening_since_at_ms=0,
        tenant="default",
        devices=DeviceCounts(**counts | (devices or {})),
        states={},
        rollouts=[],
        stops=[],
        freezes=[],
        warnings=list(warnings),
        disk=disk or Disk(free_bytes=10**11, used_ppm=100_000),
    )


def test_a_healthy_server_passes_every_check_and_only_its_demo_keys_are_a_warning(fleet, ringback, ringback_json):
    result = ringback("doctor")
    assert result.exit_code == 0, result.output
    found = {finding["check"]: finding["result"] for finding in ringback_json("doctor")}
    assert found.pop("demo keys") == "warning"
    assert {name: found[name] for name in ("settings", "server", "version", "clock")} == dict.fromkeys(
        ("settings", "server", "version", "clock"), "ok"
    )


def test_a_server_that_does_not_answer_fails_and_nothing_behind_it_passes():
    result = call("http://127.0.0.1:1", "doctor", "--json")
    assert result.exit_code == ExitCode.REFUSED
    assert results(doctor.Finding(**each) for each in json.loads(result.stdout)) == {"settings": "ok", "server": "fail"}


def test_settings_that_can_not_be_read_are_the_first_cause():
    result = call("nonsense", "doctor")
    assert result.exit_code == ExitCode.REFUSED
    assert "settings  fail    RB-CLI-012: 'nonsense' (from --server or" in result.stdout
    assert "hint (settings): write it like http://127.0.0.1:8400" in result.stdout


@pytest.mark.parametrize(
    ("server_ms", "result", "text"),
    [
        (1_050, "ok", "0 ms from the server's"),
        (31_100, "ok", "30 s from the server's"),
        (101_100, "warning", "this machine is 1 min 40 s behind the server"),
        (-99_000, "warning", "this machine is 1 min 40 s ahead of the server"),
    ],
)
def test_the_clock_is_compared_with_the_moment_of_the_answer(server_ms, result, text):
    found = doctor.clock(server_ms, before_ms=1_000, after_ms=1_100)
    assert (found.result, found.found) == (result, text)


@pytest.mark.parametrize("disk", [Disk(free_bytes=10**8, used_ppm=1), Disk(free_bytes=10**12, used_ppm=960_000)])
def test_a_disk_that_is_nearly_full_is_a_warning(disk):
    assert results(doctor.of_status(status(disk=disk)))["disk"] == "warning"


@pytest.mark.parametrize("devices", [{"accepted": 100, "silent": 6}, {"accepted": 100, "safe_mode": 1}])
def test_a_fleet_that_is_silent_or_in_safe_mode_is_a_warning(devices):
    assert results(doctor.of_status(status(devices=devices)))["fleet"] == "warning"


def test_a_few_silent_devices_are_ordinary():
    assert results(doctor.of_status(status(devices={"accepted": 100, "silent": 5})))["fleet"] == "ok"


def test_what_the_server_warns_of_is_shown_under_its_name():
    found = list(doctor.of_status(status(warnings=["journal: failed; see the log"])))[-1]
    assert (found.check, found.result, found.found) == ("journal", "warning", "failed; see the log")


def test_a_token_that_travels_in_the_open_is_a_warning():
    found = settings.Settings("http://ota.example.com", "secret", "x", "x")
    assert [finding.result for finding in doctor.secrecy(found)] == ["warning"]
    assert not list(doctor.secrecy(settings.Settings("http://127.0.0.1:8400", "secret", "x", "x")))
    assert not list(doctor.secrecy(settings.Settings("https://ota.example.com", "secret", "x", "x")))


def test_a_token_that_others_can_read_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = settings.config_file()
    file.parent.mkdir()
    file.write_text('token = "t"\n')
    file.chmod(0o644)
    found = settings.find(None, None)
    assert [finding.hint for finding in doctor.secrecy(found)] == [f"chmod 600 {file}"]
    file.chmod(0o600)
    assert not list(doctor.secrecy(found))


def test_another_version_of_the_server_is_a_warning():
    assert doctor.version("9.9.9").result == "warning"
    assert doctor.version(__version__).result == "ok"
