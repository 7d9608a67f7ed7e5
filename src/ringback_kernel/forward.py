"""Decides how a deployment goes from the download to the point where it begins to change what runs.

- Everything is fetched and verified before anything is staged, everything is staged before the preflight, and the set
  is checked against what really runs, for every group of the activation.
- The preflight is judged by the same gates as the trial; no evidence means no activation.
- Last, the server is asked once more. Without an answer the deployment goes on only if the server was heard of late: a
  device that was offline does not activate what was frozen or stopped meanwhile.
- A restart of the agent begins again with the download: what an attempt before left behind is not trusted (it is
  there, so it costs little).
"""

from ringback_kernel import errors, gates, rest, trial
from ringback_kernel import tx as state
from ringback_kernel.vocabulary import ANNOUNCED, FAIL, OUT_FAILED, PASS, PREFLIGHT, STAGED, VERIFIED

# --- rows for all of them ---------------------------------------------------------------------------------------------


def on_desired(tx, obj):
    """A newer desired state: the same deployment goes on under it, anything else withdraws this one."""
    wanted = tx.newest
    frozen = rest.is_frozen(tx, wanted)
    if frozen and wanted.key == tx.key:
        rest.refuse(tx, state.cause(errors.TX_FROZEN, "frozen: " + tx.changed[frozen][1], plane=frozen))
    elif wanted.safe_mode or wanted.key != tx.key:
        rest.withdraw(tx)
    else:
        tx.hand = wanted
        tx.hand_gen = wanted.gen
        tx.dirty = True
        if tx.phase == ANNOUNCED and _is_held(tx):
            _hold(tx)
        elif tx.phase == STAGED:
            admit(tx)


def on_boot(tx, obj):
    """The agent started before anything was changed: begin again with the download, but not for ever."""
    tx.entered = False
    tx.boots += 0 if obj["planned"] else 1
    if tx.boots > tx.env.limits.idle_boots:
        text = "the agent was started %d times before the activation" % tx.boots
        rest.refuse(tx, state.cause(errors.TX_CRASH_LOOP, text), remember=True)
        return
    if tx.phase != "fetching":
        tx.move("fetching")
    rest.start_fetch(tx)


def on_unheard(tx, obj):
    """The server did not answer; an announcement is made again until its time is over."""
    tx.wants_checkin = tx.wants_checkin or tx.phase == ANNOUNCED


def on_failed(tx, obj):
    """A step failed: again after a while if that can help (no room, no service), else this device can't activate it."""
    if obj.get("retry"):
        _retry_later(tx, obj)
    else:
        rest.refuse(tx, state.cause(obj["code"], obj.get("text", ""), plane=obj.get("plane")), remember=True)


def _retry_later(tx, obj) -> None:
    tx.retries += 1
    if tx.retries > tx.env.limits.fetch_retries:
        text = "given up after %d tries, last %s %s" % (tx.retries, obj["code"], obj.get("text", ""))
        rest.failed_download(tx, state.cause(errors.TX_FETCH, text))
        return
    tx.enter("backoff")
    tx.wait(backoff_ms(tx.retries, tx.env.limits.backoff_max_ms))


def on_step_timeout(tx, obj):
    """A step got no answer, or it is time to try again: ask again a few times."""
    if tx.step == "backoff" or _tries_again(tx):
        tx.enter("stage")
        tx.emit("stage", {"artifacts": rest.artifacts(tx)})
        tx.wait(tx.env.limits.stage_ms)


def _tries_again(tx) -> bool:
    tx.retries += 1
    if tx.retries <= tx.env.limits.preflight_tries:
        return True
    text = "the step %s got no answer %d times" % (tx.step, tx.retries)
    rest.refuse(tx, state.cause(errors.TX_STEP_TIME, text), kind=OUT_FAILED, blame=False)
    return False


# --- fetching ---------------------------------------------------------------------------------------------------------


def on_fetch_done(tx, obj):
    """Everything is here; have it verified from the disk."""
    _verify(tx)


def _verify(tx) -> None:
    tx.enter("verify")
    tx.emit("verify", {"artifacts": rest.artifacts(tx)})
    tx.wait(tx.env.limits.verify_ms)


def backoff_ms(failures: int, most_ms: int) -> int:
    """Return 1, 2, 4, .. seconds for the first, second, third failure in a row, at most `most_ms`."""
    return min(most_ms, 1000 << min(failures - 1, 16))


def on_fetch_timeout(tx, obj):
    """Time for another try, or an answer that never came."""
    if tx.step == "verify":
        if _tries_again(tx):
            _verify(tx)
    elif tx.step == "backoff":
        rest.start_fetch(tx)
    else:
        _retry_later(tx, {"code": errors.TX_STEP_TIME, "text": "no answer"})


def on_verify_done(tx, obj):
    """The bytes are what was signed; the manifests must say what the desired state says. Then stage."""
    cause = _manifest_objection(tx, obj["manifests"])
    if cause is not None:
        rest.refuse(tx, cause, remember=True)
        return
    tx.retries = 0
    tx.move(VERIFIED, "stage")
    tx.emit("stage", {"artifacts": rest.artifacts(tx)})
    tx.wait(tx.env.limits.stage_ms)


def _manifest_objection(tx, manifests: dict):
    """Return why a manifest contradicts the signed desired state, or None. Its digest was signed, so it can't be
    forged.
    """
    for plane in tx.changed:
        target = tx.hand.targets[plane]
        manifest = manifests.get(plane)
        if not isinstance(manifest, dict):
            return state.cause(errors.VERIFY_MANIFEST, "no manifest for plane " + plane, plane=plane)
        for name in ("plane", "version", "epoch", "requires"):
            if manifest.get(name) != target[name]:
                text = "%s: its manifest has another %s than the desired state" % (target["name"], name)
                return state.cause(errors.VERIFY_MANIFEST, text, plane=plane)
        if tx.env.device_class not in manifest.get("classes", ()):
            text = "%s is not for class %s" % (target["name"], tx.env.device_class)
            return state.cause(errors.VERIFY_HARDWARE, text, plane=plane)
    return None


# --- staged -----------------------------------------------------------------------------------------------------------


def on_stage_done(tx, obj):
    """Everything is in its spare slot."""
    tx.retries = 0
    tx.move(STAGED)
    admit(tx)


def on_staged_heard(tx, obj):
    """The server answered: what was held because it had not been heard may go on."""
    rest.note_heard(tx, obj)
    admit(tx)


def on_staged_timeout(tx, obj):
    """Held back for too long: put away; it starts again when updates go on."""
    rest.withdraw(tx)


def admit(tx) -> None:
    """Let a staged deployment into the preflight, unless updates are paused or a set on the way breaks a constraint."""
    if _is_held(tx):
        if tx.deadline_ms is None:
            tx.wait(tx.env.limits.hold_ms)
        return
    broken = _first_broken(tx)
    if broken is not None:
        rest.refuse(tx, broken)
        return
    tx.move(PREFLIGHT)
    _preflight(tx)


def _is_held(tx) -> bool:
    return tx.hand.paused and not rest.is_way_back(tx, tx.changed)


def _hold(tx) -> None:
    tx.entered = False
    tx.move(STAGED)
    tx.wait(tx.env.limits.hold_ms)


def _first_broken(tx):
    """Return the first constraint that a set on the way breaks, or None. The sets are what runs after each group."""
    from ringback_kernel import constraints

    versions = {plane: tx.running[plane][1] for plane in tx.running}
    requires = {plane: _requires(tx, plane) for plane in tx.running}
    for plane in tx.changed:
        for key, text, found in constraints.unmet(_stepping_stone(tx, plane), versions, {}):
            return _requires_cause(plane, key, text, found)
    for group in tx.hand.order:
        for plane in group:
            versions[plane] = tx.hand.targets[plane]["version"]
            requires[plane] = tx.hand.targets[plane]["requires"]
        for plane in sorted(requires):
            for key, text, found in constraints.unmet(requires[plane], versions, tx.env.capabilities):
                return _requires_cause(plane, key, text, found)
    return None


def _requires(tx, plane: str):
    """Return what the artifact running on a plane requires: as signed if the desired state names it, else as read
    back.
    """
    target = tx.hand.targets.get(plane)
    if target is not None and target["digest"] == tx.running[plane][0]:
        return target["requires"]
    found = tx.running[plane]
    return found[2] if len(found) > 2 else {}


def _stepping_stone(tx, plane: str) -> dict:
    """Return what a new artifact requires of the version it replaces (a stepping stone in between), if there is one."""
    text = tx.hand.targets[plane]["requires"].get(plane)
    return {plane: text} if text is not None and plane in tx.running else {}


def _requires_cause(plane: str, key: str, text: str, found) -> dict:
    said = "%s needs %s %s; this device has %s" % (plane, key, text, "none" if found is None else found)
    return state.cause(errors.TX_REQUIRES, said, plane=plane)


# --- preflight --------------------------------------------------------------------------------------------------------


def _preflight(tx) -> None:
    tx.enter("run")
    if tx.memory is None or tx.retries == 0:
        tx.memory = gates.Memory(tx.now_ms)
    rules = _preflight_rules(tx)
    tx.emit("preflight", {"artifacts": rest.artifacts(tx), "rules": rules})
    tx.wait(tx.env.limits.preflight_ms)


def _preflight_rules(tx) -> list:
    """Return the rules this change can break: firmware can break any, another plane only what indicts it or nobody."""
    found = gates.at_stage(tx.hand.rules, "preflight")
    for plane in tx.changed:
        if tx.hand.targets[plane]["kind"] not in ("model", "config"):
            return found
    return [rule for rule in found if rule["plane"] is None or rule["plane"] in tx.changed]


def on_preflight_done(tx, obj):
    """The preflight was read: announce, refuse, or read again what is missing."""
    rules = _preflight_rules(tx)
    tx.memory = tx.memory.copy()
    verdict, rule, reading = gates.judge(rules, obj["readings"], tx.now_ms, tx.memory)
    if verdict == PASS or not [rule for rule in rules if rule["level"] == "required"]:
        _announce(tx)
    elif verdict == FAIL:
        text = reading.get("code") or "the preflight"
        found = gates.value_of(rule, reading)
        rest.refuse(tx, state.cause(errors.TX_PREFLIGHT_RULE, text, rule=rule, reading=found), remember=True)
    elif tx.retries + 1 >= tx.env.limits.preflight_tries:
        text = "still waiting for a reading after %d tries" % (tx.retries + 1)
        rest.refuse(tx, state.cause(errors.TX_PREFLIGHT_TIME, text, rule=rule), remember=True)
    else:
        tx.retries += 1
        tx.enter("again")
        tx.wait(tx.hand.every_ms)


def on_preflight_timeout(tx, obj):
    """Time for another round, or an answer that never came."""
    if tx.step in ("again", "backoff") or _tries_again(tx):
        _preflight(tx)


# --- announced --------------------------------------------------------------------------------------------------------


def _announce(tx) -> None:
    tx.retries = 0
    tx.move(ANNOUNCED)
    tx.entered = True
    tx.wants_checkin = True
    tx.wait(tx.env.limits.announce_ms)


def on_announced_heard(tx, obj):
    """The server answered: if it was to the announcement, nothing holds the activation back any more."""
    rest.note_heard(tx, obj)
    if obj["since_ms"] >= tx.phase_ms:
        tx.had_uplink = True
        trial.activate(tx)
    else:
        tx.wants_checkin = True


def on_announced_timeout(tx, obj):
    """No answer in time: go on if the server was heard within its last intervals, else wait until it is heard."""
    recent_ms = min(2 * tx.next_ms, tx.env.limits.fresh_ms) + tx.env.limits.announce_ms
    if tx.heard_ms is not None and tx.phase_ms - tx.heard_ms <= recent_ms:
        trial.activate(tx)
    else:
        _hold(tx)


def give_up_moves(tx) -> None:
    """Too many transitions in one deployment: refuse it."""
    text = "%d transitions in one deployment" % tx.moves
    rest.refuse(tx, state.cause(errors.TX_CAP, text), remember=True)
