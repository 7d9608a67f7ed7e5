"""Decides, before the kernel starts, whether the firmware that runs is the one that should, and repairs otadata.

The bootloader gives a new image one boot. Power lost in the trial therefore looks like a failure; what tells them
apart is why the chip started and what the kernel's journal says should run:

- A trial (or a confirmation) that was cut by a power loss is selected again, without a download, a bounded number of
  times. After a crash or a watchdog reset it is not: the kernel then sees that the device fell back.
- An entry in a state nobody knows is unconfirmed: boot.py has made it pending, so that the next reset falls back.
- Confirmed firmware whose mark was lost is marked again, only if it is what boots and what runs, by hash.

It decides from the hash of what runs and the journal, never from what it did before.
"""

from esp32 import Partition

from ringback_esp32 import board, otadata, slots

RETRIES_MAX = 5
FIRMWARE = "firmware"


def look(notes, state, was_cut):
    """Bring otadata and the journal together; may reset and not return.

    Args:
        notes: of this board.
        state: the kernel's journalled state, or None.
        was_cut: whether power was lost before this start.
    """
    label = slots.running().info()[4]
    if not state and otadata.state_of(slots.number_of(label), otadata.read()) == otadata.PENDING:
        # A lost journal can prove no health, so an unconfirmed firmware is not kept: the next boot falls back.
        board.reset()
    wanted, is_trial = _wanted(state)
    if not wanted:
        return
    record = notes.slot(label)
    is_running = record is not None and record["digest"] == wanted and slots.end_of(slots.running())[0] == record["end"]
    if not is_running:
        # A lost confirmation is made good whatever the cause: its health was proven.
        if was_cut or not is_trial:
            _select_again(notes, wanted)
        return
    if not is_trial and otadata.state_of(slots.number_of(label), otadata.read()) != otadata.VALID:
        confirm(notes, wanted)


def _wanted(state):
    """Return (digest of the firmware that should run by the journal or "", whether it is on trial)."""
    if not state:
        return "", False
    phase = state.get("phase", "idle")
    change = state.get("changed", {}).get(FIRMWARE)
    if change and (phase == "trial" or (phase == "activating" and state.get("step") == "reboot")):
        return change[1], True
    if phase in ("activating", "reverting"):
        return "", False
    return state.get("confirmed", {}).get(FIRMWARE, ""), False


def _select_again(notes, wanted):
    part, record = slots.find(notes, wanted)
    if part is None or part.info()[4] == slots.running().info()[4]:
        return
    tries = notes.get("tries", {})
    count = tries.get("count", 0) + 1 if tries.get("end") == record["end"] else 1
    if count > RETRIES_MAX:
        return
    notes.put(tries={"end": record["end"], "count": count})
    try:
        slots.select(part, record)
    except slots.PortError:
        return
    board.reset()


def confirm(notes, wanted):
    """Mark the running firmware valid, if it is the wanted one and the one that boots. Returns whether it is marked."""
    label = slots.running().info()[4]
    record = notes.slot(label)
    if record is None or record["digest"] != wanted or slots.end_of(slots.running())[0] != record["end"]:
        return False
    if Partition(Partition.BOOT).info()[4] != label:
        return False
    number = slots.number_of(label)
    for _ in range(3):
        if otadata.state_of(number, otadata.read()) == otadata.VALID:
            notes.put(tries=None)
            return True
        Partition.mark_app_valid_cancel_rollback()
    return False
