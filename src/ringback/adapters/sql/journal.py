"""The journal of reports: one row a batch, on disk when `append` returns. Plain SQL: every check-in waits for it.

Decides: how batches are kept and dropped. Never: looks into a batch.

- A file of its own: a fold that writes the store never makes a check-in wait, and only the server process opens it. The
  exclusive lock also keeps a second server off the same data folder.
- Dropping is spread over later appends, because one large DELETE made 34 ms of tail latency in the measurements behind
  `docs/decisions`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ringback.adapters.sql.database import no_room_is_said
from ringback.errors import NeedsHumanError

DROP_STEP = 4
"""Batches dropped with each append. More than one, so that the file stops growing once the fold keeps up."""

CHECKPOINT_PAGES = 2_000
"""WAL pages (8 MB) after which SQLite moves them to the file. Smaller means more syncs in the path of a check-in."""

_CREATE = "CREATE TABLE IF NOT EXISTS report_journal (first_no INTEGER PRIMARY KEY, batch BLOB NOT NULL)"
_APPEND = "INSERT INTO report_journal VALUES (?, ?)"
_DROP = (
    "DELETE FROM report_journal WHERE first_no IN"
    " (SELECT first_no FROM report_journal WHERE first_no <= ? ORDER BY first_no LIMIT ?)"
)
_REPLAY = "SELECT first_no, batch FROM report_journal WHERE first_no > ? ORDER BY first_no LIMIT 1"


class SqlJournal:
    """Implements `ringback.ports.store.Journal` on one SQLite file. Used by one thread at a time.

    Args:
        path: the file; made if absent.

    Raises:
        NeedsHumanError: another process has it open (RB-STORE-011).
    """

    def __init__(self, path: Path) -> None:
        self._through_no = -1
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.2)
        try:
            for pragma in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = WAL",
                "synchronous = FULL",
                f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
                "cache_size = -2048",
            ):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute(_CREATE)
            self._db.execute("BEGIN IMMEDIATE")  # takes the lock now, not with the first report
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise NeedsHumanError(
                "RB-STORE-011",
                f"the data folder {path.parent.name} is in use by another server ({error})",
                hint="stop that server, or give this one a folder of its own with --data",
            ) from error

    def append(self, first_no: int, batch: bytes) -> None:
        """Keep a batch durably; drop a few folded ones in the same transaction."""
        try:
            with no_room_is_said():
                self._append(first_no, batch)
        except sqlite3.Error as error:
            raise NeedsHumanError("RB-STORE-012", f"the journal cannot be written: {error}") from error

    def _append(self, first_no: int, batch: bytes) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(_APPEND, (first_no, batch))
            if self._through_no >= 0:
                dropped = self._db.execute(_DROP, (self._through_no, DROP_STEP)).rowcount
                self._through_no = self._through_no if dropped == DROP_STEP else -1
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def replay(self) -> Iterator[tuple[int, bytes]]:
        """Yield what was not dropped, one batch at a time."""
        after = -1
        while True:
            found = self._db.execute(_REPLAY, (after,)).fetchone()
            if found is None:
                return
            after = found[0]
            yield after, found[1]

    def drop(self, through_no: int) -> None:
        """Let later appends forget batches that begin at or before `through_no`."""
        self._through_no = max(self._through_no, through_no)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
