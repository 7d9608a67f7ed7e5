"""Notes what runs on the planes, as the backends read it back; running digests are the truth, results of actions are
hints.

Decides nothing: `trial` and `back` compare what runs with what should.
"""


def digest_on(tx, plane: str) -> str:
    """Return the digest that runs on a plane, "" for an empty one."""
    return tx.running[plane][0] if plane in tx.running else ""


def take_running(tx, running: dict) -> None:
    """Note what runs on the planes that an activation touched, as read back; an empty digest is an empty plane."""
    now = {}
    now.update(tx.running)
    for plane, found in running.items():
        digest = found[0]
        requires = found[2] if len(found) > 2 else {}
        target = tx.hand.targets.get(plane)
        if target is not None and target["digest"] == digest:
            requires = target["requires"]
        if digest:
            now[plane] = [digest, found[1], requires]
        else:
            now.pop(plane, None)
    tx.running = now
    tx.doubt = tuple([plane for plane in tx.doubt if plane not in running])


def reboot(tx, why: str) -> None:
    """Reboot by ourselves: written down first, so that the start after it is not taken for a crash."""
    tx.enter("reboot")
    tx.planned = why
    tx.emit("reboot", {"reason": why})
    tx.wait(tx.env.limits.activate_ms)
