"""Manifests: one canonical byte sequence, one digest, and every refusal."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ringback.spec.artifact import encode_manifest, parse_manifest
from ringback.spec.canonical import encode
from ringback.spec.problem import SpecError

HEX = "a" * 64


def manifest(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "v": 1,
        "plane": "app",
        "kind": "firmware",
        "name": "door",
        "version": "1.1.0",
        "classes": ["rk3566-door"],
        "epoch": 0,
        "requires": {"model/face": ">=1", "cap:ram_mb": ">=256"},
        "files": [
            {"path": "camera.py", "role": "code", "size_bytes": 10, "sha256": HEX},
            {"path": "config.schema.json", "role": "schema", "size_bytes": 5, "sha256": HEX},
        ],
        "meta": {
            "services": [
                {"name": "camera", "argv": ["{python}", "{dir}/camera.py"], "after": [], "ready_ms": 5000},
                {"name": "inference", "argv": ["{python}"], "after": ["camera"]},
            ],
            "config_schema": "config.schema.json",
            "interface": 2,
        },
    }
    return {**base, **changes}


def refusal(**changes: object) -> SpecError:
    with pytest.raises(SpecError) as refused:
        encode_manifest(manifest(**changes))  # type: ignore[arg-type]
    return refused.value


def test_a_manifest_is_named_by_the_digest_of_its_exact_bytes() -> None:
    data = encode_manifest(manifest())  # type: ignore[arg-type]
    artifact = parse_manifest(data)

    assert artifact.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert artifact.ref == "app/door@1.1.0"
    assert artifact.target_path == "app/door/1.1.0"
    assert artifact.size_bytes == 15
    assert artifact.config_schema == "config.schema.json"
    assert [(one.name, one.after, one.ready_ms) for one in artifact.services] == [
        ("camera", (), 5000),
        ("inference", ("camera",), 10_000),
    ]
    assert [str(need) for need in artifact.requires] == ["cap:ram_mb >=256", "model/face >=1"]
    assert artifact.file("camera.py") is not None
    assert artifact.file("nothing") is None
    assert json.loads(artifact.meta)["interface"] == 2


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(manifest()).encode(),
        json.dumps(manifest(), sort_keys=True, separators=(",", ":")).encode() + b"\n",
        json.dumps(manifest(name="dör"), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
    ],
)
def test_other_bytes_for_the_same_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(SpecError) as refused:
        parse_manifest(data)

    assert refused.value.code == "RB-SPEC-016"


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"v": 2}, "RB-SPEC-008", "v"),
        ({"plane": "App"}, "RB-SPEC-009", "plane"),
        ({"kind": "software"}, "RB-SPEC-010", "kind"),
        ({"name": "x"}, "RB-SPEC-009", "name"),
        ({"version": "1.1"}, "RB-SPEC-011", "version"),
        ({"version": "1.1.0+5"}, "RB-SPEC-011", "version"),
        ({"classes": []}, "RB-SPEC-008", "classes"),
        ({"epoch": -1}, "RB-SPEC-008", "epoch"),
        ({"epoch": True}, "RB-SPEC-006", "epoch"),
        ({"requires": {"config": ">=2,<1"}}, "RB-SPEC-012", "requires.config"),
        ({"requires": {"config": "~1"}}, "RB-SPEC-012", "requires.config"),
        ({"requires": {"cap:RAM": ">=1"}}, "RB-SPEC-009", "requires.cap:RAM"),
        ({"requires": {"app": ">=2"}}, "RB-SPEC-015", "requires.app"),
        ({"files": []}, "RB-SPEC-008", "files"),
        ({"extra": 1}, "RB-SPEC-004", "extra"),
        ({"meta": []}, "RB-SPEC-006", "meta"),
        ({"meta": {"config_schema": "camera.py"}}, "RB-SPEC-015", "meta.config_schema"),
        ({"meta": {"services": [{"name": "camera", "argv": ["{shell}"]}]}}, "RB-SPEC-010", "meta.services[0].argv[0]"),
        ({"meta": {"services": [{"name": "camera", "argv": []}]}}, "RB-SPEC-008", "meta.services[0].argv"),
        (
            {"meta": {"services": [{"name": "camera", "argv": ["x" * 600, "y" * 600]}]}},
            "RB-SPEC-008",
            "meta.services[0].argv",
        ),
        (
            {"meta": {"services": [{"name": "camera", "argv": ["a"], "after": ["camera"]}]}},
            "RB-SPEC-010",
            "meta.services[0].after[0]",
        ),
        (
            {"meta": {"services": [{"name": "camera", "argv": ["a"]}, {"name": "camera", "argv": ["a"]}]}},
            "RB-SPEC-015",
            "meta.services[1].name",
        ),
        ({"meta": {"replay": {"argv": ["{home}"]}}}, "RB-SPEC-010", "meta.replay.argv[0]"),
        ({"kind": "model"}, "RB-SPEC-015", "meta.services"),
    ],
)
def test_a_value_outside_its_grammar_is_refused_with_its_path(changes: dict[str, object], code: str, path: str) -> None:
    error = refusal(**changes)

    assert (error.code, error.fields["path"]) == (code, path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "a//b", "a/./b", "x" * 129, "a b", "", "ä"])
def test_a_path_that_leaves_its_slot_is_refused(path: str) -> None:
    error = refusal(files=[{"path": path, "role": "code", "size_bytes": 1, "sha256": HEX}], meta={})

    assert error.fields["path"] == "files[0].path"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"role": "virus"}, "files[0].role"),
        ({"sha256": "A" * 64}, "files[0].sha256"),
        ({"size_bytes": -1}, "files[0].size_bytes"),
    ],
)
def test_a_bad_file_entry_is_refused(change: dict[str, object], path: str) -> None:
    entry = {"path": "a", "role": "code", "size_bytes": 1, "sha256": HEX, **change}

    assert refusal(files=[entry], meta={}).fields["path"] == path


def test_a_path_listed_twice_is_refused() -> None:
    entry = {"path": "a", "role": "code", "size_bytes": 1, "sha256": HEX}

    assert refusal(files=[entry, entry], meta={}).fields["path"] == "files[1].path"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "RB-SPEC-001"),
        (b"\xff\xfe", "RB-SPEC-001"),
        (b'{"v":1,"v":1}', "RB-SPEC-003"),
        (b'{"v":1.0}', "RB-SPEC-016"),
        (b'{"v":NaN}', "RB-SPEC-016"),
        (b'{"v":9007199254740992}', "RB-SPEC-016"),
        (b'{"v":' + b"9" * 5000 + b"}", "RB-SPEC-016"),
        (b"[" * 40 + b"]" * 40, "RB-SPEC-002"),
        (b"[" * 60_000, "RB-SPEC-001"),
        (b'"' + b"x" * 70_000 + b'"', "RB-SPEC-002"),
    ],
)
def test_hostile_bytes_are_refused_without_a_crash(data: bytes, code: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_manifest(data)

    assert refused.value.code == code


@given(some.binary(max_size=200))
def test_any_bytes_at_all_are_either_a_manifest_or_a_spec_error(data: bytes) -> None:
    with pytest.raises(SpecError):
        parse_manifest(data)


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers(-(2**53) + 1, 2**53 - 1) | some.text(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    )
)
def test_canonical_bytes_are_ascii_and_mean_the_same_value(value: object) -> None:
    data = encode(value)  # type: ignore[arg-type]

    assert data.isascii()
    assert json.loads(data) == value
    assert encode(json.loads(data)) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_no_json_reader_agrees_about_has_no_canonical_form(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode([value])  # type: ignore[list-item]
