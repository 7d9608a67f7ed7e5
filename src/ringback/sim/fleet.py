"""The program of a live fleet: enrols its devices, runs them, watches the invariants, and answers orders.

Decides: nothing about updates. It ends when its standard input does, so that no fleet outlives the one who started it,
unless it was told to stay ("detach").
"""

import asyncio
import base64
import resource
import sys
from collections import Counter
from pathlib import Path

import msgspec
import uvloop

from ringback import __version__
from ringback.sim.brain import core_maker, director_keys
from ringback.sim.checkers import Jury, every_checker
from ringback.sim.facts import Activated, Confirmed, Fact, Published, Settled
from ringback.sim.http import HttpPool, WireError
from ringback.sim.identity import DeviceSpec, Enrolled
from ringback.sim.live import LiveDevice, Network, Shelf
from ringback.sim.measured import from_file
from ringback.sim.orders import DeviceLine, FactLine, FleetFile, Order, Reply, Truth
from ringback.sim.planes import read_manifest
from ringback.sim.workload import Workload

# Facts kept for those who ask; a demo makes a few thousand.
FACTS_LIMIT = 200_000
ENROL_TRIES = 5
FIRST_CHECKIN_SPREAD_S = 1.0


class EnrolAnswer(msgspec.Struct, frozen=True):
    """What the server gives a device that enrols."""

    device: str
    tenant: str
    token: str
    director_root: str


class Fleet:
    """All devices of one process."""

    def __init__(self, file: FleetFile) -> None:
        self._file = file
        self._pool = HttpPool(file.host, file.port)
        self._families = {family.name: family for family in file.families}
        self._measured = from_file(file.measured)
        self._shelf = Shelf()
        self._facts: list[FactLine] = []
        self._jury: Jury | None = None
        self._published: set[str] = set()
        self.devices: dict[str, LiveDevice] = {}
        self.is_detached = False

    async def enrol(self) -> None:
        """Enrols every device, a few at a time.

        Raises:
            WireError: the server refused one, or did not answer.
        """
        enrolled = await asyncio.gather(*(self._enrol_one(spec) for spec in self._file.devices))
        self._jury = Jury(every_checker(director_keys(enrolled[0].director_root)))
        for spec, identity in zip(self._file.devices, enrolled, strict=True):
            workload = Workload(self._families[spec.family], self._measured)
            self.devices[spec.name] = LiveDevice(
                spec,
                Network(self._pool, identity, spec.labels.get("site", "")),
                workload,
                shelf=self._shelf,
                note=self._note,
                make_core=core_maker(spec, identity),
            )

    def power_on(self) -> None:
        """Switches every device on, spread over a second, as no fleet boots at one instant."""
        loop = asyncio.get_running_loop()
        for index, device in enumerate(self.devices.values()):
            loop.call_later(FIRST_CHECKIN_SPREAD_S * index / len(self.devices), device.power_on)

    async def _enrol_one(self, spec: DeviceSpec) -> Enrolled:
        body = msgspec.json.encode(
            {
                "claim": self._file.claim,
                "serial": spec.name,
                "class": spec.device_class,
                "labels": dict(spec.labels),
                "capabilities": dict(spec.capabilities),
                "agent": __version__,
            }
        )
        for attempt in range(ENROL_TRIES):
            answer = await self._pool.request("POST", "/d/1/enrol", {"Content-Type": "application/json"}, body)
            if answer.status == 201:
                got = msgspec.json.decode(answer.body, type=EnrolAnswer)
                return Enrolled(got.device, got.tenant, got.token, base64.b64decode(got.director_root))
            if answer.status not in (429, 503):
                raise WireError(f"the server refused to enrol {spec.name}: {answer.status} {answer.body[:300]!r}")
            await asyncio.sleep(0.2 * 2**attempt)
        raise WireError(f"the server has been too busy to enrol {spec.name}")

    def _note(self, fact: Fact) -> None:
        assert self._jury is not None
        if isinstance(fact, Activated):
            self._publish(fact)
        self._jury.see(fact)
        line = _line(fact)
        if line is not None and len(self._facts) < FACTS_LIMIT:
            self._facts.append(line)

    def _publish(self, fact: Activated) -> None:
        """Tells the checkers what an artifact is, from the bytes the server gave out under its digest."""
        for digest in fact.running.values():
            raw = self._shelf.manifest(digest)
            if digest not in self._published and raw is not None and self._jury is not None:
                self._published.add(digest)
                manifest = read_manifest(raw)
                self._jury.see(Published(fact.at_ms, "", digest, manifest.plane, manifest.version, manifest.requires))

    def answer(self, order: Order) -> Reply:
        """Carries out one order."""
        if order.do == "truth":
            return Reply(truth=self._truth())
        if order.do == "facts":
            return Reply(facts=self._facts[order.since :], next=len(self._facts))
        if order.do == "detach":
            self.is_detached = True
            return Reply()
        unknown = [name for name in order.devices if name not in self.devices]
        if unknown:
            return Reply(error=f"no such devices: {', '.join(unknown[:5])}")
        chosen = [self.devices[name] for name in order.devices] if order.devices else list(self.devices.values())
        if order.do == "devices":
            return Reply(devices=[_device_line(device) for device in chosen])
        if order.do in ("cut", "mend"):
            for device in chosen:
                device.network.is_cut = order.do == "cut"
            return Reply()
        if order.do == "power":
            for device in chosen:
                device.power_cycle(order.off_ms, planned=False)
            return Reply()
        return Reply(error=f"unknown order '{order.do}'")

    def _truth(self) -> Truth:
        running: dict[str, Counter[str]] = {}
        sights = []
        for device in self.devices.values():
            planes = device.hardware.planes.running()
            for plane, digest in planes.items():
                running.setdefault(plane, Counter())[digest] += 1
            sights.append(device.hardware.workload.sight(planes))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Truth(
            devices=len(self.devices),
            running={plane: dict(counts) for plane, counts in running.items()},
            phases=dict(Counter(device.device.phase for device in self.devices.values())),
            blind=sum(1 for sight in sights if sight.is_blind),
            seen_least=min((sight.seen for sight in sights if sight.total), default=0),
            seen_total=max((sight.total for sight in sights), default=0),
            boots=sum(device.hardware.boot_count for device in self.devices.values()),
            violations=[str(violation) for violation in self._jury.violations[:20]] if self._jury else [],
            facts=len(self._facts),
            cpu_s=usage.ru_utime + usage.ru_stime,
            checkins=sum(device.network.checkins for device in self.devices.values()),
        )


def _line(fact: Fact) -> FactLine | None:
    if isinstance(fact, Activated):
        return FactLine(fact.at_ms, fact.device, "activated", dict(fact.changed), dict(fact.running), fact.back)
    if isinstance(fact, Confirmed):
        return FactLine(fact.at_ms, fact.device, "confirmed", running=dict(fact.running))
    if isinstance(fact, Settled):
        return FactLine(fact.at_ms, fact.device, "settled", outcome=fact.kind)
    return None


def _device_line(device: LiveDevice) -> DeviceLine:
    planes = device.hardware.planes.running()
    sight = device.hardware.workload.sight(planes)
    return DeviceLine(
        device.spec.name, planes, device.device.phase, device.hardware.boot_count, sight.seen, sight.total
    )


async def serve(file: FleetFile) -> None:
    """Runs a fleet until standard input ends or "quit" comes."""
    fleet = Fleet(file)
    await fleet.enrol()
    fleet.power_on()
    _write(Reply())
    lines = await _stdin()
    while True:
        line = await lines.readline()
        if not line:
            break
        try:
            order = msgspec.json.decode(line, type=Order)
        except msgspec.DecodeError as error:
            _write(Reply(error=f"not an order: {error}"))
            continue
        if order.do == "quit":
            return
        _write(fleet.answer(order))
    if fleet.is_detached:
        await asyncio.Event().wait()


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _write(reply: Reply) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
    sys.stdout.buffer.flush()


def run(path: Path) -> None:
    """Runs the program from the fleet's file."""
    uvloop.run(serve(msgspec.json.decode(path.read_bytes(), type=FleetFile)))
