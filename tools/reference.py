"""Writes the pages of docs/reference that the code can say: documents, wire, API, errors.

A page is a template of tools/pages, in which every {{name}} is a value of the code. Other pages make themselves:
`python -m ringback.cli.reference`, `python -m ringback.agent.reference`, `python tools/kernel_reference.py`,
`python -m ringback.server.api.routes`.

Run: PYTHONPATH=src python tools/reference.py
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import reference_errors
import reference_values

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
TEMPLATES = ROOT / "tools" / "pages"
MARK = re.compile(r"\{\{(\w+)\}\}")


def pages() -> dict[str, str]:
    """Returns the text of every page by its file name. Raises KeyError when a template names no value of the code."""
    values = reference_values.values()
    found = {
        path.name: MARK.sub(lambda mark: values[mark[1]], path.read_text(encoding="utf-8"))
        for path in sorted(TEMPLATES.glob("*.md"))
    }
    return {**found, "errors.md": reference_errors.page()}


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
