"""Every command line that an error or a document tells people to type exists, with the options it names."""

import ast
import re
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from ringback.__main__ import GROUP, main

ROOT = Path(__file__).parents[2]
# The name, lower-case words, then options with at most one value each.
LINE = re.compile(r"(?:^|[\s`:(])ringback ([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)((?: --[a-z-]+(?:[ =][^ ]+)?)*)")


def texts():
    """Yields (file, text) for every string in the product and every line of its documents."""
    for file in sorted((ROOT / "src" / "ringback").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "ringback " in node.value:
                yield file.relative_to(ROOT), node.value
    for file in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        for line in file.read_text().splitlines():
            if "`ringback " in line or line.startswith(("ringback ", ".venv/bin/ringback ")):
                yield file.relative_to(ROOT), line


def absent():
    """Returns the programs that are declared but not part of this installation: what they take is not known here."""
    declared = {point.name for point in entry_points(group=GROUP)}
    return {name for name in declared if main.get_command(click.Context(main), name) is None}


ABSENT = absent()


def resolved(words):
    """Returns the command that words call; a noun alone is itself."""
    found = main.get_command(click.Context(main), words[0])
    if isinstance(found, click.Group) and len(words) > 1:
        return found.commands.get(words[1])
    return found


def lines():
    """Yields (file, words, options) of each command line of ours in those texts, each once."""
    seen = set()
    for file, text in texts():
        for match in LINE.finditer(text):
            words, options = match[1].split(), re.findall(r"--[a-z-]+", match[2])
            found = (str(file), tuple(words[:2]), tuple(options))
            if found not in seen and words[0] not in ABSENT:
                seen.add(found)
                yield found


CASES = list(lines())


@pytest.mark.parametrize(
    ("file", "words", "options"),
    CASES,
    ids=[f"{file}: {' '.join((*words, *options))}" for file, words, options in CASES],
)
def test_a_command_line_in_a_text_can_be_typed(file, words, options):
    command = resolved(words)
    assert command is not None, f"{file} names 'ringback {' '.join(words)}', which does not exist"
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert set(options) <= known | {"--help"}, f"{file}: 'ringback {' '.join(words)}' has no {set(options) - known}"


def test_texts_do_name_command_lines():
    assert len(CASES) > 100
