"""Lists in pages. A cursor is the key of the last item shown: pages stay right while items come and go."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from ringback.client.models import Page
from ringback.errors import InputError
from ringback.server.api.calls import Call

Row = TypeVar("Row")
Shown = TypeVar("Shown")


def page(call: Call, rows: Sequence[Row], *, key: Callable[[Row], str], shown: Callable[[Row], Shown]) -> Page[Shown]:
    """Return the page of `rows`, which are sorted by `key`, that a call asks for.

    Raises:
        InputError: the cursor is none of ours (RB-API-005).
    """
    start = bisect_right(rows, cursor_of(call), key=key) if "cursor" in call.query else 0
    stop = start + call.limit
    following = written(key(rows[stop - 1])) if stop < len(rows) else None
    return Page(items=[shown(row) for row in rows[start:stop]], next=following)


def cursor_of(call: Call) -> str:
    """Return the key that a call's cursor stands for, "" without one."""
    text = call.query.get("cursor", "")
    try:
        return base64.urlsafe_b64decode(text.encode("ascii")).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InputError("RB-API-005", "the cursor is none of ours", hint="use `next` of the page before") from error


def number_of(call: Call) -> int:
    """Return the number that a call's cursor stands for, 0 without one.

    Raises:
        InputError: the cursor is none of ours (RB-API-005).
    """
    text = cursor_of(call) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise InputError("RB-API-005", "the cursor is none of ours", hint="use `next` of the page before")
    return int(text)


def written(key: str) -> str:
    """Return the cursor after an item with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode()
