"""The Director's keys, checked by python-tuf; and a clock that neither leaps nor runs backwards."""

import json
import uuid

import pytest
from securesystemslib.formats import encode_canonical
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization.json import CanonicalJSONSerializer

from ringback.adapters.memory import MemoryKeys
from ringback.adapters.signing import DirectorKeys
from ringback.adapters.system import RandomIds, SteadyClock
from ringback.errors import NeedsHumanError
from ringback.plan.desire import Command, DesiredFragment, Overlay
from ringback.usecases.document import Fragment, Issue, Kind, Origin, signed_file
from tests.usecases.world import door_world

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


def test_root_is_one_that_python_tuf_reads_and_verifies(tmp_path):
    keys = DirectorKeys.open(tmp_path, demo=False, now_ms=NOW_MS)

    root = Metadata[Root].from_bytes(keys.root)

    root.verify_delegate("root", root)
    assert root.signed.roles["targets"].keyids == [keys.key_id]
    assert root.signed.expires.timestamp() * 1000 == NOW_MS // 1000 * 1000 + 365 * DAY_MS


def test_desired_state_is_a_targets_document_that_python_tuf_verifies():
    world = door_world(count=1)
    device = world.fleet.devices["box-000"]
    issue = Issue(9, device.fragment.fragment_id, NOW_MS, Overlay((Command(1, "reboot"),), True, True))
    file = signed_file(device.fragment, issue, device_id="box-000", tenant_id="default", signer=world.keys)

    root = Metadata[Root].from_bytes(world.keys.root)
    targets = Metadata[Targets].from_bytes(file)

    root.verify_delegate("targets", targets)
    assert targets.signed.version == 9
    assert targets.signed.expires.timestamp() * 1000 == NOW_MS + 7 * DAY_MS
    signed = file[file.index(b'"signed":') + 9 : -1]
    assert signed == encode_canonical(json.loads(file)["signed"]).encode()
    assert CanonicalJSONSerializer().serialize(targets.signed) == signed


def test_same_document_is_signed_with_the_same_bytes():
    keys = MemoryKeys(now_ms=NOW_MS)

    assert keys.sign(b"one") == keys.sign(b"one")
    assert keys.sign(b"one") != keys.sign(b"two")


def test_keys_are_made_once_and_stay_and_only_their_owner_can_read_them(tmp_path):
    first = DirectorKeys.open(tmp_path, demo=True, now_ms=NOW_MS)
    again = DirectorKeys.open(tmp_path, demo=False, now_ms=NOW_MS + DAY_MS)

    assert (again.key_id, again.root, again.is_demo) == (first.key_id, first.root, True)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_demo_keys_end_after_thirty_days(tmp_path):
    keys = DirectorKeys.open(tmp_path, demo=True, now_ms=NOW_MS)

    assert Metadata[Root].from_bytes(keys.root).signed.expires.timestamp() * 1000 == NOW_MS + 30 * DAY_MS


@pytest.mark.parametrize("lost", ["director.pem", "1.root.json", "about.json"])
def test_part_of_the_keys_is_refused_never_made_anew(tmp_path, lost):
    DirectorKeys.open(tmp_path, demo=True, now_ms=NOW_MS)
    (tmp_path / lost).unlink()

    with pytest.raises(NeedsHumanError) as refused:
        DirectorKeys.open(tmp_path, demo=True, now_ms=NOW_MS)

    assert refused.value.code == "RB-KEYS-001"


def test_fragment_is_the_same_after_it_was_stored():
    desired = DesiredFragment("sha256:aa", (("app", "sha256:bb"),), tuple(b"%d" % number for number in range(9)))
    fragment = Fragment.of(desired, Origin(Kind.BACK, rollout="r", attempt=3, planes=("app",)))

    again = Fragment(fragment.document)

    assert (again.fragment_id, again.origin, again.desired) == (fragment.fragment_id, fragment.origin, desired)


class Machine:
    """A machine whose clocks a test sets."""

    def __init__(self):
        self.wall_ms = NOW_MS
        self.monotonic_ms = 5_000

    def clock(self, **options):
        return SteadyClock(wall_ms=lambda: self.wall_ms, monotonic_ms=lambda: self.monotonic_ms, **options)

    def advance(self, ms):
        self.wall_ms += ms
        self.monotonic_ms += ms


@pytest.mark.parametrize("leap_ms", [365 * DAY_MS, -365 * DAY_MS])
def test_leap_of_the_wall_clock_by_a_year_is_not_followed_but_told(leap_ms):
    machine = Machine()
    clock = machine.clock()

    machine.wall_ms += leap_ms
    machine.advance(1_000)

    assert clock.leap_ms() == leap_ms
    assert clock.now_ms() == NOW_MS + 1_000


def test_small_drift_is_caught_up_slowly_and_time_never_runs_backwards():
    machine = Machine()
    clock = machine.clock()
    machine.wall_ms -= 30_000
    seen = [clock.now_ms()]

    for _ in range(1_000):
        machine.advance(10_000)
        clock.leap_ms()
        seen.append(clock.now_ms())

    assert seen == sorted(seen)
    assert abs(seen[-1] - (NOW_MS + 10_000_000 - 5_000)) < 100  # 500 ppm of 10,000 s


def test_time_goes_on_from_the_newest_stored_instant_when_the_wall_clock_is_behind_it():
    machine = Machine()

    clock = machine.clock(not_before_ms=NOW_MS + 5 * DAY_MS)

    assert clock.now_ms() == NOW_MS + 5 * DAY_MS


def test_identifiers_are_new_each_time_and_sort_by_time():
    ids = RandomIds()

    early, late = ids.uuid7(NOW_MS), ids.uuid7(NOW_MS + 1)

    assert early < late
    assert uuid.UUID(early).version == 7
    assert len(ids.token()) == 64
    assert len({ids.token() for _ in range(100)}) == 100
    assert len(ids.short()) == 8
