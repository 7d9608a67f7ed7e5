"""The one byte sequence of a JSON value, so that equal values have equal digests.

Decides: keys sorted, no spaces, ASCII with escapes, no NaN. Never: what a value means; that manifests and desired
states hold integers only is checked where they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]


def encode(value: Json) -> bytes:
    """Return the canonical bytes of a value. Raises ValueError for a NaN or an infinity."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain
    ).encode("ascii")


def digest(data: bytes) -> str:
    """Return ``sha256:`` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
