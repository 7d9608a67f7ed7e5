"""Who is in a simulated fleet: families, sites, customers, regions, spread evenly and the same way each time.

Decides: which device is where. Never: which device is in which ring; that is the server's hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ringback.sim.identity import DeviceSpec
from ringback.sim.workload import Family

CAPABILITY = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Place:
    """A site, with whom and where it is."""

    site: str
    region: str
    customer: str


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a fleet is of one family."""

    family: Family
    device_class: str
    percent: int
    capabilities: CAPABILITY = field(default_factory=dict)
    is_small: bool = False


def counts(total: int, shares: Sequence[Share]) -> list[int]:
    """Splits `total` by percent, by largest remainder, so that the parts add up."""
    exact = [(total * share.percent, index) for index, share in enumerate(shares)]
    parts = [value // 100 for value, _ in exact]
    by_remainder = sorted(exact, key=lambda item: (-(item[0] % 100), item[1]))
    for _, index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def population(
    total: int, shares: Sequence[Share], places: Sequence[Place], *, absent: dict[str, int] | None = None
) -> list[DeviceSpec]:
    """Names the simulated devices of a fleet.

    Args:
        total: devices in the whole fleet, real ones included.
        shares: families in percent, 100 together.
        places: sites, used in turn within each family.
        absent: how many devices of a family are real, and so not simulated.
    """
    if sum(share.percent for share in shares) != 100:
        raise ValueError(f"shares add up to {sum(share.percent for share in shares)} %, not 100 %")
    specs: list[DeviceSpec] = []
    for share, count in zip(shares, counts(total, shares), strict=True):
        for index in range(count - (absent or {}).get(share.family.name, 0)):
            place = places[index % len(places)]
            labels = {"site": place.site, "region": place.region, "customer": place.customer}
            name = f"{share.family.name}-{index + 1:03d}"
            specs.append(
                DeviceSpec(name, share.device_class, share.family.name, labels, share.capabilities, share.is_small)
            )
    return specs
