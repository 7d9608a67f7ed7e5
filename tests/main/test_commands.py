"""The `ringback` command finds its commands, and one that cannot be loaded does not harm the others."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ringback import __main__ as command

ROOT = Path(__file__).parents[2]
GOOD = "tests.main.commands_for_tests:good"


@pytest.fixture
def programs(monkeypatch):
    """Replaces the installed entry points; returns the function that sets them."""

    def use(**targets):
        points = [EntryPoint(name, target, command.GROUP) for name, target in targets.items()]
        monkeypatch.setattr(command, "entry_points", lambda group: [p for p in points if p.group == group])

    return use


def invoke(*arguments):
    return CliRunner().invoke(command.main, list(arguments))


def test_help_lists_programs_and_development_apart(programs):
    programs(server=GOOD, sim=GOOD)
    result = invoke("--help")
    assert result.exit_code == 0
    programs_at, development_at = result.output.index("Programs:"), result.output.index("Development:")
    assert result.output.index("Commands:") < programs_at < result.output.index("\n  server") < development_at
    assert development_at < result.output.index("\n  sim")


def test_a_program_that_is_not_installed_is_left_out_of_the_help(programs):
    programs(server=GOOD, ghost="ringback.no_such_program.command:command")
    result = invoke("--help")
    assert result.exit_code == 0
    assert "server" in result.output
    assert "ghost" not in result.output


def test_calling_a_program_that_is_not_installed_says_so(programs):
    programs(ghost="ringback.no_such_program.command:command")
    result = invoke("ghost")
    assert result.exit_code == 2
    assert "No such command 'ghost'" in result.output


def test_a_misspelt_command_is_answered_with_the_right_one_and_a_hint(programs):
    programs(server=GOOD)
    result = invoke("sever")
    assert result.exit_code == 2
    assert "RB-CLI-002: No such command 'sever'. Did you mean 'server'?" in result.stderr
    assert result.stderr.rstrip().endswith("hint: see what there is with: ringback --help")


def test_a_program_that_lacks_a_package_is_listed_with_the_reason(programs):
    programs(server=GOOD, heavy="tests.main.command_that_lacks_a_package:command")
    result = invoke("--help")
    assert result.exit_code == 0
    assert "not available here: No module named 'a_package_nobody_installs'" in " ".join(result.output.split())


def test_calling_a_program_that_lacks_a_package_names_the_package_and_a_way_out(programs):
    programs(heavy="tests.main.command_that_lacks_a_package:command")
    result = invoke("heavy")
    assert result.exit_code == 1
    assert "RB-CLI-001" in result.output
    assert "a_package_nobody_installs" in result.output
    assert "hint:" in result.output


def test_an_entry_point_that_is_no_command_is_our_bug(programs):
    programs(wrong="tests.main.commands_for_tests:not_a_command")
    result = invoke("wrong")
    assert isinstance(result.exception, TypeError)


def test_a_program_runs_with_its_arguments(programs):
    programs(server=GOOD)
    assert invoke("server", "--name", "box-7").output == "good box-7\n"


def test_version_is_the_packages_own(programs):
    programs()
    assert invoke("--version").output == f"ringback, version {command.__version__}\n"


def test_finding_a_program_imports_nothing_heavy():
    code = (
        "import sys, ringback.__main__ as m\n"
        "import click\n"
        "m.main.get_command(click.Context(m.main), 'agent')\n"
        "heavy = {'sqlalchemy', 'starlette', 'rich', 'uvicorn', 'msgspec', 'httpx', 'jsonschema', 'ringback.cli'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "src", check=True)
    assert run.stdout == "[]\n"


def test_main_is_a_group_of_click():
    assert isinstance(command.main, click.Group)
