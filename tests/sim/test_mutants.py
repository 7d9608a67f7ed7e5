"""Seeded bugs in the product and in its drivers: the checkers find each of them in a running world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from ringback import control
from ringback.agent.ports import Artifact, Change
from ringback.sim.ports import SimArtifacts, SimPlatform
from ringback.sim.world import World
from ringback.usecases import desire
from ringback_kernel import rest, transaction
from tests.sim import village
from tests.sim.village import artifact, digest, release, start, world

FACE = "model/face"
Patch = pytest.MonkeyPatch


def commit_deletes_the_way_back(patch: Patch) -> None:
    """I6: the backend keeps only what runs."""

    def commit(self: SimPlatform, keep: Mapping[str, Sequence[str]]) -> None:
        self._planes.prune(frozenset())
        self._events.confirmed()

    patch.setattr(SimPlatform, "commit", commit)


def download_stops_halfway_unnoticed(patch: Patch) -> None:
    """I2: nobody hashes what was downloaded."""

    def fetch(self: SimArtifacts, artifacts: Sequence[Artifact], op: int) -> None:
        for each in artifacts:
            raw = self._store.manifest(each.digest)
            assert raw is not None
            self._planes.slot(each.digest).manifest = raw
        self._note()

    def verify(self: SimArtifacts, artifacts: Sequence[Artifact]) -> dict[str, dict[str, object]]:
        import json

        return {each.plane: json.loads(self._planes.slots[each.digest].manifest) for each in artifacts}

    patch.setattr(SimArtifacts, "fetch", fetch)
    patch.setattr(SimArtifacts, "verify", verify)


def revert_takes_the_config_along(patch: Patch) -> None:
    """I5: a revert of the model also empties the config."""
    production = SimPlatform.activate

    def activate(self: SimPlatform, group: Sequence[Change], *, forward: bool) -> object:
        return production(self, [*group, Change("config", "")] if not forward else group, forward=forward)

    patch.setattr(SimPlatform, "activate", activate)


def trial_never_ends(patch: Patch) -> None:
    """I4: neither the deadline nor a failing reading ends a trial."""

    def ignore(tx: object, obj: object) -> None:
        for timer in ("deadline_ms", "probe_at_ms"):
            setattr(tx, timer, None)

    for event in ("probe_done", "timeout"):
        patch.setitem(transaction.ROWS, ("trial", event), (ignore, ()))


def freeze_is_heard_by_nobody(patch: Patch) -> None:
    """I7: neither the server nor the device minds a freeze."""
    patch.setattr(rest, "is_frozen", lambda tx, wanted: "")
    patch.setattr(desire.Case, "brings_frozen", lambda self, hop: False)
    patch.setattr("ringback.usecases.tick.withdrawals", lambda *args, **options: [])
    patch.setattr("ringback.usecases.brakes.withdrawals", lambda *args, **options: [])


def stop_is_heard_by_nobody(patch: Patch) -> None:
    """I9: the server forgets who is stopped."""
    patch.setattr("ringback.usecases.fleet.Fleet._find_stopped", lambda self: None)
    patch.setattr("ringback.usecases.brakes.withdrawals", lambda *args, **options: [])


def exposure_knows_no_budget(patch: Patch) -> None:
    """I9: every decision grants the whole fleet."""
    production = control.decide

    def decide(*args: object) -> object:
        decision = production(*args)  # type: ignore[arg-type]
        strata = tuple(replace(each, left=10_000) for each in decision.grants.strata)
        return replace(decision, grants=replace(decision.grants, left=10_000, strata=strata))

    patch.setattr(control, "decide", decide)


def freeze_mid_flight(made: World) -> None:
    start(made, release("worse", {FACE: "1.1.0"}, rings="rings: []\n", gate=village.EVERYONE))
    made.run(1_200)
    made.server.freeze(FACE, digest(FACE, "1.1.0"), "second thoughts")


def stop_mid_flight(made: World) -> None:
    start(made, release("worse", {FACE: "1.1.0"}, rings="rings: []\n", gate=village.EVERYONE))
    made.run(500)
    made.server.stop("site=nyc", "complaints")


def roll_out(made: World) -> None:
    start(made, release("better", {FACE: "1.1.0"}))


def roll_out_wide(made: World) -> None:
    rings = 'rings:\n  - {name: two-sites, where: "site in (ams,ber,nyc)", bake: 1s}\n'
    start(made, release("better", {FACE: "1.1.0"}, rings=rings))


def roll_out_slow(made: World) -> None:
    from ringback.sim.faults import Fault

    for each in made.devices.values():
        each.device.hardware.workload.faults.append(Fault("slow", digest=digest(FACE, "1.1.0")))
    start(made, release("worse", {FACE: "1.1.0"}))


STORIES: dict[Callable[[Patch], None], tuple[str, Callable[[World], None]]] = {
    commit_deletes_the_way_back: ("I6", roll_out),
    download_stops_halfway_unnoticed: ("I2", roll_out),
    revert_takes_the_config_along: ("I5", roll_out_slow),
    trial_never_ends: ("I4", roll_out),
    freeze_is_heard_by_nobody: ("I7", freeze_mid_flight),
    stop_is_heard_by_nobody: ("I9", stop_mid_flight),
    exposure_knows_no_budget: ("I9", roll_out_wide),
}


@pytest.mark.parametrize("mutant", STORIES, ids=lambda mutant: mutant.__name__)
def test_each_seeded_bug_is_found(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    invariant, story = STORIES[mutant]
    made = world(24)
    made.server.publish(*artifact(FACE, "1.1.0"))
    mutant(monkeypatch)

    story(made)
    made.run(60_000)

    assert invariant in {violation.invariant for violation in made.close()}


@pytest.mark.parametrize("story", sorted({story for _, story in STORIES.values()}, key=lambda story: story.__name__))
def test_the_same_stories_without_a_bug_break_nothing(story: Callable[[World], None]) -> None:
    made = world(24)
    made.server.publish(*artifact(FACE, "1.1.0"))

    story(made)
    made.run(60_000)

    assert made.close() == []
