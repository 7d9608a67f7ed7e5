"""Configurations against the schema of their app: the path and the reason, and never a fetch."""

from __future__ import annotations

import json

import pytest

from ringback.spec.config import check_config
from ringback.spec.problem import SpecError

SCHEMA = json.dumps(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["camera"],
        "properties": {
            "camera": {"type": "object", "properties": {"fps": {"type": "integer", "minimum": 1, "maximum": 60}}},
            "threshold": {"type": "number", "exclusiveMinimum": 0},
        },
    }
).encode()


def refusal(content: bytes, schema: bytes = SCHEMA) -> SpecError:
    with pytest.raises(SpecError) as refused:
        check_config(content, schema, source="config.json", schema_source="config.schema.json")
    return refused.value


def test_a_configuration_that_fits_is_accepted_with_its_fractions() -> None:
    check_config(b'{"camera":{"fps":30},"threshold":0.5}', SCHEMA)


def test_a_configuration_that_does_not_fit_is_refused_with_path_and_reason() -> None:
    error = refusal(b'{"camera":{"fps":0},"treshold":1}')

    assert [(one.path, one.code) for one in error.problems] == [("", "RB-SPEC-018"), ("camera.fps", "RB-SPEC-018")]
    assert "'treshold' was unexpected" in error.problems[0].found
    assert error.problems[1].found == "0 is less than the minimum of 1"
    assert error.problems[1].expected == "minimum '1'"


def test_a_missing_key_is_named() -> None:
    assert "'camera' is a required property" in refusal(b"{}").message


@pytest.mark.parametrize(
    ("content", "place", "found"),
    [
        (b'{"camera":', "config.json:1:11", "Expecting value"),
        (b"\xff", "config.json", "bytes that are not UTF-8"),
        (b'{"camera":{},"camera":{}}', "config.json", "the key 'camera' again"),
        (b"[" * 100_000, "config.json", "endless nesting"),
        (b" " * (1024 * 1024 + 1), "config.json", "1048577 bytes"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(content: bytes, place: str, found: str) -> None:
    error = refusal(content)

    assert str(error.problems[0].place) == place
    assert error.problems[0].found == found


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (b'{"type":"objct"}', "'objct' is not valid under any of the given schemas"),
        (b"[]", "no mapping"),
        (b'{"$ref":"https://example.com/schema.json"}', "the reference 'https://example.com/schema.json'"),
        (b'{"$ref":"#/nowhere"}', "the reference '/nowhere'"),
        (b'{"$ref":"#"}', "endless recursion"),
    ],
)
def test_a_schema_that_is_none_or_refers_outside_itself_is_refused(schema: bytes, found: str) -> None:
    error = refusal(b'{"camera":{}}', schema)

    assert error.code == "RB-SPEC-017"
    assert error.problems[0].found == found


def test_at_most_twenty_problems_are_shown() -> None:
    schema = b'{"type":"array","items":{"type":"integer"}}'

    assert len(refusal(json.dumps(["x"] * 1000).encode(), schema).problems) == 20
