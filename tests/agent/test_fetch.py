"""Fetching: resume, caps, hashes, room on the disk. Real files, a real HTTP server."""

import hashlib
import os
import resource
import threading

import pytest

from ringback.agent import fetch
from ringback.agent.errors import PortError
from ringback.agent.fetch import Fetcher
from ringback.agent.files import Disk
from ringback.agent.ports import Artifact
from ringback.agent.store import ContentStore
from ringback.agent.transport import HttpTransport, Server
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.blobs import BlobServer

LARGE = os.urandom(600_000)


class Bench:
    """One store and one server that offers one artifact with a large file."""

    def __init__(self, folder, server):
        self.server = server
        self.built = artifacts.build("model/face", "model", "big", "1.0.0", {"model.onnx": ("model", LARGE)})
        server.blobs = dict(self.built.blobs)
        self.large_hex = hashlib.sha256(LARGE).hexdigest()
        self.store = ContentStore(folder / "store", Disk())
        self.folder = folder
        self.ticks = iter(lambda: 0.0, None)
        self.quota_bytes = 0
        self.transport = HttpTransport(Server.parse(server.url), "a" * 64, now_ms=lambda: 0, utc_ms=lambda: 0)

    def fetcher(self):
        fetcher = Fetcher(
            self.transport,
            self.store,
            quota_bytes=self.quota_bytes,
            state=self.folder,
            elapsed_s=lambda: next(self.ticks),
        )
        fetcher.expect(1)
        return fetcher

    def artifact(self, **changes):
        built = self.built
        fields = {
            "plane": "model/face",
            "digest": built.digest,
            "length_bytes": len(built.manifest),
            "payload_bytes": built.payload_bytes,
            "name": "big",
        }
        return Artifact(**{**fields, **changes})

    def fetch(self, **changes):
        self.fetcher().fetch([self.artifact(**changes)], 1)

    def fails(self, **changes):
        with pytest.raises(PortError) as caught:
            self.fetch(**changes)
        return caught.value

    def large_is_stored(self):
        path = self.store.path(self.large_hex)
        return path.exists() and path.read_bytes() == LARGE


@pytest.fixture
def bench(tmp_path):
    with BlobServer() as server:
        bench = Bench(tmp_path, server)
        yield bench
        bench.transport.close()


def test_fetched_artifact_is_whole_and_verifies(bench):
    bench.fetch()

    assert bench.large_is_stored()
    assert bench.fetcher().verify([bench.artifact()])["model/face"]["name"] == "big"


def test_what_is_there_is_not_fetched_again(bench):
    bench.fetch()
    bench.server.requests.clear()

    bench.fetch()

    assert bench.server.requests == []


def test_broken_download_resumes_where_it_stopped(bench):
    bench.server.cut_after_bytes = 250_000
    first = bench.fails()
    bench.server.cut_after_bytes = None

    bench.fetch()

    assert (first.code, first.retry) == ("RB-AGENT-020", True)
    assert bench.server.requests[-1] == (bench.large_hex, "bytes=250000-")
    assert bench.large_is_stored()


def test_server_without_ranges_is_read_from_the_start(bench):
    bench.server.cut_after_bytes = 250_000
    bench.fails()
    bench.server.cut_after_bytes = None
    bench.server.serves_ranges = False

    bench.fetch()

    assert bench.large_is_stored()


def test_part_that_was_damaged_meanwhile_is_thrown_away(bench):
    bench.server.cut_after_bytes = 250_000
    bench.fails()
    bench.server.cut_after_bytes = None
    with open(bench.store.part(bench.large_hex), "r+b") as part:
        part.write(b"damage")

    assert bench.fails().code == "RB-AGENT-022"
    assert not bench.store.part(bench.large_hex).exists()
    bench.fetch()
    assert bench.large_is_stored()


def test_part_longer_than_the_file_is_started_anew(bench):
    bench.store.part(bench.large_hex).write_bytes(LARGE + b"more")

    bench.fetch()

    assert bench.large_is_stored()


def test_other_bytes_of_the_same_size_are_refused(bench):
    bench.server.instead[bench.large_hex] = bytes(len(LARGE))

    error = bench.fails()

    assert error.code == "RB-AGENT-022"
    assert not bench.store.path(bench.large_hex).exists()


def test_not_a_byte_more_than_signed_is_written(bench):
    bench.server.more = bytes(1_000_000)

    bench.fetch()

    assert bench.large_is_stored()
    assert max(path.stat().st_size for path in bench.store.folder.rglob("*")) == len(LARGE)


def test_manifest_of_another_length_than_signed_is_refused(bench):
    assert bench.fails(length_bytes=len(bench.built.manifest) - 1).code == "RB-AGENT-022"


def test_manifest_too_large_to_be_one_is_not_even_asked_for(bench):
    assert bench.fails(length_bytes=100_000).code == "RB-AGENT-023"
    assert bench.server.requests == []


def test_files_larger_than_signed_are_not_fetched(bench):
    error = bench.fails(payload_bytes=bench.built.payload_bytes - 1)

    assert (error.code, error.retry) == ("RB-AGENT-022", False)
    assert not bench.store.part(bench.large_hex).exists()


def test_artifact_for_another_plane_is_refused(bench):
    error = bench.fails(plane="model/voice")

    assert error.code == "RB-AGENT-022"
    assert "model/face" in error.message


def test_missing_file_names_itself_and_may_be_tried_again(bench):
    del bench.server.blobs[bench.large_hex]

    error = bench.fails()

    assert (error.code, error.retry) == ("RB-AGENT-021", True)


def test_unreachable_server_may_be_tried_again(bench):
    bench.transport = HttpTransport(Server.parse("http://127.0.0.1:9"), "", now_ms=lambda: 0, utc_ms=lambda: 0)

    assert (bench.fails().code, bench.fails().retry) == ("RB-AGENT-010", True)


def test_drip_below_the_least_rate_ends_the_download(bench, monkeypatch):
    monkeypatch.setattr(fetch, "LEAST_BYTES_PER_WINDOW", 10_000_000)
    bench.ticks = iter(range(0, 1_000_000, 30))

    error = bench.fails()

    assert error.code == "RB-AGENT-020"
    assert "at least" in error.message


def test_download_nobody_waits_for_gives_up(bench):
    bench.server.hold = threading.Event()
    fetcher = bench.fetcher()
    # The manifest is small enough to pass; the large file stops half-way until another fetch is expected.
    bench.store.part(bench.built.digest.removeprefix("sha256:")).write_bytes(bench.built.manifest)
    timer = threading.Timer(0.1, lambda: (fetcher.expect(2), bench.server.hold.set()))
    timer.start()

    with pytest.raises(PortError) as caught:
        fetcher.fetch([bench.artifact()], 1)

    assert caught.value.code == "RB-AGENT-026"


def test_quota_that_is_used_up_is_told_before_a_byte_is_fetched(bench):
    bench.quota_bytes = fetch.RESERVE_BYTES + 100_000

    error = bench.fails()

    assert (error.code, error.retry) == ("RB-AGENT-024", True)
    assert not bench.store.part(bench.large_hex).exists()


def test_full_disk_is_told_and_recovers_when_there_is_room(bench):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        error = bench.fails()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (error.code, error.retry) == ("RB-AGENT-024", True)
    bench.fetch()
    assert bench.large_is_stored()


def damage(bench):
    path = bench.store.path(bench.large_hex)
    path.chmod(0o600)
    path.write_bytes(LARGE[:-1] + b"x")


def test_verify_finds_a_byte_that_changed_on_the_disk_and_fetches_it_again(bench):
    bench.fetch()
    damage(bench)

    bench.fetcher().verify([bench.artifact()])

    assert bench.large_is_stored()


def test_verify_without_the_server_tells_what_is_damaged(bench):
    bench.fetch()
    damage(bench)
    del bench.server.blobs[bench.large_hex]

    with pytest.raises(PortError) as caught:
        bench.fetcher().verify([bench.artifact()])

    assert caught.value.code == "RB-AGENT-021"
    assert not bench.store.path(bench.large_hex).exists()


def test_nothing_is_begun_without_the_room_a_running_box_needs(bench):
    bench.fetch()
    bench.quota_bytes = 1 << 20

    assert bench.fails().code == "RB-AGENT-024"


def test_symlink_in_the_store_is_not_followed(bench, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(LARGE)
    bench.store.path(bench.large_hex).symlink_to(outside)

    bench.fetch()

    assert not bench.store.path(bench.large_hex).is_symlink()
    assert bench.large_is_stored()
