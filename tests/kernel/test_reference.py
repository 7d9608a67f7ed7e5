"""docs/reference/kernel.md says what the code does, and the tables in its generator are complete."""

import ast
import importlib.util
import re
from pathlib import Path

from ringback_kernel import transaction, vocabulary
from tests.kernel import micropython

PAGE = micropython.ROOT / "docs" / "reference" / "kernel.md"


def generator():
    spec = importlib.util.spec_from_file_location(
        "kernel_reference", micropython.ROOT / "tools" / "kernel_reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(path: Path, *calls: str) -> set[str]:
    """Return the first text argument of every call of these names, and of tuples appended to `_out`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            for argument in node.args if name in calls else ():
                first = argument.elts[0] if isinstance(argument, ast.Tuple) and argument.elts else argument
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return found


def test_reference_page_is_what_the_code_says() -> None:
    hint = "the kernel changed: PYTHONPATH=src python tools/kernel_reference.py > docs/reference/kernel.md"
    assert PAGE.read_text() == generator().document(), hint


def test_every_phase_is_explained_once() -> None:
    assert sorted(generator().PHASES) == sorted(vocabulary.PHASES)


def test_every_row_has_a_sentence() -> None:
    for phases, event, handler, _ in transaction.TABLE:
        assert handler.__doc__ and handler.__doc__.strip().endswith("."), (phases, event)


def test_every_effect_the_kernel_asks_for_is_listed() -> None:
    asked = set()
    for path in micropython.KERNEL.glob("*.py"):
        asked |= texts(path, "emit", "observe")
        asked |= texts(path, "append") & {"checkin", "reboot", "command", "probe"}

    assert asked | {"log"} == {name for name, _, _ in generator().EFFECTS}


def test_every_event_of_the_table_is_listed() -> None:
    module = generator()
    answers = set(re.findall(r"(\w+_(?:done|failed)):", " ".join(row[2] for row in module.EFFECTS)))

    events = {event for _, event, _, _ in transaction.TABLE}

    assert events - set(module.EVENTS) <= answers
    assert set(module.EVENTS) <= events


def test_every_field_that_is_read_of_a_desired_state_is_listed() -> None:
    module = generator()
    listed = set(re.findall(r"\w+", " ".join(" ".join(row) for row in (*module.DESIRED, *module.RULE))))

    read = texts(micropython.KERNEL / "desired.py", "_int", "_text", "_list", "_object", "_bool", "get")

    assert read and read <= listed, read - listed


def test_every_field_of_a_report_is_listed() -> None:
    module = generator()
    from tests.kernel.both import stories

    world = stories.bad_config()
    world.run(until="reverted")
    world.run(3000)
    report = world.server.reports[-1]

    listed = set(re.findall(r"\w+", " ".join(row[0] for row in module.REPORT)))
    assert set(report) == listed
    listed = set(re.findall(r"\w+", " ".join(row[0] for row in module.OUTCOME)))
    assert set(report["outcome"]) - {"at_ms"} == listed


def test_every_code_is_used_and_explained_once() -> None:
    found = generator().codes()
    assert len({code for _, code, _ in found}) == len(found)
    sources = " ".join(path.read_text() for path in micropython.KERNEL.glob("*.py") if path.name != "errors.py")
    own = (micropython.KERNEL / "errors.py").read_text()

    for name, code, _ in found:
        assert re.search(rf"\b{name}\b", sources) or own.count(name) > 1, f"{name} {code} is never used"


def test_every_limit_has_its_reason() -> None:
    for name, _, _, why in generator()._limits():
        assert why.endswith("."), name
