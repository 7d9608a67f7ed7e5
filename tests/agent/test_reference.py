"""docs/reference/agent.md is what the code says."""

from pathlib import Path

from ringback.agent.reference import document

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "agent.md"


def test_the_reference_page_is_what_the_agent_says():
    assert PAGE.read_text() == document(), "run: python -m ringback.agent.reference > docs/reference/agent.md"
