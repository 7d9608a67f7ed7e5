"""One contract for every store: what was saved is there, a broken guard saves nothing, what is folded survives."""

import sqlite3
from dataclasses import fields, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from ringback.adapters.memory import MemoryStore
from ringback.adapters.sql import SqlStore, migrations
from ringback.adapters.sql.database import open_store, revision
from ringback.adapters.sql.tables import MAPPINGS, metadata
from ringback.errors import NeedsHumanError
from ringback.ports import rows
from ringback.ports.changes import Advance, Delete, Insert, Put
from ringback.ports.rows import KEYS, UNLOADED, key_of
from ringback.ports.store import NoRoomError, StaleError

FIXTURES = Path(__file__).parent / "schemas"
TENANT = rows.TenantRow("default", 1)

ROWS = [
    TENANT,
    rows.DeviceRow("default", "box-1", "S1", "door", (("a", "b"),), "accepted", "normal", False, b"\x00\xff", 1, 1),
    rows.FragmentRow("default", "f" * 64, b"\x00"),
    rows.PlaneSetRow("default", 2**62 + 1, b"[]"),
    rows.DeviceNowRow("default", "box-1", 7, b"\x01"),
    rows.DeviceClassRow("default", "door", 1, b"class: door", 1),
    rows.BlobRow("default", "a" * 64, 2**40, 1),
    rows.ArtifactRow("default", "sha256:" + "a" * 64, "app/door@1.0.0", "app", b"{}", 1),
    rows.ReleaseRow("default", "rel-1", "release: rel-1\n# über\n", 1),
    rows.RolloutRow("default", "r-1", "rel-1", "draft", b"{}", b"{}", 1, 1),
    rows.RingRow("default", "r-1", 0, "canary", None, b"{}", 1),
    rows.DeploymentRow("default", "r-1", "box-1", "offered", b"{}"),
    rows.CohortRow("default", "r-1", "arm", 60_000, 3, 1),
    rows.DecisionRow("default", "r-1", 1, 1, b"{}"),
    rows.StopRow("default", "stop-1", "region=eu", "smoke", 1),
    rows.FreezeRow("default", "freeze-1", "app", "sha256:" + "a" * 64, "bad", "", 1),
    rows.DeviceOrderRow("default", "o-1", "box-1", "push", (("app", "x"),), (), "waiting", 1, 0, b"", "try", "", 1),
    rows.CommandRow("default", "box-1", 1, "reboot", "", "queued", 1),
    rows.ClaimRow("default", "claim-1", b"\x02", 3, 9, True, 1, 1),
    rows.OperatorTokenRow("default", "token-1", b"\x03", "first", "admin", None, 1),
    rows.AuditRow("default", 1, 1, "loopback", "POST /v1/stops", "", "smoke"),
    rows.LeaseRow("default", "r-1", "controller-a", 9, 1),
    rows.AnswerRow("default", "key-1", b"\x04", 201, b"{}", 1),
]


@pytest.fixture(params=["memory", "sql"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "ringback.db")
    made.save([Insert(TENANT)])
    yield made
    if isinstance(made, SqlStore):
        made.close()


def test_examples_cover_every_table():
    assert [type(row) for row in ROWS] == list(KEYS)


def test_every_row_comes_back_as_it_was_saved(store):
    store.save([Put(row) for row in ROWS])

    for row in ROWS:
        assert store.find(type(row), key_of(row)) == row


def test_read_model_is_loaded_in_an_order_in_which_names_come_before_what_names_them(store):
    store.save([Put(row) for row in reversed(ROWS)])

    loaded = list(store.load("default"))

    assert loaded == [row for row in ROWS if type(row) not in UNLOADED]


def test_one_tenant_never_reads_another_ones_rows(store):
    others = [replace(row, tenant_id="other") for row in ROWS]
    store.save([Put(row) for row in [*ROWS, *others]])

    assert {row.tenant_id for row in store.load("default")} == {"default"}
    assert store.all(rows.DecisionRow, ("other",)) == [others[13]]
    assert store.find(rows.DeviceRow, ("nobody", "box-1")) is None


def test_row_that_is_there_already_fails_the_whole_unit_of_work(store):
    store.save([Insert(ROWS[1])])

    with pytest.raises(StaleError) as refused:
        store.save([Insert(ROWS[14]), Insert(ROWS[1])])

    assert refused.value.code == "RB-STORE-003"
    assert store.find(rows.StopRow, key_of(ROWS[14])) is None


def test_name_that_means_something_else_already_fails_the_unit_of_work(store):
    store.save([Insert(ROWS[7])])

    with pytest.raises(StaleError):
        store.save([Insert(replace(ROWS[7], digest="sha256:" + "b" * 64))])


def test_change_of_a_row_that_has_moved_on_fails_and_leaves_everything_as_it_was(store):
    store.save([Insert(ROWS[9])])
    store.save([Advance(replace(ROWS[9], state="canary", generation=2), 1)])

    with pytest.raises(StaleError) as refused:
        store.save([Put(ROWS[14]), Advance(replace(ROWS[9], state="closed", generation=2), 1)])

    assert refused.value.code == "RB-STORE-002"
    assert store.find(rows.RolloutRow, key_of(ROWS[9])).state == "canary"
    assert store.find(rows.StopRow, key_of(ROWS[14])) is None


def test_what_is_not_there_cannot_be_deleted_or_advanced(store):
    for change in (Delete(ROWS[14]), Advance(ROWS[9], 1)):
        with pytest.raises(StaleError):
            store.save([change])


def test_fold_puts_newest_rows_and_they_survive(store):
    folded = [ROWS[4], ROWS[11], ROWS[16], ROWS[17], replace(ROWS[4], device_id="box-2")]
    store.fold(folded)
    store.fold([replace(ROWS[4], applied_no=9, document=b"newer")])
    store.settle()

    assert store.find(rows.DeviceNowRow, ("default", "box-1")).document == b"newer"
    assert store.find(rows.DeviceNowRow, ("default", "box-2")) == folded[4]
    assert store.find(rows.DeploymentRow, key_of(ROWS[11])) == ROWS[11]


def test_history_comes_in_pages_and_in_order(store):
    decisions = [replace(ROWS[13], seq=number) for number in (3, 1, 2, 5)]
    store.save([Insert(row) for row in [*decisions, replace(ROWS[13], rollout_id="r-2", seq=4)]])

    page = store.history(rows.DecisionRow, ("default", "r-1"), after=1, limit=2)

    assert [row.seq for row in page] == [2, 3]
    assert store.last(rows.DecisionRow, ("default", "r-1")).seq == 5
    assert store.last(rows.DecisionRow, ("default", "r-9")) is None


# --- SQLite alone -----------------------------------------------------------------------------------------------------


def test_what_was_saved_is_there_after_reopening_the_file(tmp_path):
    first = SqlStore(tmp_path / "ringback.db")
    first.save([Put(row) for row in ROWS])
    first.close()

    again = SqlStore(tmp_path / "ringback.db")

    assert [again.find(type(row), key_of(row)) for row in ROWS] == ROWS


def test_saving_is_synced_and_folding_is_synced_by_what_follows(tmp_path):
    store = SqlStore(tmp_path / "ringback.db")
    store.save([Insert(TENANT)])
    seen = []
    store._driver.set_trace_callback(seen.append)

    store.fold([ROWS[4]])
    store.settle()

    pragmas = [text for text in seen if text.startswith("PRAGMA synchronous")]
    assert pragmas == ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"]
    assert seen.index("PRAGMA synchronous = FULL") < max(i for i, text in enumerate(seen) if text == "COMMIT")
    assert store._driver.execute("PRAGMA synchronous").fetchone() == (2,)


def test_full_disk_saves_nothing_and_goes_on_when_there_is_room(tmp_path):
    store = SqlStore(tmp_path / "ringback.db")
    store.save([Insert(TENANT)])
    pages = store._driver.execute("PRAGMA page_count").fetchone()[0]
    store._driver.execute(f"PRAGMA max_page_count = {pages}")
    large = replace(ROWS[9], plan=b"x" * 100_000)

    with pytest.raises(NoRoomError) as refused:
        store.save([Insert(ROWS[14]), Insert(large)])
    nothing = store.find(rows.StopRow, key_of(ROWS[14]))
    store._driver.execute("PRAGMA max_page_count = 1000000")
    store.save([Insert(ROWS[14]), Insert(large)])

    assert refused.value.code == "RB-STORE-001"
    assert nothing is None
    assert store.find(rows.RolloutRow, key_of(large)) == large


def test_migrations_make_exactly_the_schema_that_the_rows_describe(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_store(tmp_path / "ringback.db")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == []


def test_newest_revision_is_the_one_this_version_writes(tmp_path):
    from alembic.script import ScriptDirectory

    engine = open_store(tmp_path / "ringback.db")
    found = revision(engine)
    engine.dispose()

    assert ScriptDirectory.from_config(migrations.configuration()).get_current_head() == migrations.HEAD
    assert found == migrations.HEAD


def test_database_of_a_newer_version_is_refused_with_a_way_out(tmp_path):
    path = tmp_path / "ringback.db"
    SqlStore(path).close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(NeedsHumanError) as refused:
        SqlStore(path)

    assert refused.value.code == "RB-STORE-010"
    assert "backup" in refused.value.hint


@pytest.mark.parametrize("name", ["0001"])
def test_database_of_every_released_schema_is_upgraded_with_its_rows(tmp_path, name):
    path = tmp_path / "ringback.db"
    with sqlite3.connect(path) as database:
        database.executescript((FIXTURES / f"schema-{name}.sql").read_text())

    store = SqlStore(path)

    assert [store.find(type(row), key_of(row)) for row in ROWS] == ROWS
    store.close()


def test_every_key_begins_with_the_tenant():
    for kind, key in KEYS.items():
        assert key[0] == "tenant_id"
        assert {field.name for field in fields(kind)} >= set(key)
        assert [column.name for column in MAPPINGS[kind].table.primary_key] == list(key)
        assert not isinstance(MAPPINGS[kind].table.c.tenant_id.type, sa.types.NullType)
