"""Every rule of tools/tidy.py has an example that breaks it and one that keeps it."""

import ast

import pytest

from tools import tidy


def function(lines, docstring_lines=0):
    """Returns the text of a function of that many lines, `def` included, and a docstring on top of that."""
    docstring = '    """D' + "\n" * (docstring_lines - 1) + '    """\n' if docstring_lines else ""
    return "def f():\n" + docstring + "    x = 1\n" * (lines - 1)


SKIP = "import pytest\n"

# rule, path, a text that breaks it, a close relative that keeps it
CASES = [
    ("function-length", "src/a.py", function(61), function(60)),
    ("function-length", "tests/a.py", f"async {function(61)}", function(60, docstring_lines=9)),
    ("positional-parameters", "src/a.py", "def f(a, b, c, d, e): ...\n", "def f(a, b, c, d, *, e): ...\n"),
    (
        "positional-parameters",
        "tools/a.py",
        "def f(a, b, c, d, e=1): ...\n",
        "class A:\n    def f(self, a, b, c, d): ...\n",
    ),
    ("module-length", "src/a.py", "x = 1\n" * 501, "x = 1\n" * 500),
    ("broad-except", "src/a.py", "try: f()\nexcept Exception: pass\n", "try: f()\nexcept ValueError: pass\n"),
    ("broad-except", "src/a.py", "try: f()\nexcept: pass\n", "try: f()\nexcept (OSError, ValueError): pass\n"),
    ("broad-except", "src/a.py", "try: f()\nexcept (OSError, BaseException): pass\n", "raise Exception\n"),
    (
        "broad-except",
        "src/a.py",
        "try: f()\nexcept BaseException:\n    g()\n    raise ValueError\n",
        "try: f()\nexcept BaseException:\n    g()\n    raise\n",
    ),
    ("unfinished", "docs/a.md", "TO" + "DO: later\n", "TO" + "DO (#12): later\n"),
    ("unfinished", "src/a.py", "# FIX" + "ME later\n", "# FIX" + "ME #12\n"),
    (
        "unfinished",
        "src/a.py",
        "def f():\n    raise NotImplementedError('x')\n",
        "def f():\n    raise ValueError('x')\n",
    ),
    ("skip-without-reason", "tests/a.py", f"{SKIP}pytest.skip()\n", f"{SKIP}pytest.skip('no board here')\n"),
    ("skip-without-reason", "tests/a.py", f"{SKIP}pytest.skip('')\n", f"{SKIP}pytest.skip(reason='no board here')\n"),
    (
        "skip-without-reason",
        "tests/a.py",
        f"{SKIP}@pytest.mark.skip\ndef test_a(): ...\n",
        f"{SKIP}@pytest.mark.skip(reason='no board here')\ndef test_a(): ...\n",
    ),
    (
        "skip-without-reason",
        "tests/a.py",
        f"{SKIP}@pytest.mark.skipif(True)\ndef test_a(): ...\n",
        f"{SKIP}@pytest.mark.skipif(True, reason='no board here')\ndef test_a(): ...\n",
    ),
    (
        "skip-without-reason",
        "tests/a.py",
        f"{SKIP}pytest.importorskip('numpy')\n",
        f"{SKIP}pytest.importorskip('numpy', reason='the device has none')\n",
    ),
    ("skip-without-reason", "tests/a.py", f"{SKIP}@pytest.mark.xfail\ndef test_a(): ...\n", "def test_a(): ...\n"),
    ("coverage-without-reason", "src/a.py", "x = 1  # pragma: no cover\n", "x = 1  # pragma: no cover - board only\n"),
    ("module-docstring", "src/a.py", "x = 1\n", '"""Decides x."""\nx = 1\n'),
    ("test-name", "tests/a.py", "def test_revert(): ...\n", "def test_revert_is_quick(): ...\n"),
    ("address", "requirements/a.txt", "# from pypi" + ".org/simple\n", "starlette==1.0\n"),
    ("address", "a.json", '{"resolved": "https://registry.' + 'npmjs.org/x"}\n', '{"integrity": "sha512-x"}\n'),
    ("address", "requirements/a.txt", "--index-" + "url https://example.net\n", "# no --index-" + "url here\n"),
    ("address", "docs/a.md", "see /wo" + "rk/notes\n", "see docs/wo" + "rk/notes and POST /d/1/checkin\n"),
    ("address", "docs/a.md", "in ../share" + "d/research/stack.md\n", "in docs/research/stack.md\n"),
]


def source(path, text):
    return tidy.Source(path, text, ast.parse(text) if path.endswith(".py") else None)


def findings(rule, path, text):
    return list(tidy.RULES[rule](source(path, text)))


@pytest.mark.parametrize(("rule", "path", "broken", "kept"), CASES)
def test_each_rule_finds_its_example_and_leaves_the_relative_alone(rule, path, broken, kept):
    assert findings(rule, path, broken)
    assert findings(rule, path, kept) == []


def test_every_rule_has_an_example():
    assert {case[0] for case in CASES} | {"kernel-subset"} == set(tidy.RULES)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        ("positional-parameters", "tests/a.py", "def f(a, b, c, d, e): ...\n"),
        ("broad-except", "tests/a.py", "try: f()\nexcept Exception: pass\n"),
        ("test-name", "src/a.py", "def test_x(): ...\n"),
        ("module-length", "docs/a.md", "x\n" * 900),
        ("kernel-subset", "src/ringback/a.py", "import typing\n"),
    ],
)
def test_rules_stay_where_they_belong(rule, path, text):
    assert findings(rule, path, text) == []


def test_a_finding_names_the_function_it_is_in():
    text = "class A:\n    def f(self):\n        try: g()\n        except Exception: pass\n"
    assert findings("broad-except", "src/a.py", text)[0].symbol == "A.f"


def exempt(where, rule="module-length", limit=None):
    return tidy.Exemption(rule, where, "one table", limit)


LONG = source("src/a.py", '"""D."""\n' + "x = 1\n" * 600)


def test_an_exempted_file_is_silent():
    assert tidy.check([LONG], (exempt("src/a.py"),)) == []


def test_an_exemption_for_another_file_does_not_help_and_is_reported_as_unneeded():
    lines = tidy.check([LONG], (exempt("src/b.py"),))
    assert lines[0].startswith("src/a.py:1: module-length: 601 lines")
    assert "src/b.py any more: remove it" in lines[1]


def test_an_exemption_with_a_limit_does_not_allow_growth():
    assert tidy.check([LONG], (exempt("src/a.py", limit=601),)) == []
    assert tidy.check([LONG], (exempt("src/a.py", limit=600),))


def test_an_exemption_may_name_one_function():
    loop = source("src/a.py", '"""D."""\ndef run():\n    try: f()\n    except Exception: pass\n')
    assert tidy.check([loop], (exempt("src/a.py::run", rule="broad-except"),)) == []
    assert tidy.check([loop], (exempt("src/a.py::other", rule="broad-except"),))


@pytest.mark.parametrize("row", ['rule = "no-such-rule"\nreason = "x"', 'rule = "module-length"\nreason = " "'])
def test_an_exemption_without_a_known_rule_and_a_reason_is_refused(row):
    with pytest.raises(ValueError, match="exemption of src/a.py"):
        tidy.load_exemptions(f'[[exempt]]\nwhere = "src/a.py"\n{row}\n')


def test_this_project_keeps_its_own_rules():
    assert tidy.main([]) == 0
