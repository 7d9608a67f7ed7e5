"""Cuts the power at each step of a story and lets the device come back, as often as the test says.

A story is a function that returns a world with something offered to its device; it ends when the device rests with
what the server wants or with what it had, and has told so. Steps are storage calls and the border before, inside and
after effects.
"""

from tests.kernel.both.world import PowerCut, digest_of

END_MS = 400000


def is_over(world):
    """Whether the deployment has ended, its outcome has been heard, and nothing is left to tidy."""
    tx = world.core.tx
    return tx.outcome is not None and tx.acked and tx.step == "" and not tx.is_busy and tx.done_key != ""


def live(story, cuts=(), kept_bytes=0):
    """Run a story with the power cut at these steps, each counted from the start before it. Returns the world at its
    end.

    Args:
        kept_bytes: of what was appended and not synced, how much each cut leaves.
    """
    cuts = list(cuts)
    world = story()
    cut_steps = world.steps
    world.cut_at = cut_steps + cuts.pop(0) if cuts else None
    for _ in range(len(cuts) + 2):
        try:
            world.run(END_MS, until=is_over)
            break
        except PowerCut:
            world.disk.cut(kept_bytes)
            while True:
                try:
                    world.cut_at = world.steps + cuts.pop(0) if cuts else None
                    world.boot()
                    break
                except PowerCut:
                    world.disk.cut(kept_bytes)
    return world


def steps_of(story):
    """Return how many steps a story takes when the power stays on."""
    world = story()
    before = world.steps
    assert world.run(END_MS, until=is_over), world.phases
    return world.steps - before


def faults(world, allowed):
    """Return what is wrong with a device at its end, as texts.

    Args:
        allowed: outcome kinds this story may end with.
    """
    found = list(world.violations)
    tx = world.core.tx
    if not is_over(world):
        found.append(f"never over: phase {tx.phase} step {tx.step}, {world.phases[-6:]}")
        return found
    if tx.outcome["kind"] not in allowed:
        found.append("ended " + tx.outcome["kind"] + " " + tx.outcome["code"])
    if tx.safe == "" and tx.confirmed != world.active:
        found.append(f"rests with something it did not confirm: {world.active} for {tx.confirmed}")
    for plane, digest in world.active.items():
        if digest not in world.slots:
            found.append("the slot of " + plane + " is gone")
    for digest in tx.confirmed.values():
        if digest not in world.slots:
            found.append("the way back is gone: " + digest)
    if world.server.reports[-1]["outcome"]["kind"] != tx.outcome["kind"]:
        found.append("the server heard another end")
    return found


def digests(manifests):
    return {plane: digest_of(found) for plane, found in manifests.items()}
