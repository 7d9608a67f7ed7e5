"""Settings: documented, one table, and a server that shows itself unprotected is refused."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from ringback.errors import InputError
from ringback.server.command import command
from ringback.server.settings import MEANINGS, Settings, check

PAGE = Path(__file__).parents[2] / "docs/reference/settings.md"


def test_every_setting_has_an_option_a_meaning_and_a_line_on_the_reference_page():
    page = PAGE.read_text(encoding="utf-8")
    options = {option.name for option in command.params}

    for each in fields(Settings):
        assert each.name in options
        line = f"| `--{each.name.replace('_', '-')}` | `RINGBACK_{each.name.upper()}` | `{each.default}` |"
        assert line in page, line
        assert MEANINGS[each.name] in page
    assert set(MEANINGS) == {each.name for each in fields(Settings)}


EXPOSED = replace(Settings(), host="192.0.2.1", tls_cert="a.pem", tls_key="b.pem")


@pytest.mark.parametrize(
    ("settings", "keys_are_demo", "code"),
    [
        (replace(EXPOSED, tls_cert="", tls_key=""), False, "RB-SERVER-001"),
        (replace(EXPOSED, demo=True), False, "RB-SERVER-002"),
        (EXPOSED, True, "RB-SERVER-002"),
        (replace(EXPOSED, tls_key=""), False, "RB-SERVER-003"),
        (replace(Settings(), tls_cert="a.pem"), True, "RB-SERVER-003"),
    ],
)
def test_server_that_would_show_itself_unprotected_is_refused_with_the_command_that_fixes_it(
    settings, keys_are_demo, code
):
    with pytest.raises(InputError) as refused:
        check(settings, keys_are_demo=keys_are_demo)

    assert refused.value.code == code
    assert "ringback server --" in refused.value.hint


@pytest.mark.parametrize("settings", [Settings(), replace(Settings(), host="::1"), EXPOSED])
def test_loopback_needs_nothing_and_elsewhere_tls_with_keys_of_ones_own_is_enough(settings):
    check(settings, keys_are_demo=settings.is_loopback)
