"""Each invariant is broken on purpose, by one wrong line, and the test that is named for it has to fail.

A test that cannot fail checks nothing. So every named test runs here once more, in a small run of pytest of its own,
with the bug in the running code. As it is, it runs at its own place, and all of them together in `make test-full`.
"""

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.invariants.seeded import SEEDED, Seeded

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "invariants.md"
PLAIN = "-q -p no:cacheprovider -p no:xdist -p no:timeout --capture=no --assert=plain".split()
OWNED_HERE = {f"I{number}" for number in range(1, 14)}


class Seen:
    """Takes the outcome of each test of one run."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def run(*tests: str) -> Seen:
    """Runs tests, with all their cases, in this process, so that they meet the code as it is now."""
    seen = Seen()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            [*(str(ROOT / test) for test in tests), *PLAIN, "-o", "addopts=--import-mode=importlib"], plugins=[seen]
        )
    return seen


@pytest.mark.parametrize("seeded", SEEDED, ids=lambda seeded: f"{seeded.invariant}-{seeded.bug.__name__}")
def test_broken_code_fails_the_test_that_is_named_for_the_invariant(
    seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded.bug(monkeypatch)

    assert run(seeded.test).failed, f"{seeded.bug.__name__} went unnoticed by {seeded.test}"


@pytest.mark.full
@pytest.mark.timeout(600)
def test_unbroken_code_passes_every_named_test() -> None:
    named = {seeded.test for seeded in SEEDED}

    seen = run(*sorted(named))

    assert not seen.failed
    assert {f"tests/{test.partition('tests/')[2].partition('[')[0]}" for test in seen.passed} == named


def test_each_invariant_of_the_page_is_broken_at_least_once() -> None:
    on_the_page = set(re.findall(r"^## (I\d+)$", PAGE.read_text(), flags=re.MULTILINE))

    assert on_the_page == OWNED_HERE
    assert {seeded.invariant for seeded in SEEDED} == OWNED_HERE


def test_the_page_names_every_seeded_bug_and_its_test() -> None:
    page = PAGE.read_text()

    missing = [
        name
        for seeded in SEEDED
        for name in (seeded.bug.__name__, seeded.test.partition("::")[2])
        if f"`{name}`" not in page
    ]

    assert not missing


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), flags=re.MULTILINE)
    }

    assert named - defined == set()
