"""What MicroPython cannot run is found in the kernel's source, and what it can run is left alone."""

import ast

import pytest

from tools import kernel_subset

BROKEN = [
    ("import typing", "the kernel imports only"),
    ("import os", "the kernel imports only"),
    ("from ringback.errors import X", "the kernel imports only"),
    ("from . import wire", "relative import"),
    ("match x:\n    case 1: pass", "no match statement"),
    ("try: f()\nexcept* ValueError: pass", "no except*"),
    ("def f(a, /): pass", "positional-only"),
    ("class A(metaclass=type): pass", "metaclasses"),
    ("x = {**a}", "dict display"),
    ("x = [*a]", "list, tuple or set display"),
    ("x = (*a, 1)", "list, tuple or set display"),
    ("x = {*a}", "list, tuple or set display"),
    ("x = a[::2]", "no slice steps"),
    ("x = f'{a=}'", "source text"),
    ("x = f'state {a.b = }'", "source text"),
    ("x = a.removeprefix('b')", ".removeprefix does not exist"),
    ("x = hashlib.sha256(b'').hexdigest()", ".hexdigest does not exist"),
    ("x = int('12', base=10)", "no keyword arguments"),
    ("x = json.dumps(a, sort_keys=True)", "sort_keys"),
    ("x = slice(1, 2)", "slice() does not exist"),
    ("x = pow(a, -1, m)", "answers 0"),
    ("x = 1.5", "integers only"),
    ("x = a / b", "integers only"),
    ("a /= b", "integers only"),
    ("x = round(a)", "integers only"),
    ("async def f(): pass", "nothing asynchronous"),
]
KEPT = [
    "import json, hashlib, struct, binascii, gc",
    "from ringback_kernel.wire import canonical",
    "def f(a: int, *, b: int | None = None) -> 'list[int]': return [a, b]",
    "first, *rest = a",
    "f(*a, **b)",
    "x = f'{a!r} of {b}: {c:>5}'",
    "x = a[1:] + a[:-1]",
    "x = a // b % 7",
    "x = pow(a, b - 2, b)",
    "x = json.dumps(a, separators=(',', ':'))",
    "class A(ValueError):\n    def __init__(self, code):\n        self.code = code",
]


def messages(text, *, is_kernel=True):
    return [message for _, message in kernel_subset.violations(ast.parse(text), is_kernel=is_kernel)]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_what_the_device_cannot_run_is_found(text, expected):
    assert any(expected in message for message in messages(text)), messages(text)


@pytest.mark.parametrize("text", KEPT)
def test_what_the_device_can_run_is_left_alone(text):
    assert messages(text) == []


def test_drivers_may_import_their_machine_but_not_what_is_absent():
    assert messages("import machine, network, time, os", is_kernel=False) == []
    assert messages("import dataclasses", is_kernel=False) == ["module dataclasses does not exist on MicroPython"]


def test_drivers_may_divide_and_wait():
    assert messages("async def f():\n    return a / 2.0", is_kernel=False) == []


def test_a_finding_carries_its_line():
    assert next(kernel_subset.violations(ast.parse("x = 1\ny = 2.5"), is_kernel=True))[0] == 2
