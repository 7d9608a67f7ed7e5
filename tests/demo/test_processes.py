"""No process outlives the demo, however it ends, unless it was asked to."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from ringback.demo.processes import Process, end, end_kept, write_kept

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
ENV = {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


def sleeper(folder: Path) -> Process:
    process = Process("sleeper", SLEEPER, {}, folder / "sleeper.log", folder)
    process.start()
    return process


def is_gone(pid: int, *, within_s: float = 20.0) -> bool:
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_processes_are_ended_together(tmp_path: Path) -> None:
    both = [sleeper(tmp_path), sleeper(tmp_path)]

    end(both, tmp_path / "demo")

    assert not any(process.is_alive for process in both)


@pytest.mark.parametrize("word", ["", "keep\n"])
def test_the_undertaker_ends_what_is_left_when_the_demo_is_gone_unless_told_to_keep_it(
    tmp_path: Path, word: str
) -> None:
    left = sleeper(tmp_path)
    assert left.popen is not None
    # Whoever started a process has to notice its end; a demo that is gone leaves that to the system.
    threading.Thread(target=left.popen.wait, daemon=True).start()

    subprocess.run(
        [sys.executable, "-m", "ringback.demo.undertaker", str(tmp_path / "demo")],
        input=f"{left.pid}\n{word}",
        text=True,
        env={**os.environ, **ENV},
        timeout=40,
        check=True,
    )

    assert is_gone(left.pid, within_s=20.0 if not word else 0.2) is (not word)
    left.kill()


def test_a_kept_demo_is_ended_by_its_file_and_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    kept, other = sleeper(tmp_path), sleeper(tmp_path)
    path = tmp_path / "processes.json"
    write_kept(path, [kept, other])
    text = path.read_text().replace(f'"pid": {other.pid},\n  "started": ', f'"pid": {other.pid},\n  "started": 1')
    path.write_text(text)

    ended = end_kept(path)

    assert ended == ["sleeper"]
    assert not kept.is_alive
    assert other.is_alive
    assert not path.exists()
    other.kill()


def test_the_end_of_a_log_tells_why_a_program_did_not_start(tmp_path: Path) -> None:
    process = Process("broken", [sys.executable, "-c", "raise SystemExit('no port')"], {}, tmp_path / "log", tmp_path)
    process.start()
    assert process.popen is not None
    process.popen.wait(timeout=20)

    assert process.log_tail() == "no port"
    assert process.ending == "exit code 1"


def test_what_a_killed_agent_left_behind_is_found_by_the_folder_it_runs_from(tmp_path: Path) -> None:
    folder = tmp_path / "rb-1234"
    left = Process("left", [*SLEEPER, str(folder / "box-1")], {}, tmp_path / "left.log", tmp_path)
    other = sleeper(tmp_path)
    left.start()

    end([], folder)

    assert is_gone(left.pid)
    assert other.is_alive
    for process in (left, other):
        process.kill()
