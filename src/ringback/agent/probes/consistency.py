"""Probe `consistency`: whether what the services say of themselves agrees with what was installed, and with each other.

Values:

- versions_ok 0/1: every service names the app's version and interface, and the models it names are the active ones.
- ok 0/1: what inference says it handed over is what upload says it took, within what may be on the way, and both
  count the same people. A reporter that invents or swallows results is found here, whatever it claims about itself.
"""

from collections.abc import Mapping

from ringback.agent.ports import Json
from ringback.agent.probes.scene import Scene, number

ON_THE_WAY = 2
"""Batches that may be between the two services while they are asked one after the other."""


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
    """Whether sent and accepted counts rose alike between two readings; None at the first of them.

    Upload is asked between two looks at inference, so what it took lies between what was sent before and after.
    """
    sender, receiver = scene.model_service(), "upload"
    before = scene.fresh(sender, "/metrics.json")
    taken = scene.fresh(receiver, "/metrics.json")
    after = scene.fresh(sender, "/metrics.json")
    marks = scene.history.marks
    # A process that was started anew counts from 0, so each pair of processes has baselines of its own.
    key = f"consistency {scene.state(sender).pid} {scene.state(receiver).pid}"
    is_first = f"{key} sent" not in marks
    accepted, sent = number(taken, "accepted"), number(before, "uploaded")
    base_accepted, base_sent = marks.setdefault(f"{key} accepted", accepted), marks.setdefault(f"{key} sent", sent)
    if is_first:
        return None
    least, most = sent - base_sent - ON_THE_WAY, number(after, "uploaded") - base_sent + ON_THE_WAY
    return least <= accepted - base_accepted <= most and _is_same_count(taken, before, after)


def _is_same_count(taken: Mapping[str, Json], before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    """Whether upload counts the people that inference counts; unknown while one of them has not seen a whole loop."""
    if not taken.get("people_total") or taken.get("people_total") != before.get("people_total"):
        return True
    return taken.get("people_seen") in {before.get("people_seen"), after.get("people_seen")}
