"""A fleet adds up, is spread evenly, and is the same each time."""

import pytest

from ringback.sim.population import Place, Share, counts, population
from ringback.sim.workload import Family

SHARES = [
    Share(Family("orin"), "orin-door", 45),
    Share(Family("nuc"), "nuc-door", 27),
    Share(Family("rk3566"), "rk3566-door", 20),
    Share(Family("esp32-s3"), "esp32s3-door", 8),
]
PLACES = [Place("ams", "eu", "acme"), Place("nyc", "us", "globex")]


@pytest.mark.parametrize("total", [4, 50, 299, 300, 306, 1000])
def test_parts_add_up(total: int) -> None:
    assert sum(counts(total, SHARES)) == total


def test_the_demo_fleet_has_306_devices_of_which_6_are_real() -> None:
    fleet = population(306, SHARES, PLACES, absent={"rk3566": 6})

    by_family = {share.family.name: sum(1 for spec in fleet if spec.family == share.family.name) for share in SHARES}
    assert by_family == {"orin": 138, "nuc": 83, "rk3566": 55, "esp32-s3": 24}
    assert len({spec.name for spec in fleet}) == 300
    assert {spec.labels["region"] for spec in fleet if spec.family == "esp32-s3"} == {"eu", "us"}


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="55 %, not 100 %"):
        population(10, SHARES[1:], PLACES)
