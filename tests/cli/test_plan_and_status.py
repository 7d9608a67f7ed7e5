"""A plan and the fleet at a glance, as people read them."""

import json

import msgspec
import pytest
from click.testing import CliRunner

from ringback.cli import output, plan
from ringback.cli.exits import ExitCode
from ringback.client.models import Plan
from tests.cli.conftest import config_folder

RELEASE = "release: {name}\ntargets: {targets}\nversions: {{config: door@30.0.0}}\n"


@pytest.fixture
def file(fleet, ringback, tmp_path):
    """Returns the function that writes a release of a config that no device runs."""
    folder = config_folder(tmp_path / "config", version="30.0.0", text='{"planned": true}')
    assert ringback("artifact", "publish", folder).exit_code == 0

    def write(*, name="planned", targets="{classes: [door]}", more=""):
        path = tmp_path / "release.yaml"
        path.write_text(RELEASE.format(name=name, targets=targets) + more)
        return path

    return write


def test_a_plan_says_who_goes_how_and_what_it_can_prove(fleet, ringback, file):
    path = file(more="rings: [{name: canary, count: 2, drill: true}]\n")
    result = ringback("plan", "-f", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("release  planned\nbrings   config door@30.0.0\n")
    for heading in ("Rings", "Steps", "What the rings can show"):
        assert f"\n{heading}\n" in result.stdout
    assert result.stderr == f"next: ringback release create -f {path}\n"
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_a_registered_release_is_planned_by_its_name(fleet, ringback, file):
    assert ringback("release", "create", "-f", file(name="by-name")).exit_code == 0
    result = ringback("plan", "--release", "by-name")
    assert result.exit_code == 0
    assert result.stderr == "next: ringback rollout start by-name\n"


def test_a_release_for_nobody_has_no_plan_and_says_why(fleet, ringback, file):
    result = ringback("plan", "-f", file(targets='{where: "region=moon"}'))
    assert result.exit_code == ExitCode.REFUSED
    assert result.stdout.startswith("There is no plan for planned, because:\n  RB-PLAN-")
    data = json.loads(ringback("plan", "-f", file(targets='{where: "region=moon"}'), "--json").stdout)
    assert data["refused"] is True
    assert data["causes"][0]["code"].startswith("RB-PLAN-")


def test_an_artifact_that_nobody_published_is_named_with_its_line(fleet, ringback, tmp_path):
    path = tmp_path / "release.yaml"
    path.write_text(RELEASE.format(name="planned", targets="{classes: [door]}").replace("30.0.0", "30.0.1000"))
    result = ringback("plan", "-f", path)
    assert result.exit_code == ExitCode.REFUSED
    assert "config/door@30.0.1000" in result.output


@pytest.mark.parametrize("arguments", [[], ["-f", "a.yaml", "--release", "b"]])
def test_a_plan_is_of_one_release(fleet, ringback, arguments):
    result = ringback("plan", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert "RB-CLI-002: name a file with -f, or a release with --release" in result.stderr


WHOLE = {
    "refused": False,
    "release": "voice-6-2",
    "devices": {"fleet": 306, "targeted": 306, "going": 190, "done": 4, "blocked": 112},
    "changes": [{"plane": "model/voice", "artifact": "model/voice/silero-vad@6.2.0", "digest": "sha256:1"}],
    "rings": [
        {
            "index": 0,
            "name": "canary",
            "devices": 10,
            "families": {"orin": 2, "rk3566": 8},
            "bytes": 23_000_000,
            "blocked": 3,
            "drill": True,
        }
    ],
    "tracks": [
        {
            "class": "rk3566-door",
            "family": "rk3566",
            "devices": 190,
            "examples": ["cam-17"],
            "from": {"app": "app/door@1.0.0"},
            "to": {"app": "app/door@1.1.0"},
            "hops": [
                {
                    "order": [["app"]],
                    "brings": {"app": "app/door@1.1.0"},
                    "inserted": True,
                    "switch_ms": 3000,
                    "ladder": [{"planes": ["app"], "back_to": {"app": "app/door@1.0.0"}}],
                    "first": {"app": 0},
                    "doors": [],
                },
                {
                    "order": [["config"], ["model/voice", "model/face"]],
                    "brings": {
                        "config": "config/door@2.0.0",
                        "model/voice": "model/voice/silero-vad@6.2.0",
                        "model/face": "model/face/blazeface@1.1.0",
                    },
                    "inserted": False,
                    "switch_ms": 650,
                    "ladder": [
                        {"planes": ["config"], "back_to": {}},
                        {"planes": ["config", "model/voice"], "back_to": {}},
                    ],
                    "first": {"config": 0},
                    "doors": [],
                },
            ],
        }
    ],
    "blocked": [
        {
            "code": "RB-PLAN-004",
            "text": "silero-vad@6.2.0 needs app >=1.1; 112 devices (e.g. cam-3) run app/door@1.0.0.",
            "hint": "name app/door@1.1.0 under via",
            "plane": "model/voice",
            "devices": 112,
            "examples": ["cam-3"],
        }
    ],
    "doors": [{"code": "RB-PLAN-020", "plane": "app", "text": "a hop overwrites the version before"}],
    "queued_behind": ["config-3"],
    "rollback": {
        "ladder": [["model/voice"], ["model/voice", "app"]],
        "first": {"model/voice": 0},
        "costs": [
            {"class": "rk3566-door", "plane": "app", "kind": "firmware", "ms": 3000, "bytes": 9_000_000, "reboots": 1}
        ],
    },
    "classes": [
        {
            "class": "esp32s3-door",
            "family": "esp32s3",
            "poll_ms": 3_600_000,
            "trial_ms": 600_000,
            "hold_ms": 60_000,
            "uplink_ms": 60_000,
            "boot_window_ms": 30_000,
            "generations": 2,
            "one_plane_per_deployment": True,
            "drill_rules": ["golden-quality-face"],
            "flash": [{"plane": "app", "sectors": 200, "erases": 2, "cycles": 100_000, "releases_endured": 100_000}],
        }
    ],
    "evidence": [{"ring": "canary", "devices": 10, "text": "at best below 30 % failures"}],
    "warnings": [{"code": "RB-PLAN-101", "class": "rk3566-door", "text": "system is used where app would do"}],
}


def test_everything_that_a_plan_can_say_is_on_the_screen_within_80_columns():
    import click

    @click.command()
    def once():
        plan.show(output.Screen(as_json=False), msgspec.convert(WHOLE, Plan))

    shown = CliRunner().invoke(once, [], env={"COLUMNS": "80"}).stdout
    for text in (
        "190 of 306 targeted go (306 in the fleet)",
        "4 devices run it already",
        "to move        23 MB",
        "queued behind  config-3",
        "orin 2, rk3566 8",
        "190 devices of rk3566-door, such as cam-17:",
        "1. app door@1.1.0 (3 s), inserted so that the next step is possible",
        "2. config door@2.0.0 -> model/voice silero-vad@6.2.0 + model/face",
        "way back: config; then config + model/voice",
        "RB-PLAN-004: silero-vad@6.2.0 needs app >=1.1",
        "hint: name app/door@1.1.0 under via",
        "RB-PLAN-020 app: a hop overwrites the version before",
        "model/voice; then model/voice + app",
        "rk3566-door  app    3 s    9 MB     yes",
        "one by one",
        "app erases 400 flash sectors; the flash endures 100,000 such",
        "at best below 30 % failures",
        "RB-PLAN-101 rk3566-door: system is used where app would do",
    ):
        assert text in shown, text
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_more_kinds_of_devices_than_fit_a_screen_are_counted():
    import click

    many = dict(WHOLE, tracks=WHOLE["tracks"] * 20)

    @click.command()
    def once():
        plan.show(output.Screen(as_json=False), msgspec.convert(many, Plan))

    assert "... and 8 more kinds of devices (--json has all)." in CliRunner().invoke(once, []).stdout


def test_the_fleet_is_on_one_page(fleet, ringback, ringback_json):
    result = ringback("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("server  http://127.0.0.1:")
    assert "\nfleet   " in result.stdout
    assert "warning: demo keys: " in result.stdout
    assert ringback_json("status")["devices"]["accepted"] >= 4
