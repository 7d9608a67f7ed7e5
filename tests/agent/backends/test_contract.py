"""The contract of a backend, held against each of them (`ringback.agent.platform.backend`)."""

import contextlib
import hashlib
import os
from pathlib import Path

import pytest

from ringback.agent.errors import PortError
from ringback.agent.files import Disk
from ringback.agent.manifest import parse
from ringback.agent.platform.directory import DirectoryBackend
from ringback.agent.platform.file import FileBackend
from ringback.agent.platform.process import ProcessBackend, Surroundings
from ringback.agent.ports import Running
from ringback.agent.store import ContentStore
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.dying import DiedError, DyingDisk


class Plane:
    """One backend in a folder, what its services would read, and two artifacts for it."""

    def __init__(self, folder, disk):
        self.folder = folder
        self.store = ContentStore(folder / "store", Disk())
        self.backend = self.make(disk)

    def give(self, built):
        for name, data in built.blobs.items():
            self.store.path(name).write_bytes(data)
            self.store.path(name).chmod(0o444)
        return parse(built.manifest)

    def stage(self, built):
        self.backend.stage(self.give(built))

    def slot_of(self, built):
        return next(self.folder.glob(f"planes/**/slots/{built.digest[7:23]}"))


class DirectoryPlane(Plane):
    old = artifacts.model("1.0.0")
    new = artifacts.model("1.1.0", latency_us=900)

    def make(self, disk):
        folder = self.folder / "planes/model/face"
        return DirectoryBackend("model/face", folder, models=self.folder / "models", disk=disk, store=self.store)

    def seen(self):
        """What a service sees: the bytes behind the pointer."""
        path = self.folder / "models/face/model.json"
        return path.read_bytes() if path.exists() else None

    def expected(self, built):
        return built.files["model.json"]


class FilePlane(Plane):
    old = artifacts.config("1.0.0", source="door")
    new = artifacts.config("1.1.0", source="none")

    def make(self, disk):
        target = self.folder / "config.json"
        return FileBackend("config", self.folder / "planes/config", target=target, disk=disk, store=self.store)

    def seen(self):
        path = self.folder / "config.json"
        return path.read_bytes() if path.exists() else None

    def expected(self, built):
        return built.files["config.json"]


class ProcessPlane(Plane):
    old = artifacts.app("1.0.0")
    new = artifacts.app("1.1.0")

    def make(self, disk):
        surroundings = Surroundings(
            run_dir=self.folder / "run",
            config=self.folder / "config.json",
            models=self.folder / "models",
            device="box-1",
            python="/usr/bin/python3",
            extra={},
        )
        folder = self.folder / "planes/app"
        return ProcessBackend("app", folder, surroundings=surroundings, disk=disk, store=self.store)

    def seen(self):
        launches = self.backend.launches()
        return (Path(launches[0].environment["RINGBACK_DIR"]) / "edition.json").read_bytes() if launches else None

    def expected(self, built):
        return built.files["edition.json"]


KINDS = [DirectoryPlane, FilePlane, ProcessPlane]


@pytest.fixture(params=KINDS, ids=["directory", "file", "process"])
def kind(request):
    return request.param


@pytest.fixture
def plane(kind, tmp_path):
    return kind(tmp_path, Disk())


def running(plane):
    """What a fresh agent on the same folder reads back."""
    return type(plane)(plane.folder, Disk()).backend.running()


def test_empty_plane_runs_nothing(plane):
    assert plane.backend.running() is None
    assert plane.backend.active() == ""
    assert plane.seen() is None


def test_staging_touches_nothing_that_is_active(plane):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)

    plane.stage(plane.new)

    assert plane.seen() == plane.expected(plane.old)
    assert running(plane) == Running(plane.old.digest, "1.0.0", {})


def test_switch_is_seen_by_services_and_read_back(plane):
    for built in (plane.old, plane.new, plane.old):
        plane.stage(built)
        plane.backend.switch(built.digest)

        assert plane.seen() == plane.expected(built)
        assert running(plane).digest == built.digest
        assert plane.backend.active() == built.digest


def test_switch_to_nothing_empties_the_plane(plane):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)

    plane.backend.switch("")

    assert plane.backend.running() is None
    assert plane.seen() is None


def test_switch_to_what_was_never_staged_is_refused_and_changes_nothing(plane):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)

    with pytest.raises(PortError) as caught:
        plane.backend.switch(plane.new.digest)

    assert caught.value.code == "RB-AGENT-031"
    assert plane.seen() == plane.expected(plane.old)


def test_staging_twice_is_staging_once(plane):
    plane.stage(plane.new)
    plane.stage(plane.new)

    plane.backend.switch(plane.new.digest)

    assert running(plane).digest == plane.new.digest


def test_death_at_any_step_of_staging_leaves_the_active_alone_and_can_be_repeated(kind, tmp_path):
    total = steps_of(kind, tmp_path / "count", lambda plane: plane.stage(plane.new))
    assert total > 5
    for dies_at in range(total):
        plane = prepared(kind, tmp_path / str(dies_at))
        die(plane, dies_at, lambda plane: plane.stage(plane.new))
        assert running(plane).digest == plane.old.digest
        assert plane.seen() == plane.expected(plane.old)

        again = kind(plane.folder, Disk())
        again.stage(plane.new)
        again.backend.switch(plane.new.digest)

        assert running(plane).digest == plane.new.digest


def test_death_at_any_step_of_a_switch_leaves_wholly_old_or_wholly_new(kind, tmp_path):
    def forward(plane):
        plane.backend.switch(plane.new.digest)

    total = steps_of(kind, tmp_path / "count", forward, stage_new=True)
    seen = set()
    for dies_at in range(total + 1):
        plane = prepared(kind, tmp_path / str(dies_at), stage_new=True)
        die(plane, dies_at, forward)
        after = kind(plane.folder, Disk())
        now = after.backend.running().digest
        built = plane.old if now == plane.old.digest else plane.new
        assert now in {plane.old.digest, plane.new.digest}
        assert after.seen() == plane.expected(built)
        seen.add(now)

        after.backend.switch(plane.new.digest)
        after.backend.switch(plane.old.digest)

        assert running(plane).digest == plane.old.digest
        assert after.seen() == plane.expected(plane.old)
    assert len(seen) == 2


def test_death_at_any_step_of_tidying_never_harms_what_is_kept(kind, tmp_path):
    def tidy(plane):
        plane.backend.keep([plane.old.digest])

    total = steps_of(kind, tmp_path / "count", tidy, stage_new=True)
    assert total > 2
    for dies_at in range(total):
        plane = prepared(kind, tmp_path / str(dies_at), stage_new=True)
        die(plane, dies_at, tidy)
        assert running(plane).digest == plane.old.digest

        again = kind(plane.folder, Disk())
        again.backend.keep([plane.old.digest])
        again.stage(plane.new)

        assert again.backend.slot(plane.new.digest).is_dir()


def test_keep_removes_the_rest_but_never_the_active(plane):
    plane.stage(plane.old)
    plane.stage(plane.new)
    plane.backend.switch(plane.new.digest)

    plane.backend.keep([])

    assert plane.backend.slot(plane.new.digest).is_dir()
    with pytest.raises(PortError):
        plane.backend.slot(plane.old.digest)


def test_byte_changed_in_a_slot_is_read_back_as_something_else(plane):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)
    spoil(plane, plane.old)

    found = running(plane)

    assert found is None or found.digest != plane.old.digest
    assert plane.backend.running() == found


def test_slot_with_other_bytes_is_not_activated_and_is_built_anew(plane):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)
    plane.stage(plane.new)
    file = slot_file(plane, plane.new)
    file.unlink()
    file.write_bytes(b"half")

    with pytest.raises(PortError) as caught:
        plane.backend.switch(plane.new.digest)
    plane.stage(plane.new)
    plane.backend.switch(plane.new.digest)

    assert caught.value.code == "RB-AGENT-031"
    assert running(plane).digest == plane.new.digest


def test_symlink_in_a_slot_that_points_out_is_never_followed(plane, tmp_path):
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)
    plane.stage(plane.new)
    file = slot_file(plane, plane.new)
    outside = tmp_path / "outside"
    outside.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(outside)

    with pytest.raises(PortError):
        plane.backend.switch(plane.new.digest)
    plane.backend.keep([])

    assert outside.exists()
    assert plane.seen() == plane.expected(plane.old)


def test_folder_in_a_slot_that_is_a_symlink_is_never_followed(kind, tmp_path):
    plane = kind(tmp_path, Disk())
    files = {"deep/er/data": ("config" if kind is FilePlane else "asset", b"x")}
    built = artifacts.build(plane.backend.plane, "model", "deep", "1.0.0", files)
    plane.stage(built)
    slot = plane.slot_of(built)
    (slot / "deep").rename(tmp_path / "elsewhere")
    (slot / "deep").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PortError) as caught:
        plane.backend.slot(built.digest)

    assert caught.value.code == "RB-AGENT-031"


def test_sparse_file_of_the_right_size_is_refused(plane):
    plane.stage(plane.new)
    file = slot_file(plane, plane.new)
    size = file.stat().st_size
    file.unlink()
    with open(file, "wb") as sparse:
        sparse.truncate(size)

    with pytest.raises(PortError):
        plane.backend.switch(plane.new.digest)


def test_pipe_in_place_of_a_file_does_not_hang(plane):
    plane.stage(plane.new)
    file = slot_file(plane, plane.new)
    file.unlink()
    os.mkfifo(file)

    with pytest.raises(PortError):
        plane.backend.switch(plane.new.digest)


def test_manifest_of_another_artifact_in_the_slot_is_refused(plane):
    plane.stage(plane.old)
    plane.stage(plane.new)
    path = plane.slot_of(plane.new) / "manifest.json"
    path.unlink()
    path.write_bytes(plane.old.manifest)

    with pytest.raises(PortError) as caught:
        plane.backend.switch(plane.new.digest)

    assert caught.value.code == "RB-AGENT-031"


def test_slot_is_not_a_copy_on_file_systems_with_hard_links(plane):
    plane.stage(plane.new)
    file = slot_file(plane, plane.new)
    stored = plane.store.path(hashlib.sha256(file.read_bytes()).hexdigest())

    assert file.stat().st_ino == stored.stat().st_ino
    assert file.stat().st_mode & 0o222 == 0


def prepared(kind, folder, *, stage_new=False):
    folder.mkdir()
    plane = kind(folder, Disk())
    plane.stage(plane.old)
    plane.backend.switch(plane.old.digest)
    if stage_new:
        plane.stage(plane.new)
    return plane


def steps_of(kind, folder, act, *, stage_new=False):
    prepared(kind, folder, stage_new=stage_new)
    disk = DyingDisk()
    plane = kind(folder, disk)
    disk.steps.clear()
    act(plane)
    return len(disk.steps)


def die(plane, dies_at, act):
    """Runs `act` with a new backend on the same folder, which dies at a step of it."""
    disk = DyingDisk()
    victim = type(plane)(plane.folder, disk)
    disk.steps.clear()
    disk.dies_at = dies_at
    with contextlib.suppress(DiedError):
        act(victim)


def slot_file(plane, built):
    return plane.slot_of(built) / sorted(built.files)[0]


def spoil(plane, built):
    """Changes a byte in the active slot, and of the file that services read where that is another one."""
    targets = [plane.slot_of(built) / path for path in built.files]
    targets += [path for path in [plane.folder / "config.json"] if path.exists()]
    for path in targets:
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
