"""The demo's fleet is the one that the story names."""

from collections import Counter

from ringback.demo import fleet


def test_the_fleet_has_306_devices_in_four_families_one_of_them_8_percent() -> None:
    everyone = [*fleet.simulated(), *fleet.twins()]

    families = Counter(spec.family for spec in everyone)
    assert families == {"orin": 138, "nuc": 83, "rk3566": 61, "esp32-s3": 24}
    assert len({spec.name for spec in everyone}) == fleet.FLEET_SIZE


def test_there_are_two_customers_two_regions_and_a_lab_of_every_family_with_three_real_boxes() -> None:
    everyone = [*fleet.simulated(), *fleet.twins()]

    assert {spec.labels["customer"] for spec in everyone} == {"acme", "globex"}
    assert {spec.labels["region"] for spec in everyone} == {"eu", "us"}
    lab = [spec for spec in everyone if spec.labels["site"] == "lab"]
    assert Counter(spec.family for spec in lab) == {"orin": 3, "nuc": 3, "rk3566": 3, "esp32-s3": 3}


def test_part_of_the_fleet_is_an_app_ahead_and_no_real_box_is() -> None:
    ahead = [spec.name for spec in fleet.simulated() if spec.labels.get("ahead") == "yes"]

    assert 20 < len(ahead) < 80
    assert not any("ahead" in box.labels for box in fleet.BOXES)
