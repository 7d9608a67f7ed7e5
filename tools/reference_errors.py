"""The page docs/reference/errors.md: every code of the source, what it means and what to do.

Meanings come from the tables of the code where it has some, everything else from tools/error_codes.toml.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ringback.agent import errors as agent
from ringback.cli import codes as cli
from ringback.plan import codes as plan
from ringback.spec import codes as spec
from ringback_kernel import errors as kernel

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools" / "error_codes.toml"
CODE = re.compile(r"\bRB-[A-Z0-9]+-[0-9]{3}\b")


class Incomplete(Exception):
    """A code without a meaning, or a meaning that stands twice."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One code. `do`: what to do next."""

    code: str
    means: str
    do: str


@dataclass(frozen=True, slots=True)
class Area:
    """All codes of one area, in order."""

    name: str
    title: str
    says: str
    codes: tuple[Explained, ...]


def in_source() -> set[str]:
    """Returns every code that stands in a source file of the product."""
    return {code for path in (ROOT / "src").rglob("*.py") for code in CODE.findall(path.read_text(encoding="utf-8"))}


def meanings() -> dict[str, str]:
    """Returns the meanings that the code itself states."""
    lines = Path(kernel.__file__).read_text(encoding="utf-8")
    noted = dict(re.findall(r'^[A-Z_]+ = "(RB-[A-Z]+-\d{3})"  # (.+)$', lines, flags=re.MULTILINE))
    return {**noted, **spec.MEANINGS, **plan.MEANINGS, **agent.CODES, **cli.MEANINGS}


def areas() -> list[Area]:
    """Returns all areas of the table. Raises Incomplete."""
    known, found = meanings(), []
    for entry in tomllib.loads(TABLE.read_text(encoding="utf-8"))["area"]:
        said = {f"RB-{entry['name']}-{number}": text for number, text in entry.get("codes", {}).items()}
        stated = {code for code in known if code.startswith(f"RB-{entry['name']}-")}
        codes = [_explained(code, known.get(code), said.get(code), entry["do"]) for code in sorted({*said, *stated})]
        found.append(Area(entry["name"], entry["title"], entry["says"], tuple(codes)))
    return found


def _explained(code: str, stated: str | None, said: str | None, otherwise: str) -> Explained:
    means, is_split, do = (said or "").rpartition(" | ")
    if bool(is_split) == bool(stated):
        raise Incomplete(f"{code}: its meaning stands {'twice' if stated else 'nowhere'}; see {TABLE.name}")
    return Explained(code, stated or means, do or otherwise)


HEAD = """# Errors

*Made by `python tools/reference.py` from `tools/error_codes.toml` and the code; a test compares it with both, and fails
when a code of the source has no line here.*

Every error has a code that never changes its meaning, says what was found and what was expected, and ends with a hint
where there is something to do. The API shows it as `{code, message, fields, hint}`, the command line as two lines on
stderr, a device in its report.
"""


def page() -> str:
    """Returns docs/reference/errors.md."""
    lines = [HEAD, " · ".join(f"[{area.name}](#{area.name.lower()})" for area in areas())]
    for area in areas():
        lines += ["", f"## {area.name}", "", f"{area.title}. {area.says}".strip(), ""]
        lines += ["| code | means | what to do |", "|---|---|---|"]
        lines += [f"| `{each.code}` | {_cell(each.means)} | {_cell(each.do)} |" for each in area.codes]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
