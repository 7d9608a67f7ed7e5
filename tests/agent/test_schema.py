"""The config schema subset: the same verdicts as a full validator, for the words it knows; an error for any other."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agent import schema
from ringback.agent.errors import PortError

CAMERA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["source"],
    "properties": {
        "source": {"enum": ["door", "black", "none"]},
        "interval_ms": {"type": "integer", "minimum": 0, "maximum": 100, "multipleOf": 5},
        "name": {"type": "string", "minLength": 1, "maxLength": 4, "pattern": "^[a-z]+$"},
        "zones": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
        "gain": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2},
        "mode": {"const": 1},
        "extra": {"type": ["object", "null"], "additionalProperties": {"type": "boolean"}, "maxProperties": 2},
    },
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 110) | st.floats(-3, 3) | st.sampled_from(["door", "a", "abcde", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=5,
)
CONFIGS = st.dictionaries(st.sampled_from([*CAMERA["properties"], "unknown"]), VALUES, max_size=7)


def faults(document, value):
    return list(schema.check(document, value, "config", 0))


@given(CONFIGS)
def test_verdict_is_that_of_a_full_validator(config):
    full = jsonschema.Draft202012Validator(CAMERA)

    assert bool(faults(CAMERA, config)) == (not full.is_valid(config))


def test_error_names_path_reason_and_what_is_known():
    with pytest.raises(PortError) as caught:
        schema.require_valid(CAMERA, {"source": "garden", "intervall_ms": 1})

    assert caught.value.code == "RB-AGENT-040"
    assert "config.source: 'garden' is none of ['door', 'black', 'none']" in caught.value.message
    assert "config.intervall_ms: unknown; known here:" in caught.value.message


def test_word_that_is_not_known_is_an_error_not_ignored():
    with pytest.raises(PortError) as caught:
        schema.require_valid({"type": "object", "oneOf": []}, {})

    assert caught.value.code == "RB-AGENT-041"
    assert "'oneOf'" in caught.value.message


def test_true_is_not_one():
    assert faults({"enum": [1]}, True)
    assert faults({"const": 0}, False)
    assert faults({"type": "integer"}, True)


def test_schema_nested_without_end_is_an_error():
    deep = {"type": "object"}
    value = {}
    for _ in range(40):
        deep, value = {"properties": {"a": deep}}, {"a": value}

    with pytest.raises(PortError) as caught:
        schema.require_valid(deep, value)

    assert caught.value.code == "RB-AGENT-041"


def test_schema_of_the_door_app_uses_only_known_words():
    from pathlib import Path

    import ringback.demo.material.door as door

    document = json.loads((Path(door.__file__).parent / "config.schema.json").read_bytes())

    assert faults(document, {"camera": {"source": "door"}}) == []
    assert faults(document, {"camera": {"source": "dor"}}) != []
