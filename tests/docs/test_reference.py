"""The pages that tools/reference.py makes: they are what the code says, and nothing that the code knows is left out."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.publisher import recipe
from ringback.spec import artifact, device_class, read, release
from ringback.spec.canonical import encode

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "tests" / "spec" / "good"

sys.path.insert(0, str(ROOT / "tools"))
import reference  # noqa: E402
import reference_errors as errors  # noqa: E402
import reference_values  # noqa: E402

PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    hint = "run: PYTHONPATH=src python tools/reference.py"

    assert (reference.FOLDER / name).read_text(encoding="utf-8") == PAGES[name], hint


def test_every_value_is_used_by_a_template() -> None:
    used = {name for path in reference.TEMPLATES.glob("*.md") for name in reference.MARK.findall(path.read_text())}

    assert used == set(reference_values.values())


def test_every_code_of_the_source_has_a_line_and_every_line_a_code() -> None:
    explained = [each.code for area in errors.areas() for each in area.codes]

    assert set(explained) == errors.in_source(), "see tools/error_codes.toml"
    assert len(explained) == len(set(explained))


def test_every_code_says_what_to_do() -> None:
    silent = [each.code for area in errors.areas() for each in area.codes if not each.means or not each.do]

    assert not silent


def test_code_without_a_meaning_is_refused() -> None:
    with pytest.raises(errors.Incomplete, match="RB-NEW-001: its meaning stands nowhere"):
        errors._explained("RB-NEW-001", None, "what to do", "nothing")


def test_meaning_that_the_code_has_already_is_refused() -> None:
    with pytest.raises(errors.Incomplete, match="RB-OLD-001: its meaning stands twice"):
        errors._explained("RB-OLD-001", "it is", "it is | what to do", "nothing")


# --- keys of documents ------------------------------------------------------------------------------------------------

Known = set[str]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Known]:
    """Every key that the reader asks for while it reads, with the numbers of list items left out of its path."""
    found: Known = set()
    production = read.keys

    def keys(node, path, *, required, optional):  # type: ignore[no-untyped-def]
        place = re.sub(r"\[\d+\]", "", path)
        found.update(f"{place}.{key}".lstrip(".") for key in (*required, *optional))
        return production(node, path, required=required, optional=optional)

    monkeypatch.setattr(read, "keys", keys)
    yield found


def keys_of(page: str, heading: str) -> Known:
    """The keys in the table under a heading of a page."""
    section = PAGES[page].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = section.partition("| key |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `([\w.]+)` \|", rows, flags=re.MULTILINE))


def leaves(keys: Known) -> Known:
    """The keys without those that only hold other keys."""
    return {key for key in keys if not any(other.startswith(f"{key}.") for other in keys)}


def test_release_page_has_every_key_and_no_other(known: Known) -> None:
    release.parse_release((GOOD / "release_full.yaml").read_text())

    rules = {f"health.rules.{key}" for key in keys_of("release.md", "Health rules")}
    assert leaves(known) == leaves(keys_of("release.md", "Keys") | rules)


def test_class_page_has_every_key_and_no_other(known: Known) -> None:
    device_class.parse_class((GOOD / "class_esp32.json").read_text())

    rules = {f"rules.{key}" for key in keys_of("release.md", "Health rules")}
    assert leaves(known) == leaves(keys_of("class.md", "Keys") | rules)


def test_artifact_page_has_every_key_of_a_manifest_and_no_other(known: Known) -> None:
    schema = {"path": "config.schema.json", "role": "schema", "size_bytes": 2, "sha256": "0" * 64}
    service = {"name": "camera", "argv": ["{python}", "{dir}/camera.py"], "after": [], "ready_ms": 10}
    meta = {"services": [service], "replay": {"argv": ["{dir}/run"]}, "config_schema": "config.schema.json"}
    names = {"v": 1, "plane": "app", "kind": "firmware", "name": "door", "version": "1.0.0", "classes": ["door"]}

    artifact.parse_manifest(encode({**names, "epoch": 0, "requires": {}, "files": [schema], "meta": meta}))

    assert leaves(known | {"meta.config_schema"}) == leaves(keys_of("artifact.md", "The manifest"))


def test_artifact_page_has_every_key_of_a_description_and_no_other(known: Known, tmp_path: Path) -> None:
    (tmp_path / "artifact.yaml").write_text("{plane: config, name: door, version: 1.0.0, classes: [door]}")
    (tmp_path / "config.json").write_text("{}")

    recipe.read_folder(tmp_path)

    assert known == keys_of("artifact.md", "A folder to publish from")
