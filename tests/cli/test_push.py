"""One artifact to one device: published as the next version, followed to its end, taken back."""

import json

import pytest

from ringback.cli import ledger
from ringback.cli.exits import ExitCode
from ringback.client import Client
from tests.cli.conftest import INT8, app_folder, config_folder


@pytest.fixture
def model(tmp_path):
    """Returns a model file that was never published; each is another by a trailing, ignored field."""
    file = tmp_path / "blazeface-int8.onnx"
    file.write_bytes(INT8().read_bytes())
    return file


def another(file, number):
    """Makes a model file another one: metadata that no runtime looks at (field 6 of ModelProto, doc_string)."""
    text = f"variant {number}".encode()
    file.write_bytes(file.read_bytes() + b"\x32" + bytes([len(text)]) + text)
    return file


def versions_on(ringback_json, device):
    return {plane["plane"]: plane["running"] for plane in ringback_json("device", "show", device)["planes"]}


def test_a_model_file_becomes_the_next_version_and_comes_back_with_one_command(fleet, ringback, ringback_json, model):
    another(model, 1)
    before = versions_on(ringback_json, "box-1")["model/face"]
    pushed = ringback("push", model, "--to", "box-1")
    assert pushed.exit_code == 0, pushed.output
    assert "push    model/face blazeface@1.0." in pushed.stdout
    assert "state   done: the device runs it, confirmed" in pushed.stdout
    assert pushed.stderr.endswith("next: ringback rollback box-1\n")
    after = versions_on(ringback_json, "box-1")["model/face"]
    assert after != before

    back = ringback("rollback", "box-1", "--yes")
    assert back.exit_code == 0, back.output
    assert f"box-1 goes back from model/face {after.removeprefix('model/face/')} to " in back.stderr
    assert versions_on(ringback_json, "box-1")["model/face"] == before


def test_the_next_version_is_asked_what_the_one_before_was_asked(fleet, ringback, address, model):
    result = ringback("push", another(model, 2), "--to", "box-1", "--json")
    assert result.exit_code == 0, result.output
    reference = json.loads(result.stdout)["goal"]["model/face"]
    with Client(address) as client:
        first, new = client.artifact("model/face/blazeface@1.0.0"), client.artifact(reference)
    assert {part.path for part in first.files} == {part.path for part in new.files}
    assert new.requires == {"app": ">=1.0.0"}
    assert json.loads(new.manifest)["meta"]["task"] == "face"
    assert ringback("rollback", "box-1", "--yes").exit_code == 0


def test_a_push_that_is_repeated_makes_no_second_version(fleet, ringback, ringback_json, model):
    another(model, 3)
    first = ringback("push", model, "--to", "box-1", "--json")
    known = len(ringback_json("artifact", "list", "--plane", "model/face")["items"])
    again = ringback("push", model, "--to", "box-1")
    assert again.exit_code == 0
    reference = json.loads(first.stdout)["goal"]["model/face"]
    assert f"{model} is published already, as {reference}." in again.stderr
    assert "box-1 runs it already: there was nothing to do." in again.stderr
    assert len(ringback_json("artifact", "list", "--plane", "model/face")["items"]) == known
    assert ringback("rollback", "box-1", "--yes").exit_code == 0
    assert versions_on(ringback_json, "box-1")["model/face"] == "model/face/blazeface@1.0.0"


def test_a_model_that_is_slow_in_service_goes_back_by_itself_and_says_why(fleet, ringback, ringback_json, model):
    another(model, 4)
    before = versions_on(ringback_json, "box-2")["model/face"]
    reference, digest = _published(ringback, ringback_json, model)
    fleet.boxes["box-2"].readings["latency", "face", digest] = {"p95_us": 16_500, "n": 50}
    result = ringback("push", reference, "--to", "box-2")
    assert result.exit_code == ExitCode.ENDED_BADLY
    assert "state   failed: the device tried it, and went back to what it ran before" in result.stdout
    facts = {line[:10].strip(): line[11:].strip() for line in result.stdout.splitlines() if line}
    assert facts["ended"] == "reverted"
    assert facts["rule"].startswith("latency-face")
    assert facts["observed"].startswith("16500, ")
    assert facts["observed"].endswith("8000")
    assert facts["went back"] == "model/face"
    assert result.stderr.endswith("next: ringback device show box-2\n")
    assert versions_on(ringback_json, "box-2")["model/face"] == before


def _published(ringback, ringback_json, model):
    """Publishes a model by pushing it to another box first, and takes it back there."""
    result = ringback("push", model, "--to", "box-1", "--json")
    reference = json.loads(result.stdout)["goal"]["model/face"]
    assert ringback("rollback", "box-1", "--yes").exit_code == 0
    return reference, ringback_json("artifact", "show", reference)["digest"]


def test_a_dry_run_shows_the_artifact_and_publishes_nothing(fleet, ringback, ringback_json, model):
    known = ringback_json("artifact", "list")["items"]
    result = ringback("push", another(model, 5), "--to", "box-1", "--dry-run", "--version", "7.0.0")
    assert result.exit_code == 0, result.output
    assert "would publish  model/face/blazeface@7.0.0" in result.stdout
    assert ringback_json("artifact", "list")["items"] == known


def test_a_config_file_becomes_the_version_after_the_newest_one(fleet, ringback, ringback_json, tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"camera": 1}')
    known = [each["version"] for each in ringback_json("artifact", "list", "--plane", "config")["items"]]
    major, minor, patch = max(tuple(int(part) for part in version.split(".")) for version in known)
    result = ringback("push", file, "--to", "box-1")
    assert result.exit_code == 0, result.output
    assert f"push    config door@{major}.{minor}.{patch + 1}\n" in result.stdout
    assert ringback("push", "--rollback", "--to", "box-1", "--yes").exit_code == 0
    assert versions_on(ringback_json, "box-1")["config"] == "config/door@1.0.0"


def test_a_described_folder_is_pushed_as_it_is(fleet, ringback, ringback_json, tmp_path):
    folder = config_folder(tmp_path / "config", version="2.0.0", text='{"from": "a folder"}')
    assert ringback("push", folder, "--to", "box-1").exit_code == 0
    assert versions_on(ringback_json, "box-1")["config"] == "config/door@2.0.0"
    assert ringback("rollback", "box-1", "--yes").exit_code == 0


def test_an_app_that_was_not_published_from_here_is_never_run(fleet, ringback, model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another-machine"))
    result = ringback("push", another(model, 6), "--to", "box-1", "--dry-run")
    assert result.exit_code == ExitCode.REFUSED
    assert (
        "RB-CLI-042: the model has to answer its golden set under app/door@1.0.0, "
        "which was not published from this machine" in result.stderr
    )
    assert result.stderr.rstrip().endswith("code that comes from a server is never run here")
    given = ringback("push", model, "--to", "box-1", "--dry-run", "--app", fleet.folders["app"])
    assert given.exit_code == 0, given.output


def test_an_app_that_has_changed_since_it_was_published_is_never_run(fleet, ringback, model, ringback_json, tmp_path):
    digest = ringback_json("artifact", "show", "app/door@1.0.0")["digest"]
    other = app_folder(tmp_path / "app")
    (other / "replay.py").write_text("raise SystemExit('changed')\n")
    original = ledger.folder_of(digest)
    ledger.remember(digest, other)
    try:
        result = ringback("push", another(model, 7), "--to", "box-1", "--dry-run")
    finally:
        ledger.remember(digest, original)
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-PUB-" in result.stderr
    assert "an artifact never changes" in result.stderr


def test_a_model_that_fails_its_labels_is_refused_unless_a_reason_is_given(fleet, ringback, model, tmp_path):
    blind = app_folder(tmp_path / "app")
    answer = json.dumps({"decisions": [0, 0], "values": [[0], [0]], "n": 2})
    (blind / "replay.py").write_text(f"print({answer!r})\n")
    asked = ("push", another(model, 8), "--to", "box-1", "--dry-run", "--app", blind)
    refused = ringback(*asked)
    assert refused.exit_code == ExitCode.REFUSED
    assert "RB-PUB-" in refused.stderr
    assert "hint: " in refused.stderr
    assert ringback(*asked, "--skip-quality", "to see what a device does").exit_code == 0


def test_a_file_that_is_no_model_is_refused_before_anything_is_sent(fleet, ringback, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"<html>")
    result = ringback("push", file, "--to", "box-1")
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-PUB-001" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nope", "--to", "box-1"], ExitCode.NOT_FOUND, "RB-CLI-044: 'nope' is no file here, and no artifact of that"),
        (["config/door@1.0.0", "--to", "box-9"], ExitCode.NOT_FOUND, "RB-DEVICE-001: no device 'box-9' here"),
        (["--to", "box-1"], ExitCode.USAGE, "RB-CLI-002: name what to push, or --rollback"),
        (["x", "--rollback", "--to", "box-1"], ExitCode.USAGE, "RB-CLI-002: name what to push, or --rollback"),
        (["config/door@1.0.0"], ExitCode.USAGE, "RB-CLI-002: Missing option '--to'"),
    ],
)
def test_a_push_that_can_not_be_meant_is_refused_with_a_hint(fleet, ringback, arguments, code, text):
    result = ringback("push", *arguments)
    assert result.exit_code == code
    assert text in result.stderr
    assert "\nhint: " in result.stderr


def test_a_plane_that_does_not_fit_the_file_is_refused_with_those_that_do(fleet, ringback, model):
    result = ringback("push", model, "--to", "box-1", "--plane", "config")
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-CLI-040: config is no model plane of door, for which blazeface-int8.onnx is" in result.stderr
    assert "hint: it has model/face" in result.stderr


def test_a_device_that_does_not_answer_is_left_to_itself_after_the_timeout(fleet, ringback, ringback_json):
    box = fleet.boxes["box-3"]
    box.holds.set()
    try:
        result = ringback("push", "model/face/blazeface@1.0.0", "--to", "box-4", "--timeout", "30s")
        held = ringback("push", "config/door@2.0.0", "--to", "box-3", "--timeout", "200ms")
    finally:
        box.holds.clear()
    assert result.exit_code == 0
    assert held.exit_code == ExitCode.STILL_GOING
    assert "state   waiting: waits for the device's next check-in" in held.stdout
    assert ringback("rollback", "box-3", "--yes").exit_code == 0


def test_a_push_onto_an_empty_plane_has_nothing_to_go_back_to(fleet, ringback):
    result = ringback("rollback", "box-4", "--yes")
    assert result.exit_code == ExitCode.CONFLICT
    assert "RB-PUSH-002: box-4 had nothing on config before" in result.stderr


def test_where_nothing_was_pushed_nothing_can_be_taken_back(newcomer, ringback):
    result = ringback("rollback", newcomer, "--yes")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr == (
        f"Error: RB-CLI-036: nothing was pushed to {newcomer} that could be taken back\n"
        f"hint: to go back to the last-known-good set: ringback recover --to-stable --where device={newcomer}\n"
    )


def test_a_model_for_a_device_that_runs_none_yet_has_nothing_to_follow(newcomer, ringback, model):
    result = ringback("push", model, "--to", newcomer)
    assert result.exit_code == ExitCode.REFUSED
    assert f"RB-CLI-041: no published artifact runs on model/face of {newcomer}" in result.stderr
    assert f"hint: describe it in a folder with an artifact.yaml; then: ringback push FOLDER --to {newcomer}" in (
        result.stderr
    )
