"""Probe `consistency`: whether what the services say of themselves agrees with what was installed, and with each other.

Values:

- versions_ok 0/1: every service names the app's version and interface, and the models it names are the active ones.
- ok 0/1: what inference says it handed over is what upload says it took, within what may be on the way, and both
  count the same people. A reporter that invents or swallows results is found here, whatever it claims about itself.
"""

import time
from collections.abc import Mapping

from ringback.agent.ports import Json
from ringback.agent.probes.scene import Scene, number

ON_THE_WAY = 2
"""Batches that may be between the two services while they are asked one after the other."""
FIRST_LOOK_S = 0.5
"""How long the first round after a change may wait for results to flow. To wait for the next round instead would take
longer, and a way back ends only when the device is known to be well."""


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Asks the services. Raises ProbeError when one does not answer."""
    values = {"versions_ok": int(_are_versions_right(scene))}
    is_accounted = _is_accounted(scene)
    return values if is_accounted is None else {**values, "ok": int(is_accounted)}


def _are_versions_right(scene: Scene) -> bool:
    app = scene.app()[1]
    for name in scene.states:
        health = scene.health(name)
        if health.get("version") != app.version or (app.interface and health.get("interface") != app.interface):
            return False
    named = scene.metrics(scene.model_service()).get("model")
    active = {
        plane.removeprefix("model/"): item[1].digest
        for plane, item in scene.planes.items()
        if plane.startswith("model/")
    }
    # A slot that the config switches off has no model in use; one that is in use must be the active one.
    return isinstance(named, dict) and all(active.get(slot) == digest for slot, digest in named.items())


def _is_accounted(scene: Scene) -> bool | None:
    """Whether sent and accepted counts rose alike since the first look; None while nothing was sent since then.

    Upload is asked between two looks at inference, so what it took lies between what was sent before and after.
    """
    sender, receiver = scene.model_service(), "upload"
    marks = scene.history.marks
    # A process that was started anew counts from 0, so each pair of processes has baselines of its own.
    key = f"consistency {scene.state(sender).pid} {scene.state(receiver).pid}"
    if f"{key} sent" not in marks:
        marks[f"{key} sent"] = number(scene.fresh(sender, "/metrics.json"), "uploaded")
        marks[f"{key} accepted"] = number(scene.fresh(receiver, "/metrics.json"), "accepted")
        _await_more(scene, sender, marks[f"{key} sent"])
    before = scene.fresh(sender, "/metrics.json")
    taken = scene.fresh(receiver, "/metrics.json")
    after = scene.fresh(sender, "/metrics.json")
    accepted = number(taken, "accepted") - marks[f"{key} accepted"]
    least, most = (number(page, "uploaded") - marks[f"{key} sent"] for page in (before, after))
    if not most and not accepted:
        return None
    return least - ON_THE_WAY <= accepted <= most + ON_THE_WAY and _is_same_count(taken, before, after)


def _await_more(scene: Scene, sender: str, count: int) -> None:
    """Gives inference a moment to hand something over: the first round is to know something, too."""
    end_s = time.monotonic() + FIRST_LOOK_S
    while number(scene.fresh(sender, "/metrics.json"), "uploaded") <= count and time.monotonic() < end_s:
        time.sleep(0.02)


def _is_same_count(taken: Mapping[str, Json], before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    """Whether upload counts the people that inference counts; unknown while one of them has not seen a whole loop."""
    if not taken.get("people_total") or taken.get("people_total") != before.get("people_total"):
        return True
    return taken.get("people_seen") in {before.get("people_seen"), after.get("people_seen")}
