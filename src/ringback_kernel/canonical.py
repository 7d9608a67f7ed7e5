"""Writes canonical JSON: what signs, and what tests compare. No device needs it: a device checks bytes and never
makes them again.

Source: OLPC canonical JSON as TUF 1.0, section 4.2 names it; for texts without control characters this is it.
"""

import json

from ringback_kernel import errors, wire
from ringback_kernel.errors import WireError


def encode(value) -> bytes:
    """Return the canonical bytes of dicts with text keys, lists, tuples, texts, booleans, None and integers.

    Raises WireError RB-WIRE-008 for anything else.
    """
    parts: list = []
    _write(value, parts)
    return "".join(parts).encode()


def _write(value, parts: list) -> None:
    if value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, int):
        if not -wire.MAX_INT < value < wire.MAX_INT:
            raise WireError(errors.WIRE_VALUE, "the integer %d is not below 2^53" % value)
        parts.append(str(value))
    elif isinstance(value, str):
        parts.append(json.dumps(value))
    elif isinstance(value, (list, tuple)):
        mark = "["
        for item in value:
            parts.append(mark)
            _write(item, parts)
            mark = ","
        parts.append("]" if mark == "," else "[]")
    elif isinstance(value, dict):
        mark = "{"
        for key in sorted(value):
            parts.append(mark)
            parts.append(json.dumps(key))
            parts.append(":")
            _write(value[key], parts)
            mark = ","
        parts.append("}" if mark == "," else "{}")
    else:
        raise WireError(errors.WIRE_VALUE, "a " + type(value).__name__ + " has no canonical form")
