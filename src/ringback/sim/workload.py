"""What the probes of a simulated device read: computed from what was measured, by what the device runs.

Decides: readings, from the digests a device runs, how long it has run them, its hardware family and its faults. Never:
invents one. Latency, size and memory of each artifact were measured on this machine when the demo was set up; outputs
of each (app, model) pair come from the app's own replay program run on the model; the golden comparison is the
kernel's. A family differs by one stated factor on latency. The world tests use the same type with figures written in
the test.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ringback.sim.faults import PPM, Fault, overlay

FPS = 8
"""Frames a simulated door looks at per second: what turns seconds into sample counts."""
CRASH_EVERY_MS = 700
"""A service that crashes as it starts is started again about this often."""


@dataclass(frozen=True, slots=True)
class Family:
    """A hardware family: how fast it runs a model compared with the machine that measured, and what it has."""

    name: str
    latency_ppm: int = PPM
    services_ready_ms: int = 600
    reboot_ms: int = 2_000
    rss_kb: int = 40_000
    mdegc: int = 52_000


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A model artifact: latency on the measuring machine."""

    slot: str
    p50_us: int
    p95_us: int
    rss_kb: int


@dataclass(frozen=True, slots=True)
class MeasuredReplay:
    """What one app made of one model's golden inputs: agreements (ppm), positives, and what people would notice."""

    fidelity_ppm: int
    quality_ppm: int
    n: int
    positive_ppm: int
    seen: int
    seen_total: int


@dataclass(frozen=True, slots=True)
class MeasuredApp:
    """An app artifact: its services in start order, those that speak a wrong interface, those that crash again and
    again.
    """

    services: tuple[str, ...]
    mismatched: frozenset[str] = frozenset()
    crashing: frozenset[str] = frozenset()
    interface: int = 2


@dataclass(frozen=True, slots=True)
class MeasuredConfig:
    """A config artifact: whether pictures still arrive under it."""

    has_input: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured, by digest; replays by (app digest, model digest)."""

    models: Mapping[str, MeasuredModel] = field(default_factory=dict)
    apps: Mapping[str, MeasuredApp] = field(default_factory=dict)
    configs: Mapping[str, MeasuredConfig] = field(default_factory=dict)
    replays: Mapping[tuple[str, str], MeasuredReplay] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What people would notice at this door: faces seen and faces there."""

    seen: int
    total: int

    @property
    def is_blind(self) -> bool:
        return self.total > 0 and self.seen == 0


Values = dict[tuple[str, str, str], int]
"""(probe, arg, field) -> value."""


class Workload:
    """The app plane of one simulated device."""

    def __init__(self, family: Family, measured: Measured) -> None:
        self.family = family
        self.measured = measured
        self.faults: list[Fault] = []
        self.is_stopped = False
        self._since_ms: dict[str, int] = {}

    def switched(self, running: Mapping[str, str], now_ms: int) -> None:
        """Says that `running` (digest by plane) is what runs from now on; digests that go on keep their age."""
        self._since_ms = {digest: self._since_ms.get(digest, now_ms) for digest in running.values()}

    def restarted(self, now_ms: int) -> None:
        """Says that everything started anew (a reboot)."""
        self._since_ms = dict.fromkeys(self._since_ms, now_ms)

    def is_starting(self, app_digest: str, now_ms: int) -> bool:
        """Whether the services of the app are still on their way up."""
        return now_ms - self._since_ms.get(app_digest, -self.family.services_ready_ms) < self.family.services_ready_ms

    def ages_ms(self, now_ms: int) -> dict[str, int]:
        return {digest: now_ms - since_ms for digest, since_ms in self._since_ms.items()}

    def sight(self, running: Mapping[str, str]) -> Sight:
        """What this door sees with what it runs."""
        model = running.get("model/face", "")
        replay = self.measured.replays.get((running.get("app", ""), model))
        if replay is None or self.is_stopped:
            return Sight(0, 0)
        config = self.measured.configs.get(running.get("config", ""), MeasuredConfig())
        app = self.measured.apps.get(running.get("app", ""))
        works = config.has_input and app is not None and not app.mismatched and not app.crashing
        return Sight(replay.seen if works else 0, replay.seen_total)

    def values(self, wanted: Iterable[tuple[str, str]], running: Mapping[str, str], now_ms: int) -> Values:
        """Reads probes.

        Args:
            wanted: (probe, arg) pairs.
            running: digest by plane: what runs, or for a preflight what would run.
            now_ms: the device's monotonic time.

        Returns:
            One entry per field; a probe that has nothing to say about its arg gives none.
        """
        values: Values = {}
        for probe, arg in wanted:
            for name, value in self._read(probe, arg, running, now_ms):
                values[probe, arg, name] = value
        ages_ms = self.ages_ms(now_ms)
        overlay(self.faults, self.family.name, {digest: ages_ms.get(digest, 0) for digest in running.values()}, values)
        return values

    def _read(self, probe: str, arg: str, running: Mapping[str, str], now_ms: int) -> Sequence[tuple[str, int]]:
        app_digest = running.get("app", "")
        app_age_ms = now_ms - self._since_ms.get(app_digest, now_ms)
        app = self.measured.apps.get(app_digest)
        if probe in ("service_up", "service_speaks"):
            return self._read_service(probe, arg, app, app_age_ms)
        if probe in ("latency", "output", "golden"):
            return self._read_model(probe, arg, running, now_ms)
        if probe == "input":
            return self._read_input(running, now_ms)
        if probe == "telemetry":
            return self._read_telemetry(app, app_age_ms)
        steady = _STEADY.get(probe)
        return steady(self.family) if steady is not None else ()

    def _read_service(self, probe: str, arg: str, app: MeasuredApp | None, age_ms: int) -> Sequence[tuple[str, int]]:
        """One service, or with an empty arg the worst of all services of the app."""
        if app is None or self.is_stopped or arg not in ("", *app.services):
            return (("up", 0), ("restarts", 0)) if probe == "service_up" else (("ok", 0), ("interface", 0))
        is_ready = age_ms >= self.family.services_ready_ms
        if probe == "service_speaks":
            is_mismatched = bool(app.mismatched) if not arg else arg in app.mismatched
            return (("ok", int(is_ready and not is_mismatched)), ("interface", app.interface))
        is_crashing = bool(app.crashing) if not arg else arg in app.crashing
        restarts = age_ms // CRASH_EVERY_MS if is_crashing else 0
        return (("up", int(is_ready and not is_crashing)), ("restarts", restarts))

    def _read_telemetry(self, app: MeasuredApp | None, age_ms: int) -> Sequence[tuple[str, int]]:
        """An upload that is spoken to in an interface it does not know rejects every batch."""
        is_rejecting = app is not None and bool(app.mismatched) and not self.is_stopped
        rejected = age_ms * FPS // 1000 if is_rejecting else 0
        return (("age_ms", age_ms if is_rejecting else 200), ("rejected", rejected))

    def _read_model(self, probe: str, slot: str, running: Mapping[str, str], now_ms: int) -> Sequence[tuple[str, int]]:
        digest = running.get(f"model/{slot}", "")
        model = self.measured.models.get(digest)
        replay = self.measured.replays.get((running.get("app", ""), digest))
        if model is None or replay is None:
            return ()
        if probe == "golden":
            return (("fidelity_ppm", replay.fidelity_ppm), ("quality_ppm", replay.quality_ppm), ("n", replay.n))
        count = self._frames(running, digest, now_ms)
        if probe == "output":
            return (("positive_ppm", replay.positive_ppm), ("n", count))
        factor = self.family.latency_ppm
        return (("p50_us", model.p50_us * factor // PPM), ("p95_us", model.p95_us * factor // PPM), ("n", count))

    def _read_input(self, running: Mapping[str, str], now_ms: int) -> Sequence[tuple[str, int]]:
        digest = running.get("config", "")
        age_ms = now_ms - self._since_ms.get(digest, now_ms)
        if self.measured.configs.get(digest, MeasuredConfig()).has_input:
            return (("age_ms", 1000 // FPS), ("frames", self._frames(running, digest, now_ms)))
        return (("age_ms", age_ms), ("frames", 0))

    def _frames(self, running: Mapping[str, str], digest: str, now_ms: int) -> int:
        """Frames since both the digest and the app run and the services are ready."""
        since_ms = max(self._since_ms.get(digest, now_ms), self._since_ms.get(running.get("app", ""), now_ms))
        return max(0, now_ms - since_ms - self.family.services_ready_ms) * FPS // 1000


_STEADY: Mapping[str, Callable[[Family], tuple[tuple[str, int], ...]]] = {
    "memory": lambda family: (("rss_kb", family.rss_kb), ("growth_kb", 0)),
    "disk": lambda family: (("free_kb", 2_000_000), ("used_ppm", 310_000)),
    "temperature": lambda family: (("max_mdegc", family.mdegc),),
    "consistency": lambda family: (("ok", 1), ("versions_ok", 1)),
    "logs": lambda family: (("gap", 0), ("seq", 1)),
    "uplink": lambda family: (("ok", 1),),
    "exec": lambda family: (("code", 0),),
}
"""Probes that read the same on every healthy device of a family."""
