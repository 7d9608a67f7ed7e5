"""`make setup` from a fresh clone: in a path with a space, twice in a row, and the second time without a network."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Settings under which pip and uv refuse to ask any index.
NO_INDEX = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def make(target, folder, **extra):
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MAKEFLAGS"}}
    command = ["make", "--no-print-directory", target]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment | extra,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the committed state, set up once for all tests of this module."""
    folder = tmp_path_factory.mktemp("set up") / "a clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    make("setup", folder)
    return folder


def test_the_command_works_in_a_path_with_a_space(clone):
    shown = subprocess.run([clone / ".venv/bin/ringback", "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: ringback")


def test_the_second_run_does_nothing_and_needs_no_network(clone):
    before = (clone / ".venv/ringback-setup.json").stat().st_mtime_ns
    assert make("setup", clone, **NO_INDEX) == ""
    assert (clone / ".venv/ringback-setup.json").stat().st_mtime_ns == before


def test_a_changed_project_file_is_installed_again_from_what_is_there(clone):
    project = clone / "pyproject.toml"
    project.write_text(project.read_text() + "\n# changed\n")
    assert "[4/4]" in make("setup", clone, **NO_INDEX)
    assert make("setup", clone, **NO_INDEX) == ""


def test_an_interrupted_run_is_made_good_by_the_next(clone):
    stamp = clone / ".venv/ringback-setup.json"
    stamp.write_text(stamp.read_text().replace('"key": "', '"key": "unfinished '))
    (clone / ".venv/bin/ringback").unlink()
    make("setup", clone, **NO_INDEX)
    assert (clone / ".venv/bin/ringback").exists()


def test_make_alone_lists_the_targets(clone):
    shown = make("help", clone)
    assert all(f"make {target} " in shown for target in ("demo", "test", "test-full", "test-system", "setup", "bench"))
