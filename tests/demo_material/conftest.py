"""The demo's kit, made once for all of these tests (and the demo itself), and boxes to run it on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ringback.demo.material import kit as kits
from tests.demo_material.box import Box


@pytest.fixture(scope="session")
def kit() -> kits.Kit:
    return kits.get()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    started: list[Box] = []

    def make(app: Path, **models: Path) -> Box:
        started.append(Box(tmp_path / f"box-{len(started)}", app, **models))
        return started[-1]

    yield make
    for one in started:
        one.stop()
