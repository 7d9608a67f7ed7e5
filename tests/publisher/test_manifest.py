"""A manifest names every byte of an artifact and gives the same digest on any machine."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringback.publisher import manifest
from ringback.publisher.errors import ManifestRefused
from ringback.spec.problem import SpecError

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
    assert package.artifact.ref == "model/face/blazeface@1.0.0"


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
    again = manifest.unpack(package.manifest, tmp_path)
    assert (again.digest, again.blobs) == (package.digest, package.blobs)


def test_a_package_whose_file_has_changed_or_gone_is_not_read_back(file: Path, tmp_path: Path) -> None:
    package = manifest.pack(IDENTITY, {"model.onnx": ("model", file)}, {})
    file.write_bytes(b"Weights")
    with pytest.raises(ManifestRefused, match=r"model.onnx has SHA-256 .* its manifest says") as refused:
        manifest.unpack(package.manifest, tmp_path)
    assert refused.value.code == "RB-PUB-010"
    file.unlink()
    with pytest.raises(ManifestRefused, match="No such file"):
        manifest.unpack(package.manifest, tmp_path)


@pytest.mark.parametrize(
    ("change", "path", "role", "reason"),
    [
        ({}, "../up", "model", "files.0.*relative path"),
        ({}, "/etc/passwd", "model", "relative path"),
        ({}, "a", "weights", "role"),
        ({"plane": "Model"}, "a", "model", "plane"),
        ({"name": "X!"}, "a", "model", "name"),
        ({"version": "1.0"}, "a", "model", "version"),
        ({"classes": ()}, "a", "model", "classes"),
        ({"requires": {"app": "newest"}}, "a", "model", "requires.app"),
    ],
)
def test_what_no_device_would_accept_is_refused_before_it_is_published(
    file: Path, change: dict[str, Any], path: str, role: str, reason: str
) -> None:
    with pytest.raises(SpecError, match=reason):
        manifest.pack(replace(IDENTITY, **change), {path: (role, file)}, {})


def test_a_file_that_is_not_there_is_refused_by_its_path_in_the_artifact(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused, match="model.onnx: No such file"):
        manifest.pack(IDENTITY, {"model.onnx": ("model", tmp_path / "absent")}, {})
