"""What the board remembers about its firmware slots, below the kernel: a small record, whole or the one before.

- "slots": {label: {"digest", "version", "requires", "size", "sha", "end"}}, slots that were written and verified whole;
- "writing": {"slot", "sha", "blank"}, a slot that is being filled, and whether it was erased wholly before;
- "tries": {"end", "count"}, how often a trial that was lost with the power was selected again.

`end` is the SHA-256 an image ends with; the bootloader checked it before it started the image, so reading 32 bytes
tells which firmware runs. A record whose `end` is not in flash counts for nothing.
"""

from ringback_esp32.rawlog import RawLog
from ringback_kernel.journal import Journal

# Areas in the log partition, in sectors: the kernel's journal (two of five), then these notes (two of one).
JOURNAL_AT = 0
JOURNAL_SECTORS = 5
NOTES_AT = 10
NOTES_SECTORS = 1
MAX_BYTES = 4000


class Notes:
    """The record, loaded when it is made."""

    def __init__(self):
        self.journal = Journal(RawLog(NOTES_AT, NOTES_SECTORS), MAX_BYTES)
        found = self.journal.load()[0]
        self.all = found if isinstance(found, dict) else {}

    def get(self, key, default):
        return self.all.get(key, default)

    def put(self, **changes):
        """Change fields, durable on return; None removes one. Raises OSError."""
        now = {}
        now.update(self.all)
        for key, value in changes.items():
            if value is None:
                now.pop(key, None)
            else:
                now[key] = value
        if now != self.all:
            self.journal.write(now, {})
            self.all = now

    def slot(self, label):
        """Return the record of a slot, or None."""
        return self.get("slots", {}).get(label)

    def put_slot(self, label, record):
        """Set the record of a slot; None forgets it."""
        slots = {}
        slots.update(self.get("slots", {}))
        if record is None:
            slots.pop(label, None)
        else:
            slots[label] = record
        self.put(slots=slots, writing=None)
