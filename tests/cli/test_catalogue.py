"""Device classes, artifacts and releases: created, listed, shown, and refused with the line and the fix."""

import hashlib
import json

import pytest

from ringback.cli.exits import ExitCode
from tests.cli.conftest import config_folder
from tests.kernel_box import CLASS

RELEASE = "release: {name}\ntargets: {{classes: [door]}}\nversions: {{config: door@1.0.0}}\n"


@pytest.fixture
def file(tmp_path):
    """Returns the function that writes a document and returns its path."""

    def write(text, name="document.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# --- classes ----------------------------------------------------------------------------------------------------------


def test_a_class_is_listed_and_shown_with_its_planes(fleet, ringback):
    assert ringback("class", "list").stdout.splitlines()[1].split()[:3] == ["door", "1", "arm"]
    shown = ringback("class", "show", "door")
    assert "polls every   200 ms" in shown.stdout
    assert "model/face  model     directory  20 ms" in shown.stdout
    assert shown.stderr == "next: ringback device list --where class=door\n"


def test_the_same_class_twice_is_the_same_answer_and_another_content_is_a_conflict(fleet, ringback, file):
    assert ringback("class", "create", "-f", file(CLASS)).exit_code == 0
    changed = ringback("class", "create", "-f", file(CLASS.replace("family: arm", "family: x86")))
    assert changed.exit_code == ExitCode.CONFLICT
    assert "RB-CLASS-" in changed.stderr


def test_a_mistake_in_a_class_names_its_line_and_the_fix(fleet, ringback, file):
    path = file(CLASS.replace("family:", "famly:"))
    result = ringback("class", "create", "-f", path)
    assert result.exit_code == ExitCode.REFUSED
    assert f"Error: RB-SPEC-004: {path}:3:1: famly: found the key 'famly', expected a known key.\n" in result.stderr
    assert "hint: did you mean 'family'?" in result.stderr


def test_an_unknown_class_is_exit_code_4(fleet, ringback):
    assert ringback("class", "show", "window").exit_code == ExitCode.NOT_FOUND


# --- artifacts --------------------------------------------------------------------------------------------------------


def test_a_folder_is_published_and_shown_file_by_file(fleet, ringback, tmp_path):
    folder = config_folder(tmp_path / "config", version="3.0.0", text='{"published": "from a folder"}')
    result = ringback("artifact", "publish", folder)
    assert result.stdout.startswith("published  config/door@3.0.0\ndigest     sha256:")
    assert result.stderr == "next: ringback artifact show config/door@3.0.0\n"
    shown = ringback("artifact", "show", "config/door@3.0.0")
    assert "requires   app >=1.0.0" in shown.stdout
    assert "config.json  config" in shown.stdout


def test_an_artifact_is_named_by_the_beginning_of_its_digest_too(fleet, ringback, ringback_json):
    digest = ringback_json("artifact", "show", "config/door@1.0.0")["digest"]
    shown = ringback_json("artifact", "show", digest.removeprefix("sha256:")[:10])
    assert (shown["ref"], shown["digest"]) == ("config/door@1.0.0", digest)
    assert shown["manifest"]
    assert "sha256:" + hashlib.sha256(shown["manifest"].encode()).hexdigest() == digest


@pytest.mark.parametrize("name", ["config/door@9.9.9", "ffffffffff", "abc", "nothing"])
def test_an_artifact_that_nobody_published_is_exit_code_4_with_a_hint(fleet, ringback, name):
    result = ringback("artifact", "show", name)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "hint: " in result.stderr


def test_a_dry_run_publishes_nothing(fleet, ringback, tmp_path):
    folder = config_folder(tmp_path / "config", version="4.0.0", text='{"never": "published"}')
    result = ringback("artifact", "publish", folder, "--dry-run")
    assert result.stdout.startswith("would publish  config/door@4.0.0\n")
    data = json.loads(ringback("artifact", "publish", folder, "--dry-run", "--json").stdout)
    assert data["reference"] == "config/door@4.0.0"
    assert ringback("artifact", "show", "config/door@4.0.0").exit_code == ExitCode.NOT_FOUND


def test_the_same_name_with_other_bytes_is_a_conflict(fleet, ringback, tmp_path):
    folder = config_folder(tmp_path / "config", text='{"other": "bytes"}')
    result = ringback("artifact", "publish", folder)
    assert result.exit_code == ExitCode.CONFLICT
    assert "RB-ARTIFACT-002" in result.stderr


def test_a_folder_that_describes_nothing_is_refused_with_what_to_write(fleet, ringback, tmp_path):
    result = ringback("artifact", "publish", tmp_path)
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-PUB-010" in result.stderr
    assert "hint: describe the artifact there: plane, name, version, classes" in result.stderr


def test_a_skipped_check_without_the_app_that_makes_it_is_a_usage_error(fleet, ringback, tmp_path):
    result = ringback("artifact", "publish", tmp_path, "--skip-quality", "hurry")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: --skip-quality is about the check that --app makes; give both" in result.stderr


def test_artifacts_of_one_plane_are_listed_alone(fleet, ringback_json):
    assert {each["plane"] for each in ringback_json("artifact", "list", "--plane", "app")["items"]} == {"app"}


# --- releases ---------------------------------------------------------------------------------------------------------


def test_a_release_is_kept_listed_and_printed_as_it_was_written(fleet, ringback, file):
    text = RELEASE.format(name="kept") + "# a comment of its author\n"
    created = ringback("release", "create", "-f", file(text))
    assert created.stdout == "release  kept\nbrings   config door@1.0.0\n"
    assert created.stderr == "next: ringback plan --release kept\n"
    assert "kept" in ringback("release", "list").stdout
    assert ringback("release", "show", "kept").stdout == text


def test_a_release_is_read_from_standard_input_too(fleet, ringback):
    result = ringback("release", "create", "-f", "-", answer=RELEASE.format(name="piped"))
    assert result.exit_code == 0


def test_a_release_is_checked_here_without_a_server(file):
    from click.testing import CliRunner

    from ringback.cli import group

    path = file(RELEASE.format(name="local"), "local.yaml")
    nowhere = {"RINGBACK_SERVER": "http://127.0.0.1:1"}
    result = CliRunner().invoke(group, ["release", "validate", "-f", str(path)], env=nowhere)
    assert result.exit_code == 0
    assert result.stdout.replace("\n", " ").strip() == f"{path} is well-formed: release local, 2 rings before full."


def test_every_mistake_in_a_release_is_shown_with_its_line(ringback, file):
    path = file("release: x y\ntargets: {classes: [door]}\nversions: {config: door@1.0.0}\nwhenn: now\n")
    result = ringback("release", "validate", "-f", path)
    assert result.exit_code == ExitCode.REFUSED
    assert f"{path}:1:10: release: found 'x y'" in result.stderr
    assert f"{path}:4:1: whenn" in result.stderr
    assert "did you mean 'when'?" in result.stderr


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"\xff\xfe", "is no text: invalid start byte at byte 0"), (b"x" * 300_000, "has more than 256 KiB")],
)
def test_a_file_that_is_no_document_is_not_sent(ringback, file, content, text):
    result = ringback("release", "create", "-f", file(content))
    assert result.exit_code == ExitCode.REFUSED
    assert "RB-CLI-021" in result.stderr
    assert text in result.stderr
    assert "hint: is this the right file?" in result.stderr


def test_a_file_that_is_not_there_is_named(ringback, tmp_path):
    result = ringback("release", "create", "-f", tmp_path / "none.yaml")
    assert result.exit_code == ExitCode.REFUSED
    assert f"RB-CLI-021: {tmp_path / 'none.yaml'} can't be read: No such file or directory" in result.stderr
