"""What one unit of work asks the store to do: all of it in one transaction, or nothing.

Use cases return changes as values; the store carries them out, and the same values then move the read model. So what is
on disk and what is in memory cannot drift apart.
"""

from dataclasses import dataclass

from ringback.ports.rows import Row


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a row. A row of that key that is there already fails the unit of work (RB-STORE-003)."""

    row: Row


@dataclass(frozen=True, slots=True)
class Put:
    """Add a row, or replace the one of the same key. For facts whose newest value is all that matters."""

    row: Row


@dataclass(frozen=True, slots=True)
class Advance:
    """Replace a row that has a generation, if it is still the one that was read.

    The new row's generation must be `expected` + 1. Another generation in the store fails the unit of work
    (RB-STORE-002): someone was faster, and what was decided was decided on old facts.
    """

    row: Row
    expected: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row. None of that key fails the unit of work (RB-STORE-002)."""

    row: Row


Change = Insert | Put | Advance | Delete
