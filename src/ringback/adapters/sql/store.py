"""The store on SQLite: SQLAlchemy Core where people wait, one statement a chunk where the fold writes.

Decides: how a change becomes a statement and a broken guard an error. Never: what to change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ringback.adapters.sql.database import no_room_is_said, open_store
from ringback.adapters.sql.tables import MAPPINGS, Mapping
from ringback.ports.changes import Advance, Change, Delete, Insert, Put
from ringback.ports.rows import UNLOADED, Row, key_of
from ringback.ports.store import FoldedRow, StaleError


class SqlStore:
    """Implements `ringback.ports.store.Store`. Used by one thread at a time.

    Args:
        path: the database file; made or migrated if need be.
    """

    def __init__(self, path: Path) -> None:
        with no_room_is_said():
            self._engine = open_store(path)
        with self._engine.connect() as connection:
            driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self._upserts: dict[tuple[type[Row], int], str] = {}

    def load(self, tenant_id: str) -> Iterator[Row]:
        """Yield the rows of a tenant's read model."""
        with self._engine.connect() as connection:
            for mapping in MAPPINGS.values():
                if mapping.kind not in UNLOADED:
                    statement = sa.select(mapping.table).where(mapping.table.c.tenant_id == tenant_id)
                    found = connection.execution_options(yield_per=1000).execute(_in_order(statement, mapping))
                    yield from map(mapping.row, found)

    def save(self, changes: Sequence[Change]) -> None:
        """Carry out all changes in one transaction."""
        with no_room_is_said(), self._engine.begin() as connection:
            for change in changes:
                _carry_out(connection, change)

    def fold(self, rows: Sequence[FoldedRow]) -> None:
        """Put rows with one statement for each kind.

        One statement for all rows, not one a row: between rows a thread gives the interpreter up and has to fight for
        it again, which makes many small steps beside a busy loop twice as dear. And without a sync: the journal still
        holds all of it until `settle`.
        """
        with no_room_is_said(), self._unsynced(), self._engine.begin() as connection:
            for kind in dict.fromkeys(map(type, rows)):
                mapping = MAPPINGS[kind]
                values = [value for row in rows if type(row) is kind for value in mapping.values(row).values()]
                connection.exec_driver_sql(self._upsert(mapping, len(values) // len(mapping.columns)), tuple(values))

    def settle(self) -> None:
        """Sync what was folded: the sync of any transaction covers the whole log before it."""
        with no_room_is_said(), self._engine.begin() as connection:
            written = connection.exec_driver_sql("UPDATE tenant SET created_at_ms = created_at_ms").rowcount
            assert written, "without a tenant there was nothing to fold"

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        self._driver.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._driver.execute("PRAGMA synchronous = FULL")

    def history(self, kind: type[Row], key: tuple[str | int, ...], *, after: int, limit: int) -> list[Row]:
        """Return a page of an append-only table."""
        mapping = MAPPINGS[kind]
        last = mapping.table.c[mapping.key[-1]]
        statement = sa.select(mapping.table).where(_where(mapping, key), last > after).limit(limit)
        with self._engine.connect() as connection:
            return [mapping.row(found) for found in connection.execute(_in_order(statement, mapping))]

    def last(self, kind: type[Row], key: tuple[str | int, ...]) -> Row | None:
        """Return the row with the highest key under a key."""
        mapping = MAPPINGS[kind]
        highest = [mapping.table.c[name].desc() for name in mapping.key]
        statement = sa.select(mapping.table).where(_where(mapping, key)).order_by(*highest).limit(1)
        with self._engine.connect() as connection:
            found = connection.execute(statement).one_or_none()
        return None if found is None else mapping.row(found)

    def all(self, kind: type[Row], key: tuple[str | int, ...]) -> list[Row]:
        """Return every row under a key."""
        mapping = MAPPINGS[kind]
        statement = sa.select(mapping.table).where(_where(mapping, key))
        with self._engine.connect() as connection:
            return [mapping.row(found) for found in connection.execute(_in_order(statement, mapping))]

    def find(self, kind: type[Row], key: tuple[str | int, ...]) -> Row | None:
        """Return the row of that key."""
        mapping = MAPPINGS[kind]
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(mapping.table).where(_where(mapping, key))).one_or_none()
        return None if found is None else mapping.row(found)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _upsert(self, mapping: Mapping, count: int) -> str:
        """Return the statement that puts `count` rows; few different counts occur, so they are kept."""
        kept = self._upserts.get((mapping.kind, count))
        if kept is None:
            names = [column.name for column in mapping.columns]
            marks = ", ".join([f"({', '.join('?' * len(names))})"] * count)
            updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in mapping.key)
            kept = (
                f"INSERT INTO {mapping.table.name} ({', '.join(names)}) VALUES {marks}"  # noqa: S608 - our own names
                f" ON CONFLICT ({', '.join(mapping.key)}) DO UPDATE SET {updates}"
            )
            if len(self._upserts) < 1_000:
                self._upserts[mapping.kind, count] = kept
        return kept


def _carry_out(connection: sa.Connection, change: Change) -> None:
    mapping = MAPPINGS[type(change.row)]
    table = mapping.table
    match change:
        case Insert(row):
            try:
                connection.execute(sa.insert(table).values(mapping.values(row)))
            except sa.exc.IntegrityError as error:
                raise StaleError("RB-STORE-003", f"{_called(mapping, row)} is there already") from error
        case Put(row):
            values = mapping.values(row)
            statement = sqlite.insert(table).values(values)
            rest = {name: value for name, value in values.items() if name not in mapping.key}
            connection.execute(
                statement.on_conflict_do_update(index_elements=mapping.key, set_=rest)
                if rest
                else statement.on_conflict_do_nothing()
            )
        case Advance(row, expected):
            where = _where(mapping, key_of(row)) & (table.c.generation == expected)
            if connection.execute(sa.update(table).where(where).values(mapping.values(row))).rowcount != 1:
                raise _stale(mapping, row)
        case Delete(row):
            if connection.execute(sa.delete(table).where(_where(mapping, key_of(row)))).rowcount != 1:
                raise _stale(mapping, row)


def _where(mapping: Mapping, key: tuple[str | int, ...]) -> sa.ColumnElement[bool]:
    return sa.and_(*(mapping.table.c[name] == value for name, value in zip(mapping.key, key, strict=False)))


def _in_order(statement: sa.Select[tuple[object, ...]], mapping: Mapping) -> sa.Select[tuple[object, ...]]:
    return statement.order_by(*(mapping.table.c[name] for name in mapping.key))


def _stale(mapping: Mapping, row: Row) -> StaleError:
    return StaleError(
        "RB-STORE-002",
        f"{_called(mapping, row)} has changed since it was read",
        hint="read it again and decide anew",
    )


def _called(mapping: Mapping, row: Row) -> str:
    return f"{mapping.table.name.replace('_', ' ')} {'/'.join(map(str, key_of(row)[1:]))}"
