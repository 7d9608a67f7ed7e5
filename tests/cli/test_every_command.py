"""What holds for every command: help with an example, the shared options, light imports, and errors with a hint."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ringback.cli import group
from ringback.cli.exits import ExitCode
from ringback.cli.reference import commands, document
from ringback.cli.session import SHARED_NAMES

ROOT = Path(__file__).parents[2]
EVERY = list(commands(group, ("ringback",)))
LOCAL = {("ringback", "completion")}
ASKING = [words for words, _ in EVERY if words not in LOCAL]


@pytest.mark.parametrize(("words", "command"), EVERY, ids=[" ".join(words) for words, _ in EVERY])
def test_its_help_says_what_it_does_and_shows_an_example(words, command):
    result = CliRunner().invoke(group, [*words[1:], "--help"])
    assert result.exit_code == 0
    assert command.help is not None
    assert command.help.strip().split("\n", maxsplit=1)[0].endswith(".")
    assert "Examples:" in result.output
    assert f"  {' '.join(words)}" in result.output


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_it_takes_json_server_and_token(words):
    command = dict(EVERY)[words]
    assert {parameter.name for parameter in command.params} >= SHARED_NAMES


@pytest.mark.parametrize(("words", "command"), EVERY, ids=[" ".join(words) for words, _ in EVERY])
def test_every_option_says_what_it_means(words, command):
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{' '.join(words)} {parameter.opts}"


def test_the_help_imports_nothing_that_takes_long():
    code = (
        "import sys, ringback.cli\n"
        "heavy = {'httpx', 'msgspec', 'rich', 'ruamel', 'sqlalchemy', 'jsonschema', 'ringback.client.models'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "src", check=True)
    assert run.stdout == "[]\n"


def test_a_server_that_does_not_answer_is_exit_code_3_with_a_hint():
    result = CliRunner().invoke(group, ["claim", "list", "--server", "http://127.0.0.1:1"])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.stdout == ""
    assert result.stderr.startswith("Error: RB-CLIENT-001: no answer from http://127.0.0.1:1: ")
    assert result.stderr.endswith("hint: start a server with: ringback server; or name yours with --server\n")


def test_a_wrong_token_is_exit_code_6_with_a_hint(ringback):
    result = ringback("claim", "list", "--token", "wrong")
    assert result.exit_code == ExitCode.NOT_ALLOWED
    assert result.stderr == ("Error: RB-API-001: the token is unknown or has expired\nhint: check RINGBACK_TOKEN\n")


def test_a_misspelt_subcommand_is_exit_code_2_with_the_right_one(ringback):
    result = ringback("claim", "creat")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: No such command 'creat'. Did you mean 'create'?" in result.stderr
    assert result.stderr.rstrip().splitlines()[-1].startswith("hint: ")


def test_a_misspelt_option_is_exit_code_2_with_a_hint(ringback):
    result = ringback("claim", "create", "--use", "3")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: No such option '--use'" in result.stderr
    assert result.stderr.rstrip().splitlines()[-1].startswith("hint: see what it takes with: ")


def test_the_reference_page_is_what_the_commands_say():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert page == document(), "make it anew with: python -m ringback.cli.reference > docs/reference/cli.md"
