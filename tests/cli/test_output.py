"""Data on stdout, talk on stderr, and tables that fit."""

import click
import pytest
from click.testing import CliRunner

from ringback.cli import output
from ringback.cli.exits import MEANING, ExitCode, NotConfirmed, code_of
from ringback.errors import (
    BugError,
    ConflictError,
    InputError,
    NeedsHumanError,
    NotAllowedError,
    NotFoundError,
    RetryLaterError,
)
from ringback.spec.problem import Place, Problem, SpecError


def printed(act, *, as_json=False, columns="80", answer=None):
    """Returns what `act` prints on a screen, as click's result."""

    @click.command()
    def once():
        act(output.Screen(as_json=as_json))

    return CliRunner().invoke(once, [], env={"COLUMNS": columns}, input=answer)


def test_a_table_aligns_its_columns():
    rows = [("box-1", "proven"), ("box-12", "silent")]
    result = printed(lambda screen: screen.table(("DEVICE", "OUTCOME"), rows, empty="none"))
    assert result.stdout == "DEVICE  OUTCOME\nbox-1   proven\nbox-12  silent\n"


def test_a_table_without_rows_says_so_in_a_sentence():
    result = printed(lambda screen: screen.table(("DEVICE",), [], empty="No device has enrolled yet."))
    assert result.stdout == "No device has enrolled yet.\n"


def test_a_table_fits_the_terminal_and_loses_nothing():
    prose = "waiting for 12 more clean devices before the next ring may open at all, as the exposure rule says"
    row = ("0191d3a0-0000-7000-8000-000000000001", prose, "canary")
    result = printed(lambda screen: screen.table(("ROLLOUT", "WAITING ON", "RING"), [row], empty=""))
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert row[0] in lines[1]
    assert " ".join(result.stdout.split()).count("exposure rule") == 1


def test_a_word_is_never_broken_even_when_the_table_gets_too_wide():
    digest = "sha256:" + "a" * 64
    result = printed(lambda screen: screen.table(("A", "B"), [(digest, digest)], empty=""))
    assert result.stdout.count(digest) == 2


def test_text_from_the_server_can_not_move_the_cursor():
    result = printed(lambda screen: screen.table(("A",), [("\x1b[2J",)], empty=""))
    assert "\x1b" not in result.stdout
    result = printed(lambda screen: screen.facts([("state", "\x1b[2J")]))
    assert "\x1b" not in result.stdout
    result = printed(lambda screen: screen.line("\x1b[2J"))
    assert "\x1b" not in result.stdout


def test_facts_leave_out_what_is_not_known():
    result = printed(lambda screen: screen.facts([("state", "trial"), ("ring", "")]))
    assert result.stdout == "state  trial\n"


def test_a_result_names_the_next_command_on_stderr():
    result = printed(lambda screen: screen.next("ringback status"))
    assert (result.stdout, result.stderr) == ("", "next: ringback status\n")


def test_with_json_stdout_is_nothing_but_data():
    def act(screen):
        screen.say("working")
        screen.data({"devices": [1]})
        screen.next("ringback status")

    result = printed(act, as_json=True)
    assert result.stdout == '{\n  "devices": [\n    1\n  ]\n}\n'
    assert result.stderr == "working\n"


def test_without_a_person_a_change_needs_yes():
    def act(screen):
        with pytest.raises(InputError) as refusal:
            screen.confirmed("stop?", is_agreed=False, again="ringback stop --yes")
        click.echo(str(refusal.value))

    result = printed(act)
    assert result.stdout == (
        "RB-CLI-020: not done: this needs a confirmation, and no one is at the terminal "
        "Hint: to do it without being asked: ringback stop --yes\n"
    )


@pytest.mark.parametrize(("answer", "is_done"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_and_the_default_is_no(monkeypatch, answer, is_done):
    def act(screen):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        try:
            screen.confirmed("stop?", is_agreed=False, again="ringback stop --yes")
        except InputError as error:
            click.echo(error.message)
        else:
            click.echo("done")

    result = printed(act, answer=answer)
    assert "stop? [y/N]" in result.stderr
    assert result.stdout.strip() == ("done" if is_done else "not done: you said no")


class Terminal:
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_and_can_be_switched_off(monkeypatch, environment, is_coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert output.has_colour(Terminal()) is is_coloured


def test_a_stream_that_is_no_terminal_gets_no_colour(tmp_path):
    with (tmp_path / "out").open("w") as file:
        assert not output.has_colour(file)


def test_a_bar_shows_share_and_size_in_figures_too():
    assert output.bar_text("model.onnx", 300, 1200) == "model.onnx [#######                       ] 25 % of 1.2 kB"
    assert "100 %" in output.bar_text("model.onnx", 1300, 1200)


def test_nothing_of_a_bar_is_printed_where_nobody_watches():
    def act(screen):
        with screen.progress("model.onnx", 10) as bar:
            bar.add(10)

    result = printed(act)
    assert result.output == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("RB-X-1", ""), ExitCode.REFUSED),
        (RetryLaterError("RB-X-1", ""), ExitCode.UNREACHABLE),
        (NotFoundError("RB-X-1", ""), ExitCode.NOT_FOUND),
        (ConflictError("RB-X-1", ""), ExitCode.CONFLICT),
        (NotAllowedError("RB-X-1", ""), ExitCode.NOT_ALLOWED),
        (NeedsHumanError("RB-X-1", ""), ExitCode.REFUSED),
        (BugError("RB-X-1", ""), ExitCode.BUG),
        (NotConfirmed("", ""), ExitCode.USAGE),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert code_of(error) is code


def test_every_exit_code_is_explained():
    assert set(MEANING) == set(ExitCode)


def test_every_mistake_of_a_document_is_shown_with_its_own_hint():
    problems = [
        Problem(
            "RB-SPEC-004", Place("a.yaml", 3, 1), "whenn", "the key 'whenn'", "a known key", "did you mean 'when'?"
        ),
        Problem("RB-SPEC-009", Place("a.yaml", 1, 10), "release", "'x y'", "a name"),
    ]
    result = printed(lambda screen: output.complain(SpecError(problems)))
    assert result.stderr == (
        "Error: RB-SPEC-009: a.yaml:1:10: release: found 'x y', expected a name.\n"
        "hint: write what is expected there\n"
        "Error: RB-SPEC-004: a.yaml:3:1: whenn: found the key 'whenn', expected a known key.\n"
        "hint: did you mean 'when'?\n"
    )


def test_an_error_is_two_lines_and_the_second_is_a_hint():
    result = printed(lambda screen: output.complain(InputError("RB-X-1", "found a\x1b", hint="write b")))
    assert result.stderr == "Error: RB-X-1: found a\\u{1b}\nhint: write b\n"
