"""A manifest names every byte of an artifact and gives the same digest on any machine."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.publisher import manifest
from ringback.publisher.errors import ManifestRefused

IDENTITY = manifest.Identity("model/face", "model", "blazeface", "1.0.0", ("rk3566-door",), {"app": ">=1.0.0"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def test_the_digest_is_the_sha256_of_canonical_bytes_written_out_here(file: Path) -> None:
    package = manifest.pack(IDENTITY, {"model.onnx": ("model", file)}, {"format": "onnx"})
    expected = (
        '{"classes":["rk3566-door"],"epoch":0,"files":[{"path":"model.onnx","role":"model",'
        f'"sha256":"{hashlib.sha256(b"weights").hexdigest()}","size_bytes":7}}],"kind":"model","meta":{{"format":"onnx"}},'
        '"name":"blazeface","plane":"model/face","requires":{"app":">=1.0.0"},"v":1,"version":"1.0.0"}'
    )
    assert package.manifest.decode() == expected
    assert package.digest == "sha256:" + hashlib.sha256(expected.encode()).hexdigest()
    assert package.blobs == {hashlib.sha256(b"weights").hexdigest(): file}
    assert package.identity.ref == "model/face/blazeface@1.0.0"


def test_the_order_in_which_files_are_given_does_not_matter(file: Path) -> None:
    one = manifest.pack(IDENTITY, {"a": ("model", file), "b": ("asset", file)}, {})
    other = manifest.pack(IDENTITY, {"b": ("asset", file), "a": ("model", file)}, {})
    assert one.digest == other.digest


def test_one_changed_byte_changes_the_digest(file: Path) -> None:
    before = manifest.pack(IDENTITY, {"a": ("model", file)}, {}).digest
    file.write_bytes(b"Weights")
    assert manifest.pack(IDENTITY, {"a": ("model", file)}, {}).digest != before


def test_a_package_is_read_back_as_it_was_packed(file: Path, tmp_path: Path) -> None:
    package = manifest.pack(IDENTITY, {"model.onnx": ("model", file)}, {"format": "onnx"})
    assert manifest.unpack(package.manifest, tmp_path) == package


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../b", "a//b", "", ".", "a b", "a\n", "ä", "a" * 129, "a/"]
)
def test_a_path_that_could_leave_its_slot_or_confuse_a_device_is_refused(file: Path, path: str) -> None:
    with pytest.raises(ManifestRefused, match="no path a device accepts"):
        manifest.pack(IDENTITY, {path: ("model", file)}, {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"plane": "Model"}, "'Model' is no plane name"),
        ({"kind": "modell"}, "'modell' is no kind of plane.*config, firmware, model"),
        ({"name": "x"}, "'x' is no artifact name"),
        ({"classes": ()}, "names no device class"),
    ],
)
def test_an_artifact_that_is_called_something_impossible_is_refused(
    file: Path, change: dict[str, str], reason: str
) -> None:
    with pytest.raises(ManifestRefused, match=reason) as refused:
        manifest.pack(replace(IDENTITY, **change), {"a": ("model", file)}, {})
    assert refused.value.code == "RB-PUB-010"


def test_an_unknown_role_a_missing_file_and_no_file_at_all_are_refused(file: Path, tmp_path: Path) -> None:
    for files, reason in (
        ({"a": ("weights", file)}, "'weights' is no role"),
        ({"a": ("model", tmp_path / "absent")}, "No such file"),
        ({}, "has no files"),
    ):
        with pytest.raises(ManifestRefused, match=reason):
            manifest.pack(IDENTITY, files, {})


def test_a_manifest_larger_than_a_device_accepts_is_refused_with_both_sizes(file: Path) -> None:
    files = {f"file-{number}": ("asset", file) for number in range(600)}
    with pytest.raises(ManifestRefused, match=r"has \d+ bytes; at most 65536"):
        manifest.pack(IDENTITY, files, {})


def test_canonical_json_knows_no_floats_that_differ_between_machines() -> None:
    with pytest.raises(ValueError, match="JSON"):
        manifest.canonical(float("nan"))  # type: ignore[arg-type]
    assert json.loads(manifest.canonical({"ä": [1, None, True]})) == {"ä": [1, None, True]}
    assert manifest.canonical({"ä": 1}) == b'{"\\u00e4":1}'
