"""The journal keeps what it acknowledged, in order, and forgets only what it was told to."""

import sqlite3

import pytest

from ringback.adapters.sql import SqlJournal
from ringback.errors import NeedsHumanError
from ringback.ports.store import NoRoomError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def test_what_was_appended_is_there_after_a_restart_in_order(path):
    journal = SqlJournal(path)
    journal.append(0, b"first")
    journal.append(3, b"second")
    journal.close()

    found = list(SqlJournal(path).replay())

    assert found == [(0, b"first"), (3, b"second")]


def test_dropped_batches_go_a_few_with_each_append_and_the_rest_stays(path):
    journal = SqlJournal(path)
    for number in range(10):
        journal.append(number, b"batch")

    journal.drop(7)
    journal.append(10, b"batch")
    after_one = [number for number, _ in journal.replay()]
    journal.append(11, b"batch")
    journal.append(12, b"batch")
    at_last = [number for number, _ in journal.replay()]

    assert after_one == [4, 5, 6, 7, 8, 9, 10]
    assert at_last == [8, 9, 10, 11, 12]


def test_second_server_on_the_same_folder_is_refused_with_a_hint(path):
    first = SqlJournal(path)

    with pytest.raises(NeedsHumanError) as refused:
        SqlJournal(path)

    assert refused.value.code == "RB-STORE-011"
    assert "--data" in refused.value.hint
    first.close()


def test_full_disk_keeps_nothing_of_the_batch_and_goes_on_when_there_is_room(path):
    journal = SqlJournal(path)
    journal.append(0, b"kept")
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(NoRoomError):
        journal.append(1, b"x" * 100_000)
    refused = list(journal.replay())
    journal._db.execute("PRAGMA max_page_count = 100000")
    journal.append(1, b"x" * 100_000)

    assert refused == [(0, b"kept")]
    assert [number for number, _ in journal.replay()] == [0, 1]


def test_every_commit_is_synced_because_acknowledged_means_on_disk(path):
    journal = SqlJournal(path)

    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_number_that_was_used_already_is_an_error_not_an_overwrite(path):
    journal = SqlJournal(path)
    journal.append(0, b"first")

    with pytest.raises(NeedsHumanError) as refused:
        journal.append(0, b"other")

    assert refused.value.code == "RB-STORE-012"
    assert isinstance(refused.value.__cause__, sqlite3.IntegrityError)
    assert list(journal.replay()) == [(0, b"first")]
