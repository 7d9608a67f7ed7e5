"""The planner against its second opinion: on random catalogs they agree, and a planner broken on purpose is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ringback.plan import ladder, route, search
from ringback.plan.catalog import Catalog
from ringback.plan.inventory import PlaneSet
from ringback.plan.ladder import Ladder, Rung
from ringback.plan.lint import Finding, is_reachable, is_sound, lint
from ringback.plan.route import Blocked, Wanted
from ringback.plan.sets import violations
from ringback.plan.track import Hop, Track
from ringback.spec.artifact import Artifact
from ringback.spec.device_class import DeviceClass, parse_class
from tests.plan.fleet import SENSOR, artifact, catalog, class_of, planes
from tests.plan.scene import APP_10, APP_11, CATALOG, CONFIG_2, FACE_1, FACE_2, OLD, VOICE_62

PLANES = {"app": "firmware", "model/face": "model", "model/voice": "model", "config": "config"}
NAMES = {"app": "app/door", "model/face": "model/face/net", "model/voice": "model/voice/net", "config": "config/door"}
CONSTRAINTS = (">=1", ">=2", ">=3", "<2", "<3", "==2", ">=2,<3", "!=2")

EXACTLY_EXPLAINED = {"RB-PLAN-010", "RB-PLAN-012", "RB-PLAN-017", "RB-PLAN-019"}
"""Refusals for a reason other than that no way exists: epoch, invalid start, a door, too entangled."""


@some.composite
def class_documents(draw: some.DrawFn) -> DeviceClass:
    costs = {plane: draw(some.sampled_from([10, 20, 300, 3000])) for plane in PLANES}
    listed = "".join(
        f"  - {{name: {plane}, kind: {kind}, backend: directory, cost_ms: {costs[plane]}}}\n"
        for plane, kind in PLANES.items()
    )
    one_plane, joint = draw(some.booleans()), draw(some.booleans())
    policy = (
        f"policy: {{slots: {draw(some.sampled_from([2, 3]))}, one_plane_per_deployment: {str(one_plane).lower()}, "
        f"joint_switches: {str(joint).lower()}}}\n"
    )
    return parse_class(f"class: door\nversion: 1\nfamily: rk3566\nplanes:\n{listed}{policy}")


@some.composite
def worlds(draw: some.DrawFn) -> tuple[Catalog, PlaneSet, Wanted]:
    """Draw a class, three versions of each plane with random constraints, a running set and a release.

    The twist makes two planes valid only together, or one dependent on a plane that only `via` brings: by chance alone
    both are rare.
    """
    device_class = draw(class_documents())
    one, two, *others = draw(some.permutations(list(PLANES)))
    twist = draw(some.sampled_from(["none", "together", "via"]))
    published: dict[str, list[Artifact]] = {}
    for plane, name in NAMES.items():
        published[plane] = []
        for major in (1, 2, 3):
            # First versions ask for little, so that most running sets are valid and the way is what is tested.
            subjects = draw(some.lists(some.sampled_from(list(PLANES)), max_size=2 if major > 1 else 0, unique=True))
            requires = {subject: draw(some.sampled_from(CONSTRAINTS)) for subject in subjects}
            if plane in requires:
                requires[plane] = draw(some.sampled_from([f">={low}" for low in range(1, major + 1)]))
            if major > 1 and twist == "together" and plane in (one, two):
                requires = {two if plane == one else one: ">=2"}
            if major > 1 and twist == "via" and plane in (one, two):
                requires = {two: draw(some.sampled_from([">=2", "==2"]))} if plane == one else {}
            epoch = draw(some.sampled_from([0, 0, 0, 0, 0, 0, major - 1]))
            published[plane].append(artifact(f"{name}@{major}.0.0", requires=requires, epoch=epoch))
    everything = [artifact_ for versions in published.values() for artifact_ in versions]
    running = [draw(some.sampled_from([*published[plane][:1] * 5, published[plane][1], None])) for plane in PLANES]
    goal_planes = draw(some.lists(some.sampled_from(list(PLANES)), min_size=1, max_size=3, unique=True))
    via = draw(some.lists(some.sampled_from(everything), max_size=4, unique=True))
    if twist == "together":
        goal_planes = [one, two, *others[: draw(some.integers(0, 1))]]
    if twist == "via":
        goal_planes, via = [one, *others[: draw(some.integers(0, 1))]], [published[two][1], *via]
    wanted = Wanted(
        goal=tuple(draw(some.sampled_from(published[plane][1:])) for plane in goal_planes),
        via=tuple(dict.fromkeys(via)),
        rollback_order=tuple(draw(some.permutations(["config", "model", "firmware"]))),
        one_way=draw(some.booleans()),
    )
    return (
        catalog(everything, device_class),
        planes(*(running_ for running_ in running if running_ is not None)),
        wanted,
    )


MANY = settings.default.max_examples * 6 if settings.default is not None else 300


@settings(max_examples=MANY)
@given(worlds())
def test_on_random_catalogs_every_track_passes_the_second_opinion_and_every_refusal_is_true(
    world: tuple[Catalog, PlaneSet, Wanted],
) -> None:
    of, running, wanted = world

    found = route.route(of.classes["door"], running, wanted, of)

    if isinstance(found, Track):
        assert [one.text for one in lint(found, wanted, of) if one.is_error] == []
    else:
        assert found.causes
        if not {cause.code for cause in found.causes} & EXACTLY_EXPLAINED:
            assert not is_reachable("door", running, wanted, of), found.causes


@given(worlds())
def test_on_random_catalogs_both_opinions_call_the_same_sets_valid(world: tuple[Catalog, PlaneSet, Wanted]) -> None:
    of, running, wanted = world
    start = {plane: of.artifacts[digest] for plane, digest in running}
    device_class = of.classes["door"]

    for chosen in (start, {**start, **{one.plane: one for one in wanted.goal}}):
        assert (violations(device_class, chosen) == []) == is_sound(device_class, chosen)


@pytest.mark.parametrize(
    ("need", "fits"),
    [("2048", True), (">=2048", True), (">=4096", False), ("rk3566|rk3568", True), ("rk3588", False)],
)
def test_both_opinions_ask_the_hardware_for_its_capabilities(need: str, fits: bool) -> None:
    subject = "cap:npu" if need.startswith("rk") else "cap:ram_mb"
    chosen = {"app": artifact("app/door@9.0.0", requires={subject: need})}

    assert (violations(class_of(), chosen) == []) is fits
    assert is_sound(class_of(), chosen) is fits


def test_both_opinions_refuse_a_capability_that_the_hardware_does_not_have() -> None:
    chosen = {"app": artifact("app/door@9.0.0", requires={"cap:gpu": ">=1"})}

    assert violations(class_of(), chosen) != []
    assert not is_sound(class_of(), chosen)


# --- mutants of values: one promise of a good track is broken at a time -----------------------------------------------

GOAL = Wanted(goal=(APP_11, FACE_2, CONFIG_2))


def good(wanted: Wanted = GOAL, of: Catalog = CATALOG) -> Track:
    found = route.route(of.classes["door"], OLD, wanted, of)
    assert isinstance(found, Track)
    return found


def with_hop(track: Track, change: Callable[[Hop], Hop]) -> Track:
    return replace(track, hops=(change(track.hops[0]), *track.hops[1:]))


def with_rungs(hop: Hop, change: Callable[[tuple[Rung, ...]], tuple[Rung, ...]]) -> Hop:
    return replace(hop, ladder=Ladder(change(hop.ladder.rungs), hop.ladder.first))


def errors(track: Track, wanted: Wanted = GOAL, of: Catalog = CATALOG) -> list[str]:
    return [one.text for one in lint(track, wanted, of) if one.is_error]


def first_rung(hop: Hop, rung: Rung) -> Hop:
    return with_rungs(hop, lambda rungs: (rung, *rungs[1:]))


BROKEN: dict[str, Callable[[Hop], Hop]] = {
    "the set after ('config',) is invalid": lambda hop: replace(hop, order=(("config",), ("model/face",), ("app",))),
    "although ('app',) could go alone": lambda hop: replace(hop, order=(("app", "model/face"), ("config",))),
    "the order names ['app', 'model/face']": lambda hop: replace(hop, order=hop.order[:2]),
    "but [] change": lambda hop: replace(hop, after=hop.before),
    "a plane is emptied": lambda hop: replace(hop, after=hop.after[1:]),
    "the cost says 1 ms, the class 3220 ms": lambda hop: replace(hop, cost_ms=1),
    "the last rung does not take everything back": lambda hop: with_rungs(hop, lambda rungs: rungs[:-1]),
    "the last rung does not": lambda hop: with_rungs(hop, lambda rungs: ()),
    "two rungs take back the same planes": lambda hop: with_rungs(hop, lambda rungs: (rungs[0], *rungs)),
    "rung 0 goes to other artifacts": lambda hop: first_rung(hop, Rung(("config",), (("config", FACE_2.digest),))),
    "rung 0 takes back ('model/voice',)": lambda hop: first_rung(hop, Rung(("model/voice",), ())),
    "rung 0 ends in an invalid set": lambda hop: first_rung(
        hop, Rung(("model/face",), (("model/face", FACE_1.digest),))
    ),
    "('config',) stands behind": lambda hop: with_rungs(hop, lambda rungs: (*rungs[1:-1], rungs[0], rungs[-1])),
    "config could go back alone": lambda hop: with_rungs(hop, lambda rungs: rungs[1:]),
    "app starts at rung 0, not at 1": lambda hop: replace(
        hop, ladder=replace(hop.ladder, first=(("app", 0), ("config", 0), ("model/face", 2)))
    ),
    "first names planes that were not changed": lambda hop: replace(
        hop, ladder=replace(hop.ladder, first=(*hop.ladder.first, ("agent", 0)))
    ),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_track_with_one_broken_promise_is_caught(words: str) -> None:
    assert errors(good()) == []

    found = errors(with_hop(good(), BROKEN[words]))

    assert any(words in text for text in found), found


def test_a_track_that_ends_elsewhere_or_begins_elsewhere_is_caught() -> None:
    hops = Wanted(goal=(VOICE_62,), via=(APP_11,))
    track = good(hops)

    assert errors(track, hops) == []
    assert "the track ends without" in errors(replace(track, hops=track.hops[:1]), hops)[0]
    assert any("does not begin where" in text for text in errors(replace(track, hops=track.hops[1:]), hops))


def test_an_artifact_that_nobody_named_is_caught() -> None:
    track = good(Wanted(goal=(VOICE_62,), via=(APP_11,)))

    assert any("neither wanted nor named in via" in text for text in errors(track, Wanted(goal=(VOICE_62,))))


def test_an_artifact_inserted_without_need_is_caught() -> None:
    wanted = Wanted(goal=(FACE_2,), via=(APP_11,))
    straight = good(wanted)
    detour = route.route(CATALOG.classes["door"], OLD, Wanted(goal=(APP_11,)), CATALOG)
    assert isinstance(detour, Track)
    after = route.route(CATALOG.classes["door"], detour.end, Wanted(goal=(FACE_2,)), CATALOG)
    assert isinstance(after, Track)

    assert errors(straight, wanted) == []
    assert errors(replace(detour, hops=(*detour.hops, *after.hops)), wanted) == [
        "1 artifacts are inserted where 0 would do"
    ]


# --- mutants of code: the planner itself is broken --------------------------------------------------------------------

APP_3 = artifact("app/door@3.0.0", requires={"app": ">=1.1"}, epoch=1)
NEW_APP = artifact("app/door@4.0.0", requires={"model/voice": ">=7"})
NEW_VOICE = artifact("model/voice/silero@7.0.0", requires={"app": ">=4"})
WIDE = catalog([*CATALOG.artifacts.values(), APP_3, NEW_APP, NEW_VOICE])
STORIES = (
    Wanted(goal=(APP_11, FACE_2, CONFIG_2)),
    Wanted(goal=(VOICE_62,), via=(APP_11,)),
    Wanted(goal=(APP_3,), via=(APP_11,), one_way=True),
    Wanted(goal=(NEW_APP, NEW_VOICE, FACE_2)),
)


def opinions() -> list[Finding]:
    found: list[Finding] = []
    for wanted in STORIES:
        for device_class in (class_of(), class_of(SENSOR.replace("class: sensor", "class: door"))):
            of = replace(WIDE, classes={"door": device_class})
            start = (
                OLD
                if device_class.plane("model/voice")
                else planes(APP_10, *(of.artifacts[d] for p, d in OLD if p in ("model/face", "config")))
            )
            track = route.route(device_class, start, wanted, of)
            if not isinstance(track, Blocked):
                found += [one for one in lint(track, wanted, of) if one.is_error]
    return found


def never_cut(path: search.Path, one_plane: bool) -> list[list[search.Step]]:
    """Cut only where a plane would switch twice, which no hop can say at all."""
    planes_named = [plane for step in path.steps for plane in step.planes]
    is_simple = len(set(planes_named)) == len(planes_named)
    return [list(path.steps)] if is_simple else [[step] for step in path.steps]


def only_everything(ordered, before, costs_ms, is_valid):  # type: ignore[no-untyped-def]
    rung = Rung(tuple(ordered), tuple(sorted((plane, before[plane]) for plane in ordered)))
    return Ladder((rung,), tuple((plane, 0) for plane in sorted(ordered)))


def never_ask(ordered, before, costs_ms, is_valid):  # type: ignore[no-untyped-def]
    return ladder.compile_ladder(ordered, before, costs_ms, lambda planes: True)


MUTANTS: dict[str, tuple[object, str, object]] = {
    "the search believes that every set is valid": (search.Task, "is_valid", lambda self, chosen: True),
    "stepping stones are forgotten": (search, "may_replace", lambda new, old: True),
    "doors of epochs are forgotten": (route, "_epoch_doors", lambda changed, after, heights: []),
    "doors of overwritten versions are forgotten": (route, "_overwrite_doors", lambda task, changed, switches: []),
    "a generation is never cut": (route, "_generations", never_cut),
    "the ladder has one rung only": (route, "compile_ladder", only_everything),
    "the ladder never asks whether a rung is valid": (route, "compile_ladder", never_ask),
    "the way back goes to where it came from": (
        route,
        "_ladder",
        lambda task, before, after, policy: ladder.EMPTY,
    ),
    "costs are not added up": (route, "_cost_ms", lambda device_class, plane: 1),
    "everything may be inserted": (
        search._Space,
        "is_via",
        lambda self, position, index: False,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planner_broken_on_purpose_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, instead = MUTANTS[name]
    assert opinions() == []

    monkeypatch.setattr(owner, attribute, instead)

    assert opinions() != []


# --- warnings ---------------------------------------------------------------------------------------------------------

BOX = """
class: door
version: 1
family: rk3566
planes:
  - {name: system, kind: firmware, backend: rauc, cost_ms: 45000}
  - {name: app, kind: firmware, backend: process, cost_ms: 3000}
"""


@pytest.mark.parametrize(
    ("role", "path", "warned"),
    [("code", "run.py", True), ("asset", "rootfs.img", False), ("code", "rootfs.ext4", False)],
)
def test_a_whole_image_that_holds_only_code_is_warned_of(role: str, path: str, warned: bool) -> None:
    old = artifact("system/os@1.0.0")
    new = artifact("system/os@1.1.0", role=role, path=path)
    of = catalog([old, new, APP_10], parse_class(BOX))
    wanted = Wanted(goal=(new,))
    track = route.route(of.classes["door"], planes(old, APP_10), wanted, of)
    assert isinstance(track, Track)

    found = lint(track, wanted, of)

    assert [one.is_error for one in found] == ([False] if warned else [])
    if warned:
        assert found[0].code == "RB-PLAN-027"
        assert found[0].text == (
            "system/os@1.1.0 holds only code and data: as an artifact of the plane app it would cost 3000 ms "
            "instead of "
            "45000 ms, and no reboot"
        )
