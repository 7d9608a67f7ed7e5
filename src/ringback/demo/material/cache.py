"""Where fetched and made models are kept between runs, and how a file gets there whole or not at all.

What it decides: the folder. What it never does: clean up; the whole folder may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ENVIRONMENT_VARIABLE = "RINGBACK_CACHE"


def folder() -> Path:
    """RINGBACK_CACHE, else `.cache/ringback` of the working copy this runs from, else the user's cache folder."""
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        return Path(given)
    working_copy = Path(__file__).resolve().parents[4]
    if (working_copy / "pyproject.toml").is_file():
        return working_copy / ".cache" / "ringback"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringback"


def put(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, however many write it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
