"""What one device should run now: decided at every check-in, from memory.

Decides: which fragment a device gets. Never: issues or signs it (`checkin` does), or waits for anything.
"""

from __future__ import annotations

from ringback.usecases.device import Record
from ringback.usecases.document import Fragment
from ringback.usecases.fleet import Fleet


def desired_fragment(fleet: Fleet, record: Record) -> Fragment | None:
    """Return what the device of `record` should run, after what its report says; None = nothing was ever asked."""
    return record.device.fragment
