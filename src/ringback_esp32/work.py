"""Runs one effect of the kernel on the board and words its answer. Loaded for updates and probes, dropped between them.

Every effect gets exactly one answer. A failure that nobody foresaw is answered as RB-ESP-090, so that the agent stays
reachable.
"""

import gc

from ringback_esp32 import board, errors, notes, store
from ringback_esp32.errors import PortError
from ringback_esp32.net import utc_ms

FIRMWARE = "firmware"
BUNDLE_TEXT = 160


def perform(agent, kind, effect):
    """Return (event, answer without its op)."""
    work, done, failed = _TABLE[kind]
    try:
        return done, work(agent, effect)
    except PortError as error:
        return failed, _failure(kind, effect, [error.code, error.text, error.retry])
    except MemoryError:
        gc.collect()
        return failed, _failure(kind, effect, [errors.BUG, "no memory for " + kind, True])
    except Exception as error:
        return failed, _failure(kind, effect, [errors.BUG, kind + ": " + repr(error)[:120], True])


def _failure(kind, effect, why):
    code, text, retry = why
    if kind == "probe":
        read = []
        for rule in effect["rules"]:
            failed = {"probe": rule["probe"], "arg": rule["arg"], "values": {}, "at_ms": board.now_ms(), "code": code}
            if not [each for each in read if (each["probe"], each["arg"]) == (failed["probe"], failed["arg"])]:
                read.append(failed)
        return {"readings": read}
    answer = {"code": code, "text": text, "retry": retry, "full": code == errors.NO_ROOM}
    if kind == "command":
        answer["id"] = effect["id"]
        answer["ok"] = False
    return answer


def _check_in(agent, effect):
    agent.heard = False
    status, body, pause_ms = agent.server.check_in(effect["body"])
    agent.heard = status in (200, 204)
    return {"status": status, "body": body, "next_ms": pause_ms, "utc_ms": utc_ms()}


def _fetch(agent, effect):
    for artifact in effect["artifacts"]:
        sha = store.hex_of(artifact["digest"])
        if artifact["length"] > store.MANIFEST_MAX:
            text = "a manifest of %d bytes, at most %d are read" % (artifact["length"], store.MANIFEST_MAX)
            raise PortError(errors.TOO_LARGE, text)
        _bring(agent, sha, artifact["length"])
        manifest = store.manifest(artifact["digest"])
        total = sum([entry["size_bytes"] for entry in manifest["files"]])
        if manifest.get("plane") != artifact["plane"] or total > artifact["bytes"]:
            text = "%s with %d bytes, signed were %d" % (manifest.get("plane"), total, artifact["bytes"])
            raise PortError(errors.TOO_LARGE, text)
        for entry in manifest["files"]:
            if artifact["plane"] == FIRMWARE:
                _fill(agent, entry)
            else:
                _bring(agent, entry["sha256"], entry["size_bytes"])
    return {}


def _bring(agent, sha, size):
    store.bring(sha, size, lambda start: agent.server.download(sha, start, size))


def _fill(agent, entry):
    from ringback_esp32 import slots

    remembered = notes.Notes()
    slots.fill(remembered, entry, lambda start: agent.server.download(entry["sha256"], start, entry["size_bytes"]))


def _verify(agent, effect):
    from ringback_esp32 import slots

    manifests = {}
    for artifact in effect["artifacts"]:
        manifest = store.manifest(artifact["digest"])
        for entry in manifest["files"]:
            if artifact["plane"] == FIRMWARE:
                _verify_slot(slots, entry)
            else:
                store.check(entry["sha256"], entry["size_bytes"])
        manifests[artifact["plane"]] = manifest
    return {"manifests": manifests}


def _verify_slot(slots, entry):
    """Read the spare slot back; one that does not hold the image is filled anew."""
    try:
        slots.verify(slots.spare(), entry)
    except PortError:
        notes.Notes().put_slot(slots.spare().info()[4], None)
        raise


def _stage(agent, effect):
    from ringback_esp32 import slots

    for artifact in effect["artifacts"]:
        if artifact["plane"] == FIRMWARE:
            manifest = store.manifest(artifact["digest"])
            part = slots.spare()
            entry = manifest["files"][0]
            record = {
                "digest": artifact["digest"],
                "version": manifest["version"],
                "requires": manifest.get("requires", {}),
                "size": entry["size_bytes"],
                "sha": entry["sha256"],
                "end": slots.end_of(part)[0],
            }
            notes.Notes().put_slot(part.info()[4], record)
    return {}


def _preflight(agent, effect):
    from ringback_esp32 import probes

    active = {}
    active.update(store.active()[0])
    for artifact in effect["artifacts"]:
        if artifact["plane"] != FIRMWARE:
            active[artifact["plane"]] = artifact["digest"]
    return {"readings": probes.read(agent, effect["rules"], active)}


def _activate(agent, effect):
    changes = {}
    firmware = None
    for item in effect["group"]:
        if item["plane"] == FIRMWARE:
            firmware = item["digest"]
        else:
            changes[item["plane"]] = item["digest"]
    if changes:
        store.switch(changes)
    answer = {"running": {}}
    for plane, found in agent.running().items():
        if plane in changes:
            answer["running"][plane] = found
    for plane in changes:
        answer["running"].setdefault(plane, ["", ""])
    if firmware is not None:
        _switch_firmware(firmware, effect["direction"] == "back", answer)
    if not answer.get("reboot"):
        agent.set_app()
    return answer


def _switch_firmware(digest, is_back, answer):
    from ringback_esp32 import slots

    remembered = notes.Notes()
    part, record = slots.find(remembered, digest)
    if part is None:
        raise PortError(errors.NOT_CHOSEN, "no slot holds " + digest[:24])
    if part.info()[4] != slots.running().info()[4]:
        if is_back:
            slots.fall_back(part)
        else:
            remembered.put(tries=None)
            slots.select(part, record)
        answer["reboot"] = True
    answer["running"][FIRMWARE] = [record["digest"], record["version"], record["requires"]]


def _probe(agent, effect):
    from ringback_esp32 import probes

    return {"readings": probes.read(agent, effect["rules"])}


def _commit(agent, effect):
    from ringback_esp32 import guard

    keep = []
    for plane in effect["keep"]:
        keep.extend(effect["keep"][plane])
    if FIRMWARE in effect["keep"]:
        guard.confirm(notes.Notes(), effect["keep"][FIRMWARE][0])
    store.tidy(keep)
    return {}


def _safe_mode(agent, effect):
    if effect["on"]:
        agent.runner.run(False)
    else:
        agent.runner.run(not agent.is_bare)
    return {}


def _command(agent, effect):
    text = ""
    if effect["kind"] == "restart":
        agent.is_bare = False
        agent.set_app()
    else:
        gc.collect()
        runner = agent.runner
        text = "heap %d free, app %d frames %d restarts %s" % (
            gc.mem_free(),
            runner.frames,
            runner.restarts,
            runner.fault,
        )
    return {"id": effect["id"], "ok": True, "text": text[:BUNDLE_TEXT]}


_TABLE = {
    "checkin": (_check_in, "checkin_done", "checkin_failed"),
    "fetch": (_fetch, "fetch_done", "fetch_failed"),
    "verify": (_verify, "verify_done", "verify_failed"),
    "stage": (_stage, "stage_done", "stage_failed"),
    "preflight": (_preflight, "preflight_done", "preflight_failed"),
    "activate": (_activate, "activate_done", "activate_failed"),
    "probe": (_probe, "probe_done", "probe_done"),
    "commit": (_commit, "commit_done", "commit_done"),
    "safe_mode": (_safe_mode, "safe_mode_done", "safe_mode_done"),
    "command": (_command, "command_done", "command_done"),
}
