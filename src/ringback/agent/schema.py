"""The part of JSON Schema (draft 2020-12) that an app's config schema may use on a device.

It decides whether a config satisfies a schema. A keyword that it does not know is an error, never ignored: a check that
silently skips a rule is worse than none. The publisher checks the same config with a full validator.

It needs only the standard library. Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import re
from collections.abc import Callable, Iterator

from ringback.agent.errors import PortError
from ringback.agent.ports import Json

NOTES = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"})
"""Keywords that say something and check nothing."""

DEPTH_LIMIT = 32
FAULTS_LIMIT = 8

TYPES: dict[str, Callable[[Json], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value)),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, int | float),
}

Faults = Iterator[str]
Check = Callable[[Json, Json, str], Faults]


def _is_whole(value: Json) -> bool:
    return isinstance(value, float) and value.is_integer()


def require_valid(schema: Json, value: Json) -> None:
    """Raises PortError: RB-AGENT-040 with path and reason of each fault, RB-AGENT-041 for an unknown keyword."""
    faults = []
    for fault in check(schema, value, "config", 0):
        faults.append(fault)
        if len(faults) == FAULTS_LIMIT:
            break
    if faults:
        raise PortError("RB-AGENT-040", "; ".join(faults))


def check(schema: Json, value: Json, path: str, depth: int) -> Faults:
    """Yields what is wrong with a value, each as `path: reason`."""
    if depth > DEPTH_LIMIT:
        raise PortError("RB-AGENT-041", f"{path}: the schema is nested more than {DEPTH_LIMIT} deep")
    if schema is True:
        return
    if schema is False:
        yield f"{path}: nothing is allowed here"
        return
    if not isinstance(schema, dict):
        raise PortError("RB-AGENT-041", f"{path}: a schema is an object, true or false")
    for word, rule in schema.items():
        if word in RULES:
            yield from RULES[word](rule, value, path)
        elif word not in NOTES and word not in STRUCTURE:
            raise PortError("RB-AGENT-041", f"{path}: the schema uses {word!r}; known: {', '.join(sorted(RULES))}")
    yield from _check_inside(schema, value, path, depth)


def _check_inside(schema: dict[str, Json], value: Json, path: str, depth: int) -> Faults:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        for name, member in value.items():
            if name in properties:
                yield from check(properties[name], member, f"{path}.{name}", depth + 1)
            elif schema.get("additionalProperties") is False:
                known = ", ".join(sorted(properties)) or "none"
                yield f"{path}.{name}: unknown; known here: {known}"
            elif "additionalProperties" in schema:
                yield from check(schema["additionalProperties"], member, f"{path}.{name}", depth + 1)
    if isinstance(value, list) and "items" in schema:
        for index, member in enumerate(value):
            yield from check(schema["items"], member, f"{path}[{index}]", depth + 1)


def _type(rule: Json, value: Json, path: str) -> Faults:
    names = [name for name in (rule if isinstance(rule, list) else [rule]) if isinstance(name, str)]
    if not any(TYPES[name](value) for name in names if name in TYPES):
        yield f"{path}: expected {' or '.join(names)}, found {value!r:.60}"


def _same(left: Json, right: Json) -> bool:
    """Equality of JSON, where true is not 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _enum(rule: Json, value: Json, path: str) -> Faults:
    if isinstance(rule, list) and not any(_same(item, value) for item in rule):
        yield f"{path}: {value!r:.60} is none of {rule!r:.120}"


def _const(rule: Json, value: Json, path: str) -> Faults:
    if not _same(rule, value):
        yield f"{path}: {value!r:.60} is not {rule!r:.60}"


def _number(value: Json) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bound(is_wrong: Callable[[float, float], bool], words: str) -> Check:
    def check_bound(rule: Json, value: Json, path: str) -> Faults:
        number, limit = _number(value), _number(rule)
        if number is not None and limit is not None and is_wrong(number, limit):
            yield f"{path}: {number} is {words} {limit}"

    return check_bound


def _length(is_wrong: Callable[[int, int], bool], kind: type, words: str) -> Check:
    def check_length(rule: Json, value: Json, path: str) -> Faults:
        size = len(value) if isinstance(value, str | list | dict) and isinstance(value, kind) else None
        if size is not None and isinstance(rule, int) and is_wrong(size, rule):
            yield f"{path}: has {size}, {words} {rule}"

    return check_length


def _pattern(rule: Json, value: Json, path: str) -> Faults:
    if isinstance(value, str) and isinstance(rule, str):
        try:
            found = re.search(rule, value[:4096])
        except re.error as error:
            raise PortError("RB-AGENT-041", f"{path}: the schema's pattern {rule!r} is none: {error}") from error
        if not found:
            yield f"{path}: {value!r:.60} does not match {rule}"


def _unique(rule: Json, value: Json, path: str) -> Faults:
    if rule is True and isinstance(value, list):
        twice = [item for index, item in enumerate(value) if any(_same(item, other) for other in value[:index])]
        if twice:
            yield f"{path}: {twice[0]!r:.60} stands there twice"


def _required(rule: Json, value: Json, path: str) -> Faults:
    if isinstance(value, dict) and isinstance(rule, list):
        for name in rule:
            if name not in value:
                yield f"{path}.{name}: missing"


STRUCTURE = frozenset({"properties", "additionalProperties", "items"})

RULES: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "minimum": _bound(lambda number, limit: number < limit, "below"),
    "maximum": _bound(lambda number, limit: number > limit, "above"),
    "exclusiveMinimum": _bound(lambda number, limit: number <= limit, "not above"),
    "exclusiveMaximum": _bound(lambda number, limit: number >= limit, "not below"),
    "multipleOf": _bound(lambda number, step: number % step != 0, "not a multiple of"),
    "minLength": _length(lambda size, limit: size < limit, str, "at least"),
    "maxLength": _length(lambda size, limit: size > limit, str, "at most"),
    "minItems": _length(lambda size, limit: size < limit, list, "at least"),
    "maxItems": _length(lambda size, limit: size > limit, list, "at most"),
    "minProperties": _length(lambda size, limit: size < limit, dict, "at least"),
    "maxProperties": _length(lambda size, limit: size > limit, dict, "at most"),
    "pattern": _pattern,
    "uniqueItems": _unique,
}
