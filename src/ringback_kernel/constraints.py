"""Decides whether one version or capability satisfies a constraint; used by the spec, the planner and every device.

Never guesses: a missing version satisfies nothing, and text that cannot be read is an error that quotes it.
Precedence of versions follows Semantic Versioning 2.0.0, section 11.
"""

from ringback_kernel import errors
from ringback_kernel.errors import ConstraintError

OPERATORS = (">=", "<=", "==", "!=", ">", "<")
MAX_TEXT = 128


def parse_version(text: str) -> tuple:
    """Return (major, minor, patch, prerelease parts or None) of a semantic version; missing parts count as 0.

    Raises ConstraintError RB-CONSTRAINT-001 for text that is no version.
    """
    core, _, prerelease = _cut(text.split("+", 1)[0], "-") if isinstance(text, str) else ("", "", "")
    numbers = []
    for part in core.split("."):
        numbers.append(int(part) if _is_digits(part) and 0 < len(part) <= 9 else -1)
    if min(numbers) < 0 or len(numbers) > 3 or len(text) > MAX_TEXT or "-" in text.split("+", 1)[0][-1:]:
        found = repr(text)[:40] + " is no version; expected numbers like 1.2.3"
        raise ConstraintError(errors.CONSTRAINT_VERSION, found)
    numbers += [0] * (3 - len(numbers))
    return (numbers[0], numbers[1], numbers[2], tuple(prerelease.split(".")) if prerelease else None)


def compare_versions(left: str, right: str) -> int:
    """Return -1, 0 or 1 as left precedes, equals or follows right."""
    a = parse_version(left)
    b = parse_version(right)
    if a[:3] != b[:3]:
        return -1 if a[:3] < b[:3] else 1
    return _compare_prerelease(a[3], b[3])


def parse(text: str) -> list:
    """Return [(operator, operand text), ...] of a constraint; one_of is the operator of a bare or |-separated value.

    Raises ConstraintError RB-CONSTRAINT-002 when a part cannot be read.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise ConstraintError(errors.CONSTRAINT_TEXT, "a constraint is 1 to 128 characters, found " + repr(text)[:40])
    parts = []
    for part in text.split(","):
        parts.append(_parse_part(part.strip(), text))
    return parts


def satisfies(text: str, value) -> bool:
    """Say whether a version text or a capability (int or str) satisfies every part of the constraint; None never
    does.
    """
    if value is None:
        return False
    for operator, operand in parse(text):
        if not _holds(operator, operand, value):
            return False
    return True


def unmet(requires: dict, versions: dict, capabilities: dict) -> list:
    """Return [(key, constraint, found value or None), ...] for what is not satisfied, sorted by key.

    Keys are plane names or `cap:<name>`; versions is {plane: version text}; capabilities is {name: int or str}.
    """
    missing = []
    for key in sorted(requires):
        found = capabilities.get(key[4:]) if key.startswith("cap:") else versions.get(key)
        if not satisfies(requires[key], found):
            missing.append((key, requires[key], found))
    return missing


def _cut(text: str, mark: str) -> tuple:
    at = text.find(mark)
    return (text, "", "") if at < 0 else (text[:at], mark, text[at + 1 :])


def _is_digits(text: str) -> bool:
    for char in text:
        if char < "0" or char > "9":
            return False
    return True


def _compare_prerelease(a, b) -> int:
    if a == b:
        return 0
    if a is None:
        return 1
    if b is None:
        return -1
    for index in range(min(len(a), len(b))):
        order = _compare_identifier(a[index], b[index])
        if order:
            return order
    return -1 if len(a) < len(b) else 1


def _compare_identifier(a: str, b: str) -> int:
    if a == b:
        return 0
    if _is_digits(a) and _is_digits(b):
        if int(a) == int(b):
            return 0
        return -1 if int(a) < int(b) else 1
    if _is_digits(a) != _is_digits(b):
        return -1 if _is_digits(a) else 1
    return -1 if a < b else 1


def _parse_part(part: str, whole: str) -> tuple:
    for operator in OPERATORS:
        if part.startswith(operator):
            operand = part[len(operator) :].strip()
            if operand and "|" not in operand and " " not in operand:
                return (operator, operand)
            raise ConstraintError(
                errors.CONSTRAINT_TEXT, "constraint " + repr(whole) + " has no value after " + operator
            )
    if not part or part[0] in "=~^!":
        raise ConstraintError(
            errors.CONSTRAINT_TEXT, repr(part) + " in " + repr(whole) + " is no constraint; expected >=1.2, <2 or a|b"
        )
    return ("one_of", part)


def _holds(operator: str, operand: str, value) -> bool:
    if operator == "one_of":
        return str(value) in [choice.strip() for choice in operand.split("|")]
    if isinstance(value, int):
        order = _compare_ints(value, operand)
    else:
        order = compare_versions(value, operand)
    if operator == ">=":
        return order >= 0
    if operator == "<=":
        return order <= 0
    if operator == ">":
        return order > 0
    if operator == "<":
        return order < 0
    return (order == 0) == (operator == "==")


def _compare_ints(value: int, operand: str) -> int:
    negative = operand.startswith("-")
    digits = operand[1:] if negative else operand
    if not digits or not _is_digits(digits):
        raise ConstraintError(
            errors.CONSTRAINT_TEXT, "a capability of " + str(value) + " compares to a number, not " + operand
        )
    number = -int(digits) if negative else int(digits)
    if value == number:
        return 0
    return -1 if value < number else 1
