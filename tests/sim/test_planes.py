"""A slot is whole only when every byte is the one that was promised."""

import hashlib
import json

import pytest

from ringback.sim.planes import Planes, is_whole, read_manifest

DATA = b"weights"


def manifest(plane: str = "model/face", version: str = "1.0.0") -> bytes:
    entry = {
        "path": "model.onnx",
        "role": "model",
        "size_bytes": len(DATA),
        "sha256": hashlib.sha256(DATA).hexdigest(),
    }
    obj = {"v": 1, "plane": plane, "kind": "model", "name": "m", "version": version, "files": [entry]}
    return json.dumps(obj, sort_keys=True, separators=(",", ":")).encode()


def stocked() -> tuple[Planes, str]:
    planes, raw = Planes(), manifest()
    digest = read_manifest(raw).digest
    slot = planes.slot(digest)
    slot.manifest, slot.files["model.onnx"] = raw, DATA
    return planes, digest


def test_a_slot_with_all_its_bytes_is_whole() -> None:
    planes, digest = stocked()

    assert planes.wholeness() == {digest: True}


@pytest.mark.parametrize("harm", ["other bytes", "missing file", "other manifest"])
def test_a_slot_with_any_other_byte_is_not(harm: str) -> None:
    planes, digest = stocked()
    slot = planes.slot(digest)
    if harm == "other bytes":
        slot.files["model.onnx"] = b"weighty"
    elif harm == "missing file":
        slot.files.clear()
    else:
        slot.manifest = manifest(version="1.0.1")

    assert not is_whole(digest, slot)


def test_pointers_switch_together_or_not_at_all() -> None:
    planes, digest = stocked()

    with pytest.raises(KeyError):
        planes.switch([("model/face", digest), ("config", "sha256:absent")])

    assert planes.running() == {}


def test_pruning_keeps_what_runs() -> None:
    planes, digest = stocked()
    planes.switch([("model/face", digest)])

    planes.prune(frozenset())

    assert list(planes.slots) == [digest]


@pytest.mark.parametrize("raw", [b"no json", b"{}", b"[]", b" " * 70_000])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="manifest|JSON|Expecting"):
        read_manifest(raw)
