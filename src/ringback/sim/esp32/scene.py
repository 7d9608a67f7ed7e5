"""What stands on the bench: a board with a partition table, an identity and a first firmware, and what can be released.

Everything here is built, nothing recorded: images are real ESP32 images that run real modules (`firmware`).
"""

from __future__ import annotations

import binascii
import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.sim.esp32 import desk
from ringback.sim.esp32.desk import Goods, make_goods
from ringback.sim.esp32.firmware import Workshop
from ringback.sim.esp32.flash import Flash
from ringback.sim.esp32.otadata import VALID, entry
from ringback.sim.esp32.partitions import APP, DATA, FIRST_OTA, TABLE_AT, Partition, Table
from ringback.spec.canonical import Json

AGENT: Final = Path(__file__).parents[3] / "ringback_esp32"
CUSTOM: Final = 0x40
SMALL_SLOT_BYTES: Final = 0x10000
REAL_SLOT_BYTES: Final = 0x180000
LOG_SECTORS: Final = 12
IDENT_SECTORS: Final = 4


def table(slot_bytes: int, data_bytes: int) -> Table:
    """Return a partition table with two slots of a size, and the agent's partitions behind them."""
    first = 0x10000
    log = first + 2 * slot_bytes
    ident = log + LOG_SECTORS * 4096
    data = ident + IDENT_SECTORS * 4096
    return Table(
        (
            Partition("nvs", DATA, 2, 0x9000, 0x4000),
            Partition("otadata", DATA, 0, 0xD000, 0x2000),
            Partition("phy_init", DATA, 1, 0xF000, 0x1000),
            Partition("ota_0", APP, FIRST_OTA, first, slot_bytes),
            Partition("ota_1", APP, FIRST_OTA + 1, first + slot_bytes, slot_bytes),
            Partition("rb_log", CUSTOM, 0, log, LOG_SECTORS * 4096),
            Partition("rb_ident", CUSTOM, 1, ident, IDENT_SECTORS * 4096),
            Partition("rb_data", CUSTOM, 2, data, data_bytes),
        )
    )


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What test firmware does beside running: words that its app is built from.

    Attributes:
        start, step: lines of Python at the end of the app's functions `start` and `step`; `pass` for none.
        boot: lines at the end of boot.py, after the agent's own.
    """

    start: str = "pass"
    step: str = "pass"
    boot: str = "pass"


APP_SOURCE: Final = """
import binascii
import hashlib
import json

import _host

state = {{}}


def _name(path):
    if not path:
        return "-"
    with open(path, "rb") as file:
        return binascii.hexlify(hashlib.sha256(file.read()).digest()).decode()[:16]


def start(context):
    path = context.file("digits", "model")
    state["model"] = json.loads(open(path).read()) if path else {{"add": 0}}
    state["config"] = context.config
    state["n"] = 0
    _host.note("run model=%s config=%s" % (_name(path), context.config.get("name", "-")))
    {start}


def step():
    state["n"] += 1
    if state["model"].get("slow"):
        __import__("time").sleep_ms(90)
    {step}
    return (state["n"] + state["model"]["add"]) % 10


def replay(context, golden, inputs):
    path = context.file("digits", "model")
    add = json.loads(open(path).read())["add"]
    return {{"decisions": [(x + add) % 10 for x in golden["inputs"]], "n": len(golden["inputs"])}}
"""


def firmware(workshop: Workshop, version: str, behaviour: Behaviour, *, bundle: str, pad_bytes: int = 0) -> Goods:
    """Return a firmware artifact: an image that runs the agent and an app with this behaviour."""
    frozen = AGENT / "frozen"
    boot = (frozen / "boot.py").read_text(encoding="utf-8")
    files = {
        "boot.py": f"VERSION = {version!r}\n{boot}\n{behaviour.boot}\n",
        "main.py": (frozen / "main.py").read_text(encoding="utf-8"),
        "app.py": APP_SOURCE.format(start=behaviour.start, step=behaviour.step),
    }
    image = workshop.image(bundle, files, pad_bytes=pad_bytes)
    return make_goods("firmware", version, {"firmware.bin": ("code", image)})


def image_of(goods: Goods) -> bytes:
    """Return the image of a firmware artifact."""
    return goods.blobs[goods.artifact.files[0].sha256]


def model(version: str, *, add: int = 0, wrong: bool = False, slow: bool = False, pad_bytes: int = 0) -> Goods:
    """Return a model artifact with a golden set of 8 samples.

    Args:
        wrong: it decides otherwise than its labels say, which the replay shows.
        slow: it is too slow in service, which the replay does not show.
    """
    inputs = [3, 1, 4, 1, 5, 9, 2, 6]
    labels = [(each + add) % 10 for each in inputs]
    content = {"add": add + 1 if wrong else add, "slow": slow, "pad": "x" * pad_bytes}
    golden = {
        "v": 1,
        "inputs": inputs,
        "fidelity": {"decisions": labels, "min_agree_ppm": 900000},
        "quality": {"decisions": labels, "min_agree_ppm": 900000},
    }
    return make_goods(
        "model/digits",
        version,
        {"model.json": ("model", json.dumps(content).encode()), "golden.json": ("golden", json.dumps(golden).encode())},
    )


def config(version: str, content: dict[str, Json]) -> Goods:
    """Return a config artifact."""
    return make_goods("config", version, {"config.json": ("config", json.dumps(content).encode())})


RULES: Final[tuple[dict[str, Json], ...]] = (
    {"id": "golden-digits", "probe": "golden", "arg": "digits", "field": "quality_ppm", "op": ">=", "limit": 900000,
     "level": "required", "plane": "model/digits", "at": ["preflight", "trial"], "strikes": 1, "min_n": 0},
    {"id": "app-up", "probe": "service_up", "arg": "app", "field": "up", "op": ">=", "limit": 1,
     "level": "required", "plane": "firmware", "at": ["trial"], "strikes": 3, "min_n": 0},
    {"id": "latency", "probe": "latency", "arg": "digits", "field": "p95_us", "op": "<=", "limit": 50000,
     "level": "required", "plane": "model/digits", "at": ["trial"], "strikes": 2, "min_n": 3},
    {"id": "heap", "probe": "memory", "arg": "", "field": "growth_kb", "op": "<=", "limit": 64,
     "level": "wanted", "plane": "firmware", "at": ["trial"], "strikes": 1, "min_n": 0},
)  # fmt: skip


def identity(first: Goods) -> dict[str, Json]:
    """Return what provisioning writes: who the board is, and which firmware was flashed."""
    image = image_of(first)
    return {
        "v": 1,
        "device": desk.DEVICE,
        "tenant": desk.TENANT,
        "token": desk.TOKEN,
        "class": desk.DEVICE_CLASS,
        "capabilities": {"flash_kb": 4096},
        "server": "http://bench:80",
        "director_root": desk.root().decode(),
        "firmware": {
            "digest": first.artifact.digest,
            "version": str(first.artifact.version),
            "requires": {},
            "size": len(image),
            "sha": hashlib.sha256(image).hexdigest(),
            "end": image[-32:].hex(),
        },
    }


def flashed(first: Goods, *, slot_bytes: int = SMALL_SLOT_BYTES, data_bytes: int = 0x20000) -> Flash:
    """Return a chip as provisioning leaves it."""
    parts = table(slot_bytes, data_bytes)
    flash = Flash(parts.named("rb_data").end)
    flash.load(TABLE_AT, parts.encode())
    flash.load(parts.named("otadata").at, entry(1, VALID).encode())
    flash.load(parts.named("ota_0").at, image_of(first))
    data = json.dumps(identity(first)).encode()
    head = struct.pack("<4sIII", b"RBID", 1, len(data), binascii.crc32(data))
    flash.load(parts.named("rb_ident").at, head + data)
    return flash
