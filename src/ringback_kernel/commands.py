"""Decides which command of the desired state runs now. Each runs at most once: it is written down before it starts.

Ids only rise. One at a time; a reboot waits until no plane is being switched. After a restart a command that was
under way is done if it was our own reboot, and lost otherwise: it is not tried again, since nobody knows how far it
came.
"""

from ringback_kernel.vocabulary import ACTIVATING, COMMANDS, REVERTING

KEPT = 8
STARTED = "started"
DONE = "done"
FAILED = "failed"
LOST = "lost"
UNKNOWN = "unknown"


def next_of(tx):
    """Return (id, kind, arg) of the command to start now, or None."""
    if tx.newest is None or [entry for entry in tx.cmds if entry[1] == STARTED]:
        return None
    for command in tx.newest.commands:
        if command[0] > tx.cmd_hi:
            is_switching = tx.phase in (ACTIVATING, REVERTING)
            return None if command[1] == "reboot" and is_switching else command
    return None


def mark(tx, number: int, state: str) -> None:
    """Note how far a command is; the caller makes it durable."""
    kept = [entry for entry in tx.cmds if entry[0] != number]
    tx.cmds = tuple(kept[1 - KEPT :] + [[number, state]])
    tx.cmd_hi = max(tx.cmd_hi, number)
    tx.dirty = True


def settle(tx, was_own_reboot: bool) -> None:
    """After a start: end what was under way before it."""
    for entry in tx.cmds:
        if entry[1] == STARTED:
            mark(tx, entry[0], DONE if was_own_reboot else LOST)


def is_known(kind: str) -> bool:
    return kind in COMMANDS
