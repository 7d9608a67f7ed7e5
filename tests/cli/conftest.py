"""One real server for all tests of the commands, and how they are called."""

import json

import pytest
from click.testing import CliRunner

from ringback.cli import group
from tests.real_server import running_server


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("cli") / "data") as url:
        yield url


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    """Keeps the settings of whoever runs the tests out of them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("RINGBACK_SERVER", "RINGBACK_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ringback(address):
    """Returns the function that calls a command against the server, as a person at no terminal."""

    def call(*arguments, **options):
        return CliRunner().invoke(group, list(arguments), env={"RINGBACK_SERVER": address}, **options)

    return call


@pytest.fixture
def ringback_json(ringback):
    """Returns the function that calls a command with --json and gives back the data."""

    def call(*arguments):
        result = ringback(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return call
