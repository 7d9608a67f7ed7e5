"""Makes docs/reference/agent.md from the agent's own tables and module texts, so that it can't be out of date.

Run: python -m ringback.agent.reference > docs/reference/agent.md (a test compares the two).
"""

import sys

import click

from ringback.agent import command, device_file, errors, folder, main
from ringback.agent.probes.registry import PROBES

INTRODUCTION = """\
# The agent of a Linux box

*Made by `python -m ringback.agent.reference`; a test compares it with the code.*

The agent is one process of at most 35 MB. It asks the server what the box should run, brings it there, watches the
inference path and takes back what harms it; everything it decides, it decides without the server.
"""


ABOUT_PROBES = """\
Rules name probes of this closed list; a rule's `arg` is the argument. A value that cannot be known yet is left out,
which gates read as waiting.
"""


def document() -> str:
    """Returns the whole page."""
    parts = [
        INTRODUCTION,
        "## Commands\n",
        *_commands(),
        "## How it ends\n",
        _text(main).partition("\n\n")[2],
        "## `device.toml`\n",
        _fenced(_text(device_file), "toml"),
        "## The state folder\n",
        _fenced(_text(folder), "text"),
        "## Probes\n",
        ABOUT_PROBES,
        *_probes(),
        "## Codes\n",
        *_codes(),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _text(module: object) -> str:
    return (getattr(module, "__doc__", "") or "").strip()


def _fenced(text: str, language: str) -> str:
    """Returns a text whose indented part is a fenced block."""
    lines: list[str] = []
    is_inside = False
    for line in text.split("\n"):
        is_code = line.startswith("    ") or (is_inside and not line)
        if is_code != is_inside:
            lines.append(f"```{language}" if is_code else "```")
        lines.append(line.removeprefix("    ") if is_code else line)
        is_inside = is_code
    if is_inside:
        lines.append("```")
    return "\n".join(lines).replace("\n\n```\n", "\n```\n\n")


def _commands() -> list[str]:
    parts = []
    for name in sorted(command.command.commands):
        one = command.command.commands[name]
        context = click.Context(one, info_name=f"ringback agent {name}", max_content_width=100, terminal_width=100)
        parts.append(f"```text\n{one.get_help(context)}\n```\n")
    return [*parts, "Exit codes: " + " ".join(_text(command).partition("Exit codes: ")[2].split())]


def _probes() -> list[str]:
    parts = []
    for name, measure in PROBES.items():
        text = _text(sys.modules[measure.__module__])
        first, _, rest = text.partition("\n\n")
        what = first.partition(": ")[2]
        parts.append(f"### {name}\n\n{what[:1].upper()}{what[1:]}\n\n{rest}\n")
    return parts


def _codes() -> list[str]:
    rows = [f"| `{code}` | {meaning} |" for code, meaning in errors.CODES.items()]
    return ["\n".join(["| code | meaning |", "|---|---|", *rows])]


if __name__ == "__main__":
    sys.stdout.write(document())
