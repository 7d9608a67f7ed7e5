"""SQLite: the store (SQLAlchemy Core, Alembic) and the journal (plain SQL, because every check-in waits for it)."""

from ringback.adapters.sql.journal import SqlJournal
from ringback.adapters.sql.store import SqlStore

__all__ = ["SqlJournal", "SqlStore"]
