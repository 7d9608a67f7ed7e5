"""Looks at boxes, fleet and server again and again while the acts play: what the screen shows, and what was ever seen
on a box.

Decides: nothing. It runs in a thread of its own and never raises into it: a server that is being killed is part of the
story.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ringback.client import Client, models
from ringback.demo.boxes import Box
from ringback.demo.goods import Goods
from ringback.demo.livefleet import LiveFleet
from ringback.demo.processes import DemoError
from ringback.demo.scene import Door, PlaneLine, RingBar, Scene
from ringback.errors import RingbackError
from ringback.sim.checkers.constraints import ConstraintChecker
from ringback.sim.facts import Published
from ringback.sim.orders import Truth

EVERY_S = 0.5
RETURNING = frozenset({"reverting", "safe_mode"})


class Watch:
    """The newest look at everything, and the history of the boxes."""

    def __init__(self, goods: Goods, client: Client, fleet: LiveFleet, boxes: Mapping[str, Box]) -> None:
        self._goods = goods
        self._client = client
        self._fleet = fleet
        self._boxes = boxes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._lock = threading.Lock()
        self._seen_s: dict[tuple[str, str], float] = {}
        self._checker = ConstraintChecker()
        self._invalid: list[tuple[float, str]] = []
        self._returning: list[str] = []
        self.truth: Truth | None = None
        self.door = Door()
        self.running: dict[str, dict[str, str]] = {}
        self.rollout: models.Rollout | None = None
        for package in goods.packages.values():
            identity = package.identity
            self._checker.see(
                Published(0, "", package.digest, identity.plane, identity.version, dict(identity.requires))
            )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Looks once: at every box and at the simulated fleet."""
        sights = []
        for name, box in self._boxes.items():
            planes = box.running()
            sight = box.sight()
            if sight.total:
                sights.append(sight)
            if not planes:
                continue
            now_s = time.monotonic()
            with self._lock:
                self.running[name] = planes
                for digest in planes.values():
                    self._seen_s[name, digest] = now_s
                self._invalid += [(now_s, f"{name}: {text}") for text in self._checker.broken(planes)]
        self.truth = self._fleet.truth()
        worst = min(sights, key=lambda sight: sight.seen - sight.total, default=None)
        blind = self.truth.blind + sum(1 for sight in sights if sight.seen == 0)
        devices = self.truth.devices + len(self._boxes)
        self.door = Door(worst.seen, worst.total, blind, devices) if worst else Door(blind=blind, fleet=devices)

    def seen_with(self, digest: str, *, since_s: float) -> set[str]:
        """Boxes that were seen running a digest since a moment of the monotonic clock."""
        with self._lock:
            return {name for (name, seen), at_s in self._seen_s.items() if seen == digest and at_s >= since_s}

    def invalid_since(self, since_s: float) -> list[str]:
        """Invalid sets seen on boxes since a moment."""
        with self._lock:
            return [text for at_s, text in self._invalid if at_s >= since_s]

    def scene(self, base: Scene) -> Scene:
        """The screen of this moment over what the story says (act, title, lines)."""
        rollout, truth = self.rollout, self.truth
        planes = self._planes(truth) if truth is not None else ()
        returning = tuple(self._returning)
        scene = replace(base, door=self.door, planes=planes, recovering=returning)
        return scene if rollout is None else with_rollout(scene, rollout)

    def _planes(self, truth: Truth) -> tuple[PlaneLine, ...]:
        names = self._goods.name_of
        lines = []
        for plane in sorted(truth.running):
            counts = {names.get(digest, digest[:15]): count for digest, count in truth.running[plane].items()}
            for running in list(self.running.values()):
                name = names.get(running.get(plane, ""), "")
                if name:
                    counts[name] = counts.get(name, 0) + 1
            lines.append(PlaneLine(plane, counts))
        return tuple(lines)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            for look in (self.look, self._look_at_rollout, self._look_at_returning):
                _quietly(look)

    def _look_at_rollout(self) -> None:
        rollout = self.rollout
        if rollout is not None:
            self.rollout = self._client.rollout(rollout.id)

    def _look_at_returning(self) -> None:
        truth = self.truth
        if truth is not None and RETURNING & set(truth.phases):
            self._returning = [line.name for line in self._fleet.devices() if line.phase in RETURNING]
        else:
            self._returning = []


def _quietly(look: Callable[[], None]) -> None:
    try:
        look()
    except (DemoError, RingbackError):
        return


def with_rollout(scene: Scene, rollout: models.Rollout) -> Scene:
    """The scene with a rollout on it."""
    rings = tuple(
        RingBar(
            name=ring.name,
            devices=ring.members,
            proven=ring.good,
            trial=max(0, ring.moving - ring.offered),
            failed=ring.failed + ring.refused,
            offered=ring.offered,
            is_open=ring.opened_at_ms is not None,
            note=_note(ring),
        )
        for ring in rollout.rings
    )
    return replace(
        scene,
        release=rollout.release,
        state=rollout.state.replace("_", " "),
        rings=rings,
        verdict=_verdict(rollout),
        reasons=tuple(_reasons(rollout)),
    )


def _note(ring: models.RolloutRing) -> str:
    if ring.drill and (ring.drills_pending or ring.drills_passed):
        return f"drill: {ring.drills_passed} came back, {ring.drills_pending} under way"
    return "drill" if ring.drill else ""


def _verdict(rollout: models.Rollout) -> str:
    verdict = rollout.verdict
    if rollout.blamed:
        where = f" on {rollout.family}" if rollout.family else ""
        return f"FAIL: {rollout.blamed}{where}"
    if verdict is None:
        return ""
    names = {"pass": "PASS", "fail": "FAIL", "waiting": "WAITING"}
    bound = f"failure rate below {verdict.u_ppm / 10_000:.1f} %" if verdict.matured else "nothing shown yet"
    return f"{names.get(verdict.kind, verdict.kind)}: {verdict.entered} entered, {verdict.failed} failed, {bound}"


def _reasons(rollout: models.Rollout) -> list[str]:
    if rollout.waiting_on:
        return [each.text for each in rollout.waiting_on]
    return list(rollout.reasons)
