"""The database, as the use cases see it.

Two stores with one promise each:

- `Store`: changes of operators and controller, one transaction each, on disk when `save` returns.
- `Journal`: reports, many at once, on disk when `append` returns; folded into the store later, then dropped.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from ringback.errors import ConflictError, RetryLaterError
from ringback.ports.changes import Change
from ringback.ports.rows import CommandRow, DeploymentRow, DeviceNowRow, DeviceOrderRow, FragmentRow, PlaneSetRow, Row

FoldedRow = DeviceNowRow | DeploymentRow | DeviceOrderRow | CommandRow | FragmentRow | PlaneSetRow
"""Rows that the fold writes from the journal."""


class StaleError(ConflictError):
    """What was decided was decided on a row that has changed since (RB-STORE-002), or exists already (RB-STORE-003)."""


class NoRoomError(RetryLaterError):
    """The disk is full (RB-STORE-001): nothing of this was kept."""


class Store(Protocol):
    """Rows of all tenants."""

    def load(self, tenant_id: str) -> Iterator[Row]:
        """Yield the rows that make up a tenant's read model, in the order of `rows.KEYS`.

        History (decision, audit, answer) is not part of it; it is read by `history`.
        """
        ...

    def save(self, changes: Sequence[Change]) -> None:
        """Carry out all changes durably, or none.

        Raises:
            StaleError: a guard did not hold (RB-STORE-002, RB-STORE-003).
            NoRoomError: the disk is full (RB-STORE-001).
        """
        ...

    def fold(self, rows: Sequence[FoldedRow]) -> None:
        """Put rows folded from the journal. They are durable at the latest when a later `save` or `settle` returns.

        At most a few hundred at a time, so that nobody waits for it.

        Raises:
            NoRoomError: the disk is full (RB-STORE-001); the journal still has everything.
        """
        ...

    def settle(self) -> None:
        """Make everything folded so far durable: from now on the journal may forget it.

        Raises:
            NoRoomError: the disk is full (RB-STORE-001); the journal still has everything.
        """
        ...

    def history(self, kind: type[Row], key: tuple[str | int, ...], *, after: int, limit: int) -> list[Row]:
        """Return at most `limit` rows of a table whose key begins with `key`, its last key column above `after`."""
        ...

    def last(self, kind: type[Row], key: tuple[str | int, ...]) -> Row | None:
        """Return the row with the highest key that begins with `key`, or None."""
        ...

    def all(self, kind: type[Row], key: tuple[str | int, ...]) -> list[Row]:
        """Return every row of a table whose key begins with `key`, in order."""
        ...

    def find(self, kind: type[Row], key: tuple[str | int, ...]) -> Row | None:
        """Return the row of that key, or None."""
        ...


class Journal(Protocol):
    """Reports in order of arrival. Record numbers rise without gaps; a batch is numbered by its first record."""

    def append(self, first_no: int, batch: bytes) -> None:
        """Keep a batch durably: on disk when this returns.

        Raises:
            NoRoomError: the disk is full (RB-STORE-001); nothing of the batch was kept.
            NeedsHumanError: the disk failed in another way (RB-STORE-012); what is on it is known after a restart.
        """
        ...

    def replay(self) -> Iterator[tuple[int, bytes]]:
        """Yield every batch that was not dropped yet, in order, each with the number of its first record."""
        ...

    def drop(self, through_no: int) -> None:
        """Forget batches that begin at or before a record: they were folded. Done in small steps with later appends."""
        ...
