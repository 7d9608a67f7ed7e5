"""What every body of the operator API is built on."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Answer(msgspec.Struct, frozen=True, omit_defaults=False):
    """Base of everything the server says."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything a client asks."""


class Page(Answer, Generic[Item], frozen=True):
    """A part of a list. `next` is the cursor of the following part, None at the end."""

    items: list[Item]
    next: str | None = None


class ErrorBody(Answer, frozen=True):
    """Every error, everywhere."""

    code: str
    message: str
    fields: dict[str, str]
    hint: str


class Health(Answer, frozen=True):
    """Whether the server lives and can take work. `checks`: name to "ok" or what is wrong."""

    ok: bool
    checks: dict[str, str]
