"""The store and the journal in memory. They can be told to be full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringback.errors import NeedsHumanError
from ringback.ports.changes import Advance, Change, Delete, Insert, Put
from ringback.ports.rows import KEYS, UNIQUE, UNLOADED, Row, key_of
from ringback.ports.store import FoldedRow, NoRoomError, StaleError

Key = tuple[str | int, ...]


class MemoryStore:
    """Implements `ringback.ports.store.Store`.

    Attributes:
        is_full: nothing can be written until it is False again.
    """

    def __init__(self) -> None:
        self.is_full = False
        self._tables: dict[type[Row], dict[Key, Row]] = {kind: {} for kind in KEYS}

    def load(self, tenant_id: str) -> Iterator[Row]:
        """Yield the rows of a tenant's read model."""
        for kind in KEYS:
            if kind not in UNLOADED:
                yield from self.all(kind, (tenant_id,))

    def save(self, changes: Sequence[Change]) -> None:
        """Carry out all changes, or none."""
        self._check_room()
        before = {kind: dict(self._tables[kind]) for kind in {type(change.row) for change in changes}}
        try:
            for change in changes:
                self._carry_out(change)
        except StaleError:
            self._tables.update(before)
            raise

    def fold(self, rows: Sequence[FoldedRow]) -> None:
        """Put folded rows."""
        self._check_room()
        for row in rows:
            self._tables[type(row)][key_of(row)] = row

    def settle(self) -> None:
        """Do nothing more: memory is as durable as it gets."""
        self._check_room()

    def history(self, kind: type[Row], key: Key, *, after: int, limit: int) -> list[Row]:
        """Return a page of an append-only table."""
        return [row for row in self.all(kind, key) if _number(row) > after][:limit]

    def last(self, kind: type[Row], key: Key) -> Row | None:
        """Return the row with the highest key under a key."""
        found = self.all(kind, key)
        return found[-1] if found else None

    def all(self, kind: type[Row], key: Key) -> list[Row]:
        """Return every row under a key."""
        table = self._tables[kind]
        return [table[each] for each in sorted(table) if each[: len(key)] == key]

    def find(self, kind: type[Row], key: Key) -> Row | None:
        """Return the row of that key."""
        return self._tables[kind].get(key)

    def _carry_out(self, change: Change) -> None:
        row = change.row
        table, key = self._tables[type(row)], key_of(row)
        known = table.get(key)
        match change:
            case Insert():
                if known is not None or self._has_twin(row):
                    raise StaleError("RB-STORE-003", f"{type(row).__name__} {key[1:]} is there already")
                table[key] = row
            case Put():
                table[key] = row
            case Advance(_, expected):
                if known is None or getattr(known, "generation", None) != expected:
                    raise StaleError("RB-STORE-002", f"{type(row).__name__} {key[1:]} has changed since it was read")
                table[key] = row
            case Delete():
                if known is None:
                    raise StaleError("RB-STORE-002", f"{type(row).__name__} {key[1:]} has changed since it was read")
                del table[key]

    def _has_twin(self, row: Row) -> bool:
        names = UNIQUE.get(type(row), ())
        mine = [getattr(row, name) for name in names]
        return bool(names) and any(
            [getattr(other, name) for name in names] == mine for other in self._tables[type(row)].values()
        )

    def _check_room(self) -> None:
        if self.is_full:
            raise NoRoomError("RB-STORE-001", "the store was told to be full", retry_after_s=10)


class MemoryJournal:
    """Implements `ringback.ports.store.Journal`. It survives a server that is only forgotten, as a file does.

    Attributes:
        is_full: nothing can be appended until it is False again.
    """

    def __init__(self) -> None:
        self.is_full = False
        self._batches: dict[int, bytes] = {}

    def append(self, first_no: int, batch: bytes) -> None:
        """Keep a batch."""
        if self.is_full:
            raise NoRoomError("RB-STORE-001", "the journal was told to be full", retry_after_s=10)
        if first_no in self._batches:
            raise NeedsHumanError("RB-STORE-012", f"the journal cannot be written: batch {first_no} is there already")
        self._batches[first_no] = batch

    def replay(self) -> Iterator[tuple[int, bytes]]:
        """Yield every batch that was not dropped."""
        yield from sorted(self._batches.items())

    def drop(self, through_no: int) -> None:
        """Forget batches that begin at or before a record."""
        self._batches = {first_no: batch for first_no, batch in self._batches.items() if first_no > through_no}


def _number(row: Row) -> int:
    last = key_of(row)[-1]
    assert isinstance(last, int), "only tables with a number at the end of their key have a history"
    return last
