"""Checks a configuration against the JSON Schema that its app declares: before publishing, and before activating.

Decides: whether content fits a schema, and says where not. Never: fetches anything; a schema that refers outside
itself is refused.

Source: JSON Schema 2020-12, by the `jsonschema` library.
"""

from __future__ import annotations

from typing import Final

from ringback.spec.codes import BAD_CONFIG, BAD_SCHEMA, DUPLICATE_KEY
from ringback.spec.problem import Place, Problem, SpecError, refuse, shown

CONFIG_BYTES_MAX: Final = 1024 * 1024
SCHEMA_BYTES_MAX: Final = 256 * 1024
PROBLEMS_MAX: Final = 20
"""Problems shown at once; a wrong schema can produce thousands."""


def check_config(content: bytes, schema: bytes, *, source: str = "config", schema_source: str = "schema") -> None:
    """Return if a configuration fits its schema.

    Args:
        content: JSON, at most CONFIG_BYTES_MAX.
        schema: a JSON Schema, at most SCHEMA_BYTES_MAX.
        source, schema_source: their names for messages.

    Raises SpecError: one of them is no JSON, the schema is none or refers outside itself, or the content does not fit;
        then with one problem per place that does not.
    """
    import json

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    rules = _loaded(schema, schema_source, SCHEMA_BYTES_MAX, BAD_SCHEMA)
    value = _loaded(content, source, CONFIG_BYTES_MAX, BAD_CONFIG)
    place = Place(schema_source)
    if not isinstance(rules, dict | bool):
        raise refuse(BAD_SCHEMA, place, "", found="no mapping", expected="a JSON Schema")
    try:
        Draft202012Validator.check_schema(rules)
    except SchemaError as error:
        path = _path(error.absolute_path)
        raise refuse(BAD_SCHEMA, place, path, found=error.message[:200], expected="a JSON Schema") from error
    # An empty registry: the library's default one would fetch `$ref` addresses from the network.
    validator = Draft202012Validator(rules, registry=Registry())
    problems: list[Problem] = []
    try:
        for wrong in validator.iter_errors(value):
            found = wrong.message if len(wrong.message) <= 200 else f"{wrong.message[:197]}..."
            expected = f"{wrong.validator} {shown(json.dumps(wrong.validator_value))}"
            problems.append(Problem(BAD_CONFIG, Place(source), _path(wrong.absolute_path), found, expected))
            if len(problems) >= PROBLEMS_MAX:
                break
    except Unresolvable as error:
        hint = "copy what it refers to into the schema"
        found = f"the reference {shown(error.ref)}"
        raise refuse(BAD_SCHEMA, place, "", found=found, expected="references inside the schema", hint=hint) from error
    except RecursionError as error:
        raise refuse(BAD_SCHEMA, place, "", found="endless recursion", expected="a schema that ends") from error
    if problems:
        raise SpecError(sorted(problems, key=lambda problem: problem.path))


def _loaded(data: bytes, source: str, bytes_max: int, code: str) -> object:
    """Return the value of a JSON document; floats are allowed here, because configurations have them."""
    import json

    if len(data) > bytes_max:
        raise refuse(code, Place(source), "", found=f"{len(data)} bytes", expected=f"at most {bytes_max} bytes")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) != len(pairs):
            names = [key for key, _ in pairs]
            twice = next(key for key in names if names.count(key) > 1)
            raise refuse(
                DUPLICATE_KEY, Place(source), "", found=f"the key {shown(twice)} again", expected="every key once"
            )
        return made

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise refuse(code, Place(source), "", found="bytes that are not UTF-8", expected="JSON") from error
    except RecursionError as error:
        raise refuse(code, Place(source), "", found="endless nesting", expected="JSON") from error
    except json.JSONDecodeError as error:
        place = Place(source, error.lineno, error.colno)
        raise refuse(code, place, "", found=error.msg, expected="JSON") from error


def _path(parts: object) -> str:
    found = ""
    for part in list(parts):  # type: ignore[call-overload]  # a deque of names and numbers
        found += f"[{part}]" if isinstance(part, int) else f".{part}" if found else str(part)
    return found
