"""Decides, while nothing is in hand, whether the newest desired state starts a deployment, is refused, or asks for
safe mode.

- One deployment at a time: everything newer waits here until the last one has ended and its outcome has been heard.
- What failed here is not tried again at the same attempt: the same deployment never, another one not with the very
  set of digests whose going back made this device healthy.
- A frozen digest is never newly activated. A paused device takes only what it ran before: the way back is never paused.
- The way back must lead from the wanted set to exactly what runs now, or nothing starts.
"""

from ringback_kernel import errors, gates
from ringback_kernel import tx as state
from ringback_kernel.vocabulary import (
    CONFIRMED,
    FETCHING,
    IDLE,
    LOCAL,
    OUT_CONFIRMED,
    OUT_FAILED,
    OUT_REFUSED,
    REFUSED,
    REMOTE,
    SAFE_MODE,
)

# --- rows -------------------------------------------------------------------------------------------------------------


def on_desired(tx, obj):
    """A newer desired state: start, refuse, enter or leave safe mode, or just keep it."""
    consider(tx)


def on_heard(tx, obj):
    """The server answered. If it has the last outcome now, what was waiting for that may start."""
    note_heard(tx, obj)
    if not tx.acked and obj["since_ms"] >= tx.outcome_ms:
        tx.acked = True
    consider(tx)


def note_heard(tx, obj):
    """The server answered; nothing here waits for it."""
    tx.heard_ms = tx.now_ms
    tx.next_ms = obj["next_ms"]


def on_unheard(tx, obj):
    """The server did not answer; nothing here waits for it."""


def on_normal(tx, obj):
    """The command to leave safe mode: only a device that switched itself off obeys; the server's own switch is its
    document.
    """
    if tx.phase == SAFE_MODE and tx.safe == LOCAL:
        leave_safe_mode(tx)


def on_boot(tx, obj):
    """The agent started with nothing in hand: finish what the last deployment left to tidy."""
    if tx.step == "commit":
        commit(tx)


def on_commit_done(tx, obj):
    """The backends have tidied up; what is newest may start."""
    tx.enter("")
    tx.retries = 0
    consider(tx)


def on_commit_timeout(tx, obj):
    """Tidying up got no answer: ask again a few times, then go on without; the next commit does it."""
    tx.retries += 1
    if tx.retries < tx.env.limits.commit_tries:
        commit(tx)
    else:
        tx.say("commit_given_up", {"tries": tx.retries})
        on_commit_done(tx, obj)


def on_safe_boot(tx, obj):
    """The agent started in safe mode: the workload stays off, or goes on if that was under way."""
    _switch(tx, tx.step or "on")


def on_safe_mode_done(tx, obj):
    """The workload is off, or on again."""
    if tx.step == "off":
        tx.safe = ""
        tx.move(IDLE)
    else:
        tx.enter("")
    consider(tx)


def on_safe_timeout(tx, obj):
    """Switching the workload got no answer: ask again."""
    _switch(tx, tx.step)


# --- safe mode --------------------------------------------------------------------------------------------------------


def enter_safe_mode(tx, who: str) -> None:
    tx.safe = who
    if tx.phase != SAFE_MODE:
        tx.move(SAFE_MODE)
    tx.deploy = None
    tx.wants_checkin = True
    _switch(tx, "on")


def leave_safe_mode(tx) -> None:
    if tx.step != "off":
        _switch(tx, "off")


def _switch(tx, step: str) -> None:
    tx.enter(step)
    tx.emit("safe_mode", {"on": step == "on"})
    tx.wait(tx.env.limits.commit_ms)


# --- what ends a deployment -------------------------------------------------------------------------------------------


def finish(tx, kind: str, cause, **fields) -> None:
    """Write down how the deployment in hand ended; the phase is the caller's."""
    reason = cause or state.cause("")
    outcome = {"kind": kind, "entered": tx.entered, "rung": [], "healthy": False, "blame": kind != OUT_CONFIRMED}
    outcome.update(tx.deploy)
    outcome.update(reason)
    outcome["detect_ms"] = tx.detect_ms
    outcome["recover_ms"] = 0
    outcome["at_ms"] = tx.now_ms
    outcome.update(fields)
    tx.outcome = outcome
    tx.acked = False
    tx.outcome_ms = tx.now_ms
    tx.deploy = None
    tx.wants_checkin = True
    tx.say("ended", {"kind": kind, "code": outcome["code"], "rule": outcome["rule"], "plane": outcome["plane"]})


def go_rest(tx, phase: str) -> None:
    """Go to a rest; a device whose workload is off goes back to safe mode instead."""
    tx.move(SAFE_MODE if tx.safe else phase)
    tx.entered = False


def refuse(tx, cause: dict, *, remember: bool = False, kind: str = OUT_REFUSED, blame: bool = True) -> None:
    """End a deployment that has changed nothing.

    Args:
        remember: whether the same set is refused again at this attempt.
    """
    if remember:
        plane = cause["plane"]
        remember_failed(tx, [plane] if plane in tx.changed else list(tx.changed), cause["code"])
    finish(tx, kind, cause, healthy=not tx.safe, entered=False, blame=blame)
    tx.done_key = tx.key if kind == OUT_REFUSED else ""
    go_rest(tx, REFUSED if kind == OUT_REFUSED else IDLE)


def withdraw(tx) -> None:
    """Put a deployment away that has changed nothing and that nobody wants any more."""
    tx.say("withdrawn", {"gen": tx.deploy["gen"]})
    tx.deploy = None
    go_rest(tx, IDLE)
    consider(tx)


def remember_failed(tx, planes: list, code: str) -> None:
    """Remember digests that failed together, so that they are not tried again together at this attempt."""
    together = {plane: tx.changed[plane][1] for plane in planes}
    kept = [entry for entry in tx.failed if entry[0] != together]
    tx.failed = tuple(kept[1 - tx.env.limits.failed_memory :] + [[together, tx.deploy["attempt"], code]])


def commit(tx) -> None:
    """Ask the backends to mark what runs as good and to forget everything but that and what ran before."""
    tx.enter("commit")
    keep = {}
    for plane in tx.confirmed:
        keep[plane] = [tx.confirmed[plane]]
        before = tx.previous.get(plane, "")
        if before and before not in keep[plane]:
            keep[plane].append(before)
    tx.emit("commit", {"keep": keep})
    tx.wait(tx.env.limits.commit_ms)


# --- what starts one --------------------------------------------------------------------------------------------------


def consider(tx) -> None:
    """Look at the newest desired state and do what it asks for, if now is the time."""
    wanted = tx.newest
    if wanted is None or tx.step != "":
        return
    if wanted.safe_mode:
        if tx.safe != REMOTE:
            enter_safe_mode(tx, REMOTE)
    elif tx.safe == REMOTE:
        leave_safe_mode(tx)
    elif tx.acked and wanted.key != tx.done_key:
        _deploy(tx, wanted)


def _deploy(tx, wanted) -> None:
    changed = _changes(tx, wanted)
    if not changed and not (tx.safe and wanted.release):
        _adopt(tx, wanted)
        return
    if wanted.paused and not is_way_back(tx, changed):
        return
    if changed and not wanted.order:
        # A document that asks for a set at rest, made for another set than the one that runs: its maker will learn by
        # the report.
        tx.say("not_planned", {"planes": sorted(changed)})
        return
    _take(tx, wanted, changed)
    against = _objection(tx, wanted)
    if against is not None:
        refuse(tx, against)
        return
    tx.move(FETCHING, "fetch")
    start_fetch(tx)


def _take(tx, wanted, changed: dict) -> None:
    """Take a desired state in hand as a new deployment."""
    tx.hand = wanted
    tx.hand_gen = wanted.gen
    tx.key = wanted.key
    tx.changed = changed
    tx.deploy = {"gen": wanted.gen, "release": wanted.release, "rollout": wanted.rollout, "attempt": wanted.attempt}
    tx.group = tx.moves = tx.boots = tx.retries = tx.elapsed_ms = tx.detect_ms = 0
    tx.rung = -1
    tx.cause = None
    tx.doubt = ()
    tx.entered = tx.had_uplink = tx.heard_in_trial = False


def _adopt(tx, wanted) -> None:
    """Nothing is to change: say so once, if a rollout wants to know."""
    if wanted.rollout:
        _take(tx, wanted, {})
        finish(tx, OUT_CONFIRMED, None, healthy=True)
        tx.done_key = wanted.key
        go_rest(tx, CONFIRMED)


def _changes(tx, wanted) -> dict:
    changed = {}
    for plane in sorted(wanted.targets):
        digest = wanted.targets[plane]["digest"]
        old = tx.running[plane][0] if plane in tx.running else ""
        if old != digest:
            changed[plane] = [old, digest]
    return changed


def is_way_back(tx, changed: dict) -> bool:
    """Say whether every changed plane goes to something this device confirmed before."""
    for plane in changed:
        if changed[plane][1] not in (tx.confirmed.get(plane), tx.previous.get(plane)):
            return False
    return True


def is_frozen(tx, wanted):
    """Return the first changed plane whose new digest is frozen by a desired state, or ""."""
    for plane in tx.changed:
        if (plane, tx.changed[plane][1]) in wanted.frozen:
            return plane
    return ""


def _objection(tx, wanted):
    """Return why the deployment just taken in hand must not start, or None."""
    frozen = is_frozen(tx, wanted)
    if frozen:
        return state.cause(errors.TX_FROZEN, "frozen: " + tx.changed[frozen][1], plane=frozen)
    for digests, attempt, code in tx.failed:
        if attempt >= wanted.attempt and _holds_all(tx.changed, digests):
            planes = sorted(digests)
            text = "%s failed at attempt %d with %s" % (", ".join(planes), attempt, code)
            return state.cause(errors.TX_FAILED_BEFORE, text, plane=planes[0])
    if not gates.has_proof(wanted.rules):
        return state.cause(errors.TX_NO_PROOF, "no required rule is judged in the trial")
    return _stale(tx, wanted)


def _holds_all(changed: dict, digests: dict) -> bool:
    for plane, digest in digests.items():
        if plane not in changed or changed[plane][1] != digest:
            return False
    return True


def _stale(tx, wanted):
    """Return why the plan does not fit what runs: a plane it does not switch, or a way back to something else."""
    planned = [plane for group in wanted.order for plane in group]
    for plane in tx.changed:
        if plane not in planned:
            text = "would change, but is not in the order of activation"
            return state.cause(errors.TX_STALE_PLAN, plane + " " + text, plane=plane)
    covered = []
    for planes, back in wanted.ladder:
        for plane in planes:
            if plane in tx.changed and back[plane] != tx.changed[plane][0]:
                text = "%s runs %s; the way back leads to %s" % (plane, tx.changed[plane][0], back[plane])
                return state.cause(errors.TX_STALE_PLAN, text, plane=plane)
        covered = planes
    for plane in tx.changed:
        # A device that ran nothing has nothing to go back to; its way back is to be empty again.
        if plane not in covered and (wanted.ladder or tx.changed[plane][0]):
            return state.cause(errors.TX_STALE_PLAN, "the last rung does not take back " + plane, plane=plane)
    return None


def start_fetch(tx) -> None:
    """Ask for everything the deployment needs, before anything else."""
    tx.enter("fetch")
    tx.emit("fetch", {"artifacts": artifacts(tx)})
    tx.wait(tx.env.limits.fetch_ms)


def artifacts(tx) -> list:
    """Return what the deployment in hand brings, as effects name it."""
    found = []
    for plane in sorted(tx.changed):
        target = tx.hand.targets[plane]
        found.append({name: target[name] for name in ("plane", "digest", "length", "bytes", "name")})
    return found


def failed_download(tx, cause: dict) -> None:
    """Give a download up for now: no verdict about the release, and tried again when the server is heard."""
    refuse(tx, cause, kind=OUT_FAILED, blame=False)
