"""The committed locks are complete, hashed, agree with each other, and cover what pyproject.toml asks for."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["uv.txt", "dev.txt", "runtime.txt"]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)")


def pins(name):
    text = (ROOT / "requirements" / name).read_text()
    return dict(match.groups() for line in text.splitlines() if (match := PIN.match(line)))


def wanted(*extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    return {re.match(r"[\w.-]+", each)[0].lower().replace(".", "-").replace("_", "-") for each in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_is_followed_by_at_least_one_hash(name):
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    for line, following in pairwise(lines):
        if PIN.match(line):
            assert re.match(r"    --hash=sha256:[0-9a-f]{64}", following), line


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_hashes_and_comments_only(name):
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        assert re.match(r"([a-z0-9-]+==\S+( ; .*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?| *#.*)$", line), line


def test_the_locks_cover_the_project_and_its_extras():
    assert wanted("demo", "dev") <= set(pins("dev.txt"))
    assert wanted() <= set(pins("runtime.txt"))


def test_what_runs_in_the_field_is_what_was_tested():
    tested = pins("dev.txt")
    assert {name: tested.get(name) for name in pins("runtime.txt")} == pins("runtime.txt")


def test_the_product_does_not_install_what_only_the_demo_or_the_tests_need():
    assert set(pins("runtime.txt")) & {"numpy", "onnx", "onnxruntime", "pillow", "pytest", "mypy"} == set()
