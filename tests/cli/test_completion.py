"""Shells complete ringback's commands."""

import pytest
from click.testing import CliRunner

from ringback.__main__ import main


def run(*arguments, **environment):
    return CliRunner().invoke(main, ["completion", *arguments], env=environment)


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --")])
def test_each_shell_gets_its_script_and_the_place_for_it(shell, mark):
    result = run(shell)
    assert result.exit_code == 0
    assert mark in result.stdout
    assert "_RINGBACK_COMPLETE" in result.stdout
    assert result.stderr.startswith("next: put this into ~/")


def test_without_a_name_it_is_the_shell_that_one_uses():
    assert run(SHELL="/usr/bin/fish").stdout == run("fish").stdout


def test_an_unknown_shell_is_a_usage_error_with_the_ones_there_are():
    result = run(SHELL="/bin/tcsh")
    assert result.exit_code == 2
    assert "RB-CLI-002: can't tell which shell you use; name one of bash, fish, zsh" in result.stderr
    assert "hint: see what it takes with: " in result.stderr
