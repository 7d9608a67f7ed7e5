"""The app accepts exactly what its schema accepts; a refused document names path and reason."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.demo.material import artifacts
from ringback.demo.material.door import settings

SCHEMA = json.loads(settings.SCHEMA_PATH.read_bytes())

values = st.one_of(st.integers(-5, 20_000), st.booleans(), st.sampled_from(["door", "black", "none", "100", ""]))
sections = st.dictionaries(
    st.sampled_from(["source", "frame_interval_ms", "enabled", "threshold_ppm", "save_frames", "other"]), values
)
documents = st.dictionaries(st.sampled_from(["camera", "face", "voice", "upload", "debug", "more"]), sections | values)


@given(documents)
def test_the_apps_own_check_agrees_with_a_full_json_schema_validator(document: dict[str, Any]) -> None:
    valid = jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    assert (settings.check(SCHEMA, document, "") == []) == valid


def test_what_a_config_leaves_out_is_the_schemas_default() -> None:
    found = settings.parse({"camera": {"source": "door"}})
    assert found == settings.Settings("door", 100, True, 600_000, True, 500_000, 1, False)


def test_a_box_without_a_config_runs_on_the_defaults(tmp_path: Path) -> None:
    assert settings.load(str(tmp_path / "absent.json")) == settings.load("")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"camera": {"source": "door", "frame_interval_ms": "100"}}', "camera.frame_interval_ms: expected integer"),
        ('{"camera": {"source": "window"}}', "camera.source: 'window' is none of"),
        ('{"camera": {"source": "door"}, "face": {"threshold_ppm": 0}}', "face.threshold_ppm: 0 is outside 1..999999"),
        ('{"camera": {"source": "door"}, "faces": {}}', "faces: unknown; known here: camera, debug, face"),
        ("{}", "camera: missing"),
        ("[]", "the document: expected object"),
        ("{", "no JSON document"),
    ],
)
def test_a_refused_config_says_where_and_why(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(settings.ConfigRefused, match=reason.replace("{", "\\{")):
        settings.load(str(tmp_path / "config.json"))


def test_of_the_demos_configs_only_the_broken_one_breaks_the_schema() -> None:
    broken = {name for name, document in artifacts.CONFIGS.items() if settings.check(SCHEMA, document, "")}
    assert broken == {"broken"}
