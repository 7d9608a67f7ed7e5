"""A release moving over a small fleet: started, watched, explained, held, taken back, all by the command line."""

import itertools
import json

import pytest

from ringback.cli.exits import ExitCode
from tests.cli.conftest import config_folder, wait

NUMBERS = itertools.count(1)
# Two boxes in the us, one after the other. A second of horizon, so that a test lasts seconds; the numbers of the gate
# say what two boxes can show.
RELEASE = """\
release: {name}
targets: {{where: "region=us"}}
versions: {{config: door@{version}}}
rings:
  - {{name: canary, where: "device=box-3", bake: 100ms}}
  - {{name: rest, where: "device=box-4", bake: 100ms, approve: {approve}}}
gate: {{p0: {p0}, p1: 90%, alpha: 1%, beta: 40%, budget: [{{horizon: 300ms, devices: 16}}], heartbeat: 3s}}
windows: {{stability: 100ms, rollback: {rollback}}}
"""


@pytest.fixture
def release(fleet, ringback, tmp_path):
    """Returns the function that publishes a new config and registers the release of it; it gives back its name.

    What a test leaves unfinished ends with it, so that one failure stays one failure.
    """
    made = []

    def make(*, p0="2%", approve="false", rollback="300ms"):
        number = next(NUMBERS)
        version = f"10.{number}.0"
        folder = config_folder(tmp_path / f"config-{number}", version=version, text=json.dumps({"release": number}))
        assert ringback("artifact", "publish", folder).exit_code == 0
        name = f"config-{number}"
        file = tmp_path / f"{name}.yaml"
        file.write_text(RELEASE.format(name=name, version=version, p0=p0, approve=approve, rollback=rollback))
        assert ringback("release", "create", "-f", file).exit_code == 0
        made.append(name)
        return name

    yield make
    for name in made:
        for verb in ("cancel", "close"):
            arguments = ("rollout", verb, name, "--reason", "the test is over")
            ringback(*arguments, *(["--yes"] if verb == "cancel" else []))


def state_of(ringback_json, name):
    return ringback_json("rollout", "show", name)["state"]


def config_on(ringback_json, device):
    planes = ringback_json("device", "show", device)["planes"]
    return next(plane["running"] for plane in planes if plane["plane"] == "config")


def test_a_good_release_reaches_everyone_and_every_look_at_it_agrees(release, ringback, ringback_json):
    name = release(rollback="5s")
    started = ringback("rollout", "start", name, "--reason", "to see it through")
    assert started.exit_code == 0, started.output
    assert started.stderr == f"next: ringback rollout watch {name}\n"

    watched = ringback("rollout", "watch", name, "--timeout", "30s")
    assert watched.exit_code == ExitCode.DONE, watched.output
    assert "rollback window, ring full" in watched.stdout
    assert watched.stderr == f"next: ringback rollout decisions {name}\n"
    assert config_on(ringback_json, "box-3") == config_on(ringback_json, "box-4")

    shown = ringback("rollout", "show", name)
    assert shown.stdout.startswith(f"release  {name}\nrollout  ")
    assert [line.split()[:2] for line in shown.stdout.splitlines() if line.startswith(("canary", "rest"))] == [
        ["canary", "done"],
        ["rest", "done"],
    ]
    listed = ringback("rollout", "list")
    assert listed.stdout.splitlines()[1].split()[1] == name
    deployments = ringback("rollout", "deployments", name)
    assert [line.split()[0] for line in deployments.stdout.splitlines()[1:]] == ["box-3", "box-4"]
    decided = ringback("rollout", "decisions", name).stdout
    assert "draft -> ring (by controller) [open_ring 0]" in decided
    assert ringback_json("rollout", "decisions", name)["items"][0]["seq"] == 1
    assert max(len(line) for line in (shown.stdout + decided).splitlines()) <= 80

    assert ringback("rollout", "watch", name, "--until", "closed", "--timeout", "30s").exit_code == ExitCode.DONE
    assert wait(lambda: state_of(ringback_json, name) == "closed")
    over = ringback("rollout", "show", name)
    assert f"It is over. What became of each device: ringback rollout deployments {name}" in over.stdout
    assert "box-3" in ringback("rollout", "deployments", name).stdout


def test_a_rollout_is_named_by_the_beginning_of_its_id_too(release, ringback, ringback_json):
    name = release()
    rollout_id = ringback_json("rollout", "start", name, "--reason", "the next test")["id"]
    assert ringback_json("rollout", "show", rollout_id)["release"] == name
    assert ringback_json("rollout", "show", rollout_id[:-2])["id"] == rollout_id
    ambiguous = ringback("rollout", "show", rollout_id[:3])
    assert ringback("rollout", "cancel", name, "--reason", "only its name was wanted", "--yes").exit_code == 0
    assert ambiguous.exit_code in (0, ExitCode.CONFLICT)
    if ambiguous.exit_code:
        assert "RB-CLI-031" in ambiguous.stderr


def test_watching_with_json_gives_one_line_for_each_change(release, ringback):
    name = release()
    ringback("rollout", "start", name, "--reason", "the next test")
    result = ringback("rollout", "watch", name, "--until", "stability", "--json", "--timeout", "30s")
    looks = [json.loads(line) for line in result.stdout.splitlines()]
    assert looks
    assert all(before != after for before, after in itertools.pairwise(looks))
    assert ringback("rollout", "watch", name, "--timeout", "30s").exit_code == 0


def test_a_ring_that_needs_approval_waits_and_says_what_to_type(release, ringback, ringback_json):
    name = release(approve="true")
    ringback("rollout", "start", name, "--reason", "the next test")
    held = ringback("rollout", "watch", name, "--until", "waiting-approval", "--timeout", "30s")
    assert held.exit_code == 0, held.output
    assert f"next: ringback rollout approve {name} --reason ..." in held.stderr
    explained = ringback("rollout", "explain", name)
    assert "Waits for" in explained.stdout
    assert "approval" in explained.stdout
    without = ringback("rollout", "approve", name)
    assert without.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: Missing option '--reason'" in without.stderr
    assert ringback("rollout", "approve", name, "--reason", "seen on the bench").exit_code == 0
    assert ringback("rollout", "watch", name, "--timeout", "30s").exit_code == 0
    actors = {each["actor"] for each in ringback_json("rollout", "decisions", name)["items"]}
    assert actors == {"controller", "loopback"}


def test_a_paused_rollout_does_not_widen_until_it_is_resumed(release, ringback, ringback_json):
    name = release(approve="true")
    ringback("rollout", "start", name, "--reason", "the next test")
    assert ringback("rollout", "watch", name, "--until", "waiting-approval", "--timeout", "30s").exit_code == 0
    paused = ringback("pause", name, "--reason", "looking")
    assert paused.exit_code == 0, paused.output
    assert "state    paused, ring canary" in paused.stdout
    assert paused.stderr == f"next: ringback resume {name}\n"
    again = ringback("pause", name)
    assert again.exit_code == ExitCode.CONFLICT
    assert "RB-CONTROL-006" in again.stderr
    resumed = ringback("resume", name, "--reason", "looked")
    assert resumed.exit_code == 0, resumed.output
    unsure = ringback("rollout", "cancel", name, "--reason", "enough")
    assert unsure.exit_code == ExitCode.USAGE
    assert "ends here; devices that run it keep it" in unsure.stderr
    cancelled = ringback("rollout", "cancel", name, "--reason", "enough", "--yes")
    assert cancelled.exit_code == 0, cancelled.output


def test_an_operator_takes_a_rollout_back_and_the_devices_return(release, ringback, ringback_json):
    name = release(approve="true")
    before = config_on(ringback_json, "box-3")
    ringback("rollout", "start", name, "--reason", "the next test")
    assert ringback("rollout", "watch", name, "--until", "waiting-approval", "--timeout", "30s").exit_code == 0
    assert config_on(ringback_json, "box-3") != before

    shown = ringback("rollback", name, "--dry-run")
    assert "Takes back " + name + " (all that it changed) on 1 device that activated it;" in shown.stdout
    assert state_of(ringback_json, name) == "waiting_approval"
    unsure = ringback("rollback", name)
    assert unsure.exit_code == ExitCode.USAGE
    assert unsure.stderr.rstrip().endswith(f"hint: to do it without being asked: ringback rollback {name} --yes")

    done = ringback("rollback", name, "--reason", "doors see nobody", "--yes")
    assert done.exit_code == 0, done.output
    assert done.stderr.endswith(f"next: ringback rollout watch {name}\n")
    watched = ringback("rollout", "watch", name, "--timeout", "30s")
    assert watched.exit_code == ExitCode.ENDED_BADLY
    assert wait(lambda: config_on(ringback_json, "box-3") == before)
    closed = ringback("rollout", "close", name, "--reason", "the doors were closed")
    assert closed.exit_code == 0, closed.output


def test_a_release_that_fails_in_service_comes_back_by_itself_and_names_the_rule(
    release, fleet, ringback, ringback_json
):
    name = release(p0="0.01%")
    before = config_on(ringback_json, "box-3")
    brought = ringback_json("release", "show", name)["versions"]["config"]
    digest = ringback_json("artifact", "show", brought)["digest"]
    # The app's services go down under the new config.
    fleet.boxes["box-3"].readings["service_up", "", digest] = {"up": 0, "restarts": 3}
    ringback("rollout", "start", name, "--reason", "the next test")
    watched = ringback("rollout", "watch", name, "--timeout", "30s")
    assert watched.exit_code == ExitCode.ENDED_BADLY, watched.output
    shown = ringback("rollout", "show", name)
    assert "harmed   1 device" in shown.stdout
    failed = ringback("rollout", "deployments", name, "--outcome", "fell-back")
    assert "box-3" in failed.stdout
    assert "up observed 0, " in failed.stdout
    assert config_on(ringback_json, "box-3") == before
    assert "ringback rollout deployments" in shown.stderr
    assert ringback("rollout", "close", name, "--reason", "services did not start").exit_code == 0


def test_a_name_that_is_no_rollout_is_exit_code_4_with_a_hint(fleet, ringback):
    for verb in ("show", "explain", "watch", "decisions", "deployments"):
        result = ringback("rollout", verb, "nothing")
        assert result.exit_code == ExitCode.NOT_FOUND
        assert result.stderr == (
            "Error: RB-CLI-030: no rollout 'nothing', and none of a release of that name\n"
            "hint: see them with: ringback rollout list\n"
        )


def test_a_release_that_nobody_registered_can_not_be_started(fleet, ringback):
    result = ringback("rollout", "start", "nothing")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "RB-RELEASE-001" in result.stderr


def test_taking_back_what_is_nothing_names_both_lists(fleet, ringback):
    result = ringback("rollback", "nothing", "--yes")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr == (
        "Error: RB-CLI-035: neither a rollout nor a device is called 'nothing'\n"
        "hint: see them with: ringback rollout list, ringback device list\n"
    )


def test_planes_of_a_push_can_not_be_chosen(fleet, ringback):
    result = ringback("rollback", "box-1", "--plane", "config")
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: --plane is for rollouts; a push has one plane" in result.stderr
