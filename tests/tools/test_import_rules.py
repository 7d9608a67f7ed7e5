"""The import rules name layers of the architecture, so that a misspelt name is not silently ignored."""

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = {
    "__main__",
    *("demo", "bench", "sim", "server", "agent", "cli", "adapters", "client", "publisher"),
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
