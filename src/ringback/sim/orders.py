"""What may be asked of a live fleet, and what it answers: one JSON object a line on its standard input and output.

Decides: the words. Invariant: an order the fleet does not know is an error in the answer, never the end of the fleet.
"""

import msgspec

from ringback.sim.identity import DeviceSpec
from ringback.sim.measured import MeasuredFile
from ringback.sim.workload import Family


class FleetFile(msgspec.Struct, frozen=True):
    """What a live fleet is started with."""

    host: str
    port: int
    claim: str
    families: list[Family]
    devices: list[DeviceSpec]
    measured: MeasuredFile


class Order(msgspec.Struct, frozen=True):
    """One question or command.

    `do`: truth | facts | devices | cut | mend | power | detach | quit. `devices`: names, empty = all. `since`: number
    of the first fact wanted. `off_ms`: how long the power is off.
    """

    do: str
    devices: list[str] = []
    since: int = 0
    off_ms: int = 500


class FactLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fact, flat."""

    at_ms: int
    device: str
    kind: str
    changed: dict[str, str] = {}
    running: dict[str, str] = {}
    back: bool = False
    outcome: str = ""


class DeviceLine(msgspec.Struct, frozen=True):
    """One device as it is."""

    name: str
    running: dict[str, str]
    phase: str
    boots: int
    seen: int
    total: int


class Truth(msgspec.Struct, frozen=True):
    """The fleet as it is, counted."""

    devices: int
    running: dict[str, dict[str, int]]
    phases: dict[str, int]
    blind: int
    seen_least: int
    seen_total: int
    boots: int
    violations: list[str]
    facts: int
    cpu_s: float
    checkins: int


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one order; `error` is "" when it was carried out."""

    error: str = ""
    truth: Truth | None = None
    facts: list[FactLine] = []
    next: int = 0
    devices: list[DeviceLine] = []
