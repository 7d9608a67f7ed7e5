"""What the demo publishes, by its name in the story, and what each of it does on a simulated device.

Decides: nothing. The kit's packages and measurements are used as they are: a simulated device gets the figures measured
on this machine for the very digest it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.demo.material import artifacts, kit, measurements
from ringback.demo.material.fetch import Unavailable
from ringback.publisher.manifest import Package
from ringback.sim.workload import Measured, MeasuredApp, MeasuredConfig, MeasuredModel, MeasuredReplay

# A model may take this much longer than the one it replaces before its class calls it too slow.
LATENCY_LIMIT_FACTOR: Final = 4
APP_OF_EDITION: Final = "app-1.1"
"""The app that was measured; editions with another mistake replay the same way."""


@dataclass(frozen=True, slots=True)
class Goods:
    """Packages by name, what was measured, and why there are no voices (None when there are)."""

    packages: Mapping[str, Package]
    folders: Mapping[str, Path]
    measured: Measured
    rows: tuple[measurements.Row, ...]
    no_voice: Unavailable | None

    def digest(self, name: str) -> str:
        return self.packages[name].digest

    @property
    def name_of(self) -> Mapping[str, str]:
        """The name in the story by digest."""
        return {package.digest: name for name, package in self.packages.items()}

    def latency_limit_us(self) -> int:
        """The limit that a class sets on the latency of the face model, from what the first one takes here."""
        return LATENCY_LIMIT_FACTOR * self.row("face-fp32").p50_us

    def row(self, model: str) -> measurements.Row:
        """What a model measured under the app of the story."""
        return next(row for row in self.rows if row.model == model)


def get() -> Goods:
    """Makes or loads everything the demo publishes; the first time takes about fifteen seconds."""
    made = kit.get()
    return Goods(made.packages, made.folders, measured(made.packages, made.measured), made.measured, made.no_voice)


def measured(packages: Mapping[str, Package], rows: tuple[measurements.Row, ...]) -> Measured:
    """The figures of the simulated workload, by digest."""
    models = {row.model_digest: MeasuredModel(row.slot, row.p50_us, row.p95_us, row.load_kb) for row in rows}
    replays = {(row.app_digest, row.model_digest): _replay(row) for row in rows}
    reference = packages[APP_OF_EDITION].digest
    for name, edition in kit.APPS.items():
        digest = packages[name].digest
        if not any(row.app_digest == digest for row in rows) and edition.voice_context_samples:
            replays |= {(digest, row.model_digest): _replay(row) for row in rows if row.app_digest == reference}
    apps = {packages[name].digest: _app(edition) for name, edition in kit.APPS.items()}
    configs = {
        package.digest: MeasuredConfig(has_input=name != "config-no-stream")
        for name, package in packages.items()
        if package.identity.plane == "config"
    }
    return Measured(models, apps, configs, replays)


def _app(edition: artifacts.Edition) -> MeasuredApp:
    return MeasuredApp(
        services=artifacts.SERVICES,
        mismatched=frozenset({"inference"} if edition.inference_speaks != 2 else ()),
        crashing=frozenset({"inference"} if edition.forgotten_file else ()),
        interface=edition.inference_speaks,
    )


def _replay(row: measurements.Row) -> MeasuredReplay:
    positive_ppm = row.positives * measurements.PPM // row.n
    return MeasuredReplay(row.fidelity_ppm, row.quality_ppm, row.n, positive_ppm, row.seen, row.seen_total)
