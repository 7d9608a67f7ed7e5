"""What was measured, as JSON and back: it goes from the program that measured to the process that simulates.

Decides: nothing.
"""

from collections.abc import Mapping, Sequence

import msgspec

from ringback.sim.workload import Measured, MeasuredApp, MeasuredConfig, MeasuredModel, MeasuredReplay


class ReplayRow(msgspec.Struct, frozen=True):
    """One app on one model."""

    app: str
    model: str
    outcome: MeasuredReplay


class MeasuredFile(msgspec.Struct, frozen=True):
    """Everything that was measured, by digest."""

    models: dict[str, MeasuredModel]
    apps: dict[str, MeasuredApp]
    configs: dict[str, MeasuredConfig]
    replays: list[ReplayRow]


def to_file(measured: Measured) -> MeasuredFile:
    """The JSON shape of what was measured."""
    rows = [ReplayRow(app, model, outcome) for (app, model), outcome in sorted(measured.replays.items())]
    return MeasuredFile(dict(measured.models), dict(measured.apps), dict(measured.configs), rows)


def from_file(file: MeasuredFile) -> Measured:
    """The opposite of `to_file`."""
    return Measured(file.models, file.apps, file.configs, replays(file.replays))


def replays(rows: Sequence[ReplayRow]) -> Mapping[tuple[str, str], MeasuredReplay]:
    return {(row.app, row.model): row.outcome for row in rows}
