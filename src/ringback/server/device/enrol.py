"""`POST /d/1/enrol`: a claim token for an identity of one's own.

Decides: nothing but HTTP, and how fast wrong claims may be tried; `usecases.enrol` decides.
"""

from __future__ import annotations

import base64

import msgspec
import structlog

from ringback.errors import InputError, NotAllowedError, RetryLaterError, RingbackError
from ringback.ports.clock import Clock
from ringback.ports.ids import Ids
from ringback.ports.signer import Signer
from ringback.server.desk import AsyncDesk
from ringback.server.device.http import (
    JSON_TYPE,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
    respond_error,
)
from ringback.usecases.device import ACCEPTED
from ringback.usecases.enrol import enrol

ENROL_BYTES_MAX = 8 * 1024
WRONG_CLAIMS_PER_MINUTE = 60
"""A claim has 256 bits; this only keeps the log readable and the processor free."""

log = structlog.get_logger("enrol")


class EnrolBody(msgspec.Struct, frozen=True, rename={"device_class": "class"}):
    """What a device sends once."""

    claim: str
    serial: str
    device_class: str
    labels: dict[str, str] = {}
    agent: str = ""


class EnrolAnswer(msgspec.Struct, frozen=True):
    """What it gets once. `director_root`: the Director's TUF root, exact bytes, base64."""

    device: str
    tenant: str
    token: str
    director_root: str
    accepted: bool


class EnrolEndpoint:
    """The raw ASGI endpoint."""

    def __init__(self, desk: AsyncDesk, signer: Signer, ids: Ids, clock: Clock) -> None:
        self._desk = desk
        self._signer = signer
        self._ids = ids
        self._clock = clock
        self._wrong: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one enrolment."""
        try:
            answer = await self._enrol(await read_body(receive, ENROL_BYTES_MAX, too_long=_unreadable))
        except ClientGoneError:
            return
        except RingbackError as error:
            log.warning("enrol_refused", code=error.code)
            await respond_error(send, error)
            return
        body = msgspec.json.encode(answer)
        await respond(send, 201, [JSON_TYPE, (b"content-length", b"%d" % len(body))], body)

    async def _enrol(self, body: bytes) -> EnrolAnswer:
        now_ms = self._clock.now_ms()
        self._wrong = [at_ms for at_ms in self._wrong if at_ms > now_ms - 60_000]
        if len(self._wrong) >= WRONG_CLAIMS_PER_MINUTE:
            raise RetryLaterError("RB-DEVICE-010", "too many wrong claims in the last minute", retry_after_s=60)
        try:
            asked = msgspec.json.decode(body, type=EnrolBody)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(str(error)) from error
        try:
            enrolled = await self._desk.run(
                lambda fleet: enrol(
                    fleet,
                    claim_token=asked.claim,
                    serial=asked.serial,
                    class_id=asked.device_class,
                    labels=asked.labels,
                    ids=self._ids,
                    now_ms=now_ms,
                )
            )
        except NotAllowedError:
            self._wrong.append(now_ms)
            raise
        row = enrolled.device
        log.info("device_enrolled", device=row.device_id, device_class=row.class_id, status=row.status)
        return EnrolAnswer(
            device=row.device_id,
            tenant=row.tenant_id,
            token=enrolled.token,
            director_root=base64.b64encode(self._signer.root).decode(),
            accepted=row.status == ACCEPTED,
        )


def _unreadable(why: str = "more than 8 KiB") -> RingbackError:
    return InputError("RB-ENROL-005", f"the enrolment cannot be read: {why}")
