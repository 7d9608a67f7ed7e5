"""A folder for one test on a disk that does not wait: syncs are real calls, they only have nothing to wait for."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

RAM = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path_factory):
    """Yield a folder in memory, or an ordinary one where there is no such thing."""
    if not (RAM.is_dir() and os.access(RAM, os.W_OK)):
        yield tmp_path_factory.mktemp("data")
        return
    folder = Path(tempfile.mkdtemp(prefix="ringback-test-", dir=RAM))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
