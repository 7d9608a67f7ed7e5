"""The parts of control one by one: rings, exposure, windows, brakes, commands."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from ringback.control import (
    Command,
    CommandKind,
    CommandRefused,
    Decision,
    EffectKind,
    Freeze,
    Grants,
    Interval,
    Member,
    RingFrame,
    RingKind,
    State,
    Stop,
    StopAnswer,
    StratumGrant,
    braked,
    command,
    cuts,
    exposure,
    opening,
    place,
    reach,
    reached,
    ring_of,
)
from ringback.control.ring import CUT_EVERYONE, CUT_NOBODY, spread
from ringback.health import BUDGETS, Budget, Deployment, GateParams, Outcome, StratumEvidence
from tests.control.scenes import GATE, NOW, OLD, family, rollout

# --- rings ---

FLEET = {"door": 600, "gate": 320, "mast": 80}
FRAMES = (
    RingFrame(RingKind.INTERNAL, has_where=True),
    RingFrame(RingKind.CANARY, count=12),
    RingFrame(RingKind.RING, percent_ppm=100_000),
    RingFrame(RingKind.RING, has_where=True),
    RingFrame(RingKind.FULL),
)


def members(sizes: Mapping[str, int] = FLEET) -> list[Member]:
    """The first device of each family is internal; every third is in the region of ring 3."""
    return [
        Member(f"{stratum}-{number}", stratum, (number == 0, True, True, number % 3 == 0, True))
        for stratum, size in sizes.items()
        for number in range(size)
    ]


def rings_of(fleet: list[Member], planned: list[Member] | None = None) -> dict[str, int]:
    rows = cuts("salt", planned or fleet, FRAMES)
    return {
        each.device_id: ring_of(place("salt", each.stratum, each.device_id), each.stratum, each.matches, rows)
        for each in fleet
    }


def test_a_place_is_the_first_eight_bytes_of_the_hash_of_salt_stratum_and_device() -> None:
    digest = sha256(b"salt|door|door-1").digest()

    assert place("salt", "door", "door-1") == int.from_bytes(digest[:8], "big")


def test_every_device_is_in_exactly_one_ring_and_the_planned_sizes_are_the_real_ones() -> None:
    fleet = members()
    rows = cuts("salt", fleet, FRAMES)
    rings = rings_of(fleet)

    assert all(0 <= ring < len(FRAMES) for ring in rings.values())
    for index, row in enumerate(rows):
        for cut in row:
            found = sum(rings[each.device_id] == index for each in fleet if each.stratum == cut.stratum)
            assert found == cut.new_devices
    assert sum(cut.new_devices for cut in rows[0]) == 3
    assert 10 <= sum(cut.new_devices for cut in rows[1]) <= 12  # internal devices may be among the first twelve


def test_a_canary_count_reaches_every_family_and_the_rare_one_more_than_its_share() -> None:
    assert spread(12, dict(FLEET)) == {"door": 6, "gate": 4, "mast": 2}
    assert spread(3, dict(FLEET)) == {"door": 1, "gate": 1, "mast": 1}
    assert spread(2, {"door": 1, "gate": 0}) == {"door": 1, "gate": 0}
    assert spread(0, dict(FLEET)) == {"door": 0, "gate": 0, "mast": 0}
    assert spread(5_000, dict(FLEET)) == FLEET


@pytest.mark.parametrize("seed", range(20))
def test_a_spread_count_is_always_given_out_whole_and_never_more_than_there_is(seed: int) -> None:
    dice = random.Random(seed)
    sizes = {f"family-{number}": dice.randrange(0, 50) for number in range(dice.randrange(1, 9))}
    count = dice.randrange(0, 120)

    given = spread(count, sizes)

    assert sum(given.values()) == min(count, sum(sizes.values()))
    assert all(0 <= given[stratum] <= sizes[stratum] for stratum in sizes)


def test_a_percentage_takes_at_least_one_device_of_every_family() -> None:
    fleet = [replace(each, matches=(True, True)) for each in members({"door": 500, "mast": 4})]
    rows = cuts("salt", fleet, (RingFrame(RingKind.RING, percent_ppm=10_000), RingFrame(RingKind.FULL)))

    assert [(cut.stratum, cut.new_devices) for cut in rows[0]] == [("door", 5), ("mast", 1)]


def test_membership_is_stable_when_other_devices_come_and_go() -> None:
    planned = members()
    later = [each for each in planned if each.device_id != "door-5"] + [
        Member(f"door-new-{number}", "door", (False, True, True, False, True)) for number in range(200)
    ]

    before, after = rings_of(planned), rings_of(later, planned)

    assert all(after[device] == ring for device, ring in before.items() if device != "door-5")
    assert {after[f"door-new-{number}"] for number in range(200)} >= {2, 4}


def test_another_salt_draws_other_canaries() -> None:
    fleet = members()
    first = {each.device_id for each in fleet if place("a", "door", each.device_id) < 1 << 60}
    second = {each.device_id for each in fleet if place("b", "door", each.device_id) < 1 << 60}

    assert first != second


def test_a_family_nobody_planned_is_in_no_ring() -> None:
    rows = cuts("salt", members(), FRAMES)

    assert ring_of(0, "submarine", (True,) * 5, rows) == len(FRAMES)


def test_cuts_at_the_edges_mean_everyone_and_nobody() -> None:
    assert int(CUT_EVERYONE, 16) == 1 << 64
    assert ring_of((1 << 64) - 1, "door", (True,), [cuts("s", members({"door": 1}), FRAMES[4:])[0]]) == 0
    none = Member("x", "door", (False,))
    assert cuts("s", [none], (RingFrame(RingKind.INTERNAL, has_where=True),))[0][0].cut == CUT_NOBODY


# --- exposure ---


def left(*strata: StratumEvidence, gate: GateParams = GATE) -> int:
    return exposure(gate, strata, NOW).grants.left


def test_without_evidence_exactly_the_budget_may_be_exposed_in_total_and_in_each_family() -> None:
    limits = exposure(GATE, (StratumEvidence("door"), StratumEvidence("gate")), NOW)

    assert limits.grants == Grants(16, (StratumGrant("door", 16), StratumGrant("gate", 16)))
    assert limits.tightest.allowed == 16
    assert limits.tightest.u_ppm == 1_000_000


def test_offered_and_young_devices_use_the_budget_up() -> None:
    assert left(StratumEvidence("door", offered=10)) == 6
    assert left(family("door", 6, at_ms=NOW - 1_000, offered=10)) == 0
    assert left(family("door", 20, at_ms=NOW - 1_000, offered=10)) == 0


def test_matured_clean_devices_multiply_what_may_be_exposed() -> None:
    assert left(family("door", 4)) == 33
    assert left(family("door", 16)) == 105
    assert left(family("door", 40)) == 251


def test_devices_past_the_horizon_but_not_confirmed_verify_nothing() -> None:
    assert left(family("door", open_=10)) == 6


def test_an_early_failure_shrinks_the_exposure_and_never_below_one() -> None:
    assert left(family("door", 15, 1)) < left(family("door", 16))
    assert left(family("door", 0, 40)) == 1


def test_a_rare_family_grows_on_its_own_evidence_only() -> None:
    grants = exposure(GATE, (family("door", 300), StratumEvidence("mast")), NOW).grants

    assert grants.strata == (StratumGrant("door", grants.left), StratumGrant("mast", 16))
    assert grants.left > 1_000


def test_what_is_granted_is_spread_half_by_size_and_half_evenly_over_the_waiting_devices() -> None:
    def granted(door: int, gate: int, mast: int, budget: int = 12) -> list[int]:
        gate_ = GateParams(budgets=(Budget(3_000, budget),))
        strata = [StratumEvidence(name, waiting=n) for name, n in (("door", door), ("gate", gate), ("mast", mast))]
        return [each.left for each in exposure(gate_, strata, NOW).grants.strata]

    assert granted(800, 120, 80) == [7, 2, 3]
    assert granted(800, 200, 1) == [7, 4, 1]
    assert granted(800, 0, 0) == [12, 0, 0]
    assert granted(900, 80, 20, budget=1) == [0, 0, 1]
    assert granted(900, 80, 20, budget=2) == [1, 0, 1]
    assert granted(3, 2, 1) == [12, 12, 12]


def test_nothing_is_spread_where_nobody_counted_who_waits() -> None:
    strata = [StratumEvidence("door", waiting=5_000), StratumEvidence("mast")]

    assert [each.left for each in exposure(GATE, strata, NOW).grants.strata] == [16, 16]


def test_every_horizon_limits_by_its_own_budget() -> None:
    gate = GateParams(budgets=BUDGETS["standard"])
    limits = exposure(gate, (family("door", 100, at_ms=NOW - 2 * 3_600_000),), NOW)

    by_horizon = {limit.horizon_ms: limit for limit in limits.limits if limit.scope == ""}
    assert by_horizon[30 * 60_000].unverified == 0
    assert by_horizon[4 * 3_600_000].unverified == 100
    assert limits.grants.left == 0
    assert limits.tightest.horizon_ms == 4 * 3_600_000


def test_failures_seen_at_a_short_horizon_raise_the_bound_of_every_longer_one() -> None:
    gate = GateParams(budgets=BUDGETS["standard"])
    old = family("door", 300, at_ms=NOW - 48 * 3_600_000).prefixes
    young = family("door", 40, 10, at_ms=NOW - 2 * 3_600_000)

    limits = exposure(gate, (replace(young, prefixes=(*old, *young.prefixes)),), NOW).limits

    bounds = [limit.u_ppm for limit in limits if limit.scope == ""]
    assert bounds == [bounds[0]] * 3
    assert bounds[0] > 20_000


def test_grants_run_out_and_never_below_zero_and_an_unplanned_family_is_held_by_the_total() -> None:
    grants: Grants | None = Grants(3, (StratumGrant("door", 1),))
    assert grants is not None

    grants = grants.taken("door")
    assert grants == Grants(2, (StratumGrant("door", 0),))
    assert grants.taken("door") is None
    grants = grants.taken("other")
    assert grants is not None
    grants = grants.taken("other")
    assert grants is not None
    assert grants.left == 0
    assert grants.taken("other") is None


def test_a_fleet_is_told_what_it_can_show_at_best() -> None:
    small = reach(GateParams(), 120)

    assert (small.u_ppm, small.certificate_needs, small.can_certify) == (21_738, 338, False)
    assert reach(GateParams(), 338).can_certify
    assert reach(GateParams(), 0).u_ppm == 1_000_000


# --- windows ---


@pytest.mark.parametrize(
    ("intervals", "is_open", "changes"),
    [
        ((), True, None),
        (((100, 200),), False, 100),
        (((0, 51),), True, 51),
        (((0, 50),), False, None),
        (((50, 60),), True, 60),
        (((40, 60), (55, 90)), True, 90),
        (((40, 60), (60, 90)), True, 90),
        (((70, 80), (60, 65)), False, 60),
        (((60, 60), (70, 80)), False, 70),
    ],
)
def test_windows_are_half_open_and_overlapping_ones_are_one(
    intervals: tuple[tuple[int, int], ...], is_open: bool, changes: int | None
) -> None:
    found = opening([Interval(start, end) for start, end in intervals], 50)

    assert (found.is_open, found.changes_at_ms) == (is_open, changes)


# --- brakes ---


@dataclass(frozen=True, slots=True)
class InRegion:
    region: str

    def matches(self, labels: Mapping[str, str], /) -> bool:
        return labels.get("region") == self.region


STOP = Stop("stop-1", InRegion("eu"), "fire drill")
FREEZE = Freeze("model/face", "sha256:f1", "blind")


def brakes(labels: dict[str, str], brings: dict[str, str], runs: dict[str, str]) -> list[str]:
    return [each.text for each in braked(labels, brings, runs=runs, stops=[STOP], freezes=[FREEZE])]


def test_a_stop_holds_where_its_selector_holds_and_nowhere_else() -> None:
    assert brakes({"region": "eu"}, {"app": "sha256:a2"}, {"app": "sha256:a1"}) == [
        "Stopped here by stop-1 (fire drill)."
    ]
    assert brakes({"region": "us"}, {"app": "sha256:a2"}, {"app": "sha256:a1"}) == []


def test_a_frozen_digest_is_activated_nowhere_but_stays_where_it_already_runs() -> None:
    bad, good = {"model/face": "sha256:f1"}, {"model/face": "sha256:f0"}

    assert brakes({}, bad, good) == ["Frozen: model/face sha256:f1 (blind)."]
    assert brakes({}, bad, bad) == []
    assert brakes({}, good, bad) == []


def test_what_is_not_newly_activated_is_not_stopped() -> None:
    assert brakes({"region": "eu"}, {"app": "sha256:a1"}, {"app": "sha256:a1"}) == []


def test_a_stop_answers_how_many_offers_it_withdraws_and_how_many_devices_are_beyond_recall() -> None:
    offered = Deployment("r1", "a", "door", 0, granted_at_ms=OLD, heard_at_ms=OLD)
    entered = replace(offered, device_id="b", entered_at_ms=OLD, outcome=Outcome.INSTALLED)
    confirmed = replace(entered, device_id="c", confirmed_at_ms=OLD)

    assert reached([offered, entered, confirmed], 7) == StopAnswer(1, 1, 7)


# --- commands ---


def told(state: State, kind: CommandKind, **changes: object) -> Decision | CommandRefused:
    planes = changes.pop("planes", ())
    assert isinstance(planes, tuple)
    return command(rollout(state, 2, **changes), Command(kind, "kim", "a reason", planes=planes), NOW)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Command(CommandKind.PAUSE, "", "x"), "RB-CONTROL-002: pause names no actor. Hint: say who asks for it"),
        (
            Command(CommandKind.ROLLBACK, "kim", " "),
            "RB-CONTROL-003: rollback has no reason. Hint: say why; it is kept on record",
        ),
        (
            Command(CommandKind.PAUSE, "kim", "x" * 501),
            "RB-CONTROL-003: the reason has 501 characters, at most 500 are kept. Hint: say it shorter",
        ),
        (
            Command(CommandKind.START, "kim", ""),
            (
                "RB-CONTROL-004: rollout r1 was started already and is in state bake. "
                "Hint: make a new rollout of the release to run it again"
            ),
        ),
        (
            Command(CommandKind.APPROVE, "kim", "fine"),
            (
                "RB-CONTROL-005: rollout r1 is in state bake and waits for no approval. "
                "Hint: see what it waits for with: ringback rollout explain"
            ),
        ),
        (
            Command(CommandKind.RESUME, "kim", "fine"),
            (
                "RB-CONTROL-006: rollout r1 is in state bake; resume is possible in paused. "
                "Hint: see what it waits for with: ringback rollout explain"
            ),
        ),
        (
            Command(CommandKind.CLOSE_CASE, "kim", "fine"),
            (
                "RB-CONTROL-006: rollout r1 is in state bake; close_case is possible in investigating. "
                "Hint: see what it waits for with: ringback rollout explain"
            ),
        ),
        (
            Command(CommandKind.ROLLBACK, "kim", "bad", planes=("app", "config")),
            (
                "RB-CONTROL-007: rollout r1 did not change app; it changed config, model/face. "
                "Hint: name planes that this rollout changed, or none for the whole ladder"
            ),
        ),
    ],
)
def test_commands_that_do_not_fit_are_refused_with_code_and_text(given: Command, text: str) -> None:
    refused = command(rollout(State.BAKE, 2), given, NOW)

    assert isinstance(refused, CommandRefused)
    assert str(refused) == text


def test_start_marks_a_draft_as_started_once() -> None:
    decision = told(State.DRAFT, CommandKind.START, started=False)

    assert isinstance(decision, Decision)
    assert decision.rollout.started
    assert decision.reasons == ("kim: start (a reason).",)
    assert isinstance(command(decision.rollout, Command(CommandKind.START, "kim", ""), NOW), CommandRefused)


def test_approve_is_recorded_for_what_was_asked_and_only_once() -> None:
    decision = told(State.WAITING_APPROVAL, CommandKind.APPROVE, awaiting="ring:3", remembered=State.BAKE)

    assert isinstance(decision, Decision)
    assert decision.rollout.approvals == ("ring:3",)
    assert isinstance(command(decision.rollout, Command(CommandKind.APPROVE, "kim", "x"), NOW), CommandRefused)


def test_pause_and_resume_keep_the_time_a_ring_has_already_baked() -> None:
    paused = told(State.BAKE, CommandKind.PAUSE)
    assert isinstance(paused, Decision)
    resumed = command(paused.rollout, Command(CommandKind.RESUME, "kim", "on"), NOW + 50_000)
    assert isinstance(resumed, Decision)

    assert paused.rollout.state is State.PAUSED
    assert resumed.rollout.state is State.BAKE
    assert resumed.rollout.since_at_ms == NOW - 1_000
    assert resumed.rollout.timer_at_ms == NOW + 50_000
    assert resumed.rollout.remembered is None


def test_pausing_while_waiting_for_approval_returns_to_what_asked_for_it() -> None:
    paused = told(State.WAITING_APPROVAL, CommandKind.PAUSE, awaiting="ring:3", remembered=State.BAKE)
    assert isinstance(paused, Decision)
    resumed = command(paused.rollout, Command(CommandKind.RESUME, "kim", "on"), NOW)
    assert isinstance(resumed, Decision)

    assert resumed.rollout.state is State.BAKE
    assert resumed.rollout.awaiting == ""


def test_rolling_back_named_planes_takes_the_narrowest_rung_that_holds_them_and_freezes_them() -> None:
    decision = told(State.FULL, CommandKind.ROLLBACK, planes=("model/face",))

    assert isinstance(decision, Decision)
    assert decision.rollout.state is State.STOPPED
    assert decision.rollout.wanted_rung == 1
    assert [(effect.kind, effect.plane) for effect in decision.effects] == [
        (EffectKind.WITHDRAW_OFFERS, ""),
        (EffectKind.FREEZE, "model/face"),
        (EffectKind.PAGE, ""),
    ]


def test_rolling_back_without_planes_takes_the_whole_ladder() -> None:
    decision = told(State.INVESTIGATING, CommandKind.ROLLBACK)

    assert isinstance(decision, Decision)
    assert decision.effects[0].planes == ("config", "model/face")


def test_superseding_names_the_newer_release() -> None:
    decision = command(rollout(State.BAKE, 2), Command(CommandKind.SUPERSEDE, "kim", "newer", by="face-int9"), NOW)

    assert isinstance(decision, Decision)
    assert decision.rollout.state is State.SUPERSEDED
    assert decision.reasons == ("kim: supersede (newer); superseded by face-int9.",)
