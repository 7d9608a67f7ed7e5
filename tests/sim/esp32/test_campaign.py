"""Power may be cut anywhere, and the network may do what it likes: the board comes back, and with the right set.

The oracles are held to seeded bugs: a bug that none of them notices is a hole in them.
"""

import json

import pytest
from click.testing import CliRunner

from ringback.sim.command import command
from ringback.sim.esp32.campaign import explore_all
from ringback.sim.esp32.explore import Budget, Explorer, parse_line, replay
from ringback.sim.esp32.mutants import MUTANTS, Mutant, hunt
from ringback.sim.esp32.oracles import judge
from ringback.sim.esp32.scenarios import SCENARIOS, stage
from ringback.sim.esp32.world import Cut, Tools, settle

LIVES = 70
"""Of each scenario here; `make test-full` spends 20,000 on all of them."""
QUICK = (
    "valid-on-every-boot",
    "crash-is-tried-again",
    "the-golden-set-is-not-replayed",
    "the-pointer-is-not-turned-back",
)


def silent(_text: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_undisturbed_deployment_ends_as_it_was_promised(name: str, tools: Tools) -> None:
    ready = stage(SCENARIOS[name], tools, bundle=tools.workshop.bundle())
    world = ready.world.copy()
    problem = settle(world, tools, ready.goal)
    assert judge(ready, world, problem) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "firmware-hangs"])
def test_a_board_comes_back_from_a_power_cut_at_any_operation(name: str, tools: Tools) -> None:
    outcome = explore_all(tools, seed=1, lives=LIVES, say=silent, names=[name])
    assert [(each.line, each.texts) for each in outcome.violations] == []
    assert outcome.cuts > 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in QUICK], ids=lambda each: each.name)
def test_a_seeded_bug_that_shows_without_a_cut_is_caught(mutant: Mutant, tools: Tools) -> None:
    verdict = hunt(mutant, tools, seed=1, lives=60)
    assert verdict.caught is not None
    assert verdict.caught.cuts == 0


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_every_seeded_bug_is_caught_and_its_line_shows_it_again(mutant: Mutant, tools: Tools) -> None:
    verdict = hunt(mutant, tools, seed=1, lives=1500)
    assert verdict.caught is not None
    what = parse_line(verdict.caught.line)
    scenario = SCENARIOS[what.name.rpartition("/")[2]]
    _, texts = replay(stage(scenario, tools, bundle=tools.workshop.bundle(mutant.patches)), tools, what)
    assert texts == list(verdict.caught.texts)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_twenty_thousand_lives_break_no_promise(tools: Tools) -> None:
    outcome = explore_all(tools, seed=1, lives=20_000, say=silent)
    assert [(each.line, each.texts) for each in outcome.violations] == []
    assert outcome.lives >= 20_000


def test_the_same_seed_gives_the_same_lives_twice(tools: Tools) -> None:
    found = []
    for _ in range(2):
        ready = stage(SCENARIOS["config-good"], tools, bundle=tools.workshop.bundle())
        explorer = Explorer(ready, tools, "config-good", 3, Budget(40), sample=(0.1, 1.0))
        explorer.run(1)
        found.append((explorer.found.lives, explorer.found.cuts, sorted(explorer.seen)))
    assert found[0] == found[1]


def test_a_replay_line_says_which_cuts_and_which_requests() -> None:
    what = parse_line("model-good 17=range 0@12:word-24-s9 3@4:prefix-512")
    assert (what.name, what.faults) == ("model-good", {17: "range"})
    assert [(each.life, each.operation, str(each.tear)) for each in what.cuts] == [
        (0, 12, "word-24-s9"),
        (3, 4, "prefix-512"),
    ]
    assert isinstance(what.cuts[0], Cut)
    with pytest.raises(ValueError, match="no tear"):
        parse_line("model-good 0@1:half")


def test_the_command_replays_a_line_and_tells_every_life(tools: Tools) -> None:
    assert tools
    run = CliRunner().invoke(command, ["esp32", "--replay", "config-good 0@3:none"])
    assert run.exit_code == 0, run.output
    assert "life 0: ota_0 booted, ended in cut 0@3:none" in run.stdout
    assert "life 1: ota_0 booted, ended in settled" in run.stdout
    run = CliRunner().invoke(command, ["esp32", "--replay", "no-such-scenario 0@3:none"])
    assert run.exit_code == 2
    assert "RB-SIM-403" in run.stderr


def test_the_command_prints_the_figures_it_is_asked_for(tools: Tools) -> None:
    assert tools
    arguments = ["esp32", "--lives", "20", "--scenario", "config-good", "--no-mutants", "--json"]
    run = CliRunner().invoke(command, arguments)
    assert run.exit_code == 0, run.output
    figures = json.loads(run.stdout)
    assert figures["vectors"] == {"passed": 384, "total": 384}
    assert (figures["violations"], figures["mutants"]["tried"]) == ([], 0)
    assert figures["lives"] >= 20
    assert figures["cuts"] > 0
