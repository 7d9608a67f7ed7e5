"""One real server with a small fleet for all tests of the commands, and how they are called."""

import json
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from ringback.cli import group
from ringback.client import Client
from ringback.demo.material import variants
from ringback.publisher import golden
from tests.kernel_box import CLASS, Box
from tests.real_server import running_server

TOLERANCE = golden.Tolerance(
    fidelity_min_agree_ppm=930_000, fidelity_max_mean_abs_ppm=80_000, quality_min_agree_ppm=900_000
)
# The demo's face models, good and better; real ONNX files with the same inputs.
FP32, INT8 = (variant.file for variant in variants.face_variants()[:2])


def call(address, *arguments, answer=None):
    """Returns what a command prints, called as a person at no terminal does."""
    return CliRunner().invoke(group, list(arguments), env={"RINGBACK_SERVER": address}, input=answer)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """Keeps settings and memory of whoever runs the tests out of them; returns the folder that stands in."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("COLUMNS", "80")
        for name in ("RINGBACK_SERVER", "RINGBACK_TOKEN"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture(scope="session")
def address(tmp_path_factory, home):
    with running_server(tmp_path_factory.mktemp("cli") / "data", "--tick-ms", "50") as url:
        yield url


@dataclass
class Fleet:
    """Four boxes of one class that run app, face model and config, all published from folders of this machine."""

    address: str
    boxes: dict[str, Box]
    folders: dict[str, Path]


@pytest.fixture(scope="session")
def fleet(address, tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    folders = {
        "app": app_folder(root / "app"),
        "face": face_folder(root / "face"),
        "config": config_folder(root / "config"),
    }
    (root / "class.yaml").write_text(CLASS)
    said = [call(address, "class", "create", "-f", str(root / "class.yaml"))]
    said += [call(address, "artifact", "publish", str(folder)) for folder in folders.values()]
    assert [result.exit_code for result in said] == [0, 0, 0, 0], [result.output for result in said]
    with Client(address) as client:
        claim = client.create_claim(uses=4, auto_accept=True).token
    boxes = {}
    try:
        for number, region in enumerate(("eu", "eu", "us", "us"), start=1):
            boxes[f"box-{number}"] = Box(address, claim, f"box-{number}", region=region, customer="acme")
        _bring_up(address, list(boxes))
        yield Fleet(address, boxes, folders)
    finally:
        for box in boxes.values():
            box.close()


def _bring_up(address, names):
    """Pushes the first set to every box, side by side."""
    with Client(address) as client:
        for reference in ("app/door@1.0.0", "model/face/blazeface@1.0.0", "config/door@1.0.0"):
            pushed = [client.push(reference, name) for name in names]
            for each in pushed:
                assert wait(lambda each=each: client.push_state(each.id).state == "done"), client.push_state(each.id)


def wait(condition, *, seconds=15):
    """Returns whether a condition comes true in time; it is looked at twenty times a second."""
    pause = threading.Event()
    for _ in range(seconds * 20):
        if condition():
            return True
        pause.wait(0.05)
    return False


def app_folder(folder, version="1.0.0"):
    """Returns the folder of an app that starts nothing and whose replay decides as the labels of the golden set say."""
    folder.mkdir(parents=True)
    (folder / "artifact.yaml").write_text(
        f"plane: app\nname: door\nversion: {version}\nclasses: [door]\n"
        'meta:\n  services: [{name: camera, argv: ["{python}", "{dir}/main.py"], after: [], ready_ms: 100}]\n'
        '  replay: {argv: ["{python}", "{dir}/replay.py"]}\n'
    )
    (folder / "main.py").write_text("pass\n")
    answer = json.dumps({"decisions": [1, 0], "values": [[700_000], [100_000]], "n": 2})
    (folder / "replay.py").write_text(f"print({answer!r})\n")
    return folder


def face_folder(folder):
    """Returns the folder of the face model with a golden set of two samples."""
    (folder / "inputs").mkdir(parents=True)
    picture = folder / "inputs" / "picture.jpg"
    picture.write_bytes(b"pixels")
    (folder / "artifact.yaml").write_text(
        "plane: model/face\nname: blazeface\nversion: 1.0.0\nclasses: [door]\n"
        'requires: {app: ">=1.0.0"}\nmeta: {task: face, preprocess: blazeface-128}\n'
    )
    (folder / "model.onnx").write_bytes(FP32().read_bytes())
    questions = golden.Questions(
        task="face",
        preprocess="blazeface-128",
        runtime="a runtime",
        threshold_ppm=600_000,
        inputs=(golden.Input("inputs/picture.jpg", picture, "CC0-1.0"),),
        samples=({"input": 0}, {"input": 0}),
        labels=(1, 0),
        tolerance=TOLERANCE,
    )
    (folder / "golden.json").write_bytes(golden.seal(questions, golden.Answers((1, 0), ((700_000,), (100_000,)))))
    return folder


def config_folder(folder, version="1.0.0", text="{}"):
    """Returns the folder of a config."""
    folder.mkdir(parents=True)
    (folder / "artifact.yaml").write_text(
        f'plane: config\nname: door\nversion: {version}\nclasses: [door]\nrequires: {{app: ">=1.0.0"}}\n'
    )
    (folder / "config.json").write_text(text)
    return folder


@pytest.fixture
def newcomer(fleet):
    """Returns the id of a device that has enrolled, waits to be accepted, and was never heard."""
    with Client(fleet.address) as client:
        claim = client.create_claim(auto_accept=False).token
    serial = f"new-{secrets.token_hex(3)}"
    asked = {"claim": claim, "serial": serial, "class": "door", "labels": {"region": "lab"}, "agent": "0.1.0"}
    httpx.post(f"{fleet.address}/d/1/enrol", json=asked).raise_for_status()
    return serial


@pytest.fixture
def ringback(address):
    """Returns the function that calls a command against the server, as a person at no terminal."""

    def run(*arguments, answer=None):
        return call(address, *(str(argument) for argument in arguments), answer=answer)

    return run


@pytest.fixture
def ringback_json(ringback):
    """Returns the function that calls a command with --json and gives back the data."""

    def run(*arguments):
        result = ringback(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run
