"""`POST /d/1/checkin`: the hot path. Report in; durable; desired state out.

Decides: nothing but HTTP; `usecases.checkin` decides. Two ways in, one `answer`: the raw ASGI endpoint here, and the
short way of `protocol`, which leaves ASGI out.
"""

from __future__ import annotations

import hashlib
from zlib import crc32

import structlog

from ringback.errors import InputError, RetryLaterError, RingbackError
from ringback.ports.clock import Clock
from ringback.ports.signer import Signer
from ringback.server.device.committer import Committer, Done
from ringback.server.device.http import (
    JSON_TYPE,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    bearer,
    read_body,
    respond,
    respond_error,
)
from ringback.usecases.checkin import CheckIn, authenticate, receive
from ringback.usecases.device import Device
from ringback.usecases.fleet import Fleet
from ringback.usecases.report import REPORT_BYTES_MAX

log = structlog.get_logger("checkin")

Headers = list[tuple[bytes, bytes]]


class CheckIns:
    """Answers check-ins.

    Args:
        max_pending: check-ins on their way to the disk at once; more are asked to come back (RB-REPORT-007).
        default_poll_ms: time to the next check-in of a device whose class does not say otherwise.
    """

    def __init__(
        self,
        fleet: Fleet,
        committer: Committer,
        signer: Signer,
        clock: Clock,
        *,
        max_pending: int,
        default_poll_ms: int,
    ) -> None:
        self._fleet = fleet
        self._committer = committer
        self._signer = signer
        self._now_ms = clock.now_ms
        self._max_pending = max_pending
        self._default_poll_ms = default_poll_ms

    def authenticated(self, headers: Headers) -> Device:
        """Return whose request it is.

        Raises:
            NotAllowedError: nobody's, or a device's that was not accepted (RB-ENROL-NNN).
        """
        return authenticate(self._fleet, hashlib.sha256(bearer(headers)).digest())

    def received(self, device: Device, body: bytes) -> CheckIn:
        """Read a report and decide what its device gets. Nothing may be answered before the record is kept.

        Raises:
            RingbackError: it cannot be taken (RB-REPORT-NNN).
        """
        if self._committer.pending_count >= self._max_pending:
            raise RetryLaterError("RB-REPORT-007", "too many check-ins are on their way to the disk")
        return receive(self._fleet, device, body, now_ms=self._now_ms(), signer=self._signer)

    def keep(self, checked: CheckIn, done: Done) -> None:
        """Make a check-in durable, then call `done` (see `Committer.submit`)."""
        if checked.record is None:
            done(None)
        else:
            self._committer.submit(checked.record, done)

    def next_s(self, device: Device) -> bytes:
        """Return seconds to the next check-in, spread by a tenth either way so that devices do not march in step.

        The spread is drawn from device and seq, not by chance: what happened can be told again from the journal.
        """
        poll_ms = self._fleet.poll_ms(device) or self._default_poll_ms
        draw = crc32(b"%d" % device.seq, crc32(device.row.token_sha256)) % 2001
        return b"%.3f" % (poll_ms * (9_000 + draw) / 10_000_000)

    async def __call__(self, scope: Scope, receive_message: Receive, send: Send) -> None:
        """Answer one check-in by ASGI."""
        try:
            device = self.authenticated(scope["headers"])
            body = await read_body(receive_message, REPORT_BYTES_MAX, too_long=too_long)
            checked = self.received(device, body)
            if checked.record is not None:
                await self._committer.kept(checked.record)
        except ClientGoneError:
            return
        except RingbackError as error:
            log.debug("checkin_refused", code=error.code)
            await respond_error(send, error)
            return
        next_s = (b"ringback-next-s", self.next_s(device))
        if checked.document is None:
            await respond(send, 204, [next_s], b"")
        else:
            length = (b"content-length", b"%d" % len(checked.document))
            await respond(send, 200, [JSON_TYPE, next_s, length], checked.document)


def too_long() -> RingbackError:
    """Return the refusal of a report that is too long to be read."""
    return InputError("RB-REPORT-001", f"a report of more than {REPORT_BYTES_MAX} bytes is not read")
