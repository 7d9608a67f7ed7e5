"""The journal against cuts, torn tails, flipped bytes, other formats and a full disk. Runs on both interpreters."""

import struct

from ringback_kernel import journal, tx
from ringback_kernel.errors import JournalError
from tests.kernel.both import stories
from tests.kernel.both import world as w


class Files:
    """Storage that is always durable, for looking at bytes."""

    def __init__(self, files=None):
        self.files = dict(files or {})

    def read(self, name):
        return self.files.get(name)

    def size(self, name):
        return len(self.files.get(name, b""))

    def append(self, name, data):
        self.files[name] += data

    def sync(self, name):
        pass

    def replace(self, name, data):
        self.files[name] = bytes(data)


def filled(count=5, max_bytes=100000):
    files = Files()
    book = journal.Journal(files, max_bytes)
    book.load()
    for number in range(1, count + 1):
        book.write({"n": number}, {number: b"document %d" % number})
    return files


def first(files):
    return [name for name in files][0]


def load(files):
    return journal.Journal(Files(files), 100000).load()


def test_absent_journal_is_told_from_a_lost_one():
    assert load({}) == (None, {}, "absent")
    assert load({"journal-a": b""})[2] == "lost"
    assert load({"journal-a": journal.header()})[2] == "lost"
    assert load({"journal-a": b"\0" * 500})[2] == "lost"


def test_last_state_wins_and_brings_its_documents():
    state, documents, condition = load(filled().files)
    assert state == {"n": 5} and documents[5] == b"document 5" and condition == "whole"


def test_torn_tail_at_every_byte_gives_the_state_before():
    files = filled(3).files
    name = first(files)
    whole = files[name]
    before = filled(2).files[name]
    # A cut between the document and the state that needs it leaves nothing broken, only something unused.
    seams = (len(before), len(before) + len(journal.record(journal.DOCUMENT, 5, b"12345678document 3")))
    for size in range(len(before), len(whole)):
        state, _, condition = load({name: whole[:size]})
        assert state == {"n": 2}, size
        assert condition == ("whole" if size in seams else "torn"), size


def test_each_flipped_byte_is_detected_or_harmless():
    files = filled(4, 100000).files
    name = first(files)
    whole = files[name]
    for at in range(len(whole)):
        bad = bytearray(whole)
        bad[at] ^= 0x40
        try:
            state, _, condition = load({name: bytes(bad)})
        except JournalError:
            assert 4 <= at < 12, at
            continue
        assert condition != "whole", at
        # Everything but the last record is stepped over; a broken last record is a torn tail.
        assert state in ({"n": 4}, {"n": 3}), (at, state)


def test_state_after_a_broken_record_is_still_found():
    files = filled(4).files
    name = first(files)
    bad = bytearray(files[name])
    bad[60] ^= 1
    state, _, condition = load({name: bytes(bad)})
    assert state == {"n": 4} and condition == "damaged"


def test_nothing_is_appended_after_something_broken():
    files = filled(3).files
    name = first(files)
    torn = Files({name: files[name][:-3]})
    book = journal.Journal(torn, 100000)
    book.load()
    book.write({"n": 9}, {})
    assert torn.files[name] == files[name][:-3] and len(torn.files) == 2
    assert load(torn.files)[0] == {"n": 9}


def test_full_file_goes_on_in_the_other_and_keeps_both():
    files = Files()
    book = journal.Journal(files, 600)
    book.load()
    for number in range(1, 200):
        book.write({"n": number}, {1: b"d" * 100})
        assert load(files.files)[0] == {"n": number}
        assert load(files.files)[1][1] == b"d" * 100
    assert len(files.files) == 2
    for name in files.files:
        assert len(files.files[name]) <= 600


def test_lost_newer_file_falls_back_to_the_state_before():
    files = Files()
    book = journal.Journal(files, 600)
    book.load()
    number = 0
    while len(files.files) < 2:
        number += 1
        book.write({"n": number}, {})
    newer = book.current
    older = {name: data for name, data in files.files.items() if name != newer}
    older[newer] = b""
    state, _, condition = load(older)
    assert state == {"n": number - 1} and condition != "whole"


def test_formats_one_older_and_one_newer_are_read_and_others_refused():
    files = filled(2).files
    name = first(files)
    for number in (0, 1, 2):
        start = struct.pack("<4sHH", b"RBKJ", number, 7)
        other = start + journal._crc(start) + files[name][12:]
        assert load({name: other})[0] == {"n": 2}
    start = struct.pack("<4sHH", b"RBKJ", 3, 7)
    try:
        load({name: start + journal._crc(start) + files[name][12:]})
        raise AssertionError("read a format it can't know")
    except JournalError as error:
        assert error.code == "RB-JOURNAL-001" and "format 3" in error.text and "newer agent" in error.text


def test_unknown_record_types_are_skipped():
    files = filled(2).files
    name = first(files)
    more = files[name] + journal.record(9, 99, b"from the future") + journal.record(journal.STATE, 100, b'{"n":3}')
    assert load({name: more})[0] == {"n": 3} and load({name: more})[2] == "whole"


def test_unknown_fields_of_a_state_are_kept_and_written_again():
    state = tx.from_obj({"phase": "confirmed", "from_the_future": {"x": 1}, "n": 4})
    assert state.copy().to_obj() == {"phase": "confirmed", "from_the_future": {"x": 1}, "n": 4}


def test_state_survives_the_way_through_the_journal():
    world = stories.bad_all()
    assert world.run(until="reverting")
    found = world.core.tx.to_obj()
    again = tx.from_obj(found)
    assert again.to_obj() == found
    assert tx.from_obj(world.disk.state()).to_obj()["changed"] == found["changed"]


def test_journal_stays_within_its_bound_for_a_thousand_deployments():
    world = w.world()
    world.limits.journal_bytes = 20000
    world.core.journal.max_bytes = 20000
    sets = [w.OLD, w.changed(config=w.CONF2)]
    for generation in range(1, 60):
        world.server.offer(w.release(generation, sets[(generation - 1) % 2], sets[generation % 2]))
        assert world.run(until=lambda now, gen=generation: (now.core.tx.outcome or {}).get("gen") == gen)
        world.run(2000)
        for name in world.disk.durable:
            assert len(world.disk.durable[name]) <= 20000
    assert len(world.core.tx.trans) == 16 and len(world.core.tx.to_obj()["trans"]) == 16


def test_idle_device_writes_nothing():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="confirmed")
    world.run(2000)
    before = dict(world.disk.durable)
    for _ in range(20):
        world.run(60000)
    assert world.disk.durable == before


# --- a disk that refuses ----------------------------------------------------------------------------------------------


def test_full_disk_keeps_a_deployment_from_going_forward_until_there_is_room():
    for phase in ("idle", "fetching", "preflight", "announced"):
        world = w.world()
        if phase != "idle":
            world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
            assert world.run(until=phase)
        world.disk.is_full = True
        world.server.offer(w.release(2, w.OLD, w.changed(config=w.CONF2), release="rel-1", rollout="roll-1"))
        world.run(30000)
        assert world.active["config"] == w.digest_of(w.CONF1), phase
        assert "disk_full" in world.server.reports[-1]["flags"], phase
        world.disk.is_full = False
        assert world.run(120000, until="confirmed"), (phase, world.phases)
        world.run(3000)
        assert "disk_full" not in world.server.reports[-1]["flags"]
        assert not world.violations


def test_full_disk_never_keeps_a_device_from_going_back():
    world = stories.bad_config()
    assert world.run(until="trial")
    world.disk.is_full = True
    assert world.run(until="reverted")
    assert world.active["config"] == w.digest_of(w.CONF1)
    world.disk.is_full = False
    world.run(10000)
    assert world.disk.state()["phase"] == "reverted"


def test_full_disk_does_not_confirm_until_the_end_can_be_written_down():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="trial")
    world.disk.is_full = True
    world.run(12000)
    assert world.core.tx.phase == "trial"
    world.disk.is_full = False
    assert world.run(until="confirmed")


def test_damaged_document_of_a_trial_still_leads_back():
    world = w.world()
    world.server.offer(w.release(1, w.OLD, w.NEW))
    assert world.run(until="trial")
    world.missing.add("ok-app")
    for name in list(world.disk.durable):
        found = journal._File(world.disk.durable[name])
        if found.state:
            data = journal.header() + journal.record(journal.STATE, 999, w.encode(found.state))
            world.disk.durable[name] = data
    world.missing.clear()
    world.power_cut()
    assert world.core.tx.phase == "reverting"
    world.run(120000)
    assert world.active == {plane: w.digest_of(found) for plane, found in w.OLD.items()}
