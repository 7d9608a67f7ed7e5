"""The agent's log: one event per line, `key=value`, on standard error. Whoever starts the agent keeps it.

Invariants: values are quoted when they need it, so a line is always one event; nothing from the network reaches the
terminal raw; tokens are never passed in.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Mapping

from ringback.agent.ports import Json

VALUE_LIMIT = 2000
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+-@")

_lock = threading.Lock()


def word(value: Json) -> str:
    """Returns a value as one word: as it is when plain, else as a JSON text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, default=str)
    text = text[:VALUE_LIMIT]
    return text if text and set(text) <= PLAIN else json.dumps(text)


def write(event: str, fields: Mapping[str, Json]) -> None:
    """Writes one event with the present time."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = " ".join([stamp, f"event={word(event)}", *(f"{key}={word(value)}" for key, value in fields.items())])
    # Whoever keeps the log may go away; the agent does not go with it.
    with _lock, contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
