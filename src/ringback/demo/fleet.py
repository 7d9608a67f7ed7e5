"""Who is in the demo's fleet: six real boxes and three hundred simulated devices, two customers, two regions, seven
sites.

Decides: names, classes and labels. Never: which device is in which ring; the server's hash does that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ringback.sim.faults import PPM
from ringback.sim.identity import DeviceSpec
from ringback.sim.population import Place, Share, population
from ringback.sim.workload import Family

FLEET_SIZE: Final = 306
REAL_FAMILY: Final = "rk3566"
REAL_CLASS: Final = "rk3566-door"

# How long one inference takes, against this machine, which plays the RK3566. The two faster families have what a small
# box lacks, the microcontroller runs the model from its own memory; its class has a limit to match. These three factors
# are the only figures of the demo that were not measured here.
FAMILIES: Final[Mapping[str, Family]] = {
    "orin": Family("orin", latency_ppm=PPM // 5, services_ready_ms=400, reboot_ms=1500, rss_kb=90_000, mdegc=48_000),
    "nuc": Family("nuc", latency_ppm=PPM * 3 // 10, services_ready_ms=300, reboot_ms=1200, rss_kb=80_000, mdegc=44_000),
    "rk3566": Family("rk3566", latency_ppm=PPM, services_ready_ms=800, reboot_ms=2000, rss_kb=60_000, mdegc=56_000),
    "esp32-s3": Family(
        "esp32-s3", latency_ppm=PPM * 20, services_ready_ms=600, reboot_ms=900, rss_kb=4_000, mdegc=51_000
    ),
}
SHARES: Final = (
    Share(FAMILIES["orin"], "orin-door", 45, {"gpu": "orin-nano", "ram_mb": 8192}),
    Share(FAMILIES["nuc"], "nuc-door", 27, {"cpu": "x86-64", "ram_mb": 8192}),
    Share(FAMILIES["rk3566"], REAL_CLASS, 20, {"npu": "rk3566", "ram_mb": 2048}),
    Share(FAMILIES["esp32-s3"], "esp32s3-door", 8, {"flash_kb": 16384, "psram_kb": 8192}, is_small=True),
)
SITES: Final = (
    Place("ams", "eu", "acme"),
    Place("nyc", "us", "globex"),
    Place("ber", "eu", "globex"),
    Place("sfo", "us", "acme"),
    Place("lis", "eu", "acme"),
    Place("chi", "us", "globex"),
)
LAB: Final = Place("lab", "eu", "acme")
# The lab has three real boxes, and this many simulated devices of each other family: the internal ring.
LAB_PER_FAMILY: Final = 3
# One customer's doors in one site run the next app already.
AHEAD_SITE: Final = "sfo"
CLASSES: Final = tuple(share.device_class for share in SHARES)


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """A real box: an agent process with services of its own."""

    name: str
    labels: Mapping[str, str]


def _labels(place: Place) -> dict[str, str]:
    labels = {"site": place.site, "region": place.region, "customer": place.customer}
    return {**labels, "ahead": "yes"} if place.site == AHEAD_SITE else labels


BOXES: Final = tuple(
    BoxSpec(f"box-{number}", _labels(place))
    for number, place in enumerate((LAB, LAB, LAB, SITES[1], SITES[2], SITES[4]), start=1)
)


def simulated() -> list[DeviceSpec]:
    """The simulated devices of the fleet; with the boxes they are FLEET_SIZE."""
    specs = []
    for spec in population(FLEET_SIZE, SHARES, SITES, absent={REAL_FAMILY: len(BOXES)}):
        index = int(spec.name.rsplit("-", 1)[1])
        site = next(place for place in SITES if place.site == spec.labels["site"])
        place = LAB if index <= LAB_PER_FAMILY and spec.family != REAL_FAMILY else site
        specs.append(replace(spec, labels=_labels(place)))
    return specs


def twins() -> list[DeviceSpec]:
    """Simulated stand-ins of the real boxes, for what is shown on a fleet that is simulated as a whole."""
    share = next(share for share in SHARES if share.family.name == REAL_FAMILY)
    return [DeviceSpec(box.name, REAL_CLASS, REAL_FAMILY, box.labels, share.capabilities) for box in BOXES]
