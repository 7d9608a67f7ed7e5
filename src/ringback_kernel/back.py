"""Decides the way back: which rung, whether it cured the device, and what to do when none does.

- Only planes that the deployment changed go back, to exactly what they were, by rungs whose sets were proven valid.
- The first rung is that of the plane the failed rule indicts, else the policy's first; each further one takes back
  more. After each the same rules are read again: the rung that cures the device is evidence of which plane was at
  fault.
- A mixed set (some planes new, some old) must hold for the hold time like any trial. The whole old set is judged by the
  rules that once confirmed it: a limit that was set wrongly must not send a good device into safe mode.
- When not even the old set is healthy, the device stops its workload and stays reachable: safe mode. It does not loop.
- A revert for want of an uplink happens once. If the uplink stays down, it was an outage: nobody is blamed, and the
  release may try again once; after a second outage it waits for a raised attempt.

Nothing here needs the server.
"""

from ringback_kernel import errors, gates, planes, rest
from ringback_kernel import tx as state
from ringback_kernel.vocabulary import BACK, FAIL, LOCAL, OUT_FAILED, OUT_REVERTED, PASS, REVERTED, REVERTING, WAITING

# A rung whose activation fails is tried this often: the disk may be full or the service slow, but there is nothing
# better to do.
RUNG_TRIES = 3
# The first pause before a round is read again; each further one is half as long as what has passed.
FIRST_PAUSE_MS = 50
# Causes that say nothing about the quality of the release.
NO_BLAME = (errors.TX_RECALLED, errors.TX_SAFE_MODE, errors.TX_FROZEN, errors.TX_OUTAGE)


def begin(tx, cause: dict, *, whole: bool = False, cover=()) -> None:
    """Turn round.

    Args:
        cause: from `tx.cause`; its plane, if the deployment changed it, is where the ladder starts.
        whole: go straight to the last rung.
        cover: planes that must go back at once.
    """
    was_activating = tx.phase == "activating"
    tx.cause = cause
    tx.verdict_ms = tx.now_ms
    tx.healthy_ms = None
    tx.boots = tx.retries = 0
    tx.move(REVERTING)
    needed = list(cover)
    if was_activating:
        # What was not activated yet still is the old version: only a set that takes all of it back was proven valid.
        for plane in tx.changed:
            if planes.digest_on(tx, plane) != tx.changed[plane][1] and plane not in needed:
                needed.append(plane)
    rungs = _rungs(tx)
    start = tx.hand.first.get(cause["plane"], 0) if cause["plane"] in tx.changed else 0
    chosen = len(rungs) - 1
    if not whole:
        chosen = _rung_with(tx, max(0, start), needed)
    _go(tx, chosen)


def _rungs(tx) -> list:
    """Return the planes of each rung that this deployment changed. A device that ran nothing goes back to nothing."""
    if not tx.hand.ladder:
        return [tuple(sorted(tx.changed))] if tx.changed else []
    return [tuple([plane for plane in planes if plane in tx.changed]) for planes, _ in tx.hand.ladder]


def _rung_with(tx, start: int, planes) -> int:
    """Return the first rung from `start` on that takes back these planes and at least one; the last one if there
    is none.
    """
    rungs = _rungs(tx)
    for index in range(start, len(rungs)):
        if rungs[index] and _has_all(rungs[index], planes):
            return index
    return len(rungs) - 1


def _has_all(rung: tuple, planes) -> bool:
    for plane in planes:
        if plane not in rung:
            return False
    return True


def _go(tx, index: int) -> None:
    """Take the planes of a rung back."""
    tx.rung = index
    tx.retries = 0
    if index < 0:
        _give_up(tx, "there is nothing to take back")
        return
    _activate(tx)


def _activate(tx) -> None:
    missing = _missing(tx)
    if not missing:
        _watch(tx)
        return
    tx.enter("activate")
    group = [{"plane": plane, "digest": tx.changed[plane][0]} for plane in missing]
    tx.emit("activate", {"group": group, "direction": BACK})
    tx.wait(tx.env.limits.activate_ms)


def _missing(tx) -> list:
    """Return the planes of the rung that do not run their old version, or were left by a failed activation."""
    rung = _rungs(tx)[tx.rung]
    return [plane for plane in rung if plane in tx.doubt or planes.digest_on(tx, plane) != tx.changed[plane][0]]


def is_whole(tx) -> bool:
    """Say whether everything the deployment changed is back."""
    for plane in tx.changed:
        if planes.digest_on(tx, plane) != tx.changed[plane][0]:
            return False
    return True


def _rules(tx) -> list:
    wanted = tx.base if is_whole(tx) and tx.base is not None else tx.hand
    return gates.at_stage(wanted.rules, "trial")


# --- rows -------------------------------------------------------------------------------------------------------------


def on_activate_done(tx, obj):
    """The planes of the rung were taken back and read back."""
    planes.take_running(tx, obj["running"])
    if obj.get("reboot"):
        planes.reboot(tx, "revert")
    elif _missing(tx):
        plane = _missing(tx)[0]
        text = "%s runs %s" % (plane, planes.digest_on(tx, plane) or "nothing")
        on_activate_failed(tx, {"code": errors.TX_FELL_BACK, "text": text})
    else:
        _watch(tx)


def on_activate_failed(tx, obj):
    """The rung could not be taken: again after a while, then the next one."""
    tx.say("rung_failed", {"code": obj["code"], "text": obj.get("text", "")})
    tx.retries += 1
    if tx.retries < RUNG_TRIES:
        tx.enter("again")
        tx.wait(1000 << tx.retries)
    else:
        _next(tx, "the last rung could not be taken: " + obj["code"])


def _watch(tx) -> None:
    """Look whether the rung cured the device."""
    if tx.cause["code"] == errors.TX_SAFE_MODE or not tx.running:
        # The workload is to be stopped anyway, or there is none left that could be healthy.
        _end_whole(tx)
        return
    tx.enter("probe")
    tx.memory = gates.Memory(tx.now_ms)
    tx.pass_ms = None
    tx.wants_checkin = True
    tx.wait(max(tx.hand.trial_ms, tx.hand.uplink_ms if tx.cause["code"] == errors.TX_UPLINK else 0))
    _probe(tx)


def _end_whole(tx) -> None:
    if tx.cause["code"] == errors.TX_SAFE_MODE:
        _done(tx)
    else:
        _give_up(tx, "nothing ran before this deployment")


def _probe(tx) -> None:
    tx.observe("probe", {"rules": _rules(tx)})
    tx.probe_at_ms = tx.now_ms + tx.env.limits.probe_timeout_ms


def on_probe_due(tx, obj):
    """Time for the next round, or an answer that never came."""
    _probe(tx)


def on_probe_done(tx, obj):
    """A round was read: cured, not cured, or not known yet."""
    tx.memory = tx.memory.copy()
    verdict, rule, _ = gates.judge(_rules(tx), obj["readings"], tx.now_ms, tx.memory)
    if verdict == FAIL:
        tx.healthy_ms = None
        _next(tx, rule["id"] + " fails with the old set too")
        return
    if verdict == PASS:
        tx.pass_ms = tx.now_ms if tx.pass_ms is None else tx.pass_ms
        tx.healthy_ms = tx.now_ms if tx.healthy_ms is None else tx.healthy_ms
        if is_whole(tx):
            if _cured(tx):
                _done(tx)
                return
        elif tx.now_ms - tx.pass_ms >= tx.hand.hold_ms:
            _done(tx)
            return
    else:
        tx.pass_ms = tx.healthy_ms = None
    tx.probe_at_ms = tx.now_ms + _pause_ms(tx, verdict)


def _pause_ms(tx, verdict: str) -> int:
    """Return how long to wait for the next round: at first little, while evidence is only missing.

    A device on its way back should not stand a whole interval for want of its first samples. Failing readings count
    at the pace of their rules all the same: strikes are meant to outlast what is passing.
    """
    if verdict == WAITING and not tx.memory.strikes:
        return int(min(tx.hand.every_ms, max(FIRST_PAUSE_MS, (tx.now_ms - tx.step_ms) // 2)))
    return int(tx.hand.every_ms)


def _cured(tx) -> bool:
    """Whether what made the device turn round is gone: for want of an uplink that is an answer of the server."""
    return bool(tx.cause["code"] != errors.TX_UPLINK or tx.heard_in_trial)


def heard(tx, obj) -> None:
    """The server answered while the device was going back; after a revert for want of an uplink that is the cure."""
    if tx.cause["code"] == errors.TX_UPLINK and tx.step == "probe" and obj["since_ms"] >= tx.step_ms:
        tx.heard_in_trial = True
        if tx.pass_ms is not None and is_whole(tx):
            _done(tx)


def on_timeout(tx, obj):
    """A rung took too long, or brought no evidence in its time."""
    if tx.step == "again":
        _activate(tx)
    elif tx.step != "probe":
        on_activate_failed(tx, {"code": errors.TX_ACTIVATE, "text": "no answer"})
    elif tx.cause["code"] == errors.TX_UPLINK and tx.pass_ms is not None and is_whole(tx):
        # Down with the old set as well.
        tx.cause = state.cause(errors.TX_OUTAGE, "no answer with the old set either")
        _done(tx)
    else:
        _next(tx, "no evidence of health in %d ms" % (tx.now_ms - tx.step_ms))


def on_boot(tx, obj):
    """The agent started while it was going back: go on with the rung in hand; too many starts take the next one."""
    tx.verdict_ms = tx.now_ms
    tx.healthy_ms = None
    if obj["planned"]:
        if _missing(tx):
            on_activate_failed(tx, {"code": errors.TX_FELL_BACK, "text": "not taken back by the reboot"})
            return
    else:
        tx.boots += 1
        tx.dirty = True
        if tx.boots > tx.env.limits.trial_boots:
            tx.boots = 0
            _next(tx, "started too often while going back")
            return
    _activate(tx)


def _next(tx, text: str) -> None:
    """Take the next rung that takes back all this one did and more, or end in safe mode."""
    rungs = _rungs(tx)
    here = rungs[tx.rung]
    for index in range(tx.rung + 1, len(rungs)):
        if len(rungs[index]) > len(here) and _has_all(rungs[index], here):
            _go(tx, index)
            return
    _give_up(tx, text)


def _done(tx) -> None:
    """End the way back well."""
    rung = list(_rungs(tx)[tx.rung])
    code = tx.cause["code"]
    blame = code not in NO_BLAME and not tx.cause["drill"]
    recover_ms = (tx.now_ms if tx.healthy_ms is None else tx.healthy_ms) - tx.verdict_ms
    if blame:
        rest.remember_failed(tx, rung, code)
    if not is_whole(tx):
        _confirm_mixed(tx)
    is_healthy = code != errors.TX_SAFE_MODE
    rest.finish(tx, OUT_REVERTED, tx.cause, rung=rung, healthy=is_healthy, blame=blame, recover_ms=recover_ms)
    # After a drill, a recall or a first outage the same deployment may start again, once the server has the outcome.
    is_second_outage = code == errors.TX_OUTAGE and tx.outage == tx.key
    tx.done_key = tx.key if blame or is_second_outage else ""
    tx.outage = tx.key if code == errors.TX_OUTAGE else tx.outage
    rest.go_rest(tx, REVERTED)
    tx.retries = 0
    rest.commit(tx)


def _confirm_mixed(tx) -> None:
    """What runs has held like a trial; it is the way back from now on."""
    previous = {}
    previous.update(tx.previous)
    for plane in tx.changed:
        if planes.digest_on(tx, plane) == tx.changed[plane][1]:
            previous[plane] = tx.changed[plane][0]
    tx.previous = previous
    tx.confirmed = {plane: tx.running[plane][0] for plane in tx.running}
    tx.base = tx.hand
    tx.base_gen = tx.hand_gen


def _give_up(tx, text: str) -> None:
    """Not even the last rung helped: stop the workload, stay reachable, say so."""
    rung = list(_rungs(tx)[tx.rung]) if tx.rung >= 0 else []
    tx.say("ladder_ended", {"text": text})
    if tx.cause["code"] not in NO_BLAME:
        rest.remember_failed(tx, list(tx.changed), tx.cause["code"])
    rest.finish(tx, OUT_FAILED, tx.cause, rung=rung, healthy=False)
    tx.outcome["text"] = (tx.outcome["text"] + "; " + text)[:200]
    tx.done_key = tx.key
    rest.enter_safe_mode(tx, LOCAL)


def give_up_moves(tx) -> None:
    """Too many transitions in one deployment."""
    _give_up(tx, "%d transitions in one deployment" % tx.moves)
