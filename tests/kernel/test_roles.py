"""The roles of TUF, judged by the kernel on repositories that python-tuf wrote, with python-tuf as second opinion."""

import fnmatch
import itertools
import json

import pytest
from tuf.api.metadata import DelegatedRole, Metadata, Targets

from ringback.tuf_client import VERIFIERS
from ringback_kernel import documents, errors, roles
from ringback_kernel.errors import KernelError
from tests.kernel.tuf_writer import EARLIER, NOW_MS, SIGNERS, Oracle, Writer, wire

WORKFLOW = ("timestamp", "snapshot", "targets")


def start(writer: Writer, utc_ms: int = NOW_MS, root: bytes = b"") -> roles.Repository:
    return roles.Repository(root or writer.files["root"], roles.Policy(VERIFIERS, utc_ms))


def add(repository: roles.Repository, kind: str, raw: bytes) -> None:
    {
        "root": repository.add_root,
        "timestamp": repository.add_timestamp,
        "snapshot": repository.add_snapshot,
        "targets": repository.add_targets,
    }[kind](raw)


def walk(writer: Writer, repository: roles.Repository | None = None, until: str = "targets") -> roles.Repository:
    repository = repository or start(writer)
    for kind in WORKFLOW[: WORKFLOW.index(until) + 1]:
        add(repository, kind, writer.files[kind])
    return repository


def refusal(action, *arguments) -> str:
    with pytest.raises(KernelError) as caught:
        action(*arguments)
    return caught.value.code


def find(repository: roles.Repository, writer: Writer, path: str) -> tuple[list[str], dict]:
    search, visited = roles.Search(repository, path), []
    while (wanted := search.wanted()) is not None:
        if not repository.is_vouched(*wanted):
            repository.add_targets(writer.files[wanted[0]], *wanted)
        visited.append(wanted[0])
        search.visit()
    return visited, search.found


def test_repository_of_python_tuf_is_accepted_from_root_to_delegated_role() -> None:
    writer = Writer.simple()
    visited, found = find(walk(writer), writer, "firmware/door/1.bin")
    assert visited == ["targets", "firmware"] and found["length"] == len(b"door software")


@pytest.mark.parametrize("kind", WORKFLOW)
def test_file_with_one_turned_bit_is_refused_anywhere(kind: str) -> None:
    writer = Writer.simple()
    raw = writer.files[kind]
    for at in range(0, len(raw), 37):
        repository = start(writer)
        for earlier in WORKFLOW[: WORKFLOW.index(kind)]:
            add(repository, earlier, writer.files[earlier])
        turned = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert refusal(add, repository, kind, turned), at


@pytest.mark.parametrize("kind", WORKFLOW)
def test_file_signed_by_the_key_of_another_role_is_refused(kind: str) -> None:
    writer = Writer.simple()
    writer.signers[kind] = [SIGNERS[9]]
    writer.publish(*itertools.dropwhile(lambda role: role != kind, ("targets", "snapshot", "timestamp")))
    repository = start(writer)
    for earlier in WORKFLOW[: WORKFLOW.index(kind)]:
        add(repository, earlier, writer.files[earlier])
    assert refusal(add, repository, kind, writer.files[kind]) == errors.VERIFY_SIGNATURE


@pytest.mark.parametrize("kind", WORKFLOW)
def test_expired_file_is_refused_when_the_time_is_known_and_only_then(kind: str) -> None:
    writer = Writer.simple()
    writer.signed(kind).expires = EARLIER
    writer.publish(*itertools.dropwhile(lambda role: role != kind, ("targets", "snapshot", "timestamp")))
    repository = start(writer)
    for earlier in WORKFLOW[: WORKFLOW.index(kind)]:
        add(repository, earlier, writer.files[earlier])
    assert refusal(add, repository, kind, writer.files[kind]) == errors.VERIFY_EXPIRED
    walk(writer, start(writer, utc_ms=0))


def test_expired_root_stops_what_follows_but_not_its_successor() -> None:
    writer = Writer.simple()
    writer.root.expires = EARLIER
    writer.publish("root")
    expired = writer.files["root"]
    assert refusal(start(writer, root=expired).add_timestamp, writer.files["timestamp"]) == errors.VERIFY_EXPIRED
    writer.root.expires = writer.snapshot.expires
    writer.publish("root")
    repository = start(writer, root=expired)
    repository.add_root(writer.files["root"])
    walk(writer, repository)


def test_device_that_slept_through_three_roots_follows_the_chain() -> None:
    writer = Writer.simple()
    pinned, chain = writer.files["root"], []
    for at in (6, 7, 8):
        old = writer.signers["root"]
        writer.rotate("root", SIGNERS[at])
        writer.signers["root"] = [*old, SIGNERS[at]]
        writer.publish("root")
        chain.append(writer.files["root"])
        writer.signers["root"] = [SIGNERS[at]]
    repository = start(writer, root=pinned)
    assert refusal(repository.add_root, chain[1]) == errors.VERIFY_SIGNATURE
    for root in chain:
        repository.add_root(root)
    assert repository.root["version"] == 4
    walk(writer, repository)


@pytest.mark.parametrize("signed_by", ["old", "new"])
def test_next_root_needs_the_thresholds_of_both_roots(signed_by: str) -> None:
    writer = Writer.simple()
    pinned, old = writer.files["root"], writer.signers["root"]
    writer.rotate("root", SIGNERS[6])
    writer.signers["root"] = old if signed_by == "old" else [SIGNERS[6]]
    writer.publish("root")
    assert refusal(start(writer, root=pinned).add_root, writer.files["root"]) == errors.VERIFY_SIGNATURE


@pytest.mark.parametrize("jump", [-1, 0, 2])
def test_root_whose_version_is_not_the_next_is_refused(jump: int) -> None:
    writer = Writer.simple()
    writer.root.version = 5
    pinned = wire(writer.root, *writer.signers["root"])
    writer.root.version = 5 + jump
    raw = wire(writer.root, *writer.signers["root"])
    assert refusal(start(writer, root=pinned).add_root, raw) == errors.VERIFY_VERSION


def test_threshold_counts_different_keys_only() -> None:
    writer = Writer.simple()
    writer.root.roles["timestamp"].threshold = 2
    writer.root.add_key(SIGNERS[6].public_key, "timestamp")
    # The same key once more under another name: two names are no two keys.
    twin = json.loads(wire(writer.root, *writer.signers["root"]))["signed"]["keys"]
    keyid = SIGNERS[1].public_key.keyid
    copied = type(SIGNERS[1].public_key).from_dict("f" * 64, dict(twin[keyid]))
    writer.root.add_key(copied, "timestamp")
    writer.publish("root")
    one = json.loads(wire(writer.timestamp, SIGNERS[1]))
    two = {**one, "signatures": [one["signatures"][0], {**one["signatures"][0], "keyid": "f" * 64}]}
    raw = json.dumps(two, sort_keys=True, separators=(",", ":")).encode()
    assert refusal(start(writer).add_timestamp, raw) == errors.VERIFY_SIGNATURE
    assert start(writer).add_timestamp(wire(writer.timestamp, SIGNERS[1], SIGNERS[6]))


def test_two_signatures_under_one_key_id_are_refused() -> None:
    writer = Writer.simple()
    document = json.loads(writer.files["timestamp"])
    document["signatures"] *= 2
    raw = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert refusal(start(writer).add_timestamp, raw) == errors.VERIFY_SIGNATURE
    assert not Oracle(writer.files["root"]).accepts("timestamp", raw)


def test_older_timestamp_is_a_replay_and_the_same_one_is_no_change() -> None:
    writer = Writer.simple()
    old = writer.files["timestamp"]
    writer.publish("timestamp")
    repository = start(writer)
    assert repository.add_timestamp(writer.files["timestamp"]) is True
    assert repository.add_timestamp(writer.files["timestamp"]) is False
    assert refusal(repository.add_timestamp, old) == errors.VERIFY_REPLAY


def test_timestamp_that_takes_the_snapshot_back_is_a_replay() -> None:
    writer = Writer.simple()
    writer.publish("snapshot", "timestamp")
    repository = walk(writer, until="timestamp")
    writer.timestamp.snapshot_meta.version = 1
    writer.publish("timestamp")
    assert refusal(repository.add_timestamp, writer.files["timestamp"]) == errors.VERIFY_REPLAY


def test_snapshot_that_takes_a_role_back_or_drops_it_is_refused() -> None:
    writer = Writer.simple()
    writer.publish("model", "snapshot", "timestamp")
    stored = writer.files["snapshot"]
    for change in ("back", "gone"):
        if change == "back":
            writer.snapshot.meta["model.json"].version = 1
        else:
            del writer.snapshot.meta["model.json"]
        writer.publish("snapshot", "timestamp")
        repository = walk(writer, until="timestamp")
        # What is stored is older than the timestamp names: remembered for this comparison, refused as the current one.
        assert refusal(repository.add_snapshot, stored, True) == errors.VERIFY_VERSION
        expected = errors.VERIFY_REPLAY if change == "back" else errors.VERIFY_LISTING
        assert refusal(repository.add_snapshot, writer.files["snapshot"]) == expected


def test_rotated_timestamp_key_undoes_a_fast_forward() -> None:
    writer = Writer.simple()
    pinned = writer.files["root"]
    writer.timestamp.version = 2**53 - 2
    writer.publish("timestamp")
    stuck = writer.files["timestamp"]
    assert start(writer).add_timestamp(stuck)
    writer.rotate("timestamp", SIGNERS[7])
    writer.timestamp.version = 1
    writer.publish("root", "timestamp")
    repository = start(writer, root=pinned)
    repository.add_root(writer.files["root"])
    # The stored one no longer counts, so its version is no floor.
    assert refusal(repository.add_timestamp, stuck) == errors.VERIFY_SIGNATURE
    assert repository.add_timestamp(writer.files["timestamp"])


def test_mixed_and_matched_snapshot_and_targets_are_refused() -> None:
    writer = Writer.simple()
    old = dict(writer.files)
    writer.publish("targets", "snapshot", "timestamp")
    assert refusal(walk(writer, until="timestamp").add_snapshot, old["snapshot"]) == errors.VERIFY_HASH
    assert refusal(walk(writer, until="snapshot").add_targets, old["targets"]) == errors.VERIFY_HASH
    for meta in (writer.snapshot.meta["targets.json"], writer.timestamp.snapshot_meta):
        meta.length = meta.hashes = None
    writer.publish("snapshot")
    writer.timestamp.snapshot_meta.length = writer.timestamp.snapshot_meta.hashes = None
    writer.publish("timestamp")
    assert refusal(walk(writer, until="timestamp").add_snapshot, old["snapshot"]) == errors.VERIFY_VERSION
    assert refusal(walk(writer, until="snapshot").add_targets, old["targets"]) == errors.VERIFY_VERSION


@pytest.mark.parametrize("lie", [-1, 1])
def test_length_that_lies_by_one_is_refused(lie: int) -> None:
    writer = Writer.simple()
    listed = writer.timestamp.snapshot_meta
    assert listed.length is not None
    listed.length += lie
    writer.publish("timestamp")
    assert refusal(walk(writer, until="timestamp").add_snapshot, writer.files["snapshot"]) == errors.VERIFY_HASH


def test_file_beyond_its_limit_is_refused_before_it_is_read() -> None:
    writer = Writer.simple()
    endless = writer.files["timestamp"] + b" " * 10_000_000
    assert refusal(start(writer).add_timestamp, endless) == errors.WIRE_SIZE


def test_delegated_role_is_checked_against_the_keys_of_its_own_delegator() -> None:
    writer = Writer.simple()
    for name, at in (("left", 6), ("right", 7)):
        writer.delegate("targets", DelegatedRole(name, [], 1, False, [f"{name}/*"]), SIGNERS[at])
        writer.delegate(name, DelegatedRole("shared", [], 1, False, [f"{name}/*"]), SIGNERS[at + 2])
    writer.signers["shared"] = [SIGNERS[8]]
    for name in ("left", "right"):
        writer.add_target("shared", f"{name}/file", b"data")
    writer.publish("shared", "left", "right", "targets", "snapshot", "timestamp")
    repository = walk(writer)
    assert find(repository, writer, "left/file")[1]["length"] == 4
    assert refusal(find, repository, writer, "right/file") == errors.VERIFY_SIGNATURE


def test_delegated_role_that_the_snapshot_does_not_list_is_refused() -> None:
    writer = Writer.simple()
    del writer.snapshot.meta["model.json"]
    writer.publish("snapshot", "timestamp")
    assert refusal(find, walk(writer), writer, "model/face/a.onnx") == errors.VERIFY_LISTING


def test_role_nobody_delegates_to_is_refused() -> None:
    writer = Writer.simple()
    writer.targets["other"], writer.signers["other"] = Targets(expires=writer.snapshot.expires), [SIGNERS[4]]
    writer.publish("other", "snapshot", "timestamp")
    repository = walk(writer)
    assert refusal(repository.add_targets, writer.files["other"], "other", "targets") == errors.VERIFY_DELEGATION


def test_terminating_role_ends_the_search_and_another_does_not() -> None:
    writer = Writer.simple()
    writer.delegate("targets", DelegatedRole("spare", [], 1, False, ["*/*/*"]), SIGNERS[6])
    writer.add_target("spare", "firmware/door/9.bin", b"foreign")
    writer.add_target("spare", "model/face/z.onnx", b"spare model")
    writer.publish("spare", "targets", "snapshot", "timestamp")
    repository = walk(writer)
    assert find(repository, writer, "firmware/door/9.bin") == (["targets", "firmware"], {})
    visited, found = find(repository, writer, "model/face/z.onnx")
    assert visited == ["targets", "model", "spare"] and found["length"] == len(b"spare model")


def test_cycle_of_delegations_ends_and_visits_each_role_once() -> None:
    writer = Writer.simple()
    writer.delegate("model", DelegatedRole("inner", [], 1, False, ["*/*/*"]), SIGNERS[6])
    writer.delegate("inner", DelegatedRole("model", [], 1, False, ["*/*/*"]), SIGNERS[5])
    writer.signers["model"] = [SIGNERS[5]]
    writer.publish("model", "inner", "targets", "snapshot", "timestamp")
    assert find(walk(writer), writer, "model/face/q.onnx") == (["targets", "model", "inner"], {})


def test_search_visits_no_more_roles_than_its_limit() -> None:
    writer = Writer.simple()
    names = [f"r{at}" for at in range(40)]
    for name in names:
        writer.delegate("targets", DelegatedRole(name, [], 1, False, ["*"]), SIGNERS[6])
    writer.add_target("r39", "last", b"x")
    writer.publish(*names, "targets", "snapshot", "timestamp")
    visited, found = find(walk(writer), writer, "last")
    assert found == {} and len(visited) == roles.MAX_VISITED + 1


def test_roles_out_of_order_are_refused() -> None:
    writer = Writer.simple()
    assert refusal(start(writer).add_snapshot, writer.files["snapshot"]) == errors.VERIFY_ORDER
    assert refusal(start(writer).add_targets, writer.files["targets"]) == errors.VERIFY_ORDER
    done = walk(writer)
    for kind in ("root", "timestamp", "snapshot"):
        assert refusal(add, done, kind, writer.files[kind]) == errors.VERIFY_ORDER
    assert refusal(done.add_targets, writer.files["model"], "model", "firmware") == errors.VERIFY_ORDER
    assert refusal(roles.Search(walk(writer, until="snapshot"), "x").visit) == errors.VERIFY_ORDER


PARTS = ("", "a", "ab", "abc", "b", ".a", "*", "?", "??", "*a", "a*", "*b*", "a?c", "**", "a**c", "*?")


def test_path_patterns_match_what_the_shell_would_within_each_folder() -> None:
    for path, pattern in itertools.product(PARTS[:6], PARTS):
        assert documents.path_matches(path, pattern) is fnmatch.fnmatchcase(path, pattern), (path, pattern)
    for path, pattern in itertools.product(("a/b", "a", "a/b/c", "/a"), ("*/*", "*", "a/*", "*/b/?", "/*")):
        expected = DelegatedRole._is_target_in_pathpattern(path, pattern)
        assert documents.path_matches(path, pattern) is expected, (path, pattern)


def test_hash_prefixes_delegate_as_python_tuf_says() -> None:
    role = DelegatedRole("bin", [], 1, False, path_hash_prefixes=["0", "7f", "c"])
    document = {
        "delegations": {"roles": [{"name": "bin", "terminating": False, "path_hash_prefixes": ["0", "7f", "c"]}]}
    }
    for at in range(200):
        expected = [("bin", False)] if role.is_delegated_path(f"file-{at}") else []
        assert documents.delegates(document, f"file-{at}") == expected


ESCAPES = (b"\\u0041", b"\\\\n", b"\\\\", b'\\"', b"\\t", b"\\/")


@pytest.mark.parametrize("escape", ESCAPES)
def test_escape_other_than_that_of_a_line_feed_is_refused_even_if_signed(escape: bytes) -> None:
    writer = Writer.simple()
    raw = writer.files["timestamp"]
    signed = raw[raw.index(b'"signed":') + 9 : -1].replace(b'{"_type"', b'{"A":"' + escape + b'","_type"')
    for as_signed in (signed, signed.replace(b"\\n", b"\n")):
        signature = SIGNERS[1].sign(as_signed)
        head = f'{{"signatures":[{{"keyid":"{signature.keyid}","sig":"{signature.signature}"}}],"signed":'.encode()
        assert refusal(start(writer).add_timestamp, head + signed + b"}") == errors.WIRE_TEXT


def test_python_tuf_reads_what_the_kernel_reads() -> None:
    writer = Writer.simple()
    for role, raw in writer.files.items():
        signatures, signed = roles.open_wire(raw, 65536)
        metadata = Metadata.from_bytes(raw)
        assert metadata.signed_bytes == signed, role
        assert {each["keyid"]: each["sig"] for each in signatures} == {
            keyid: signature.signature for keyid, signature in metadata.signatures.items()
        }
