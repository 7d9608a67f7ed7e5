"""docs/guides/first-fleet.md is a session that works: its commands are run in their order, on a real server and box."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringback.publisher import recipe
from ringback.spec.device_class import parse_class
from ringback.spec.release import parse_release

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "first-fleet.md"
EXAMPLE = ROOT / "examples" / "first-fleet"
BLOCK = re.compile(r"^```sh( background)?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")
ADDRESS = "http://127.0.0.1:8400"
WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One command of the guide, with the exit code that the guide says."""

    command: str
    code: int
    is_background: bool


def lines() -> list[Line]:
    found = []
    for background, block in BLOCK.findall(GUIDE.read_text()):
        for text in block.strip().splitlines():
            said = EXIT.search(text)
            found.append(Line(EXIT.sub("", text), int(said[1]) if said else 0, bool(background)))
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def session(folder: Path) -> Iterator["Session"]:
    """A copy of the example, a `ringback` on the path, and an end for whatever was started."""
    shutil.copytree(EXAMPLE, folder / "fleet")
    (folder / "bin").mkdir()
    shim = folder / "bin" / "ringback"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ringback "$@"\n')
    shim.chmod(0o755)
    port = free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "RINGBACK_PORT": str(port),
        "RINGBACK_SERVER": f"http://127.0.0.1:{port}",
    }
    made = Session(folder / "fleet", environment, [])
    try:
        yield made
    finally:
        for process in reversed(made.started):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


@dataclass(frozen=True, slots=True)
class Session:
    """A shell in the example's folder."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]]

    def start(self, command: str) -> None:
        command = command.replace(ADDRESS, self.environment["RINGBACK_SERVER"])
        with (self.folder / f"log-{len(self.started)}").open("wb") as log:
            argv = ["bash", "-c", f"exec {command}"]
            self.started.append(
                subprocess.Popen(
                    argv, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def run(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=150
        )
        return done.returncode, done.stdout + done.stderr

    def until(self, command: str, said: str) -> None:
        """Asks until it answers what it should: what was started in the background takes its time."""
        end_s = time.monotonic() + WAIT_S
        while True:
            code, output = self.run(command)
            if code == 0 and said in output:
                return
            logs = [path.read_text()[-400:] for path in self.folder.glob("log-*")]
            assert time.monotonic() < end_s, f"{command}: {output}\n{logs}"
            time.sleep(0.5)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_every_command_of_the_guide_works_in_the_order_in_which_it_stands(tmp_path: Path) -> None:
    ready = iter([("ringback status", "server"), ("ringback device list", "box-1")])
    with session(tmp_path) as shell:
        for line in lines():
            if line.is_background:
                shell.start(line.command)
                shell.until(*next(ready))
                continue
            code, output = shell.run(line.command)
            assert code == line.code, f"{line.command}\n{output}"
        _, shown = shell.run("ringback device show box-1 --json")

    assert '"busy@1.0.0"' in shown or "model/load/busy@1.0.0" in shown


def test_the_example_is_what_its_reader_takes(tmp_path: Path) -> None:
    parse_class((EXAMPLE / "class.yaml").read_text())
    parse_release((EXAMPLE / "second.yaml").read_text())
    (tmp_path / "app").mkdir()

    app = recipe.package_of(EXAMPLE / "app", tmp_path / "app")

    assert [service.name for service in app.artifact.services] == ["sampler", "inference"]


def test_a_model_of_any_format_is_asked_under_the_name_that_it_has_in_its_artifact(tmp_path: Path) -> None:
    package = recipe.package_of(EXAMPLE / "model", tmp_path, recipe.sealing_with(EXAMPLE / "app"))

    assert [path for path, _ in package.of_role("model")] == ["model.json"]
    assert package.artifact.ref == "model/load/busy@1.0.0"
