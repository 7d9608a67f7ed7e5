"""The import rules name layers of the architecture, so that a misspelt name is not silently ignored."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = {
    "__main__",
    *("demo", "bench", "sim", "server", "agent", "cli", "tuf_client", "adapters", "client", "publisher"),
    *("usecases", "ports", "control", "plan", "health", "spec", "stats", "errors"),
}


def contracts():
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return {name.rsplit(":", 1)[1]: parser[name] for name in parser.sections() if ":contract:" in name}


def names(contract, field):
    return contract[field].replace("(", " ").replace(")", " ").replace("|", " ").split()


def exists(module):
    path = ROOT / "src" / Path(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_the_layers_are_the_ones_of_the_architecture():
    assert set(names(contracts()["layers"], "layers")) == LAYERS


def test_each_own_module_a_rule_names_is_a_layer_or_exists():
    fields = ("source_modules", "forbidden_modules", "protected_modules", "allowed_importers", "ancestors")
    for contract in contracts().values():
        for field in fields:
            for module in names(contract, field) if field in contract else ():
                root, _, rest = module.partition(".")
                if root == "ringback" and rest:
                    assert rest.split(".")[0] in LAYERS, f"{module} is no layer"
                elif root.startswith("ringback"):
                    assert exists(module), f"{module} does not exist"


def test_every_package_of_the_product_is_a_layer():
    found = {path.stem for path in (ROOT / "src" / "ringback").iterdir() if path.suffix in {"", ".py"}}
    assert found - {"__init__", "__pycache__", "py"} <= LAYERS


# An import that a rule must refuse, as (importing module, imported module, name of the rule).
BROKEN = [
    ("ringback.spec.a", "ringback.control", "Programs use the shell, the shell the core"),
    ("ringback_kernel.a", "typing", "The kernel runs on the device and knows nobody"),
    ("ringback.plan.a", "time", "The core does no I/O, reads no clock, rolls no dice"),
    ("ringback.stats.a", "ringback_kernel", "Statistics know numbers, not devices"),
    ("ringback.agent.a", "sqlalchemy", "The Linux agent never needs the fleet's side"),
    ("ringback_esp32.a", "ringback", "The ESP32 agent is the kernel plus drivers"),
    ("ringback.usecases.a", "starlette", "Only the edges speak HTTP and SQL"),
    ("ringback.server.api", "ringback.adapters", "Adapters are wired in one place"),
    ("ringback.cli.a", "ringback.server", "The CLI is a client of the API and of the publisher"),
    ("ringback.tuf_client.a", "tuf", "The TUF client shows the kernel's verifier, not python-tuf's"),
]


def lint(folder):
    """Runs the import rules over a small tree that has every layer; returns what they say."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in (".importlinter", "tools/import_contracts.py"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for package in ("ringback", "ringback_kernel", "ringback_esp32", *(f"ringback/{each}" for each in LAYERS)):
        (tmp_path / "src" / package).mkdir(parents=True)
        (tmp_path / "src" / package / "__init__.py").touch()
    (tmp_path / "src/ringback/server/app.py").write_text("import ringback.adapters\n")
    return tmp_path


def test_a_tree_that_keeps_every_rule_passes(tree):
    assert "0 broken" in lint(tree)


@pytest.mark.parametrize(("importer", "imported", "rule"), BROKEN)
def test_each_rule_refuses_the_import_it_forbids(tree, importer, imported, rule):
    path = (tree / "src" / Path(*importer.split("."))).with_suffix(".py")
    path.write_text(f"import {imported}\n")
    assert f"{rule} BROKEN" in lint(tree)


def test_a_cycle_between_siblings_is_refused(tree):
    (tree / "src/ringback/plan/a.py").write_text("import ringback.plan.b\n")
    (tree / "src/ringback/plan/b.py").write_text("import ringback.plan.a\n")
    assert "No cycles between siblings BROKEN" in lint(tree)


def test_a_package_outside_the_layers_is_refused(tree):
    (tree / "src/ringback/shortcuts").mkdir()
    (tree / "src/ringback/shortcuts/__init__.py").touch()
    assert "not listed as layers" in (shown := lint(tree)) and "- ringback.shortcuts" in shown


def test_every_rule_has_an_import_that_it_refuses():
    tested = {rule for _, _, rule in BROKEN} | {"No cycles between siblings"}
    assert {contract["name"] for contract in contracts().values()} == tested
