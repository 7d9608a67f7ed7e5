"""How a command ends: with a code and a hint, also when it is interrupted or the server has a bug."""

import io
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ringback.cli import base, output
from ringback.cli.codes import MEANINGS
from ringback.cli.exits import ExitCode
from ringback.errors import BugError, RetryLaterError

ROOT = Path(__file__).parents[2]


def ending(failure):
    """Returns what a command prints and how it ends when it fails this way."""

    @click.command(cls=base.Command)
    def once():
        raise failure

    return CliRunner().invoke(once, [])


def test_ctrl_c_ends_the_command_and_says_that_the_server_goes_on():
    result = ending(KeyboardInterrupt())
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr == "stopped; what the server was asked to do goes on\n"


def test_ctrl_c_at_a_question_means_that_nothing_was_done():
    result = ending(click.Abort())
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr == "not done: stopped at the question\n"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BugError("RB-API-011", "it failed", hint="report it"), ExitCode.BUG),
        (RetryLaterError("RB-STORE-001", "the disk is full", hint="make room"), ExitCode.UNREACHABLE),
    ],
)
def test_an_error_of_the_server_leaves_with_its_code(failure, code):
    result = ending(failure)
    assert result.exit_code == code
    assert result.stderr == f"Error: {failure.code}: {failure.message}\nhint: {failure.hint}\n"


def test_an_error_without_a_hint_still_says_where_to_look():
    assert ending(BugError("RB-X-1", "it failed")).stderr.endswith("hint: see what is going on with: ringback status\n")


def test_every_code_of_the_command_is_explained_and_every_explained_code_is_used():
    folders = [ROOT / "src" / "ringback" / "cli", ROOT / "src" / "ringback" / "client"]
    files = [file for folder in folders for file in folder.glob("*.py") if file.name != "codes.py"]
    used = set()
    for file in [*files, ROOT / "src" / "ringback" / "__main__.py"]:
        used |= set(re.findall(r"RB-(?:CLI|CLIENT)-\d{3}", file.read_text()))
    assert used == set(MEANINGS)


class Terminal(io.StringIO):
    """Stands for a person's terminal."""

    def isatty(self):
        return True


def test_a_bar_is_shown_from_the_third_second_on_at_most_ten_times_a_second_and_removed(monkeypatch):
    now_s = [100.0]
    terminal = Terminal()
    monkeypatch.setattr(output.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr("sys.stderr", terminal)
    bar = output.Progress("blazeface@1.1.0", 1_000, 80)
    bar.add(100)
    assert terminal.getvalue() == ""
    for _ in range(20):
        now_s[0] += 0.15
        bar.add(10)
    assert 5 <= terminal.getvalue().count("\rblazeface@1.1.0 [") <= 8
    bar.close()
    assert terminal.getvalue().endswith("\r" + " " * 79 + "\r")
