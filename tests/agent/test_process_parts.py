"""The parts around the driver: lanes, clock, log lines, the lock of the folder, the status page, the storage."""

import contextlib
import json
import threading

import pytest

from ringback.agent import clock, eventlog, folder, local, unix_http
from ringback.agent.device_file import DeviceFile
from ringback.agent.errors import ProbeError, SetupError
from ringback.agent.files import Disk, used_bytes
from ringback.agent.jobs import Lanes
from ringback.agent.ports import NET, PROBE, WORK
from ringback.agent.storage import FileStorage
from tests.agent.fixtures.dying import DiedError, DyingDisk


def opened():
    lanes = Lanes()
    lanes.open()
    return lanes


def collect(lanes, count):
    events = []
    while len(events) < count:
        lanes.wait(5000)
        found = lanes.finished()
        assert found
        events += found
    return events


def test_jobs_of_one_lane_run_in_order():
    lanes = opened()
    for number in range(5):
        lanes.start(WORK, lambda number=number: ("done", {"op": number}))

    assert [event[1]["op"] for event in collect(lanes, 5)] == [0, 1, 2, 3, 4]


def test_slow_job_of_one_lane_holds_up_no_other_lane():
    lanes = opened()
    gate = threading.Event()
    lanes.start(PROBE, lambda: gate.wait(10) and ("probe_done", {}))
    lanes.start(NET, lambda: ("checkin_done", {}))

    first = collect(lanes, 1)
    gate.set()

    assert first[0][0] == "checkin_done"
    assert collect(lanes, 1)[0][0] == "probe_done"


def test_waiting_ends_when_woken():
    lanes = opened()
    threading.Timer(0.05, lanes.wake).start()

    lanes.wait(None)

    assert lanes.finished() == []


def test_work_with_nothing_to_say_gives_no_event():
    lanes = opened()
    lanes.start(WORK, lambda: None)
    lanes.start(WORK, lambda: ("done", {}))

    events = []
    while not events:
        lanes.wait(5000)
        events = lanes.finished()

    assert events == [("done", {})]


def test_clock_that_jumps_by_a_year_is_noticed_once_in_both_directions():
    year_ms = 365 * 24 * 3600 * 1000
    watch = clock.JumpWatch(1_000_000, 500)

    assert watch.jumped_ms(1_001_000, 1500) == 0
    assert watch.jumped_ms(1_002_000 + year_ms, 2500) == year_ms
    assert watch.jumped_ms(1_003_000 + year_ms, 3500) == 0
    assert watch.jumped_ms(1_004_000, 4500) == -year_ms


def test_boot_id_is_sixteen_hex_digits(tmp_path):
    assert len(clock.boot_id()) == 16
    (tmp_path / "id").write_text("Boot Number 7\n")

    assert len(clock.boot_id(tmp_path / "id")) == 16
    assert clock.boot_id(tmp_path / "id") != clock.boot_id()


def test_log_line_stays_one_line_whatever_is_in_it(capsys):
    eventlog.write("fetch", {"text": 'a b\n\x1b[31m"', "n": 3, "empty": "", "list": ["a"]})

    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert 'event=fetch text="a b\\n\\u001b[31m\\"" n=3 empty=""' in line


def test_log_that_nobody_keeps_does_not_end_the_agent(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stderr", full)
        eventlog.write("moved", {"to": "trial"})
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


def test_second_agent_on_a_folder_is_refused(tmp_path):
    paths = folder.of(tmp_path, DeviceFile())
    folder.prepare(paths)
    held = folder.lock(paths)

    with pytest.raises(SetupError) as caught:
        folder.lock(paths)

    assert caught.value.code == "RB-AGENT-002"
    import os

    os.close(held)
    os.close(folder.lock(paths))


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError) as caught:
        folder.prepare(folder.of(tmp_path / "file" / "state", DeviceFile()))

    assert caught.value.code == "RB-AGENT-005"


def test_status_page_shows_the_newest_snapshot_to_its_owner_only(tmp_path):
    page = local.StatusPage(tmp_path)
    page.start()

    page.publish({"state": "idle"})

    assert local.read_status(tmp_path) == {"state": "idle"}
    assert (tmp_path / local.SOCKET_NAME).stat().st_mode & 0o777 == 0o600
    assert unix_http.request(tmp_path / local.SOCKET_NAME, "GET", "/etc/passwd", timeout_ms=1000).status == 404
    page.close()
    with pytest.raises(SetupError) as caught:
        local.read_status(tmp_path)
    assert caught.value.code == "RB-AGENT-006"


def test_socket_in_a_folder_deeper_than_an_address_allows_is_reached(tmp_path):
    deep = tmp_path / ("long name " * 8) / ("and longer " * 8)
    deep.mkdir(parents=True)
    page = local.StatusPage(deep)
    page.start()
    page.publish({"deep": True})

    assert local.read_status(deep) == {"deep": True}
    page.close()


def test_answer_that_drips_is_as_mute_as_none(tmp_path):
    import socket
    import time

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "drip.sock"))
    listener.listen(1)

    def drip():
        peer, _ = listener.accept()
        with peer, pytest.raises(OSError):
            while True:
                peer.sendall(b"x")
                time.sleep(0.02)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    began_s = time.monotonic()

    with pytest.raises(ProbeError) as caught:
        unix_http.get_object(tmp_path / "drip.sock", "/health", timeout_ms=200)
    thread.join(5)
    listener.close()

    assert caught.value.code == "RB-PROBE-001"
    assert time.monotonic() - began_s < 1


def test_storage_tells_an_empty_file_from_an_absent_one(tmp_path):
    storage = FileStorage(tmp_path / "journal", Disk())

    assert storage.read("a") is None
    storage.append("a", b"")

    assert storage.read("a") == b""
    assert storage.size("a") == 0


def test_storage_appends_and_replaces(tmp_path):
    storage = FileStorage(tmp_path / "journal", Disk())
    storage.append("a", b"one")
    storage.append("a", b"two")
    storage.sync("a")

    assert (storage.read("a"), storage.size("a")) == (b"onetwo", 6)
    storage.replace("a", b"new")
    assert storage.read("a") == b"new"


def test_replace_that_dies_at_any_step_leaves_old_or_new(tmp_path):
    for dies_at in range(4):
        place = tmp_path / str(dies_at)
        FileStorage(place, Disk()).replace("a", b"old")
        disk = DyingDisk()
        storage = FileStorage(place, disk)
        disk.dies_at = len(disk.steps) + dies_at
        try:
            storage.replace("a", b"new")
            died = False
        except DiedError:
            died = True

        found = FileStorage(place, Disk()).read("a")
        assert found in ({b"old", b"new"} if died else {b"new"})


def test_new_journal_file_is_made_known_to_its_folder(tmp_path):
    disk = DyingDisk()
    storage = FileStorage(tmp_path / "journal", disk)
    disk.steps.clear()
    storage.append("a", b"x")
    storage.sync("a")
    storage.append("a", b"y")
    storage.sync("a")

    assert disk.steps == ["append a", "sync a", "sync journal/", "append a", "sync a"]


def test_room_used_counts_each_file_once_and_sparse_ones_by_what_they_hold(tmp_path):
    (tmp_path / "a").write_bytes(bytes(100_000))
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)

    assert 100_000 <= used_bytes(tmp_path) < 200_000


def test_documented_codes_are_all_used_and_used_codes_all_documented():
    import re
    from pathlib import Path

    import ringback.agent
    from ringback.agent.errors import CODES

    texts = {path.name: path.read_text() for path in Path(ringback.agent.__file__).parent.rglob("*.py")}
    used = {
        code
        for name, text in texts.items()
        if name != "errors.py"
        for code in re.findall(r"RB-(?:AGENT|PROBE)-\d+", text)
    }

    assert used == set(CODES)
    assert json.dumps(CODES)
