"""Runs one effect of the kernel on the ports and words the answer: the whole translation between the two, in one table.

It decides nothing and holds no state. Every effect carries an `op`, which its answer repeats, so that the kernel can
tell a late answer from the one it waits for.

Invariants:

- Every effect that expects an answer gets exactly one, whatever happens in the port.
- What a port does not foresee is answered as a failure with the code RB-AGENT-090 and logged as a bug.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence

from ringback.agent.errors import PortError
from ringback.agent.ports import (
    DOWNLOAD,
    NET,
    PROBE,
    WORK,
    Artifact,
    Change,
    Event,
    Json,
    Measure,
    Obj,
    Ports,
    Reading,
    Running,
)

Effect = Obj
Log = Callable[[str, Mapping[str, Json]], None]

TEXT_LIMIT = 200
"""Characters of a failure's text that travel with the report."""


NO_ROOM_CODE = "RB-AGENT-024"


def text_of(effect: Effect, key: str) -> str:
    """Returns a text of an effect; empty when it is absent or null."""
    value = effect.get(key)
    return value if isinstance(value, str) else ""


def int_of(effect: Effect, key: str) -> int:
    """Returns an integer of an effect; 0 when it is absent."""
    value = effect.get(key)
    return value if isinstance(value, int) else 0


def list_of(effect: Effect, key: str) -> list[dict[str, Json]]:
    """Returns a list of objects of an effect; empty when it is absent."""
    value = effect.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def artifacts_of(effect: Effect) -> list[Artifact]:
    """Returns the artifacts an effect names."""
    return [
        Artifact(
            plane=text_of(item, "plane"),
            digest=text_of(item, "digest"),
            length_bytes=int_of(item, "length"),
            payload_bytes=int_of(item, "bytes"),
            name=text_of(item, "name"),
        )
        for item in list_of(effect, "artifacts")
    ]


def measures_of(effect: Effect) -> list[Measure]:
    """Returns what the rules of an effect need measured, each once, in the order of the rules."""
    measures = [Measure(text_of(rule, "probe"), text_of(rule, "arg")) for rule in list_of(effect, "rules")]
    return list(dict.fromkeys(measures))


def running_to_obj(running: Mapping[str, Running], emptied: Sequence[str] = ()) -> dict[str, Json]:
    """Returns what the planes run as the kernel reads it; planes that were asked for and hold nothing are empty."""
    answer: dict[str, Json] = {plane: ["", "", {}] for plane in emptied}
    for plane, item in running.items():
        answer[plane] = [item.digest, item.version, dict(item.requires)]
    return answer


def readings_to_obj(readings: Sequence[Reading]) -> list[Json]:
    """Returns readings as the kernel judges them."""
    return [
        {
            "probe": reading.probe,
            "arg": reading.arg,
            "values": dict(reading.values),
            "at_ms": reading.at_ms,
            "code": reading.code,
        }
        for reading in readings
    ]


def _checkin(effect: Effect, ports: Ports) -> Obj:
    body = effect["body"]
    assert isinstance(body, bytes)
    answer = ports.transport.checkin(body)
    return {"status": answer.status, "body": answer.body, "next_ms": answer.next_ms, "utc_ms": answer.utc_ms}


def _fetch(effect: Effect, ports: Ports) -> Obj:
    ports.artifacts.fetch(artifacts_of(effect), int_of(effect, "op"))
    return {}


def _verify(effect: Effect, ports: Ports) -> Obj:
    return {"manifests": dict(ports.artifacts.verify(artifacts_of(effect)))}


def _stage(effect: Effect, ports: Ports) -> Obj:
    ports.platform.stage(artifacts_of(effect))
    return {}


def _preflight(effect: Effect, ports: Ports) -> Obj:
    return {"readings": readings_to_obj(ports.probes.preflight(artifacts_of(effect), measures_of(effect)))}


def changes_of(effect: Effect) -> list[Change]:
    """Returns the planes of an activation and where they go."""
    return [Change(text_of(item, "plane"), text_of(item, "digest")) for item in list_of(effect, "group")]


def _activate(effect: Effect, ports: Ports) -> Obj:
    group = changes_of(effect)
    running = ports.platform.activate(group, forward=text_of(effect, "direction") != "back")
    return {"running": running_to_obj(running, [change.plane for change in group])}


def _probe(effect: Effect, ports: Ports) -> Obj:
    return {"readings": readings_to_obj(ports.probes.read(measures_of(effect)))}


def _commit(effect: Effect, ports: Ports) -> Obj:
    keep = effect.get("keep")
    assert isinstance(keep, dict)
    ports.platform.commit({plane: [str(digest) for digest in _listed(digests)] for plane, digests in keep.items()})
    return {}


def _listed(value: Json | bytes) -> list[Json]:
    return value if isinstance(value, list) else []


def _safe_mode(effect: Effect, ports: Ports) -> Obj:
    ports.platform.safe_mode(bool(effect.get("on")))
    return {}


def _command(effect: Effect, ports: Ports) -> Obj:
    result = ports.platform.command(text_of(effect, "kind"), text_of(effect, "arg"))
    return {"id": int_of(effect, "id"), "ok": result.ok, "text": result.text[:TEXT_LIMIT]}


def _failed_command(effect: Effect, error: PortError) -> Obj:
    return {"id": int_of(effect, "id"), "ok": False, "text": str(error)[:TEXT_LIMIT]}


def _failed(_effect: Effect, error: PortError) -> Obj:
    is_full = error.code == NO_ROOM_CODE
    return {"code": error.code, "text": error.message[:TEXT_LIMIT], "retry": error.retry, "full": is_full}


def _failed_probe(effect: Effect, error: PortError) -> Obj:
    """A round of probes that failed as a whole: every reading in it failed."""
    failed: list[Json] = [
        {"probe": measure.probe, "arg": measure.arg, "values": {}, "at_ms": 0, "code": error.code}
        for measure in measures_of(effect)
    ]
    return {"readings": failed}


def _done_anyway(_effect: Effect, _error: PortError) -> Obj:
    """Tidying up that failed: the kernel's state does not depend on it, and it is tried again at the next commit."""
    return {}


Perform = Callable[[Effect, Ports], Obj]
Fail = Callable[[Effect, PortError], Obj]

# effect: lane, what runs it, event when it worked, event when it did not, how the failure is worded
TABLE: dict[str, tuple[str, Perform, str, str, Fail]] = {
    "checkin": (NET, _checkin, "checkin_done", "checkin_failed", _failed),
    "fetch": (DOWNLOAD, _fetch, "fetch_done", "fetch_failed", _failed),
    "verify": (DOWNLOAD, _verify, "verify_done", "verify_failed", _failed),
    "stage": (WORK, _stage, "stage_done", "stage_failed", _failed),
    "preflight": (WORK, _preflight, "preflight_done", "preflight_failed", _failed),
    "activate": (WORK, _activate, "activate_done", "activate_failed", _failed),
    "probe": (PROBE, _probe, "probe_done", "probe_done", _failed_probe),
    "commit": (WORK, _commit, "commit_done", "commit_done", _done_anyway),
    "safe_mode": (WORK, _safe_mode, "safe_mode_done", "safe_mode_done", _done_anyway),
    "command": (WORK, _command, "command_done", "command_done", _failed_command),
}


def perform(kind: str, effect: Effect, ports: Ports, log: Log) -> Event:
    """Runs one effect to its end and returns the event that answers it. Raises nothing."""
    _, run, done, failed, word = TABLE[kind]
    op = int_of(effect, "op")
    try:
        return done, {"op": op, **run(effect, ports)}
    except PortError as error:
        log("effect_failed", {"effect": kind, "op": op, "code": error.code, "text": error.message})
        return failed, {"op": op, **word(effect, error)}
    except Exception as error:  # the lane's main loop: a bug in a port must not silence the agent
        trace = traceback.format_exc(limit=-4)
        log("bug", {"effect": kind, "op": op, "error": repr(error), "trace": trace})
        bug = PortError("RB-AGENT-090", f"{kind}: {error!r}")
        return failed, {"op": op, **word(effect, bug)}
