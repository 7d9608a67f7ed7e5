"""Decides the activation, group by group, and the trial: confirm, or go back.

- The trial ends without the server, within its window of elapsed time, which is counted over restarts and reboots.
- Confirmed needs every required rule to pass for the hold time, on readings taken after the activation; and, if the
  old set had reached the server, that the new one reaches it too.
- Only starts of the agent that it did not plan are counted, and only here: months later a power cut undoes nothing.
- A newer desired state waits until the trial is over, unless it concerns it: it takes planes back, freezes a digest
  of the trial, or asks for safe mode.
- The way back is never deleted here: the backends are told to tidy up only after the end is written down.
"""

from ringback_kernel import back, errors, gates, planes, rest
from ringback_kernel import tx as state
from ringback_kernel.vocabulary import ACTIVATING, CONFIRMED, FAIL, FORWARD, OUT_CONFIRMED, PASS, REVERTING, TRIAL

# --- activating -------------------------------------------------------------------------------------------------------


def activate(tx) -> None:
    """Begin to change what runs; from here on there are two ends."""
    tx.boots = tx.retries = 0
    tx.group = -1
    tx.move(ACTIVATING)
    _next_group(tx)


def _group(tx) -> list:
    """Return the planes of the group in hand that do not run what they should."""
    if not 0 <= tx.group < len(tx.hand.order):
        return []
    found = []
    for plane in tx.hand.order[tx.group]:
        if plane in tx.changed and planes.digest_on(tx, plane) != tx.changed[plane][1]:
            found.append(plane)
    return found


def _next_group(tx) -> None:
    tx.group += 1
    while tx.group < len(tx.hand.order) and not _group(tx):
        tx.group += 1
    if tx.group < len(tx.hand.order):
        _activate_group(tx)
    elif tx.safe:
        # A device in safe mode changes its planes with the workload off, and starts it for the trial.
        tx.enter("unsafe")
        tx.emit("safe_mode", {"on": False})
        tx.wait(tx.env.limits.commit_ms)
    else:
        _begin(tx)


def _activate_group(tx) -> None:
    tx.enter("activate")
    group = [{"plane": plane, "digest": tx.changed[plane][1]} for plane in _group(tx)]
    tx.emit("activate", {"group": group, "direction": FORWARD})
    tx.wait(tx.env.limits.activate_ms)


def on_activate_done(tx, obj):
    """A group was switched and read back; the next one, a reboot, or the trial."""
    planes.take_running(tx, obj["running"])
    if obj.get("reboot"):
        planes.reboot(tx, "activate")
        return
    _check_group(tx)


def _check_group(tx) -> None:
    missing = _group(tx)
    if missing:
        text = "%s runs %s after its activation" % (missing[0], planes.digest_on(tx, missing[0]) or "nothing")
        back.begin(tx, state.cause(errors.TX_FELL_BACK, text, plane=missing[0]))
    else:
        _next_group(tx)


def on_activate_failed(tx, obj):
    """A group could not be switched."""
    _doubt_group(tx)
    back.begin(tx, state.cause(obj["code"], obj.get("text", ""), plane=_first(_group(tx))))


def on_activate_timeout(tx, obj):
    """A group was not switched in time."""
    text = "the step %s took longer than %d ms" % (tx.step, tx.now_ms - tx.step_ms)
    _doubt_group(tx)
    back.begin(tx, state.cause(errors.TX_ACTIVATE, text, plane=_first(_group(tx))))


def _doubt_group(tx) -> None:
    """A failed activation may have got anywhere: its planes must be taken back even if they seem to be old."""
    tx.doubt = tuple(_group(tx))


def _first(planes: list) -> str:
    return planes[0] if planes else ""


def on_safe_mode_done(tx, obj):
    """The workload was started for the trial."""
    tx.safe = ""
    _begin(tx)


def on_activating_boot(tx, obj):
    """The agent started in the middle of the activation: go on with the group in hand, but not for ever."""
    if obj["planned"]:
        _check_group(tx)
    elif not _too_many_boots(tx):
        if tx.step == "unsafe":
            tx.group -= 1
            _next_group(tx)
        elif _group(tx):
            _activate_group(tx)
        else:
            _next_group(tx)


def _too_many_boots(tx) -> bool:
    tx.boots += 1
    tx.dirty = True
    if tx.boots <= tx.env.limits.trial_boots:
        return False
    text = "started %d times without being asked to" % tx.boots
    back.begin(tx, state.cause(errors.TX_BOOTS, text))
    return True


# --- trial ------------------------------------------------------------------------------------------------------------


def _begin(tx) -> None:
    tx.elapsed_ms = tx.saved_ms = tx.boots = 0
    tx.move(TRIAL)
    _watch(tx)
    tx.wants_checkin = True
    _look_at_newest(tx)


def _watch(tx) -> None:
    """Begin to look, after the activation or a restart: nothing read before counts."""
    tx.counted_ms = tx.now_ms
    tx.saved_ms = tx.elapsed_ms
    tx.pass_ms = tx.inject_ms = None
    tx.memory = gates.Memory(tx.now_ms)
    tx.waits_for = None
    _set_deadline(tx)
    _probe(tx)


def _probe(tx) -> None:
    tx.observe("probe", {"rules": gates.at_stage(tx.hand.rules, "trial")})
    tx.probe_at_ms = tx.now_ms + tx.env.limits.probe_timeout_ms


def _count_time(tx) -> None:
    tx.elapsed_ms += tx.now_ms - tx.counted_ms
    tx.counted_ms = tx.now_ms
    if tx.elapsed_ms - tx.saved_ms >= max(tx.env.limits.checkpoint_ms, tx.hand.trial_ms // 8):
        tx.saved_ms = tx.elapsed_ms
        tx.dirty = True


def _misses_uplink(tx) -> bool:
    return tx.had_uplink and not tx.heard_in_trial and tx.hand.uplink_ms > 0


def _set_deadline(tx) -> None:
    """Set the end of the trial's window.

    A set that passes at the end of its window may finish its hold time, and one that only waits for the server may wait
    for as long as the uplink rule says; the first failing or missing reading after the window ends it.
    """
    window_ms = tx.hand.trial_ms
    if _misses_uplink(tx):
        window_ms = max(window_ms, tx.hand.uplink_ms) if tx.pass_ms is not None else min(window_ms, tx.hand.uplink_ms)
    tx.deadline_ms = tx.counted_ms + max(0, window_ms - tx.elapsed_ms)
    if tx.pass_ms is not None and not _misses_uplink(tx):
        tx.deadline_ms = max(tx.deadline_ms, tx.pass_ms + tx.hand.hold_ms + 2 * tx.hand.every_ms)


def on_probe_due(tx, obj):
    """Time for the next round, or an answer that never came."""
    _probe(tx)


def on_probe_done(tx, obj):
    """A round was read: confirm, go back, or look again."""
    _count_time(tx)
    rules = gates.at_stage(tx.hand.rules, "trial")
    readings = _drilled(tx, obj["readings"])
    tx.memory = tx.memory.copy()
    verdict, rule, reading = gates.judge(rules, readings, tx.now_ms, tx.memory)
    if verdict == FAIL:
        _fail(tx, rule, reading)
        return
    tx.waits_for = rule
    if verdict == PASS:
        tx.pass_ms = tx.now_ms if tx.pass_ms is None else tx.pass_ms
    else:
        tx.pass_ms = None
    if tx.pass_ms is not None and tx.now_ms - tx.pass_ms >= tx.hand.hold_ms and not _misses_uplink(tx):
        confirm(tx)
        return
    _set_deadline(tx)
    tx.probe_at_ms = tx.now_ms + tx.hand.every_ms


def _drilled(tx, readings: list) -> list:
    """Return the readings, with the drilled rule's made to fail until the drill has been noticed once."""
    rule = gates.named(tx.hand.rules, tx.hand.drill_rule)
    if rule is None or tx.drilled == tx.key:
        return readings
    changed = gates.drilled(rule, readings)
    if changed is not readings and tx.inject_ms is None:
        tx.inject_ms = tx.now_ms
    return changed


def _fail(tx, rule: dict, reading) -> None:
    found = gates.value_of(rule, reading)
    text = reading.get("code") or "%s.%s is %s, limit %s %d" % (
        rule["probe"], rule["field"], found, rule["op"], rule["limit"],
    )  # fmt: skip
    reason = state.cause(errors.TX_RULE, text, rule=rule, reading=found)
    tx.detect_ms = tx.elapsed_ms
    if tx.inject_ms is not None and rule["id"] == tx.hand.drill_rule:
        reason["drill"] = True
        tx.drilled = tx.key
        tx.detect_ms = tx.now_ms - tx.inject_ms
    back.begin(tx, reason)


def on_heard(tx, obj):
    """The server answered a check-in; one that began after the activation shows that the new set reaches it."""
    rest.note_heard(tx, obj)
    if tx.phase == TRIAL and obj["since_ms"] >= tx.phase_ms and not tx.heard_in_trial:
        tx.heard_in_trial = True
        tx.dirty = True
        _count_time(tx)
        if tx.pass_ms is not None and tx.now_ms - tx.pass_ms >= tx.hand.hold_ms:
            confirm(tx)
        else:
            _set_deadline(tx)
    elif tx.phase == REVERTING:
        back.heard(tx, obj)


def on_timeout(tx, obj):
    """The window is over. What was missing says why it goes back."""
    _count_time(tx)
    tx.detect_ms = tx.elapsed_ms
    if _misses_uplink(tx) and tx.elapsed_ms >= tx.hand.uplink_ms:
        text = "the server was heard before the activation and not for %d ms since" % tx.elapsed_ms
        back.begin(tx, state.cause(errors.TX_UPLINK, text), whole=True)
        return
    text = "waiting for %s after %d ms" % (tx.waits_for["id"] if tx.waits_for else "the hold time", tx.elapsed_ms)
    back.begin(tx, state.cause(errors.TX_TRIAL_TIME, text, rule=tx.waits_for))


def on_boot(tx, obj):
    """The agent started during the trial: still on trial, if what was activated still runs and it is not too often."""
    for plane in tx.changed:
        if planes.digest_on(tx, plane) != tx.changed[plane][1]:
            text = "%s runs %s, not what was on trial" % (plane, planes.digest_on(tx, plane) or "nothing")
            back.begin(tx, state.cause(errors.TX_FELL_BACK, text, plane=plane))
            return
    if obj["planned"] or not _too_many_boots(tx):
        tx.wants_checkin = True
        _watch(tx)


def on_desired(tx, obj):
    """A newer desired state while planes change or are on trial."""
    if tx.phase == TRIAL:
        _look_at_newest(tx)


def _look_at_newest(tx) -> None:
    """Go back if the newest desired state concerns the trial; else it waits until the trial is over."""
    wanted = tx.newest
    if wanted is None or wanted.gen == tx.hand_gen:
        return
    frozen = rest.is_frozen(tx, wanted)
    taken_back = []
    for plane in sorted(tx.changed):
        target = wanted.targets.get(plane)
        if target is not None and target["digest"] == tx.changed[plane][0]:
            taken_back.append(plane)
    if wanted.safe_mode:
        back.begin(tx, state.cause(errors.TX_SAFE_MODE, "safe mode was asked for"), whole=True)
    elif frozen:
        text = "frozen during the trial: " + tx.changed[frozen][1]
        back.begin(tx, state.cause(errors.TX_FROZEN, text, plane=frozen))
    elif taken_back:
        text = "generation %d takes back %s" % (wanted.gen, ", ".join(taken_back))
        back.begin(tx, state.cause(errors.TX_RECALLED, text, plane=taken_back[0]), cover=taken_back)
    elif wanted.key == tx.key:
        tx.hand = wanted
        tx.hand_gen = wanted.gen
        tx.dirty = True


def confirm(tx) -> None:
    """End the trial well: what runs is the way back from now on."""
    previous = {}
    previous.update(tx.previous)
    floors = {}
    floors.update(tx.floors)
    for plane in tx.changed:
        if tx.confirmed.get(plane, "") != tx.changed[plane][1]:
            previous[plane] = tx.confirmed.get(plane, "")
    for plane in tx.hand.targets:
        target = tx.hand.targets[plane]
        if target["digest"] == planes.digest_on(tx, plane):
            floors[plane] = max(floors.get(plane, 0), target["epoch"])
    tx.previous = previous
    tx.floors = floors
    tx.confirmed = {plane: tx.running[plane][0] for plane in tx.running}
    tx.base = tx.hand
    tx.base_gen = tx.hand_gen
    tx.done_key = tx.key
    tx.detect_ms = tx.elapsed_ms
    rest.finish(tx, OUT_CONFIRMED, None, healthy=True)
    rest.go_rest(tx, CONFIRMED)
    tx.retries = 0
    rest.commit(tx)
