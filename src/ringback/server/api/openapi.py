"""The API's description (OpenAPI 3.1), generated from the table of operations and the structs of its bodies."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ringback import __version__
from ringback.client.models import ErrorBody
from ringback.server.api.calls import Operation

_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")

Document = dict[str, Any]


def describe(operations: tuple[Operation, ...]) -> bytes:
    """Return the description as JSON, keys sorted, one stable text for one table."""
    kinds = [kind for each in operations for kind in (each.answer, each.request) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*kinds, ErrorBody], ref_template="#/components/schemas/{name}"
    )
    by_kind = dict(zip(map(str, [*kinds, ErrorBody]), schemas, strict=True))
    paths: dict[str, Document] = {}
    for operation in operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, by_kind)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ringback operator API",
            "version": __version__,
            "description": "POST takes `Idempotency-Key`; changes of a rollout take `If-Match: <generation>`; lists "
            "take `limit` and `cursor`. Every error has one shape: code, message, fields, hint.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1) + b"\n"


def _operation(operation: Operation, by_kind: dict[str, Document]) -> Document:
    described: Document = {
        "summary": operation.summary,
        "operationId": _operation_id(operation),
        "responses": {
            str(operation.status): {
                "description": "done",
                **({} if operation.answer is None else {"content": _json(by_kind[str(operation.answer)])}),
            },
            "default": {"description": "refused", "content": _json(by_kind[str(ErrorBody)])},
        },
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(operation.path)
        ]
        + [
            {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in operation.query
        ],
        "x-role": operation.role,
    }
    if operation.is_open:
        described["security"] = []
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _json(by_kind[str(operation.request)])}
    elif operation.raw_type:
        described["requestBody"] = {"required": True, "content": {operation.raw_type: {}}}
    return described


def _operation_id(operation: Operation) -> str:
    words = [word for word in re.split(r"[^a-z0-9]+", operation.path.lower().removeprefix("/v1")) if word != "path"]
    return "_".join([operation.method.lower(), *filter(None, words)])


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}
