"""The catalogue of what can go wrong with a simulated device, by name.

Decides: how a fault changes what the probes of a device read, and when it is present. Never: when the agent notices.

A fault is tied to what the device runs (`digest`), to its hardware family, to a delay after the switch, or to nothing.
Reading faults overlay one field of one probe; world faults (power, network, disk, clock) are acted out by the world.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Args:
        kind: a name from READINGS or WORLD.
        digest: present only while this digest runs; "" = whatever runs.
        family: present only on this hardware family; "" = on all.
        after_ms: present from this long after the digest was switched to (0 = at once).
        size: how bad, in the unit of the catalogue's row; 0 = the row's own.
    """

    kind: str
    digest: str = ""
    family: str = ""
    after_ms: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in READINGS and self.kind not in WORLD:
            known = ", ".join(sorted({*READINGS, *WORLD}))
            raise ValueError(f"unknown fault '{self.kind}'; the catalogue has: {known}")

    def is_present(self, family: str, running_ms: Mapping[str, int]) -> bool:
        """Whether it shows on a device of `family` whose digests run for so many milliseconds."""
        if self.family not in ("", family):
            return False
        return not self.digest or running_ms.get(self.digest, -1) >= self.after_ms


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a reading fault does: sets a field, scales it by a factor in ppm, or lets it grow per minute.

    `arg` is the slot or service it hits; "" = every one. `size` is the value, factor or growth when the fault names
    none.
    """

    probe: str
    field: str
    how: str
    size: int
    arg: str = ""


READINGS: Mapping[str, Overlay] = {
    "service-down": Overlay("service_up", "up", "set", 0, "inference"),
    "crash-loop": Overlay("service_up", "restarts", "grow", 60, "inference"),
    "old-interface": Overlay("service_speaks", "ok", "set", 0, "inference"),
    "slow": Overlay("latency", "p95_us", "scale", 10 * PPM),
    "slow-median": Overlay("latency", "p50_us", "scale", 10 * PPM),
    "leaky": Overlay("memory", "growth_kb", "grow", 65_536),
    "disk-filling": Overlay("disk", "used_ppm", "set", 995_000),
    "hot": Overlay("temperature", "max_mdegc", "set", 98_000),
    "input-lost": Overlay("input", "age_ms", "grow", 60_000),
    "blind": Overlay("golden", "quality_ppm", "set", 400_000, "face"),
    "drifting": Overlay("output", "positive_ppm", "set", 0),
    "inconsistent": Overlay("consistency", "versions_ok", "set", 0),
    "log-gap": Overlay("logs", "gap", "set", 12),
    "telemetry-rejected": Overlay("telemetry", "rejected", "grow", 60),
}
"""Reading faults by name."""

WORLD: Mapping[str, str] = {
    "silent": "the device stops talking while the digest runs; its workload goes on",
    "uplink-lost": "the network of the device is gone while the digest runs",
    "offline": "the network of the device is gone until the world gives it back",
    "power-cut": "the power goes at durable write number `size` and comes back later",
    "disk-full": "nothing more can be written until the world makes room",
    "clock-jump": "the wall clock jumps by `size` milliseconds; nothing may notice",
    "server-down": "the server answers nobody for `size` milliseconds",
    "site-down": "every device of one site loses its network for `size` milliseconds",
}
"""World faults by name, with what they mean."""

MINUTE_MS = 60_000


def overlay(
    faults: Iterable[Fault], family: str, running_ms: Mapping[str, int], values: dict[tuple[str, str, str], int]
) -> None:
    """Changes readings in place.

    Args:
        faults: the faults of the device.
        family: its hardware family.
        running_ms: since when each running digest runs, as an age.
        values: (probe, arg, field) -> value.
    """
    for fault in faults:
        rule = READINGS.get(fault.kind)
        if rule is None or not fault.is_present(family, running_ms):
            continue
        age_ms = running_ms.get(fault.digest, max(running_ms.values(), default=0)) - fault.after_ms
        for key, value in values.items():
            if key[0] == rule.probe and key[2] == rule.field and (not rule.arg or key[1] in ("", rule.arg)):
                values[key] = _changed(rule, fault.size or rule.size, value, age_ms)


def _changed(rule: Overlay, size: int, value: int, age_ms: int) -> int:
    if rule.how == "set":
        return 0 if rule.size == 0 else size
    if rule.how == "scale":
        return value * size // PPM
    return value + size * age_ms // MINUTE_MS
