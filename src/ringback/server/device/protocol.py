"""The short way of a check-in: from the HTTP parser to the code and back, without ASGI between.

Decides: which requests take it. Never: parses HTTP by itself; parser, limits, keep-alive, pipelining and shutdown are
uvicorn's.

- Only `POST /d/1/checkin` in HTTP/1.1, when the connection has no other request in hand, takes it. Everything else, and
  everything on a server that does not know this class, goes the ASGI way and gets the same answers.
- ASGI costs a task, two queues and three dictionaries per request; on one core that is more than the whole check-in.
  `docs/benchmarks.md` has the figures of both.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ringback.errors import RingbackError
from ringback.server.device.checkin import CheckIns, too_long
from ringback.server.device.http import error_body, error_headers, status_of
from ringback.usecases.checkin import CheckIn
from ringback.usecases.device import Device
from ringback.usecases.report import REPORT_BYTES_MAX

PATH: Final = b"/d/1/checkin"

REQUEST_S: Final = 20.0
"""Time for the headers of a request. A slow phone network needs seconds; who needs minutes is holding the door."""

log = structlog.get_logger("checkin")


class _Nobody:
    """Stands where uvicorn's request keeps an event for whoever waits for its body: nobody does."""

    def set(self) -> None:
        """Do nothing."""


_NOBODY: Final = _Nobody()


class Exchange:
    """One check-in on one connection. Its attributes are those that uvicorn's protocol looks at."""

    __slots__ = (
        "_checked",
        "_device",
        "_protocol",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
    )

    message_event = _NOBODY

    def __init__(self, protocol: CheckInProtocol) -> None:
        self._protocol = protocol
        self.keep_alive: bool = protocol.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False
        self.more_body = True
        self.body = b""
        self._device: Device | None = None
        self._checked: CheckIn | None = None

    def received(self) -> None:
        """Take the whole request."""
        check_ins = self._protocol.check_ins
        try:
            device = self._device = check_ins.authenticated(self._protocol.headers)
            self._checked = check_ins.received(device, self.body)
        except RingbackError as error:
            self.refuse(error)
            return
        check_ins.keep(self._checked, self._kept)

    def refuse(self, error: RingbackError) -> None:
        """Answer with an error."""
        log.debug("checkin_refused", code=error.code)
        body = error_body(error)
        headers = [b"%s: %s\r\n" % header for header in error_headers(error)]
        self._answer(status_of(error), [*headers, b"content-length: %d\r\n" % len(body)], body)

    def _kept(self, error: RingbackError | None) -> None:
        if self.disconnected:
            return
        if error is not None:
            self.refuse(error)
            return
        assert self._device is not None and self._checked is not None
        next_s = b"ringback-next-s: %s\r\n" % self._protocol.check_ins.next_s(self._device)
        document = self._checked.document
        if document is None:
            self._answer(204, [next_s], b"")
        else:
            length = b"content-length: %d\r\n" % len(document)
            self._answer(200, [b"content-type: application/json\r\n", next_s, length], document)

    def _answer(self, status: int, headers: list[bytes], body: bytes) -> None:
        protocol = self._protocol
        if not self.keep_alive:
            headers.append(b"connection: close\r\n")
        protocol.transport.write(b"".join([STATUS_LINE[status], *headers, b"\r\n", body]))
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


class CheckInProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the short way.

    Attributes:
        check_ins: who answers.
    """

    check_ins: CheckIns

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin a connection; one that says nothing does not stay."""
        super().connection_made(transport)
        self._wait_no_longer_than(REQUEST_S)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request that does not come to its end does not keep its connection."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            log.error("request_failed", error=repr(error.__context__))  # our own fault: parsing went well
            self.transport.abort()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade:
            self.send_400_response("Upgrades are not possible here.")
        else:
            cycle: Any = self.cycle
            if not self._has_request() or (type(cycle) is Exchange and cycle.more_body):
                self._wait_no_longer_than(REQUEST_S)

    def _has_request(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_no_longer_than(self, seconds: float) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        if (
            self.url == PATH
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self._has_request()
        ):
            exchange: Any = Exchange(self)
            self.cycle = exchange
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a request's body."""
        exchange: Any = self.cycle
        if type(exchange) is not Exchange:
            super().on_body(body)
        elif not exchange.response_complete:
            exchange.body = exchange.body + body if exchange.body else body
            if len(exchange.body) > REPORT_BYTES_MAX:
                exchange.keep_alive = False  # the rest is not read: there is no next request after it
                exchange.refuse(too_long())

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        exchange: Any = self.cycle
        if type(exchange) is not Exchange:
            super().on_message_complete()
        elif not exchange.response_complete:
            exchange.more_body = False
            exchange.received()


def protocol_for(check_ins: CheckIns) -> type[CheckInProtocol]:
    """Return the protocol class of one server."""
    return type("CheckInProtocol", (CheckInProtocol,), {"check_ins": check_ins})
