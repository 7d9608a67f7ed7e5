"""The demo's documents: device classes and releases, as files beside this module, fitted to this machine.

Decides: two things that depend on the machine, and says so in the documents themselves: the latency limit of a class
(from what the first model takes here) and the heartbeat of a release (from how late this machine is).
"""

import re
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
LINUX_LATENCY: Final = "limit: 8 ms"
HEARTBEAT: Final = re.compile(r"heartbeat: (\d+)s")
# "Came online" as the only health rule: what delivered-means-done amounts to.
ONLINE_RULES: Final = """\
rules:
  - {id: online, probe: uplink, field: ok, op: ">=", limit: 1}
"""
NIGHT_POLL_MS: Final = 20_000


def class_names() -> list[str]:
    """Names of the device classes."""
    return sorted(path.stem for path in (HERE / "classes").glob("*.yaml"))


def device_class(name: str, *, latency_limit_us: int) -> str:
    """A device class, its latency limit set for this machine where the class runs models as fast as this machine."""
    return (
        (HERE / "classes" / f"{name}.yaml")
        .read_text(encoding="utf-8")
        .replace(LINUX_LATENCY, f"limit: {latency_limit_us} us")
    )


def release(name: str, *, lag_factor: float = 1.0, changes: tuple[tuple[str, str], ...] = ()) -> str:
    """A release, its heartbeat stretched by how late this machine is.

    Args:
        name: of the file.
        lag_factor: 1.0 or more.
        changes: (old, new) texts to replace, for variants of one release.
    """
    text = (HERE / "releases" / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        if old not in text:
            raise ValueError(f"release {name} does not hold {old!r}")
        text = text.replace(old, new)
    return HEARTBEAT.sub(lambda found: f"heartbeat: {round(int(found[1]) * 1000 * lag_factor)}ms", text)


def without_gates(text: str) -> str:
    """A device class whose only rule is that the device is online."""
    head = text[: text.index("rules:\n")]
    slow = re.sub(r"poll_ms: \d+", f"poll_ms: {NIGHT_POLL_MS}", head)
    return re.sub(r"probe_every_ms: \d+", "probe_every_ms: 1000", slow) + ONLINE_RULES


def without_rings(text: str) -> str:
    """A release that goes to everyone at once, whatever the evidence."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("  - {name: ")]
    everyone = "".join(lines).replace("rings:\n", "rings: []\n")
    unlimited = re.sub(r"devices: \d+", "devices: 1000000", everyone)
    return re.sub(r"heartbeat: \d+ms", f"heartbeat: {3 * NIGHT_POLL_MS}ms", unlimited)
