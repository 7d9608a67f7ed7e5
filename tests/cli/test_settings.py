"""Server and token: flag or environment, then the file; and every mistake in that file."""

import pytest

from ringback.cli import settings
from ringback.errors import InputError


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Returns the function that writes the file of settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def write(text):
        settings.config_file().parent.mkdir(parents=True, exist_ok=True)
        settings.config_file().write_text(text)

    return write


def test_without_anything_it_is_the_server_on_this_machine(file):
    found = settings.find(None, None)
    assert (found.server, found.token) == (settings.DEFAULT_SERVER, None)
    assert (found.server_from, found.token_from) == ("default", "none")


def test_the_file_names_server_and_token(file):
    file('server = "https://ota.example.com/"\ntoken = "t"\n')
    found = settings.find(None, None)
    assert (found.server, found.token) == ("https://ota.example.com", "t")
    assert found.server_from == found.token_from == str(settings.config_file())


def test_flag_or_environment_win_over_the_file(file):
    file('server = "https://ota.example.com"\ntoken = "t"\n')
    found = settings.find("http://box:1", "u")
    assert (found.server, found.token) == ("http://box:1", "u")


def refusal_of(call, *arguments):
    with pytest.raises(InputError) as refusal:
        call(*arguments)
    return refusal.value


def test_a_misspelt_key_is_refused_with_a_suggestion(file):
    file('tokn = "t"\n')
    error = refusal_of(settings.find, None, None)
    assert error.code == "RB-CLI-011"
    assert error.message == f"{settings.config_file()}: unknown key 'tokn'"
    assert error.hint == "did you mean 'token'?"


def test_a_strange_key_is_refused_with_the_keys_there_are(file):
    file("colour = 1\n")
    assert refusal_of(settings.find, None, None).hint == "the keys are server and token"


def test_a_value_that_is_no_text_is_refused(file):
    file("token = 12\n")
    error = refusal_of(settings.find, None, None)
    assert (error.code, error.message) == ("RB-CLI-011", f"{settings.config_file()}: token is 12")


def test_a_file_that_is_no_toml_is_refused_with_its_path(file):
    file("server http\n")
    error = refusal_of(settings.find, None, None)
    assert error.code == "RB-CLI-010"
    assert str(settings.config_file()) in error.message


@pytest.mark.parametrize(
    "address", ["ota.example.com", "ftp://x", "http://", "http://x:99999", "http://u:p@x", "http://x?a"]
)
def test_an_address_that_is_none_is_refused_with_where_it_came_from(file, address):
    error = refusal_of(settings.find, address, None)
    assert error.code == "RB-CLI-012"
    assert error.message == f"{address!r} (from --server or RINGBACK_SERVER) is not the address of a server"


@pytest.mark.parametrize(
    ("address", "is_here"),
    [("http://127.0.0.1:1", True), ("http://localhost", True), ("http://[::1]:1", True), ("http://box", False)],
)
def test_a_server_on_this_machine_is_known_by_its_address(address, is_here):
    assert settings.is_loopback(address) is is_here
