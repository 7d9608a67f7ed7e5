"""One contract for every blob store: whole or not at all, by its own hash, never under another name."""

import hashlib
import json

import pytest

from ringback.adapters.blobs import OciBlobs
from ringback.adapters.memory import MemoryBlobs
from ringback.ports.blobs import BlobError
from ringback.ports.store import NoRoomError

CONTENT = b"forty-two bytes of something that matters!"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["memory", "files"])
def blobs(request, tmp_path):
    return MemoryBlobs() if request.param == "memory" else OciBlobs(tmp_path / "blobs")


def put(blobs, content=CONTENT, **options):
    sha256 = hashlib.sha256(content).hexdigest()
    upload = blobs.upload(sha256, **{"announced_bytes": len(content), "limit_bytes": 10_000, **options})
    upload.write(content[:10])
    upload.write(content[10:])
    return upload.finish()


def test_blob_comes_back_whole_and_in_parts(blobs):
    assert put(blobs) == len(CONTENT)

    assert blobs.size_bytes(SHA256) == len(CONTENT)
    assert blobs.read(SHA256, limit_bytes=100) == CONTENT
    assert b"".join(blobs.chunks(SHA256, start=6, stop=9)) == CONTENT[6:9]
    assert b"".join(blobs.chunks(SHA256, start=40, stop=99)) == CONTENT[40:]


def test_large_blob_is_read_in_pieces_of_bounded_size(blobs):
    content = bytes(700_000)
    put(blobs, content, limit_bytes=1_000_000)

    pieces = list(blobs.chunks(hashlib.sha256(content).hexdigest(), start=1, stop=700_000))

    assert max(map(len, pieces)) <= 256 * 1024
    assert sum(map(len, pieces)) == 699_999


def test_unfinished_upload_is_nothing_until_it_is_finished(blobs):
    upload = blobs.upload(SHA256, announced_bytes=len(CONTENT), limit_bytes=100)
    upload.write(CONTENT)

    assert blobs.size_bytes(SHA256) is None
    upload.abort()
    assert blobs.size_bytes(SHA256) is None


@pytest.mark.parametrize(
    ("sent", "announced", "limit", "code"),
    [
        (CONTENT[:-1], len(CONTENT), 100, "RB-BLOB-003"),
        (CONTENT[:-1] + b"?", len(CONTENT), 100, "RB-BLOB-004"),
        (CONTENT[:-1], None, 100, "RB-BLOB-004"),
        (CONTENT + b"!", len(CONTENT), 100, "RB-BLOB-002"),
        (CONTENT, None, 10, "RB-BLOB-002"),
        (CONTENT, 101, 100, "RB-BLOB-002"),
    ],
)
def test_upload_that_is_not_as_announced_is_refused_and_leaves_nothing(blobs, sent, announced, limit, code):
    with pytest.raises(BlobError) as refused:
        upload = blobs.upload(SHA256, announced_bytes=announced, limit_bytes=limit)
        upload.write(sent)
        upload.finish()

    assert refused.value.code == code
    assert blobs.size_bytes(SHA256) is None


def test_blob_that_is_not_here_or_too_large_to_be_read_whole_is_refused(blobs):
    with pytest.raises(BlobError) as absent:
        blobs.read(SHA256, limit_bytes=100)
    put(blobs)
    with pytest.raises(BlobError) as large:
        blobs.read(SHA256, limit_bytes=10)

    assert (absent.value.code, large.value.code) == ("RB-BLOB-001", "RB-BLOB-002")


# --- files alone ------------------------------------------------------------------------------------------------------


def test_leftovers_of_a_crash_are_removed_at_the_next_start_and_whole_blobs_stay(tmp_path):
    blobs = OciBlobs(tmp_path)
    put(blobs)
    upload = blobs.upload("0" * 64, announced_bytes=5, limit_bytes=5)
    upload.write(b"ab")
    upload._file.close()  # as the end of the process would

    again = OciBlobs(tmp_path)

    assert list((tmp_path / "uploads").iterdir()) == []
    assert again.size_bytes(SHA256) == len(CONTENT)


def test_full_disk_refuses_the_upload_and_gives_the_room_back(tmp_path, monkeypatch):
    blobs = OciBlobs(tmp_path)
    upload = blobs.upload(SHA256, announced_bytes=len(CONTENT), limit_bytes=100)
    upload._file.close()
    upload._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the kernel's own full disk

    with pytest.raises(NoRoomError) as refused:
        upload.write(CONTENT)

    assert refused.value.code == "RB-STORE-001"
    assert list((tmp_path / "uploads").iterdir()) == []


def test_folder_is_an_oci_image_layout_that_names_each_artifact(tmp_path):
    blobs = OciBlobs(tmp_path)
    manifest = b'{"v":1}'
    digest = hashlib.sha256(manifest).hexdigest()
    put(blobs)
    put(blobs, manifest)

    for _ in range(2):  # naming it again changes nothing
        blobs.name("app/door@1.0.0", digest=digest, files=(("camera.py", SHA256, len(CONTENT)),))

    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (line,) = json.loads((tmp_path / "index.json").read_text())["manifests"]
    assert line["annotations"] == {"org.opencontainers.image.ref.name": "app/door@1.0.0"}
    document = (tmp_path / "blobs/sha256" / line["digest"].removeprefix("sha256:")).read_bytes()
    assert len(document) == line["size"]
    layers = json.loads(document)["layers"]
    assert [layer["digest"] for layer in layers] == [f"sha256:{digest}", f"sha256:{SHA256}"]
    for path in (tmp_path / "blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        assert path.stat().st_mode & 0o222 == 0
