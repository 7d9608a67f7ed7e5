"""Readings come from what was measured and from what runs; faults change them as the catalogue says."""

import pytest

from ringback.sim.faults import READINGS, Fault
from ringback.sim.workload import (
    Family,
    Measured,
    MeasuredApp,
    MeasuredConfig,
    MeasuredModel,
    MeasuredReplay,
    Sight,
    Workload,
)

GOOD, BLIND, APP, MUTE, CONFIG, DARK = "good", "blind", "app", "mute", "config", "dark"
MEASURED = Measured(
    models={GOOD: MeasuredModel("face", 1300, 1500, 13_000), BLIND: MeasuredModel("face", 1300, 1500, 13_000)},
    apps={
        APP: MeasuredApp(("camera", "inference", "upload")),
        MUTE: MeasuredApp(("camera", "inference", "upload"), mismatched=frozenset({"inference"}), interface=1),
    },
    configs={CONFIG: MeasuredConfig(), DARK: MeasuredConfig(has_input=False)},
    replays={
        (APP, GOOD): MeasuredReplay(1_000_000, 1_000_000, 45, 600_000, 27, 27),
        (APP, BLIND): MeasuredReplay(1_000_000, 400_000, 45, 0, 0, 27),
        (MUTE, GOOD): MeasuredReplay(1_000_000, 1_000_000, 45, 600_000, 27, 27),
    },
)
SLOW = Family("rk3566", latency_ppm=10_000_000)
FAST = Family("orin", latency_ppm=200_000)
EVERYTHING = [(row.probe, row.arg or "face") for row in READINGS.values()]


def box(family: Family = FAST, *faults: Fault, model: str = GOOD, app: str = APP, config: str = CONFIG) -> Workload:
    workload = Workload(family, MEASURED)
    workload.faults = list(faults)
    workload.switched({"app": app, "model/face": model, "config": config}, 0)
    return workload


def running(model: str = GOOD, app: str = APP, config: str = CONFIG) -> dict[str, str]:
    return {"app": app, "model/face": model, "config": config}


def test_latency_is_what_was_measured_times_the_family_factor() -> None:
    wanted = [("latency", "face")]

    fast = box(FAST).values(wanted, running(), 10_000)
    slow = box(SLOW).values(wanted, running(), 10_000)

    assert fast["latency", "face", "p50_us"] == 260
    assert slow["latency", "face", "p50_us"] == 13_000


def test_samples_grow_with_time_and_start_when_the_services_are_ready() -> None:
    workload = box()

    assert workload.values([("latency", "face")], running(), 600)["latency", "face", "n"] == 0
    assert workload.values([("latency", "face")], running(), 2600)["latency", "face", "n"] == 16


def test_a_preflight_reads_the_candidate_and_not_what_runs() -> None:
    values = box().values([("golden", "face")], running(model=BLIND), 10_000)

    assert values["golden", "face", "quality_ppm"] == 400_000


@pytest.mark.parametrize(
    ("set_", "sight"),
    [
        (running(), Sight(27, 27)),
        (running(model=BLIND), Sight(0, 27)),
        (running(config=DARK), Sight(0, 27)),
        (running(app=MUTE), Sight(0, 27)),
    ],
)
def test_the_sight_of_a_door_follows_from_its_set(set_: dict[str, str], sight: Sight) -> None:
    assert box().sight(set_) == sight


def test_a_service_is_up_when_its_start_time_has_passed() -> None:
    workload = box()

    early = workload.values([("service_up", "inference")], running(), 100)
    late = workload.values([("service_up", "inference")], running(), 1000)

    assert (early["service_up", "inference", "up"], late["service_up", "inference", "up"]) == (0, 1)


def test_an_old_interface_is_up_and_does_not_speak() -> None:
    values = box(app=MUTE).values(
        [("service_up", "inference"), ("service_speaks", "inference")], running(app=MUTE), 9000
    )

    assert values["service_up", "inference", "up"] == 1
    assert values["service_speaks", "inference", "ok"] == 0


def test_a_dead_camera_grows_old() -> None:
    values = box(config=DARK).values([("input", "")], running(config=DARK), 5000)

    assert values["input", "", "age_ms"] == 5000


@pytest.mark.parametrize("kind", sorted(READINGS))
def test_each_reading_fault_of_the_catalogue_changes_its_field(kind: str) -> None:
    row = READINGS[kind]
    wanted = [(row.probe, row.arg or ("face" if row.probe in ("latency", "output", "golden") else ""))]

    healthy = box().values(wanted, running(), 60_000)
    ill = box(FAST, Fault(kind)).values(wanted, running(), 60_000)

    key = (*wanted[0], row.field)
    assert ill[key] != healthy[key]
    assert {other: value for other, value in ill.items() if other != key} == {
        other: value for other, value in healthy.items() if other != key
    }


def test_a_fault_shows_only_on_its_digest_its_family_and_after_its_delay() -> None:
    wanted = [("latency", "face")]

    def p95(*faults: Fault, at_ms: int = 10_000) -> int:
        return box(FAST, *faults).values(wanted, running(), at_ms)["latency", "face", "p95_us"]

    assert p95(Fault("slow", digest=GOOD)) == 3000
    assert p95(Fault("slow", digest=BLIND)) == 300
    assert p95(Fault("slow", family="rk3566")) == 300
    assert p95(Fault("slow", digest=GOOD, after_ms=20_000)) == 300


def test_an_unknown_fault_is_refused_with_the_catalogue() -> None:
    with pytest.raises(ValueError, match="unknown fault 'gremlins'; the catalogue has: .*uplink-lost"):
        Fault("gremlins")
