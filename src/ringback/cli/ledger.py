"""Remembers which folder an artifact was published from, on this machine.

Decides: nothing. Never: trusts what it remembers: whoever uses a folder compares its files with the manifest first.

It exists for one reason: a model's golden set is answered by running the app, and no code that came from a server is
ever run where the publisher's keys are. An app that was published from here, and has not changed since, may run here.
"""

import json
import os
import re
from pathlib import Path


def folder_of(digest: str) -> Path | None:
    """Return the folder that an artifact was published from, or None."""
    try:
        document = json.loads(_entry(digest).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    found = document.get("folder") if isinstance(document, dict) else None
    return Path(found) if isinstance(found, str) and Path(found).is_dir() else None


def remember(digest: str, folder: Path) -> None:
    """Note where an artifact was published from. A home that can't be written to is no reason not to publish."""
    entry = _entry(digest)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(json.dumps({"folder": str(folder.resolve())}), encoding="utf-8")
    except OSError:
        return


def _entry(digest: str) -> Path:
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest), digest
    base = os.environ.get("XDG_STATE_HOME") or ""
    state = Path(base) if base else Path.home() / ".local" / "state"
    return state / "ringback" / "published" / f"{digest.removeprefix('sha256:')}.json"
