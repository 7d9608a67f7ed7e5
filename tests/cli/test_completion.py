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


def offered(address, *words):
    """Returns what the shell is offered for the last word."""
    from click.shell_completion import ShellComplete

    from ringback.cli import group

    *before, last = words
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RINGBACK_SERVER", address)
        found = ShellComplete(group, {}, "ringback", "_RINGBACK_COMPLETE").get_completions(list(before), last)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("device", "show", "box-"), ["box-1", "box-2", "box-3", "box-4"]),
        (("push", "x", "--to", "box-2"), ["box-2"]),
        (("rollback", "box-3"), ["box-3"]),
        (("class", "show", "d"), ["door"]),
        (("artifact", "show", "app/"), ["app/door@1.0.0"]),
        (("freeze", "app/"), ["app/door@1.0.0"]),
        (("rol",), ["rollback", "rollout"]),
        (("rollout", "st"), ["start"]),
    ],
)
def test_names_that_the_server_knows_are_offered(fleet, words, expected):
    assert offered(fleet.address, *words) == expected


def test_names_of_releases_rollouts_and_brakes_are_offered_too(fleet, ringback, tmp_path):
    file = tmp_path / "offered.yaml"
    file.write_text("release: offered\ntargets: {classes: [door]}\nversions: {config: door@1.0.0}\n")
    assert ringback("release", "create", "-f", file).exit_code == 0
    assert offered(fleet.address, "rollout", "start", "offe") == ["offered"]
    assert offered(fleet.address, "plan", "--release", "offe") == ["offered"]
    assert offered(fleet.address, "rollout", "show", "no-such") == []
    assert offered(fleet.address, "resume", "no-such") == []


def test_a_server_that_does_not_answer_offers_nothing():
    assert offered("http://127.0.0.1:1", "device", "show", "b") == []
    assert offered("nonsense", "device", "show", "b") == []
