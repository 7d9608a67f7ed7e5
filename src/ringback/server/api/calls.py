"""What an operation is: method, path, bodies, and a handler that only translates between HTTP values and use cases.

Decides: the shape of every operation. Never: what it does.

- A question is answered from memory or the store. A change is a use case: the runner saves it, together with the answer
  kept under its Idempotency-Key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from ringback.client.models import Answer, Request
from ringback.errors import ConflictError, InputError
from ringback.server.context import Context
from ringback.usecases.work import UseCase

Body = TypeVar("Body", bound=Request)

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read.

    Attributes:
        path: parameters of the path.
        query: parameters after the question mark.
        raw: the body's bytes.
        actor: who asks: "loopback" or "token <id>".
        generation: from If-Match; None without one.
    """

    context: Context
    path: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    actor: str
    now_ms: int
    generation: int | None = None

    def body(self, kind: type[Body]) -> Body:
        """Return the body as a request struct.

        Raises:
            InputError: it is no such thing (RB-API-005).
        """
        try:
            return msgspec.json.decode(self.raw or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError("RB-API-005", f"the body is not what this operation takes: {error}") from error

    def check_generation(self, found: int) -> None:
        """Refuse a change that was decided on an older generation than `found`.

        Raises:
            ConflictError: If-Match names another generation (RB-STORE-002).
        """
        if self.generation is not None and self.generation != found:
            raise ConflictError(
                "RB-STORE-002",
                f"generation {self.generation} was read, {found} is current",
                hint="read it again and decide anew",
            )

    @property
    def limit(self) -> int:
        """Return how many items a page may hold.

        Raises:
            InputError: no number from 1 to 1000 (RB-API-005).
        """
        text = self.query.get("limit", str(LIMIT_DEFAULT))
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LIMIT_MAX:
            raise InputError("RB-API-005", f"limit={text[:20]} is no number from 1 to {LIMIT_MAX}")
        return int(text)


Ask = Callable[[Call], Awaitable[Answer]]
Change = Callable[[Call], UseCase[Any]]
"""Returns a use case whose answer is an `Answer`."""
Prepare = Callable[[Call], Awaitable[UseCase[Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the API's table.

    Attributes:
        ask: answers a question; or
        change: returns the use case that carries a change out; or
        prepare: the same, after long work that needs no lock.
        request: the body's struct; None where there is none (or where it is raw bytes: see `raw_type`).
        answer: the answer's struct.
        query: names of query parameters, each with its meaning.
        role: least role that may call it.
        is_open: needs no token (health and the API's own description).
    """

    method: str
    path: str
    summary: str
    answer: Any
    ask: Ask | None = None
    change: Change | None = None
    prepare: Prepare | None = None
    request: type[Request] | None = None
    raw_type: str = ""
    query: tuple[tuple[str, str], ...] = ()
    status: int = 200
    role: str = "viewer"
    is_open: bool = False


PAGING: Final = (("limit", "items in a page, 1 to 1000 (100)"), ("cursor", "`next` of the page before"))
WHERE: Final = (
    ("where", "label selector: `region in (eu,us),customer=acme`; `device=`, `class=` and `family=` work too"),
)
