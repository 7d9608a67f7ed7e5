"""What the acts can do and see: one facade over the server's API, the boxes, the simulated fleet and the screen.

Decides: nothing about updates. It publishes, starts, stops and reads as an operator would, and reads the devices
themselves, so that a claim compares what the server says with what is.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from ringback.client import models
from ringback.demo import documents, fleet
from ringback.demo.boxes import Box
from ringback.demo.lag import LagMeter
from ringback.demo.processes import DemoError
from ringback.demo.reading import Answers, BoxFacts, Planned, Sets
from ringback.demo.result import ActResult, Ledger
from ringback.demo.rolling import Rolling
from ringback.demo.scene import Door, Scene
from ringback.demo.screen import Screen
from ringback.demo.stage import Stage
from ringback.demo.watch import Watch
from ringback.sim.orders import FactLine

ACTS = 10
DOOR_WITHIN_S = 20.0
CHECKINS_WITHIN_S = 8.0
COMMAND_TIMEOUT_S = 60.0
ASK_EVERY_S = 0.1
OFFLINE_SIMULATED = 24
# How much of the log of a program that ended is shown.
LOG_CHARS = 600
OFFLINE_BOX = "box-4"
Seen = TypeVar("Seen")
Changes = tuple[tuple[str, str], ...]
VOICE_LINE = "  model/voice: silero-vad@5.1.2\n"


class Show:
    """One playing of the story."""

    def __init__(self, stage: Stage, screen: Screen, lag: LagMeter, *, seed: int) -> None:
        self._stage = stage
        self._screen = screen
        self._lag = lag
        self._base = Scene(acts=ACTS)
        self._began_s = time.monotonic()
        self._uploaded: set[str] = set()
        self.seed = seed
        self.goods = stage.goods
        self.client = stage.client()
        self.watch = Watch(self.goods, stage.client(), stage.fleet, stage.boxes)

    # --- the stage ----------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Devices of the whole fleet."""
        return fleet.FLEET_SIZE

    @property
    def has_voice(self) -> bool:
        return self.goods.no_voice is None

    @property
    def no_voice_reason(self) -> str:
        absent = self.goods.no_voice
        return f"{absent.code}: {absent.reason} Hint: {absent.hint}" if absent is not None else ""

    @property
    def lag_factor(self) -> float:
        """How much longer everything may take because this machine is late."""
        return self._lag.factor()

    @property
    def boxes(self) -> dict[str, Box]:
        return self._stage.boxes

    def register_classes(self) -> None:
        """Registers the device classes, their latency limit set for this machine."""
        for name in documents.class_names():
            self.client.create_class(documents.device_class(name, latency_limit_us=self.goods.latency_limit_us()))

    # --- the screen ---------------------------------------------------------------------------------------------------

    def begin(self, number: int, title: str, expected: str) -> None:
        """Shows that an act begins."""
        self.watch.rollout = None
        self._base = Scene(act=number, acts=ACTS, title=title, expected=expected)
        self.say(f"act {number} · {title}")

    def end(self, result: ActResult) -> None:
        """Shows how an act ended."""
        word = "skipped" if result.skipped else "passed" if result.passed else "FAILED"
        self.say(f"act {result.number} {word} in {result.seconds:.1f} s · {result.happened or result.reason}")
        for claim in result.claims:
            if not claim.holds:
                self.say(f"   ✗ expected: {claim.expected}; happened: {claim.happened}")
        if result.reason:
            self.say(f"   {result.reason}")
            for process in self._stage.processes:
                if not process.is_alive:
                    self.say(f"   {process.name} has ended ({process.ending}): {process.log_tail()[-LOG_CHARS:]}")
        self.say(f"   {self.watch.door}")

    def say(self, line: str) -> None:
        self._screen.say(line)

    def rest(self, pause_s: float) -> None:
        time.sleep(pause_s)

    def now_rolling(self, rollout: models.Rollout) -> None:
        """Puts a rollout on the screen."""
        self.watch.rollout = rollout

    def scene(self) -> Scene:
        """What is on the screen now."""
        elapsed_s = time.monotonic() - self._began_s
        base = Scene(
            act=self._base.act,
            acts=ACTS,
            title=self._base.title,
            expected=self._base.expected,
            elapsed_s=elapsed_s,
            lines=self._screen.lines,
            lag_ms=self._lag.worst_ms,
        )
        return self.watch.scene(base)

    # --- publishing and rolling out -----------------------------------------------------------------------------------

    def publish(self, *names: str) -> None:
        """Publishes artifacts by their names in the story; what is published already stays as it is."""
        for name in names:
            package = self.goods.packages[name]
            for sha256, path in package.blobs.items():
                if sha256 not in self._uploaded and not self.client.has_blob(sha256):
                    self.client.put_blob(sha256, path)
                self._uploaded.add(sha256)
            self.client.publish(package.manifest)

    def baselines(self) -> tuple[str, ...]:
        return "baseline", "baseline-ahead", "baseline-esp32"

    def document(self, name: str, changes: Changes = ()) -> str:
        """A release of the story, fitted to this machine and to what could be fetched."""
        if not self.has_voice and name in self.baselines()[:2]:
            changes = (*changes, (VOICE_LINE, ""))
        return documents.release(name, lag_factor=self.lag_factor, changes=changes)

    def roll(self, name: str, changes: Changes = ()) -> Rolling:
        """Registers and starts a release, some of its text changed."""
        release = self.client.create_release(self.document(name, changes))
        rolling = Rolling(self, self.client.start_rollout(release.id).id, release.id)
        self.now_rolling(rolling.state())
        return rolling

    def plan(self, name: str) -> Planned:
        """Plans a release without starting it."""
        found = self.client.plan(text=self.document(name))
        causes = found.causes if found.refused else found.blocked
        blocked = found.devices.targeted if found.refused else found.devices.blocked
        why = "; ".join(cause.text for cause in causes[:2])
        return Planned(
            found.devices.targeted, blocked, max((len(track.hops) for track in found.tracks), default=0), why
        )

    def evidence_words(self, name: str) -> str:
        """What the fleet can show at best about a release, in the server's words."""
        return " ".join(each.text for each in self.client.plan(text=self.document(name)).evidence)

    # --- reading the devices ------------------------------------------------------------------------------------------

    @property
    def fact_count(self) -> int:
        truth = self._stage.fleet.truth()
        return truth.facts

    def facts(self, since: int) -> list[FactLine]:
        """Facts of the simulated fleet from a number on."""
        return self._stage.fleet.facts(since)[0]

    def boxes_seen_with(self, digest: str, *, since_s: float) -> set[str]:
        return self.watch.seen_with(digest, since_s=since_s)

    def sets(self) -> Sets:
        """What every device runs, read from the devices now."""
        found = {line.name: dict(line.running) for line in self._stage.fleet.devices()}
        found |= {name: box.running() for name, box in self.boxes.items()}
        return Sets({name: planes for name, planes in found.items() if planes})

    def running(self, digest: str) -> frozenset[str]:
        """The devices that run a digest now."""
        return self.sets().running(digest)

    def is_baseline(self, name: str, planes: Mapping[str, str]) -> bool:
        """Whether a device runs its first set."""
        wanted = {
            "app": self.goods.digest("app-1.1" if name in self._ahead() else "app-1.0"),
            "model/face": self.goods.digest("face-fp32"),
            "config": self.goods.digest("config-good"),
        }
        if self.has_voice and not name.startswith("esp32"):
            wanted["model/voice"] = self.goods.digest("voice-5")
        return dict(planes) == wanted

    def _ahead(self) -> frozenset[str]:
        """Devices whose first app is the next one; the microcontrollers stay on the first."""
        ahead = (spec for spec in fleet.simulated() if spec.labels.get("ahead") == "yes" and not spec.is_small)
        return frozenset(spec.name for spec in ahead)

    def unconfirmed(self) -> list[str]:
        """Devices, of every box and every tenth simulated one, for which the server lacks a last-known-good version."""
        names = [*self.boxes, *(spec.name for spec in fleet.simulated()[::10])]
        lacking = []
        for name in names:
            device = self.client.device(name)
            if not device.planes or any(plane.running and plane.confirmed != plane.running for plane in device.planes):
                lacking.append(name)
        return lacking

    def door(self) -> Door:
        """The truth line, looked at now."""
        self.watch.look()
        return self.watch.door

    def wait_for_door(self) -> Door:
        """The truth line once every service had the time to look at all its pictures."""
        return self._wait_for(self.door, lambda door: door.seen == door.total > 0 and not door.blind, DOOR_WITHIN_S)

    def box_facts(self, *, with_inference: bool = False) -> dict[str, BoxFacts]:
        """What must not change on the boxes when only a model or config does."""
        found = {}
        for name, box in self.boxes.items():
            running, services = box.running(), box.services()
            starts_ms = {
                service.name: service.started_ms
                for service in services.values()
                if with_inference or service.name != "inference"
            }
            boot_id = str(box.status().get("boot_id", ""))
            found[name] = BoxFacts(running.get("app", ""), running.get("config", ""), boot_id, starts_ms)
        return found

    def invalid_sets(self, *, since: Rolling) -> list[str]:
        """Invalid sets that any device ever ran since a rollout began."""
        simulated = [text for text in self._stage.fleet.truth().violations if text.startswith("I3")]
        return simulated + self.watch.invalid_since(since.began_s)

    def violations(self) -> list[str]:
        """Everything the jury of the simulated fleet has found."""
        return list(self._stage.fleet.truth().violations)

    def activated_twice(self, digest: str, *, since: Rolling) -> set[str]:
        """Devices that switched to a digest twice without having gone back in between."""
        held: set[str] = set()
        twice: set[str] = set()
        for line in self.facts(since.since_fact):
            if line.kind != "activated":
                continue
            if digest in line.changed.values() and not line.back:
                (twice if line.device in held else held).add(line.device)
            elif digest not in line.running.values():
                held.discard(line.device)
        return twice

    # --- brakes -------------------------------------------------------------------------------------------------------

    def freezes(self) -> list[str]:
        return [freeze.artifact or freeze.digest for freeze in self.client.freezes().items]

    def is_frozen(self, digest: str) -> bool:
        return any(freeze.digest == digest for freeze in self.client.freezes().items)

    def devices_where(self, where: str) -> frozenset[str]:
        return frozenset(device.id for device in self.client.devices(where=where, limit=1000).items)

    def take_offline(self) -> frozenset[str]:
        """Takes the network from some simulated devices, and lets one real box sleep."""
        names = [spec.name for spec in fleet.simulated()[:: self.size // OFFLINE_SIMULATED]]
        self._stage.fleet.cut(*names)
        self.boxes[OFFLINE_BOX].hold()
        return frozenset({*names, OFFLINE_BOX})

    def bring_back(self, names: frozenset[str]) -> None:
        """Gives them back what `take_offline` took."""
        self._stage.fleet.mend(*(name for name in names if name not in self.boxes))
        for name in names & set(self.boxes):
            self.boxes[name].resume()

    def wait_for_checkins(self, names: frozenset[str] = frozenset()) -> None:
        """Waits until these devices (none = all that are heard at all) have checked in twice from now on."""
        for _ in range(2):
            since_ms = self.client.status().now_at_ms

            def are_heard(page: Sequence[models.DeviceBrief], since_ms: int = since_ms) -> bool:
                wanted = [device for device in page if not names or device.id in names]
                return all((device.last_report_at_ms or 0) > since_ms or device.is_silent for device in wanted)

            self._wait_for(lambda: self.client.devices(limit=1000).items, are_heard, CHECKINS_WITHIN_S)

    # --- crashes and commands -----------------------------------------------------------------------------------------

    def kill_server(self) -> float:
        """kill -9 on the server, and starts it again; returns seconds until devices are answered again."""
        before = self._stage.fleet.truth().checkins
        began_s = time.monotonic()
        self._stage.server.kill()
        self.say("the server was killed")
        self._stage.restart_server()
        self._wait_for(lambda: self._stage.fleet.truth().checkins, lambda count: count > before + 10, DOOR_WITHIN_S)
        return time.monotonic() - began_s

    def kill_agent(self, box: Box) -> None:
        """kill -9 on the agent of a box; its services go on."""
        box.kill_agent()
        self.say(f"the agent of {box.spec.name} was killed")

    def start_agent(self, box: Box) -> None:
        """Starts the agent of a box again, as its keeper would."""
        self._stage.start_box(box)

    @contextlib.contextmanager
    def watching_agents(self) -> Iterator[Answers]:
        """Keeps asking every agent of a real box for its status, and counts answers and misses."""
        answers, stop = Answers(), threading.Event()

        def ask() -> None:
            while not stop.wait(ASK_EVERY_S):
                for box in self.boxes.values():
                    began_s = time.monotonic()
                    if box.status():
                        answers.answers += 1
                        answers.slowest_ms = max(answers.slowest_ms, int((time.monotonic() - began_s) * 1000))
                    else:
                        answers.misses += 1

        thread = threading.Thread(target=ask, name="asker", daemon=True)
        thread.start()
        try:
            yield answers
        finally:
            stop.set()
            thread.join(timeout=5)

    def ringback(self, *args: str) -> dict[str, object]:
        """Runs the command a person would type, and returns its JSON.

        Raises:
            DemoError: it failed; the text has what it said.
        """
        argv = [sys.executable, "-m", "ringback", *args, "--server", self._stage.url, "--json"]
        self.say(f"$ ringback {' '.join(args)}")
        done = subprocess.run(
            argv, capture_output=True, timeout=COMMAND_TIMEOUT_S, env=self._stage.environment(), check=False
        )
        if done.returncode:
            raise DemoError(f"ringback {' '.join(args)} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def wait_running(self, name: str, digest: str, ledger: Ledger, *, within_s: float = DOOR_WITHIN_S) -> None:
        """Waits until a box runs a digest."""
        found = self._wait_for(self.boxes[name].running, lambda planes: digest in planes.values(), within_s)
        ledger.require(f"{name} runs {self.goods.name_of.get(digest, digest)}", digest in found.values(), str(found))

    def wait_until(self, look: Callable[[], bool], *, within_s: float) -> bool:
        """Waits until something is so; returns whether it became so in time."""
        return self._wait_for(look, bool, within_s)

    def _wait_for(self, look: Callable[[], Seen], is_so: Callable[[Seen], bool], within_s: float) -> Seen:
        deadline_s = time.monotonic() + within_s * self.lag_factor
        while True:
            found = look()
            if is_so(found) or time.monotonic() > deadline_s:
                return found
            time.sleep(0.1)
