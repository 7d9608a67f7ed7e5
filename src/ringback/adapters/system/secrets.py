"""Secrets in files: mode 0600 from creation, replaced as a whole."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read; an older one of that name is replaced."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
