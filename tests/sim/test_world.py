"""Whole fleets in virtual time: production server and kernel, judged by checkers that know neither."""

import pytest

from ringback.sim.faults import READINGS, Fault
from tests.sim import village
from tests.sim.village import artifact, digest, release, roll, running, start, world

FACE = "model/face"
NEW = {FACE: "1.1.0"}
STOPPED = ("stopped", "rolling_back", "rolled_back", "investigating")
# A fault of the app or the config shows when that plane brings it; the blamed plane is the one whose rule it breaks.
BLAMED = {
    "service-down": "app",
    "crash-loop": "app",
    "old-interface": "app",
    "slow": FACE,
    "slow-median": FACE,
    "leaky": FACE,
    "disk-filling": "config",
    "hot": FACE,
    "input-lost": "config",
    "blind": FACE,
    "drifting": FACE,
    "inconsistent": "app",
    "log-gap": "config",
    "telemetry-rejected": "app",
}


def test_a_good_release_reaches_everyone_and_breaks_nothing() -> None:
    made = world()
    made.server.publish(*artifact(FACE, "1.1.0"))

    state = roll(made, release("better", NEW))

    assert state == "closed"
    assert running(made, FACE) == {"1.1.0": 30}
    assert made.close() == []


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    def trace(seed: int) -> str:
        made = world(20, seed)
        made.server.publish(*artifact(FACE, "1.1.0"))
        roll(made, release("better", NEW))
        return made.trace.digest()

    assert trace(7) == trace(7)
    assert trace(7) != trace(8)


def test_every_reading_fault_of_the_catalogue_has_a_story() -> None:
    assert set(BLAMED) == set(READINGS)


@pytest.mark.parametrize("kind", sorted(READINGS))
def test_a_release_with_a_fault_is_taken_back_and_the_right_plane_is_blamed(kind: str) -> None:
    plane = BLAMED[kind]
    made = world(faults={"": [Fault(kind, digest=digest(plane, "1.1.0"))]})
    made.server.publish(*artifact(plane, "1.1.0"))
    rollout_id = start(made, release("worse", {plane: "1.1.0"}))

    made.run(120_000, until=lambda: made.server.state(rollout_id) == "investigating")

    assert made.server.state(rollout_id) == "investigating"
    assert made.server.blamed(rollout_id) == plane
    assert running(made, plane) == {"1.0.0": 30}
    assert made.close() == []


def test_a_fault_on_one_family_stops_the_release_and_names_the_family() -> None:
    made = world(faults={"": [Fault("slow", digest=digest(FACE, "1.1.0"), family="small")]})
    made.server.publish(*artifact(FACE, "1.1.0"))
    rollout_id = start(made, release("worse", NEW))

    made.run(120_000, until=lambda: made.server.state(rollout_id) == "investigating")

    assert made.server.family(rollout_id) == "small"
    assert running(made, FACE) == {"1.0.0": 30}
    assert made.close() == []


def test_devices_that_fall_silent_under_a_release_stop_it() -> None:
    made = world()
    made.server.publish(*artifact(FACE, "1.1.0"))
    rollout_id = start(made, release("worse", NEW))
    new = digest(FACE, "1.1.0")

    def silence_those_that_run_it() -> bool:
        made.network.cut(
            name for name, each in made.devices.items() if new in each.device.hardware.planes.active.values()
        )
        return made.server.state(rollout_id) in STOPPED

    made.run(120_000, until=silence_those_that_run_it)

    assert made.server.state(rollout_id) in STOPPED
    assert running(made, FACE)["1.1.0"] <= 16, "no more than the exposure budget"
    made.network.mend(made.devices)
    made.run(60_000)
    assert made.close() == []


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 12))])
def test_power_cuts_and_lost_networks_leave_every_device_at_rest_on_an_allowed_set(seed: int) -> None:
    made = world(30, seed)
    made.server.publish(*artifact(FACE, "1.1.0"))
    made.server.publish(*artifact("app", "1.1.0"))
    start(made, release("both", {"app": "1.1.0", FACE: "1.1.0"}, rings="rings: []\n", gate=village.EVERYONE))
    names = sorted(made.devices)
    for _ in range(40):
        made.run(250)
        made.power_cut(made.random.sample(names, 2), made.random.randrange(100, 4_000))
        victims = made.random.sample(names, 3)
        made.network.cut(victims)
        made.agenda.after(made.random.randrange(200, 5_000), lambda victims=victims: made.network.mend(victims))
    made.run(120_000)

    assert {each.device.phase for each in made.devices.values()} <= {"confirmed", "reverted", "idle", "refused"}
    assert made.close() == []


@pytest.mark.parametrize("write", range(1, 12))
def test_a_power_cut_at_each_durable_write_of_an_update_is_survived(write: int) -> None:
    made = world(3)
    made.server.publish(*artifact(FACE, "1.1.0"))
    start(made, release("better", NEW, rings="rings: []\n", gate=village.EVERYONE))
    victim = made.devices["big-0"].device
    victim.hardware.disk.cut_power_at(victim.hardware.disk.write_count + write)

    made.run(90_000)

    assert victim.hardware.boot_count == 2
    assert running(made, FACE) == {"1.1.0": 3}
    assert made.close() == []


def test_the_server_is_killed_in_mid_ring_and_nothing_is_lost_or_done_twice() -> None:
    made = world()
    made.server.publish(*artifact(FACE, "1.1.0"))
    rollout_id = start(made, release("better", NEW))
    new = digest(FACE, "1.1.0")
    made.run(60_000, until=lambda: made.census().running[FACE].get(new, 0) >= 5)

    made.network.take_server_down(2_000)
    made.server.restart()
    made.run(300_000, until=lambda: made.server.state(rollout_id) == "closed")

    assert made.server.state(rollout_id) == "closed"
    assert running(made, FACE) == {"1.1.0": 30}
    assert made.close() == []


def test_after_a_stop_nobody_there_newly_activates() -> None:
    made = world()
    made.server.publish(*artifact(FACE, "1.1.0"))
    rollout_id = start(made, release("better", NEW, rings="rings: []\n", gate=village.EVERYONE))
    made.run(1_500)

    made.server.stop("site=nyc", "complaints")
    made.run(60_000)

    new, inside = digest(FACE, "1.1.0"), [n for n, d in made.devices.items() if d.device.spec.labels["site"] == "nyc"]
    activated = [n for n in inside if made.devices[n].device.hardware.planes.active[FACE] == new]
    assert len(activated) < len(inside)
    assert made.server.state(rollout_id) != "closed"
    assert made.close() == []


def test_a_version_frozen_while_a_device_is_offline_is_not_activated_when_it_comes_back() -> None:
    made = world(20)
    made.server.publish(*artifact(FACE, "1.1.0"))
    offline = ["big-1", "small-1"]
    made.network.cut(offline)
    start(made, release("better", NEW, rings="rings: []\n", gate=village.EVERYONE))
    made.run(2_000)

    made.server.freeze(FACE, digest(FACE, "1.1.0"), "second thoughts")
    made.network.mend(offline)
    made.run(60_000)

    assert {made.devices[name].device.hardware.planes.active[FACE] for name in offline} == {digest(FACE, "1.0.0")}
    assert made.close() == []


def test_a_hop_is_taken_so_that_no_device_ever_runs_an_invalid_set() -> None:
    made = world(30, app=">=1.1.0")
    made.server.publish(*artifact("app", "1.1.0"))
    made.server.publish(*artifact(FACE, "1.1.0", app=">=1.1.0"))

    state = roll(made, release("deaf", NEW, rings="rings: []\n", gate=village.EVERYONE, more="via: [app/door@1.1.0]\n"))

    assert state == "closed"
    assert made.census().running[FACE] == {digest(FACE, "1.1.0", app=">=1.1.0"): 30}
    assert made.close() == []
