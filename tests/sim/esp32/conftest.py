"""One source of MicroPython processes and one workshop for all tests of a worker."""

from collections.abc import Iterator

import pytest

from ringback.sim.esp32 import process
from ringback.sim.esp32.firmware import Workshop
from ringback.sim.esp32.world import Tools


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    """What boards are run with."""
    if not process.is_available():
        pytest.skip("MicroPython's Unix port has no wheel for this processor")
    with process.Processes() as processes:
        yield Tools(processes, Workshop(tmp_path_factory.mktemp("workshop")))
