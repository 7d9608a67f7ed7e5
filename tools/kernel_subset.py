"""What the kernel may not use, found in its syntax tree: everything that MicroPython lacks or does differently.

The tests of the kernel run on MicroPython too; this check speaks earlier, and also about lines that no test reaches.
Every entry was tried on MicroPython 1.28 (Unix port). The one entry that does not fail there but is wrong in silence is
`pow(a, -1, m)`: it answers 0.

Source: https://docs.micropython.org/en/latest/genrst/index.html (differences from CPython).
"""

import ast
from collections.abc import Iterator

KERNEL = "ringback_kernel"
KERNEL_IMPORTS = frozenset({KERNEL, "binascii", "gc", "hashlib", "json", "struct"})

# Not on the device, or not the same there. The drivers may import more than the kernel, but none of these.
ABSENT_MODULES = frozenset(
    "__future__ abc asyncio contextlib copy dataclasses datetime decimal enum fractions functools hmac inspect"
    " itertools logging multiprocessing numbers operator pathlib pickle queue secrets shutil string subprocess tempfile"
    " threading traceback types typing unittest urllib uuid warnings".split()
)
ABSENT_METHODS = frozenset(
    "as_integer_ratio bit_count bit_length casefold expandtabs hexdigest isalnum isascii isdecimal isidentifier"
    " isnumeric isprintable istitle ljust maketrans removeprefix removesuffix rjust swapcase title translate zfill"
    " _replace __cause__ __context__ with_traceback add_note".split()
)
ABSENT_BUILTINS = frozenset({"slice", "ascii", "breakpoint", "copyright", "vars", "aiter", "anext"})
# Integers with units only: on the ESP32 a float has 24 bits, and the same comparison would fall out differently.
FLOATS = frozenset({"float", "complex", "round"})
# Calls that take no keyword arguments there.
POSITIONAL_ONLY = frozenset({"int", "sum", "split", "rsplit", "to_bytes", "from_bytes", "decode", "encode"})


def violations(tree: ast.Module, *, is_kernel: bool) -> Iterator[tuple[int, str]]:
    """Yields (line, what is wrong and what to write instead) for each construct outside the subset.

    Args:
        tree: a parsed module.
        is_kernel: whether the stricter rules of the kernel hold (few imports, no floats, nothing asynchronous);
            otherwise those of the drivers.
    """
    for node in ast.walk(tree):
        for message in (*_syntax(node), *_imports(node, is_kernel), *_calls(node)):
            yield getattr(node, "lineno", 1), message
        if is_kernel:
            for message in _kernel_only(node):
                yield getattr(node, "lineno", 1), message


def _syntax(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Match):
        yield "no match statement on MicroPython; write if and elif"
    if isinstance(node, ast.TryStar):
        yield "no except* on MicroPython; catch one class at a time"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and node.args.posonlyargs:
        yield "no positional-only parameters on MicroPython; leave the / out"
    if isinstance(node, ast.ClassDef) and node.keywords:
        yield "no metaclasses or class keywords on MicroPython"
    if isinstance(node, ast.Dict) and None in node.keys:
        yield "no ** inside a dict display on MicroPython; use update()"
    if _unpacks_in_display(node):
        yield "no * inside a list, tuple or set display on MicroPython; add with + or extend()"
    if isinstance(node, ast.Slice) and node.step is not None:
        yield "no slice steps on MicroPython lists; use reversed() or range()"
    if isinstance(node, ast.JoinedStr) and _has_debug_field(node):
        yield "no f'{x=}': it prints source text, not a message for people"


def _unpacks_in_display(node: ast.AST) -> bool:
    """Whether a list, tuple or set display holds a `*`; the same shape as an assignment's target is allowed."""
    if isinstance(node, ast.Set):
        return any(isinstance(element, ast.Starred) for element in node.elts)
    is_value = isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load)
    return is_value and any(isinstance(element, ast.Starred) for element in node.elts)


def _has_debug_field(node: ast.JoinedStr) -> bool:
    for text, field in zip(node.values, node.values[1:], strict=False):
        is_pair = isinstance(text, ast.Constant) and isinstance(field, ast.FormattedValue)
        if is_pair and field.conversion == ord("r"):
            expression = "".join(ast.unparse(field.value).split())
            if "".join(str(text.value).split()).endswith(f"{expression}="):
                return True
    return False


def _imports(node: ast.AST, is_kernel: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = ["." * node.level + (node.module or "")]
    else:
        return
    for name in names:
        root = name.split(".")[0]
        if not root:
            yield f"relative import {name}: name the package, so that a reader and mpy-cross see the same module"
        elif is_kernel and root not in KERNEL_IMPORTS:
            yield f"the kernel imports only {', '.join(sorted(KERNEL_IMPORTS))}; found {name}"
        elif root in ABSENT_MODULES:
            yield f"module {name} does not exist on MicroPython"


def _calls(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and node.attr in ABSENT_METHODS:
        yield f".{node.attr} does not exist on MicroPython"
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in POSITIONAL_ONLY and node.keywords:
        yield f"{name}() takes no keyword arguments on MicroPython"
    if name == "dumps" and any(keyword.arg == "sort_keys" for keyword in node.keywords):
        yield "json.dumps has no sort_keys on MicroPython; use ringback_kernel.wire"
    if isinstance(node.func, ast.Name) and name in ABSENT_BUILTINS:
        yield f"{name}() does not exist on MicroPython"
    if name == "pow" and len(node.args) == 3 and isinstance(node.args[1], ast.UnaryOp):
        yield "pow(a, -1, m) answers 0 on MicroPython; compute the inverse"


def _kernel_only(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
        yield "nothing asynchronous in the kernel: events come in, effects go out"
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield f"the kernel has integers only, found {node.value}: use a smaller unit (_us, _ppm, _mdegc)"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        yield "the kernel has integers only: divide with // and say which way it rounds"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FLOATS:
        yield f"the kernel has integers only: no {node.func.id}()"
