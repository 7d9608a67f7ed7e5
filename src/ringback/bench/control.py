"""What a large fleet costs the controller and the planner: opening a ring, one tick, one plan.

Everything runs in this process on the server's own parts: real store, real journal, real controller; devices report
through the same code as over HTTP.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import click
import msgspec

from ringback.bench.fleet import CLASS, RELEASE, class_ids, make, model
from ringback.bench.load import device_of
from ringback.bench.machine import Machine, machine
from ringback.plan.refusal import Refusal
from ringback.server.app import App, running
from ringback.server.settings import Settings
from ringback.usecases.checkin import receive
from ringback.usecases.publish import create_class, create_release, note_blob, publish_artifact
from ringback.usecases.rollouts import prepare, release_text, snapshot, start

SIZES = (1_000, 10_000, 100_000)
CHANGED_SHARE = 100
"""One device in a hundred changes between two ticks."""

TICKS = 10
QUIET_MS = 3_600_000


class RingFigures(msgspec.Struct, frozen=True):
    """Opening a ring: milliseconds by number of devices in it."""

    machine: Machine
    open_ms: dict[str, float]


class TickFigures(msgspec.Struct, frozen=True):
    """One look of the controller at a rollout with `devices` deployments of which 1 % changed."""

    machine: Machine
    devices: int
    changed: int
    tick_p50_ms: float
    tick_max_ms: float


class PlanFigures(msgspec.Struct, frozen=True):
    """Planning a release: seconds of the whole, and of taking the snapshot, during which check-ins wait."""

    machine: Machine
    devices: int
    plan_s: float
    snapshot_ms: float


class Rig:
    """A server's parts with a seeded fleet, driven by hand."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.context = app.context
        self._seqs: dict[str, int] = {}

    def now_ms(self) -> int:
        """Return the server's time."""
        return self.context.clock.now_ms()

    async def publish(self, version: str) -> str:
        """Publish one version of the model; return its digest."""
        manifest, content, sha256 = model(version)
        blobs, desk = self.context.blobs, self.context.desk
        if blobs.size_bytes(sha256) is None:
            upload = blobs.upload(sha256, announced_bytes=len(content), limit_bytes=1_000)
            upload.write(content)
            upload.finish()
        await desk.run(lambda fleet: note_blob(fleet, sha256, size_bytes=len(content), now_ms=self.now_ms()))
        made = await desk.run(lambda fleet: publish_artifact(fleet, manifest, blobs=blobs, now_ms=self.now_ms()))
        return made.digest

    async def classes(self) -> None:
        """Register the classes of the fleet."""
        for number, class_id in enumerate(class_ids()):
            text = CLASS.format(class_id=class_id, family=f"family-{number}")
            await self.context.desk.run(lambda fleet, text=text: create_class(fleet, text, now_ms=self.now_ms()))  # type: ignore[misc]

    async def release(self, release: str, version: str, rings: str = "[]") -> None:
        """Register a release of one model version."""
        text = RELEASE.format(release=release, version=version, rings=rings, classes=", ".join(class_ids()))
        await self.context.desk.run(lambda fleet: create_release(fleet, text, now_ms=self.now_ms()))

    async def start(self, release: str) -> str:
        """Start a rollout; return its id."""
        fleet = self.context.fleet
        rollout_id = self.context.ids.uuid7(self.now_ms())
        found = prepare(snapshot(fleet), release_text(fleet, release), rollout_id=rollout_id, now_ms=self.now_ms())
        if isinstance(found, Refusal):
            raise click.ClickException(found.text)
        await self.context.desk.run(
            lambda fleet: start(fleet, found, plan_report=b"", actor="bench", reason="", now_ms=self.now_ms())
        )
        return rollout_id

    async def report(self, numbers: range, **more: object) -> None:
        """Let devices report, durably, in batches as they come together."""
        fleet, signer = self.context.fleet, self.context.signer
        waiting: list[Awaitable[None]] = []
        for number in numbers:
            name = device_of(number)
            seq = self._seqs[name] = self._seqs.get(name, 0) + 1
            device = fleet.devices[name]
            body = {"v": 1, "device": name, "boot_id": "0" * 16, "seq": seq, "up_ms": seq, "have": device.generation}
            checked = receive(fleet, device, msgspec.json.encode({**body, **more}), now_ms=self.now_ms(), signer=signer)
            if checked.record is not None:
                waiting.append(self.context.committer.kept(checked.record))
            if len(waiting) >= 1_000:
                await asyncio.gather(*waiting)
                waiting = []
        await asyncio.gather(*waiting)


def rigged(devices: int, deed: Callable[[Rig], Awaitable[object]]) -> object:
    """Run a deed on a rig with so many devices, which have all been heard."""

    async def run(folder: Path) -> object:
        settings = Settings(data=folder, tick_ms=QUIET_MS, log_level="error")
        async with running(settings) as app:
            rig = Rig(app)
            await rig.classes()
            return await deed(rig)

    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        folder = Path(name)
        make(folder, devices)
        return asyncio.run(run(folder))


def measure_ring(sizes: tuple[int, ...] = SIZES) -> RingFigures:
    """Measure how long opening a ring of so many devices takes: the decision, its transaction, the read model."""

    async def deed(rig: Rig) -> float:
        await rig.publish("1.0.0")
        await rig.release("bench", "1.0.0")
        await rig.report(range(len(rig.context.fleet.devices)))
        rollout_id = await rig.start("bench")
        began = time.perf_counter()
        await rig.app.controller.tick()
        took_ms = (time.perf_counter() - began) * 1000
        assert rig.context.fleet.courses[rollout_id].rollout.ring == 0, "the ring did not open"
        return took_ms

    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        seen = machine(Path(name))
    return RingFigures(seen, {str(size): round(float(str(rigged(size, deed))), 2) for size in sizes})


def measure_tick(devices: int = SIZES[-1], ticks: int = TICKS) -> TickFigures:
    """Measure one look at a rollout of the whole fleet, of which one device in a hundred changed since the last."""
    changed = max(1, devices // CHANGED_SHARE)

    async def deed(rig: Rig) -> list[float]:
        digest = await rig.publish("1.0.0")
        await rig.release("bench", "1.0.0")
        await rig.report(range(devices))
        rollout_id = await rig.start("bench")
        await rig.app.controller.tick()
        await rig.report(range(devices))  # each is offered the release
        planes = {"planes": {"model/face": [digest, "1.0.0"]}, "confirmed": {"model/face": digest}}
        took_ms: list[float] = []
        for turn in range(ticks):
            for number in range(turn * changed, (turn + 1) * changed):
                device = rig.context.fleet.devices[device_of(number)]
                ended = {"gen": device.generation, "kind": "confirmed", "entered": True, "rollout": rollout_id}
                await rig.report(range(number, number + 1), outcome=ended, **planes)
            began = time.perf_counter()
            await rig.app.controller.tick()
            took_ms.append((time.perf_counter() - began) * 1000)
        return took_ms

    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        seen = machine(Path(name))
    took_ms = rigged(devices, deed)
    assert isinstance(took_ms, list)
    return TickFigures(seen, devices, changed, round(statistics.median(took_ms), 2), round(max(took_ms), 2))


def measure_plan(devices: int = SIZES[-1]) -> PlanFigures:
    """Measure planning a release with rings for the whole fleet."""
    rings = "[{name: canary, count: 10}, {name: tenth, percent: 10%}, {name: eu, where: region=eu}]"

    async def deed(rig: Rig) -> tuple[float, float]:
        await rig.publish("1.0.0")
        await rig.release("bench", "1.0.0", rings)
        await rig.report(range(devices))
        fleet = rig.context.fleet
        began = time.perf_counter()
        seen = snapshot(fleet)
        snapped = time.perf_counter()
        found = prepare(seen, release_text(fleet, "bench"), rollout_id="bench", now_ms=rig.now_ms())
        ended = time.perf_counter()
        if isinstance(found, Refusal):
            raise click.ClickException(found.text)
        return ended - began, (snapped - began) * 1000

    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        seen = machine(Path(name))
    took = rigged(devices, deed)
    assert isinstance(took, tuple)
    return PlanFigures(seen, devices, round(took[0], 3), round(took[1], 1))


def ring_lines(found: RingFigures) -> Iterator[str]:
    """Yield the figures as rows of a table."""
    for size, took_ms in found.open_ms.items():
        yield f"| opening a ring of {int(size):,} devices | {took_ms} ms | at most 50 ms |"


def tick_lines(found: TickFigures) -> Iterator[str]:
    """Yield the figures as rows of a table."""
    what = f"one controller tick, {found.devices:,} devices, {found.changed:,} changed, p50 (max)"
    yield f"| {what} | {found.tick_p50_ms} ms ({found.tick_max_ms} ms) | at most 100 ms |"


def plan_lines(found: PlanFigures) -> Iterator[str]:
    """Yield the figures as rows of a table."""
    yield f"| planning a release for {found.devices:,} devices | {found.plan_s} s | at most 3 s |"


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else on stdout.")


@click.command("ring")
@AS_JSON
def ring(*, as_json: bool) -> None:
    """Measure how long opening a ring takes, for 1,000 to 100,000 devices."""
    found = measure_ring()
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(ring_lines(found)))


@click.command("tick")
@click.option("--devices", default=SIZES[-1], show_default=True, help="Devices in the fleet.")
@AS_JSON
def tick(*, devices: int, as_json: bool) -> None:
    """Measure one look of the controller at a large rollout."""
    found = measure_tick(devices)
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(tick_lines(found)))


@click.command("plan")
@click.option("--devices", default=SIZES[-1], show_default=True, help="Devices in the fleet.")
@AS_JSON
def plan(*, devices: int, as_json: bool) -> None:
    """Measure how long planning a release takes."""
    found = measure_plan(devices)
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(plan_lines(found)))
