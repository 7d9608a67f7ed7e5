"""The planes and services of one Linux box, as the kernel's `Platform` port sees them.

It decides what a switch entails: the app's services start anew when the app changes, otherwise only those that read the
changed plane are told to reload. Which plane goes where, and when, is the kernel's.

Invariants:

- Before anything of a group is switched, every slot of the group was proven; so a group never stops half-way for a slot
  that is missing or damaged.
- A group that contains the app is switched while the services are down: no old process ever sees a new plane.
- On the way back a service that does not reload is started anew: a revert must not depend on the code that failed.
"""

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ringback.agent import unix_http
from ringback.agent.effects import Log
from ringback.agent.errors import PortError, ProbeError
from ringback.agent.files import Disk
from ringback.agent.manifest import Manifest, Service, hex_of
from ringback.agent.platform.backend import RESTART, Backend
from ringback.agent.platform.directory import DirectoryBackend
from ringback.agent.platform.file import FileBackend
from ringback.agent.platform.process import ProcessBackend, Surroundings
from ringback.agent.ports import Artifact, Change, CommandResult, Running
from ringback.agent.store import ContentStore
from ringback.agent.supervisor import Launch, Supervisor

APP = "app"
CONFIG = "config"
MODEL = "model/"
RELOAD_TIMEOUT_MS = 15_000
"""Loading a model of some 100 MB from an SD card takes several seconds."""
SETTLE_TIMEOUT_S = 60.0
BUNDLE_LIMIT_BYTES = 256 * 1024
PLANNED_REBOOT = "planned-reboot"
"""File whose presence at the next start says that the reboot was our own."""


class Box:
    """The real `Platform`.

    Args:
        state: the agent's folder.
        surroundings: what services are told.
        disk: how files change.
        store: where artifacts are taken from.
        supervisor: who runs the services.
        reboot_argv: the owner's command; empty means that somebody restarts the agent when it ends.
        log: where events go.
    """

    def __init__(
        self,
        state: Path,
        surroundings: Surroundings,
        *,
        disk: Disk,
        store: ContentStore,
        supervisor: Supervisor,
        reboot_argv: tuple[str, ...],
        log: Log,
    ) -> None:
        self._state = state
        self._surroundings = surroundings
        self._disk = disk
        self._store = store
        self._supervisor = supervisor
        self._reboot_argv = reboot_argv
        self._log = log
        self._is_safe = False
        self._settled = threading.Event()
        self._on_change: list[Callable[[], None]] = []
        self._app = ProcessBackend(APP, self._folder(APP), surroundings=surroundings, disk=disk, store=store)
        self._backends: dict[str, Backend] = {APP: self._app}
        for plane in self._planes_on_disk():
            self._backend(plane)

    # --- planes -------------------------------------------------------------------------------------------------------

    def _folder(self, plane: str) -> Path:
        return self._state / "planes" / plane

    def _planes_on_disk(self) -> list[str]:
        root = self._state / "planes"
        return sorted(str(path.parent.relative_to(root)) for path in root.glob("**/slots") if path.is_dir())

    def _backend(self, plane: str) -> Backend:
        """Returns the backend of a plane, made when it is first needed. Raises PortError RB-AGENT-030."""
        if plane not in self._backends:
            folder = self._folder(plane)
            if plane == CONFIG:
                target = self._surroundings.config
                self._backends[plane] = FileBackend(plane, folder, target=target, disk=self._disk, store=self._store)
            elif plane.startswith(MODEL) and plane.count("/") == 1:
                models = self._surroundings.models
                self._backends[plane] = DirectoryBackend(
                    plane, folder, models=models, disk=self._disk, store=self._store
                )
            else:
                raise PortError(
                    "RB-AGENT-030", f"this box has no plane {plane[:80]!r}; known: app, config, model/<name>"
                )
        return self._backends[plane]

    def running(self) -> dict[str, Running]:
        """Returns what every plane runs, computed from the bytes."""
        found = {plane: backend.running() for plane, backend in list(self._backends.items())}
        return {plane: running for plane, running in found.items() if running is not None}

    def active(self) -> dict[str, tuple[Path, Manifest]]:
        """Returns slot and manifest of what every plane's pointer names; damaged ones are left out."""
        active = {}
        for plane, backend in list(self._backends.items()):
            with contextlib.suppress(PortError):
                digest = backend.active()
                if digest:
                    active[plane] = (backend.slot(digest), backend.manifest(digest))
        return active

    def staged(self, artifacts: Sequence[Artifact]) -> dict[str, tuple[Path, Manifest]]:
        """Returns slot and manifest of staged artifacts. Raises PortError RB-AGENT-031."""
        return {
            artifact.plane: (
                self._backend(artifact.plane).slot(artifact.digest),
                self._backend(artifact.plane).manifest(artifact.digest),
            )
            for artifact in artifacts
        }

    def stage(self, artifacts: Sequence[Artifact]) -> None:
        """Builds the slots of these artifacts. Raises PortError."""
        for artifact in artifacts:
            self._backend(artifact.plane).stage(self._store.manifest(artifact.digest))

    def commit(self, keep: Mapping[str, Sequence[str]]) -> None:
        """Removes the slots and files that no confirmed or previous set needs. Raises PortError."""
        manifests = []
        for plane, digests in keep.items():
            held = [digest for digest in digests if digest]
            self._backend(plane).keep(held)
            manifests += [hex_of(digest) for digest in held]
        self._store.sweep(manifests)

    # --- activation ---------------------------------------------------------------------------------------------------

    def on_change(self, call: Callable[[], None]) -> None:
        """Calls back before each activation: what was measured before says nothing about what comes."""
        self._on_change.append(call)

    def activate(self, group: Sequence[Change], *, forward: bool) -> dict[str, Running]:
        """Switches a group of planes together and does what follows from it. Raises PortError."""
        for call in self._on_change:
            call()
        self._supervisor.reset_counts()
        backends = [(self._backend(change.plane), change.digest) for change in group]
        for backend, digest in backends:
            if digest:
                backend.slot(digest)
        consequences = {backend.consequence for backend, _ in backends}
        is_restart = RESTART in consequences
        if is_restart and any(backend.active() != digest for backend, digest in backends):
            self._supervisor.stop_all()
        for backend, digest in sorted(backends, key=lambda item: item[0].consequence == RESTART):
            backend.switch(digest)
        if not self._is_safe:
            if is_restart:
                self._supervisor.converge(self._app.launches(), is_strict=True)
            else:
                self._reload(consequences, forward=forward)
        self._settled.set()
        return self.running()

    def _services(self) -> tuple[Service, ...]:
        digest = self._app.active()
        return self._app.manifest(digest).services if digest else ()

    def _reload(self, consequences: set[str], *, forward: bool) -> None:
        for service in self._services():
            if consequences & service.reads:
                self._reload_one(service.name, forward=forward)

    def _reload_one(self, name: str, *, forward: bool) -> None:
        """Tells one service to use what is active now; one that is down is started instead."""
        state = self._supervisor.states().get(name)
        if state is None or not state.is_up:
            self._supervisor.bring_up(name)
            return
        try:
            answer = unix_http.request(self._supervisor.socket(name), "POST", "/reload", timeout_ms=RELOAD_TIMEOUT_MS)
            if answer.status == 200:
                return
            cause = f"HTTP {answer.status}: {refusal_in(answer)}"
        except ProbeError as error:
            cause = error.message
        if forward:
            raise PortError("RB-AGENT-034", f"{name} did not take the new set into use: {cause}")
        self._log("restart_instead_of_reload", {"service": name, "cause": cause})
        self._supervisor.restart(name)

    # --- workload and commands ----------------------------------------------------------------------------------------

    def adopt_workload(self, *, is_safe: bool) -> None:
        """At the start of the agent, before its first effect: takes over services that still run. Starts nothing."""
        self._is_safe = is_safe
        self._supervisor.start(self._launches())

    def ensure_workload(self) -> None:
        """At the start of the agent, after what the kernel wants first: starts what is missing, unless in safe mode."""
        if not self._is_safe:
            self._supervisor.converge(self._launches(), is_strict=False)
        self._settled.set()

    def _launches(self) -> list[Launch]:
        try:
            return self._app.launches()
        except PortError as error:
            self._log("app_not_startable", {"code": error.code, "text": error.message})
            return []

    def wait_settled(self) -> None:
        """Waits until the services have had their time to start: a probe before that measures the boot, not the set."""
        self._settled.wait(SETTLE_TIMEOUT_S)

    def safe_mode(self, on: bool) -> None:
        """Stops the workload and leaves the agent alone, or starts it again. Raises PortError."""
        self._is_safe = on
        self._supervisor.converge([] if on else self._launches(), is_strict=False)

    def command(self, kind: str, arg: str) -> CommandResult:
        """Runs one command of the closed list. Raises PortError RB-AGENT-050 for any other."""
        if kind == "restart":
            names = [arg] if arg else list(self._supervisor.states())
            if not names:
                raise PortError("RB-AGENT-035", "there is no service to restart")
            for name in names:
                self._supervisor.restart(name)
            return CommandResult(True, f"restarted {', '.join(names)}")
        if kind == "bundle":
            path = self._write_bundle()
            return CommandResult(True, f"wrote {path.name}, {path.stat().st_size} bytes")
        raise PortError("RB-AGENT-050", f"unknown command {kind[:40]!r}; known: restart, bundle, reboot")

    def reboot(self, reason: str) -> None:
        """Marks the reboot as planned, stops the services in order and asks the owner's command for it."""
        self._disk.write(self._state / PLANNED_REBOOT, reason.encode()[:200])
        self._supervisor.end_workload()
        self._log("reboot", {"reason": reason})
        if self._reboot_argv:
            with contextlib.suppress(OSError):
                subprocess.Popen(self._reboot_argv, stdin=subprocess.DEVNULL, start_new_session=True)

    def _write_bundle(self) -> Path:
        """Collects what a person needs to understand this box: states and the ends of logs; no token, no config."""
        states = self._supervisor.states()
        bundle = {
            "planes": {plane: [running.digest, running.version] for plane, running in self.running().items()},
            "services": {
                name: {"pid": state.pid, "up": state.is_up, "restarts": state.restarts, "last_exit": state.last_exit}
                for name, state in states.items()
            },
            "output": {name: self._supervisor.tail(name, 8192) for name in states},
            "load": os.getloadavg()[0],
        }
        path = self._state / "bundle.json"
        self._disk.write(path, json.dumps(bundle, indent=1).encode()[:BUNDLE_LIMIT_BYTES], mode=0o600)
        return path


def refusal_in(answer: unix_http.Answer) -> str:
    """Returns what a service gives as its reason, at most 160 characters."""
    try:
        obj = unix_http.object_in(answer, "reload")
    except ProbeError:
        return answer.body[:160].decode("utf-8", "replace")
    return f"{obj.get('code', '')} {obj.get('message', '')}".strip()[:160]
