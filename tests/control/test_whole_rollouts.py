"""Whole rollouts over a small fleet: a good release arrives everywhere, a bad one is taken back early and by plane."""

from __future__ import annotations

import pytest

from ringback.control import State
from tests.control.world import FAMILIES, Fault, World

FLEET = sum(FAMILIES.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_good_release_goes_through_every_state_to_the_whole_fleet(seed: int) -> None:
    world = World(Fault(), seed)

    ended = world.run()

    assert ended is State.CLOSED
    assert world.states == [
        State.VALIDATING,
        State.BAKE,
        State.DRILL,
        State.CANARY,
        State.BAKE,
        State.RING,
        State.BAKE,
        State.STABILITY,
        State.FULL,
        State.ROLLBACK_WINDOW,
        State.CLOSED,
    ]
    assert sum(each.is_good for each in world.deployments.values()) == FLEET
    assert world.breaches == []


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("fault", [Fault(1.0), Fault(0.5), Fault(0.7, silent=True)])
def test_a_bad_release_is_stopped_rolled_back_frozen_and_handed_to_a_person_early(fault: Fault, seed: int) -> None:
    world = World(fault, seed)

    ended = world.run()

    assert ended is State.INVESTIGATING
    assert world.states[-5:] == [
        State.STOPPED,
        State.ROLLING_BACK,
        State.ROLLED_BACK,
        State.FROZEN,
        State.INVESTIGATING,
    ] or world.states[-4:] == [State.STOPPED, State.ROLLED_BACK, State.FROZEN, State.INVESTIGATING]
    assert world.frozen == {"sha256:f1"}
    assert world.harmed <= 24
    assert world.breaches == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_defect_of_one_rare_family_is_found_named_and_harms_few(seed: int) -> None:
    world = World(Fault(1.0, family="mast"), seed)

    ended = world.run(40_000)

    last = world.decisions[-1]
    said = " ".join(reason for decision in world.decisions for reason in decision.reasons)
    assert ended in (State.PAUSED, State.INVESTIGATING)
    assert "Only hardware family mast is affected." in said
    assert "Plane model/face is blamed" in said
    assert world.harmed <= 4
    assert last.rollout.family in ("", "mast")


def test_a_drill_that_does_not_come_back_stops_a_healthy_release_before_any_ring_widens() -> None:
    world = World(Fault(drill_works=False), 1)

    world.run()

    assert State.STOPPED in world.states
    assert State.RING not in world.states
    assert world.frozen == set()
    assert len(world.deployments) <= 16


def test_without_a_person_an_alarm_slows_growth_and_the_verdict_still_comes() -> None:
    world = World(Fault(1.0, family="mast"), 1, unattended=True)

    ended = world.run()

    assert ended is State.INVESTIGATING
    assert State.PAUSED not in world.states
    assert world.rollout.family == "mast"
    assert world.harmed <= 24


def test_the_same_seed_gives_the_same_decisions() -> None:
    one, other = World(Fault(0.3), 7), World(Fault(0.3), 7)
    one.run()
    other.run()

    assert one.decisions == other.decisions


def test_a_controller_that_dies_after_every_decision_and_one_that_never_dies_decide_alike() -> None:
    """The world keeps nothing between decisions but the rollout and the evidence, and the ledger can be rebuilt."""
    world = World(Fault(0.3), 9)
    world.run(20_000)
    rebuilt = World(Fault(0.3), 9)
    for deployment in world.deployments.values():
        rebuilt.ledger.change(None, deployment)

    assert rebuilt.ledger.strata() == world.ledger.strata()
    assert rebuilt.ledger.rings() == world.ledger.rings()
