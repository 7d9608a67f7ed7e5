"""Short names never guess between two things, and what a server sends is believed only when its hash agrees."""

import hashlib

import httpx
import msgspec
import pytest

from ringback.cli import find, rollback, successors
from ringback.client import Client
from ringback.client.models import Artifact
from ringback.errors import ConflictError, InputError, NotFoundError
from ringback.spec.artifact import encode_manifest

MANIFEST = encode_manifest(
    {
        "v": 1,
        "plane": "config",
        "kind": "config",
        "name": "door",
        "version": "1.0.0",
        "classes": ["door"],
        "epoch": 0,
        "requires": {},
        "files": [
            {"path": "config.json", "role": "config", "size_bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
        ],
        "meta": {"format": "json"},
    }
)
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()


def artifact(digest=DIGEST, manifest=MANIFEST):
    return Artifact(
        digest=digest,
        ref="config/door@1.0.0",
        plane="config",
        kind="config",
        name="door",
        version="1.0.0",
        classes=["door"],
        epoch=0,
        requires={},
        size_bytes=2,
        files=[],
        published_at_ms=0,
        is_frozen=False,
        devices=0,
        manifest=manifest.decode(),
    )


def brief(rollout_id, release):
    return {
        "id": rollout_id,
        "release": release,
        "state": "canary",
        "ring": "",
        "generation": 1,
        "created_at_ms": 0,
        "since_at_ms": 0,
        "reason": "",
        "blamed": "",
        "family": "",
        "text": "",
    }


def server(**pages):
    """Returns a client of a server that knows these things; anything else is not found."""

    def handle(request):
        path = request.url.path.removeprefix("/v1/")
        found = pages.get(path)
        if found is None:
            error = {"code": "RB-X-404", "message": path, "fields": {}, "hint": ""}
            return httpx.Response(404, json=error)
        return httpx.Response(200, content=msgspec.json.encode(found))

    return Client("http://server", transport=httpx.MockTransport(handle))


def page(*items):
    return {"items": list(items), "next": None}


ROLLOUTS = page(brief("01a2109a-1", "face"), brief("01a2109a-2", "voice"), brief("01a2109b-3", "face"))


def test_a_release_means_its_newest_rollout():
    assert find.rollout(server(rollouts=ROLLOUTS), "face") == "01a2109b-3"


def test_the_beginning_of_an_id_means_that_rollout_only_if_no_other_begins_so():
    assert find.rollout(server(rollouts=ROLLOUTS), "01a2109b") == "01a2109b-3"
    with pytest.raises(ConflictError) as refusal:
        find.rollout(server(rollouts=ROLLOUTS), "01a2109a")
    assert refusal.value.code == "RB-CLI-031"
    assert refusal.value.message == ("01a2109a is the beginning of 2 rollouts, 01a2109a-2 and 01a2109a-1 among them")


def test_a_whole_id_that_is_the_beginning_of_another_means_itself():
    known = page(brief("01a2109a-1", "face"), brief("01a2109a-12", "voice"))
    assert find.rollout(server(rollouts=known), "01a2109a-1") == "01a2109a-1"


def test_the_beginning_of_a_digest_that_fits_two_artifacts_is_a_conflict():
    others = [msgspec.structs.replace(artifact(), digest=f"sha256:abcdef{number:058d}") for number in (1, 2)]
    with pytest.raises(ConflictError) as refusal:
        find.artifact(server(artifacts=page(*others)), "abcdef")
    assert refusal.value.code == "RB-CLI-031"
    assert refusal.value.hint == "type more of it, or plane/name@version"


def test_a_name_of_a_device_and_a_release_is_not_guessed():
    device = {"id": "face"}
    client = server(rollouts=ROLLOUTS)
    client.device = lambda name: device  # only that it is there matters
    with pytest.raises(ConflictError) as refusal:
        rollback.meant(client, "face")
    assert refusal.value.code == "RB-CLI-034"
    assert refusal.value.hint == (
        "name the rollout by its id, 01a2109b-3, or the device with: ringback push --rollback --to face"
    )


def test_a_name_of_neither_is_not_found():
    with pytest.raises(NotFoundError) as refusal:
        rollback.meant(server(rollouts=ROLLOUTS), "window")
    assert refusal.value.code == "RB-CLI-035"


def test_a_manifest_is_believed_when_its_bytes_have_its_name(tmp_path):
    package = successors.checked(artifact(), tmp_path)
    assert package.artifact.digest == DIGEST
    assert list(package.blobs.values()) == [tmp_path / "config.json"]


def test_a_manifest_that_was_changed_on_the_way_is_refused(tmp_path):
    changed = MANIFEST.replace(b'"json"', b'"evil"')
    with pytest.raises(InputError) as refusal:
        successors.checked(artifact(manifest=changed), tmp_path)
    assert refusal.value.code == "RB-CLI-043"
    assert refusal.value.message == "the manifest of config/door@1.0.0 arrived with another hash than it is named by"


def test_a_manifest_with_a_path_that_leaves_its_folder_is_refused(tmp_path):
    hostile = MANIFEST.replace(b'"config.json"', b'"../../x.json"')
    digest = "sha256:" + hashlib.sha256(hostile).hexdigest()
    with pytest.raises(InputError) as refusal:
        successors.checked(artifact(digest, hostile), tmp_path)
    assert refusal.value.code.startswith("RB-SPEC-")


def test_a_file_that_was_changed_on_the_way_is_refused(tmp_path):
    from ringback.cli.session import Session

    session = Session(as_json=False, server="http://server", token=None)
    session._client = Client(
        "http://server", transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"[]"))
    )
    with pytest.raises(InputError) as refusal:
        successors.download(session, successors.checked(artifact(), tmp_path))
    assert refusal.value.code == "RB-CLI-043"
    assert refusal.value.message == "config.json of config/door@1.0.0 arrived with another hash than it is named by"
