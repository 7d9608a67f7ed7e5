"""From an HTTP request to an operation and back: access, bodies, idempotency, errors in one shape.

Decides: the order of checks: who, whether allowed, what, whether asked before. Never: what an operation does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ringback.client.models import Answer, Health
from ringback.errors import ConflictError, InputError, RingbackError
from ringback.ports.changes import Insert
from ringback.ports.rows import AnswerRow, AuditRow
from ringback.server.api.access import Operator, check_role, operator_of
from ringback.server.api.calls import Call, Operation
from ringback.server.context import Context
from ringback.server.device.http import error_body, error_headers, status_of
from ringback.usecases.fleet import Fleet
from ringback.usecases.work import Outcome, UseCase

BODY_BYTES_MAX: Final = 512 * 1024
KEY_CHARS_MAX: Final = 128

log = structlog.get_logger("api")

_encode = msgspec.json.Encoder(order="deterministic").encode


def endpoint(context: Context, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """Return the Starlette endpoint of one operation."""

    async def answer(request: Request) -> Response:
        try:
            return await _answer(context, operation, request)
        except ClientDisconnect:
            return Response(status_code=499)
        except RingbackError as error:
            log.info("refused", method=operation.method, path=operation.path, code=error.code)
            return error_response(error)

    return answer


def error_response(error: RingbackError) -> Response:
    """Return an error as an answer."""
    response = Response(error_body(error), status_of(error))
    for name, value in error_headers(error):
        response.headers[name.decode()] = value.decode()
    return response


async def _answer(context: Context, operation: Operation, request: Request) -> Response:
    operator = Operator("anyone", "viewer")
    if not operation.is_open:
        operator = operator_of(context, request.scope)
        check_role(operator, operation.role)
    raw = await _body(request)
    if raw and not operation.raw_type and "application/json" not in request.headers.get("content-type", ""):
        raise InputError("RB-API-007", "the body must be `Content-Type: application/json`")
    call = Call(
        context=context,
        path=request.path_params,
        query=request.query_params,
        raw=raw,
        actor=operator.name,
        now_ms=context.clock.now_ms(),
        generation=_generation(request),
    )
    if operation.ask is not None:
        found = await operation.ask(call)
        is_down = isinstance(found, Health) and not found.ok
        return _response(_encode(found), 503 if is_down else operation.status)
    key = request.headers.get("idempotency-key", "")
    if not key:
        answer: Answer = await context.desk.run(await _use_case(operation, call))
        return _response(_encode(answer), operation.status)
    return await _once(context, operation, call, key)


async def _use_case(operation: Operation, call: Call) -> UseCase[Any]:
    if operation.prepare is not None:
        return _on_record(operation, call, await operation.prepare(call))
    assert operation.change is not None
    return _on_record(operation, call, operation.change(call))


def _on_record(operation: Operation, call: Call, use_case: UseCase[Any]) -> UseCase[Any]:
    """Return the use case that also says who did it and why, in the same transaction."""

    def carry_out(fleet: Fleet) -> Outcome[Any]:
        outcome = use_case(fleet)
        if not outcome.changes:
            return outcome
        row = AuditRow(
            tenant_id=fleet.tenant_id,
            seq=fleet.audit_seq + 1,
            at_ms=call.now_ms,
            actor=call.actor,
            action=f"{operation.method} {operation.path}",
            object_id="/".join(call.path.values()),
            reason=_reason(call.raw),
        )
        return Outcome((*outcome.changes, Insert(row)), outcome.answer)

    return carry_out


class _Reasoned(msgspec.Struct):
    reason: str = ""


def _reason(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_Reasoned).reason
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # a manifest, or nothing: only orders have reasons


async def _once(context: Context, operation: Operation, call: Call, key: str) -> Response:
    """Carry a change out once per key; a repetition gets the first answer."""
    if len(key) > KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise InputError("RB-API-009", f"an Idempotency-Key has 1 to {KEY_CHARS_MAX} printable ASCII characters")
    path = operation.path.format(**call.path)
    asked = hashlib.sha256(b"\0".join((operation.method.encode(), path.encode(), call.raw))).digest()
    tenant_id = context.fleet.tenant_id

    async def known() -> AnswerRow | None:
        row = await context.desk.ask(lambda store: store.find(AnswerRow, (tenant_id, key)))
        assert row is None or isinstance(row, AnswerRow)
        if row is not None and row.request_sha256 != asked:
            raise ConflictError(
                "RB-API-010",
                "this Idempotency-Key was used for another request",
                hint="take a new key for a new request",
            )
        return row

    found = await known()  # before any long preparation; asked again when its turn has come
    if found is None:
        fresh = AnswerRow(tenant_id, key, asked, operation.status, b"", call.now_ms)
        found = await context.desk.run_once(known, _with_answer(await _use_case(operation, call), fresh))
    return _response(found.body, found.status)


def _with_answer(use_case: UseCase[Any], fresh: AnswerRow) -> UseCase[AnswerRow]:
    """Return the use case that also keeps its answer, in the same transaction."""

    def carry_out(fleet: Fleet) -> Outcome[AnswerRow]:
        outcome = use_case(fleet)
        row = replace(fresh, body=_encode(outcome.answer))
        return Outcome((*outcome.changes, Insert(row)), row)

    return carry_out


async def _body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise InputError("RB-API-006", f"a body of more than {BODY_BYTES_MAX} bytes is not read here")
        pieces.append(chunk)
    return b"".join(pieces)


def _generation(request: Request) -> int | None:
    text = request.headers.get("if-match", "").strip().strip('"')
    if not text or text == "*":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise InputError("RB-API-005", "If-Match holds a generation: a number")
    return int(text)


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, media_type="application/json")
