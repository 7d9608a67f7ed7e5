"""One real server for all tests of the client."""

import pytest

from tests.real_server import running_server


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("client") / "data") as url:
        yield url
