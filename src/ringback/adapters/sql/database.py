"""Opens the database file: settings of every connection, migrations, and what SQLite's errors mean.

- WAL and synchronous=FULL: what was acknowledged survives a power cut, not only a crash.
- A database written by a newer Ringback is refused, not guessed at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ringback.adapters.sql import migrations
from ringback.errors import NeedsHumanError
from ringback.ports.store import NoRoomError

PAGE_CACHE_KIB = 16_384
"""Cache of the store's connection. The read model is in memory anyway; SQLite's default of 2 MB makes the fold of
100,000 devices read back pages that it has just written."""

FULL_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC})


def open_store(path: Path) -> sa.Engine:
    """Return an engine for the database at `path`, made or migrated to the present schema.

    Raises:
        NeedsHumanError: a newer Ringback wrote it (RB-STORE-010).
    """
    # One connection, used by one thread at a time (the store's); SQLite itself would serialise writers anyway.
    engine = sa.create_engine(
        f"sqlite:///{path}", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    found = revision(engine)
    if found == migrations.HEAD:
        return engine
    if found is not None and found > migrations.HEAD:
        raise NeedsHumanError(
            "RB-STORE-010",
            f"{path.name} has schema {found}, written by a newer Ringback; this one knows up to {migrations.HEAD}",
            hint="start the newer version again, or restore the backup made before the upgrade",
        )
    migrations.upgrade(engine)
    return engine


def revision(engine: sa.Engine) -> str | None:
    """Return the schema revision of the database, or None if it is empty."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return found


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in `_begin`, not where the driver guesses
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"cache_size = -{PAGE_CACHE_KIB}",
        "busy_timeout = 5000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def no_room_is_said() -> Iterator[None]:
    """Turn what SQLite says about a full disk into `NoRoomError`."""
    try:
        yield
    except (sqlite3.Error, sa.exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", None) in FULL_CODES:
            raise NoRoomError(
                "RB-STORE-001",
                "the server's disk is full; nothing of this request was kept",
                hint="make room on the disk of the data folder; the server goes on by itself",
                retry_after_s=10,
            ) from error
        raise
