"""The pages of the documentation: every link leads somewhere, and every page can be reached from docs/index.md."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NOT_FOR_READERS = {"docs/index.md", "docs/decisions/0000-template.md"}


def links(page: Path) -> list[tuple[str, str]]:
    """Returns (path, anchor) of every link to another page or to a heading, as written."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    return [tuple(f"{link}#".split("#")[:2]) for link in found]  # type: ignore[misc]


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")

    assert not broken


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {(index.parent / path).resolve() for path, _ in links(index) if path}

    lost = {page.relative_to(ROOT).as_posix() for page in PAGES if page not in reached} - NOT_FOR_READERS

    assert not {page for page in lost if page.startswith("docs/")}
