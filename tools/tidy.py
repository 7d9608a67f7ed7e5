"""Checks the limits of STYLE.md that no other tool checks: sizes, stubs, skips, addresses, and the kernel's subset.

Every rule is one function with an entry in RULES, and a failing example in tests/tools/test_tidy.py. What may break a
rule is listed with its reason in tools/tidy_exemptions.toml and nowhere else; an exemption that is no longer needed is
itself an error, so limits only get stricter.

Run: python tools/tidy.py [file...] (default: every file that git knows or would add).
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import kernel_subset

ROOT = Path(__file__).resolve().parent.parent
EXEMPTIONS = ROOT / "tools" / "tidy_exemptions.toml"

MAX_FUNCTION_LINES = 60
MAX_POSITIONAL = 4
MAX_MODULE_LINES = 500
MIN_TEST_NAME_WORDS = 3


@dataclass(frozen=True, slots=True)
class Source:
    """One file to check: its path relative to the project with /, its text, and its tree if it is Python."""

    path: str
    text: str
    tree: ast.Module | None

    def is_in(self, *folders: str) -> bool:
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. `symbol` is the qualified name of the function or class, or empty for the whole file."""

    line: int
    symbol: str
    message: str


@dataclass(frozen=True, slots=True)
class Exemption:
    """What may break one rule: a file, or one symbol in it, up to a limit where the rule has one."""

    rule: str
    where: str
    reason: str
    limit: int | None = None


Rule = Callable[[Source], Iterator[Finding]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def symbols(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yields (qualified name, node) for each function and class, outer ones first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            name = f"{prefix}{node.name}"
            yield name, node
            yield from symbols(node, f"{name}.")
        else:
            yield from symbols(node, prefix)


def functions(source: Source) -> Iterator[tuple[str, Function]]:
    if source.tree is not None:
        for name, node in symbols(source.tree):
            if isinstance(node, Function):
                yield name, node


def symbol_at(source: Source, line: int) -> str:
    """Returns the innermost function or class that holds the line, or an empty string."""
    found = ""
    for name, node in symbols(source.tree or ast.Module([], [])):
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            found = name
    return found


# --- sizes ------------------------------------------------------------------------------------------------------------


def code_lines(node: Function) -> int:
    """Returns how many lines a function has from `def` to its end, without its docstring."""
    docstring = 0
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def function_length(source: Source) -> Iterator[Finding]:
    for name, node in functions(source):
        lines = code_lines(node)
        if lines > MAX_FUNCTION_LINES:
            yield Finding(node.lineno, name, f"{lines} lines, at most {MAX_FUNCTION_LINES}: split reading from acting")


def positional_parameters(source: Source) -> Iterator[Finding]:
    if not source.is_in("src", "tools"):
        return
    for name, node in functions(source):
        given = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        count = len(given) - (given[:1] in (["self"], ["cls"]))
        if count > MAX_POSITIONAL:
            yield Finding(
                node.lineno, name, f"{count} positional parameters, at most {MAX_POSITIONAL}: put a * before the rest"
            )


def module_length(source: Source) -> Iterator[Finding]:
    lines = source.text.count("\n")
    if source.tree is not None and lines > MAX_MODULE_LINES:
        yield Finding(1, "", f"{lines} lines, at most {MAX_MODULE_LINES}: give one of its ideas a module of its own")


# --- honesty ----------------------------------------------------------------------------------------------------------


def broad_except(source: Source) -> Iterator[Finding]:
    """A handler that ends by raising again swallows nothing: it only cleans up."""
    if source.tree is None or not source.is_in("src"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.walk(node.type) if node.type else ()
            names = {name.id for name in caught if isinstance(name, ast.Name)}
            last = node.body[-1]
            cleans_up = isinstance(last, ast.Raise) and last.exc is None
            if not cleans_up and (node.type is None or names & {"Exception", "BaseException"}):
                message = "catches everything; only a main loop may, and it is listed in tools/tidy_exemptions.toml"
                yield Finding(node.lineno, symbol_at(source, node.lineno), message)


def unfinished(source: Source) -> Iterator[Finding]:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b(?!\s*\(?#\d+)")
    for number, line in enumerate(source.text.splitlines(), 1):
        match = marks.search(line)
        if match:
            yield Finding(number, "", f"{match[1]} without an issue number: file an issue and name it (#12)")
    for node in ast.walk(source.tree) if source.tree and source.is_in("src") else ():
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node):
            yield Finding(node.lineno, symbol_at(source, node.lineno), "a stub: whole capability or nothing")


def skip_without_reason(source: Source) -> Iterator[Finding]:
    if source.tree is None or not source.is_in("tests"):
        return
    called: set[ast.AST] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            called.add(node.func)
            name = ast.unparse(node.func)
            if re.fullmatch(r"(pytest\.)?(mark\.)?(skip|skipif|xfail|importorskip)", name) and not has_reason(node):
                yield Finding(node.lineno, symbol_at(source, node.lineno), f"{name} without a reason")
        elif isinstance(node, ast.Attribute) and node not in called:
            name = ast.unparse(node)
            if re.fullmatch(r"(pytest\.)?mark\.(skip|skipif|xfail)", name):
                yield Finding(node.lineno, symbol_at(source, node.lineno), f"{name} without a reason")


def has_reason(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    positional = call.args[:1] if name.endswith("skip") and not name.endswith("importorskip") else []
    given = [*positional, *(keyword.value for keyword in call.keywords if keyword.arg in {"reason", "msg"})]
    return any(not (isinstance(value, ast.Constant) and not str(value.value).strip()) for value in given)


def coverage_without_reason(source: Source) -> Iterator[Finding]:
    pragma = re.compile(r"#\s*pragma: no (cover|branch)\s*$")
    for number, line in enumerate(source.text.splitlines(), 1):
        if source.tree is not None and pragma.search(line):
            yield Finding(number, "", "a coverage exemption says why: # pragma: no cover - only on a real board")


# --- words ------------------------------------------------------------------------------------------------------------


def module_docstring(source: Source) -> Iterator[Finding]:
    if source.tree is not None and source.text.strip() and not ast.get_docstring(source.tree):
        yield Finding(1, "", "no module docstring: what it decides, what it never does, its invariants")


def test_name(source: Source) -> Iterator[Finding]:
    if not source.is_in("tests"):
        return
    for name, node in functions(source):
        words = [word for word in node.name.split("_") if word]
        if words[:1] == ["test"] and len(words) - 1 < MIN_TEST_NAME_WORDS:
            yield Finding(node.lineno, name, "a test's name is a sentence: test_trial_without_confirm_reverts")


def address(source: Source) -> Iterator[Finding]:
    """Index hosts and machine paths: a lock or a script that names one works on one machine only."""
    for number, line in enumerate(source.text.splitlines(), 1):
        for pattern, message in ADDRESSES:
            match = pattern.search(line)
            if match:
                yield Finding(number, "", f"{message}: {match[0].strip()}")


# Written in pieces, so that this file passes its own rule.
INDEX_HOSTS = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "index." + "crates.io",
    "proxy." + "golang.org",
    "repo1." + "maven",
    "deb." + "debian.org",
)
ADDRESSES = (
    (re.compile("|".join(re.escape(host) for host in INDEX_HOSTS)), "address of a package index"),
    (
        re.compile(r"--(?:extra-)?index-" + r"url[= ]\S*[:/]|--find-" + r"links[= ]\S*[:/]"),
        "setting of one machine's index",
    ),
    (re.compile(r"(?<![\w./-])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me|opt/wheels|Users)/[\w.-]+"), "path of one machine"),
    (re.compile(r"(?:\.\./|\b)share" + r"d/(?:research|[A-Z]+\.md)"), "document outside this repository"),
)


def kernel(source: Source) -> Iterator[Finding]:
    if source.tree is not None and source.is_in("src/ringback_kernel", "src/ringback_esp32"):
        is_kernel = source.is_in("src/ringback_kernel")
        for line, message in kernel_subset.violations(source.tree, is_kernel=is_kernel):
            yield Finding(line, symbol_at(source, line), message)


RULES: dict[str, Rule] = {
    "function-length": function_length,
    "positional-parameters": positional_parameters,
    "module-length": module_length,
    "broad-except": broad_except,
    "unfinished": unfinished,
    "skip-without-reason": skip_without_reason,
    "coverage-without-reason": coverage_without_reason,
    "module-docstring": module_docstring,
    "test-name": test_name,
    "address": address,
    "kernel-subset": kernel,
}


# --- the run ----------------------------------------------------------------------------------------------------------


def load_exemptions(text: str) -> tuple[Exemption, ...]:
    """Returns the exemptions in a TOML text; raises ValueError for one with an unknown rule or without a reason."""
    exemptions = tuple(Exemption(**row) for row in tomllib.loads(text).get("exempt", ()))
    for exemption in exemptions:
        if exemption.rule not in RULES or not exemption.reason.strip():
            raise ValueError(f"exemption of {exemption.where}: rule {exemption.rule!r} unknown, or no reason given")
    return exemptions


def covers(exemption: Exemption, rule: str, path: str, finding: Finding) -> bool:
    """Whether an exemption allows a finding: the right rule and place, and a size that did not grow."""
    if exemption.rule != rule or exemption.where not in {path, f"{path}::{finding.symbol}"}:
        return False
    size = int(re.match(r"\d*", finding.message)[0] or 0)
    return exemption.limit is None or size <= exemption.limit


def check(sources: Iterable[Source], exemptions: tuple[Exemption, ...]) -> list[str]:
    """Returns one line for each broken rule and each exemption that nothing needs, in order of path and line."""
    unused = set(exemptions)
    lines: list[tuple[str, int, str]] = []
    for source in sources:
        for rule, find in RULES.items():
            for finding in find(source):
                allowed = {each for each in exemptions if covers(each, rule, source.path, finding)}
                unused -= allowed
                if not allowed:
                    where = f"{source.path}:{finding.line}"
                    name = f" {finding.symbol}:" if finding.symbol else ""
                    lines.append((source.path, finding.line, f"{where}: {rule}:{name} {finding.message}"))
    for exemption in unused:
        text = f"tools/tidy_exemptions.toml: nothing needs '{exemption.rule}' for {exemption.where} any more: remove it"
        lines.append(("tools/tidy_exemptions.toml", 0, text))
    return [text for _, _, text in sorted(lines)]


def read(path: Path) -> Source | None:
    """Returns the file as a source, or None for one that is not text or has gone."""
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return None
    name = path.relative_to(ROOT).as_posix()
    return Source(name, text, ast.parse(text, name) if path.suffix == ".py" else None)


def tracked() -> list[Path]:
    """Returns every file that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0"))) if name]


def main(arguments: list[str]) -> int:
    paths = [Path(argument).resolve() for argument in arguments] or tracked()
    exemptions = load_exemptions(EXEMPTIONS.read_text(encoding="utf-8"))
    sources = [source for source in map(read, paths) if source is not None]
    if arguments:  # an exemption for a file that was not looked at is not unused
        names = {source.path for source in sources}
        exemptions = tuple(each for each in exemptions if each.where.split("::")[0] in names)
    lines = check(sources, exemptions)
    print("\n".join(lines) if lines else f"tidy: {len(sources)} files, {len(exemptions)} exemptions, nothing to say")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
