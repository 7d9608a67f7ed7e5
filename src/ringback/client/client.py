"""One method for each operation of the operator API. Synchronous: for the command line, scripts and tests.

Decides: paths, parameters, retries. Never: what an answer means.

- A change carries an Idempotency-Key, so a repeated request changes nothing twice. A request whose connection broke is
  sent once more under the same key; a server that does not answer is the caller's decision.
- Lists are read page by page up to a limit of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Final, TypeVar
from uuid import uuid4

import httpx
import msgspec

from ringback.client import models
from ringback.client.errors import BadAnswer, Unreachable
from ringback.errors import (
    BugError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    RetryLaterError,
    RingbackError,
)

Value = TypeVar("Value")
Item = TypeVar("Item")

TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 3.0
PAGE_ITEMS: Final = 500
# The largest answer is a page of 500 devices with labels, a few hundred KiB; a server that sends more is none of ours.
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024

_BY_STATUS: Final[Mapping[int, type[InputError]]] = {
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
}


class Client:
    """A connection to one server; close it, or use it as a context manager.

    Args:
        base_url: such as http://127.0.0.1:8400.
        token: an operator's token; None: a server on this machine takes the caller for its administrator.
        transport: how requests travel, for tests; None: over the network.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    # --- the server -----------------------------------------------------------------------------------------------

    def ready(self) -> models.Health:
        """Ask whether the server can take work; one that can't answers with what is wrong, not with an error."""
        answer = self._send("GET", "/v1/readyz")
        return self._decoded(models.Health, answer)

    # --- devices --------------------------------------------------------------------------------------------------

    def create_claim(self, *, uses: int = 1, ttl_ms: int = 86_400_000, auto_accept: bool | None = None) -> models.Claim:
        """Make a token that lets `uses` devices enrol within `ttl_ms`; `auto_accept` None: as the server is set up."""
        asked = models.ClaimRequest(uses=uses, ttl_ms=ttl_ms, auto_accept=auto_accept)
        return self._post(models.Claim, "/v1/claims", asked)

    def claims(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.Claim]:
        """List the newest claims, without their tokens."""
        return self._list(models.Claim, "/v1/claims", limit)

    # --- requests -------------------------------------------------------------------------------------------------

    def _post(self, kind: type[Value], path: str, body: models.Request | None = None) -> Value:
        return self._decoded(kind, self._change("POST", path, msgspec.json.encode(body) if body is not None else b""))

    def _change(self, method: str, path: str, body: bytes) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
        answer = self._send(method, path, content=lambda: body, headers=headers)
        self._check(answer)
        return answer

    def _list(self, kind: type[Item], path: str, limit: int, **query: str) -> models.Page[Item]:
        items: list[Item] = []
        cursor: str | None = None
        while True:
            asked = {**query, "limit": str(min(PAGE_ITEMS, limit - len(items)))}
            if cursor is not None:
                asked["cursor"] = cursor
            answer = self._send("GET", path, query=asked)
            self._check(answer)
            page: models.Page[Item] = self._decoded(models.Page[kind], answer)  # type: ignore[valid-type]
            items += page.items
            cursor = page.next
            if cursor is None or len(items) >= limit or not page.items:
                return models.Page(items=items, next=cursor)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: Callable[[], bytes | Iterator[bytes]] = lambda: b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        asked = {name: value for name, value in (query or {}).items() if value}

        def once() -> httpx.Response:
            url = f"{self.base_url}{path}"
            return self._http.request(method, url, params=asked, content=content(), headers=dict(headers or {}))

        try:
            try:
                return once()
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return once()  # the server closed a connection that was kept open, or was started anew
        except httpx.TransportError as cause:
            raise self._unreachable(cause) from cause

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_error:
            raise error_of(answer)

    def _decoded(self, kind: type[Value], answer: httpx.Response) -> Value:
        try:
            if len(answer.content) > ANSWER_BYTES_MAX:
                raise msgspec.ValidationError(f"{len(answer.content)} bytes")
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as cause:
            raise BadAnswer(
                "RB-CLIENT-002",
                f"{self.base_url} answered {answer.request.url.path} with something that is none of our API's: {cause}",
                hint="is this the right address? compare versions with: ringback doctor",
            ) from cause

    def _unreachable(self, cause: httpx.TransportError) -> Unreachable:
        said = str(cause) or type(cause).__name__
        return Unreachable(
            "RB-CLIENT-001",
            f"no answer from {self.base_url}: {said}",
            hint="start a server with: ringback server; or name yours with --server",
        )


def error_of(answer: httpx.Response) -> RingbackError:
    """Return the error that an answer carries, as the class it was at the server."""
    try:
        said = msgspec.json.decode(answer.content, type=models.ErrorBody)
    except msgspec.DecodeError:
        said = models.ErrorBody(
            "RB-CLIENT-003",
            f"{answer.request.url} answered with status {answer.status_code} and no reason",
            {},
            "is this the address of a Ringback server, and of nothing in front of it?",
        )
    status = answer.status_code
    if status in (429, 503, 507):
        wait = answer.headers.get("retry-after", "")
        after_s = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 1
        return RetryLaterError(said.code, said.message, hint=said.hint, retry_after_s=after_s)
    if status >= 500:
        return BugError(said.code, said.message, hint=said.hint, fields=said.fields)
    kind = _BY_STATUS.get(status, InputError)
    return kind(said.code, said.message, hint=said.hint, fields=said.fields)
