"""device.toml: the only place for command lines and paths; errors name the key and the fix."""

import pytest

from ringback.agent import device_file
from ringback.agent.errors import SetupError


def load(tmp_path, text):
    path = tmp_path / "device.toml"
    path.write_text(text)
    return device_file.load(path)


def refusal(tmp_path, text):
    with pytest.raises(SetupError) as caught:
        load(tmp_path, text)
    assert caught.value.code == "RB-AGENT-001"
    return str(caught.value)


def test_missing_file_is_all_defaults(tmp_path):
    assert device_file.load(tmp_path / "none.toml") == device_file.DeviceFile()


def test_example_in_the_documentation_is_valid(tmp_path):
    lines = [line[4:] for line in device_file.__doc__.splitlines() if line.startswith("    ")]

    read = load(tmp_path, "\n".join(lines))

    assert read.capabilities == {"npu": "rk3566", "ram_mb": 2048}
    assert read.exec_probes["door-relay"].argv == ("/opt/door/check", "--quick")
    assert read.exec_probes["door-relay"].timeout_ms == 2000
    assert read.disk_quota_bytes == 512 << 20
    assert read.temperature_zone == "soc-thermal"


def test_unknown_key_is_told_with_the_nearest_known_one(tmp_path):
    assert "did you mean probe.temperature.zone?" in refusal(tmp_path, '[probe.temperature]\nzonee = "x"\n')


def test_value_of_the_wrong_kind_is_told_with_the_key(tmp_path):
    assert "quota_mb is 'a lot', expected an integer" in refusal(tmp_path, 'quota_mb = "a lot"\n')
    assert "reboot is '/sbin/reboot', expected a list" in refusal(tmp_path, 'reboot = "/sbin/reboot"\n')
    assert "labels is 3, expected a table" in refusal(tmp_path, "labels = 3\n")
    assert "capabilities.npu is True" in refusal(tmp_path, "[capabilities]\nnpu = true\n")


def test_exec_probe_without_a_command_is_refused(tmp_path):
    assert "probe.exec.x.argv is missing" in refusal(tmp_path, "[probe.exec.x]\ntimeout_ms = 1\n")


def test_broken_toml_is_told_with_file_and_line(tmp_path):
    assert "line 1" in refusal(tmp_path, "= 3")


def test_timeout_of_an_exec_probe_is_bounded(tmp_path):
    read = load(tmp_path, '[probe.exec.x]\nargv = ["true"]\ntimeout_ms = 99999999\n')

    assert read.exec_probes["x"].timeout_ms == device_file.EXEC_TIMEOUT_LIMIT_MS
