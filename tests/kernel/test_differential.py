"""Mutated documents, judged by the kernel and by python-tuf: nothing is accepted here that python-tuf refuses.

Each document is judged twice by the kernel: as a device reads it, and as the TUF client does. Most are signed anew
after the mutation, by the keys that may sign them, so that what lies behind the signature check is reached; the others
show that the check holds.
"""

import copy
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, MetaFile

from ringback import tuf_client
from ringback_kernel import documents, roles
from ringback_kernel.errors import KernelError
from tests.kernel.tuf_writer import NOW_MS, Oracle, Writer

SEED = int(os.environ.get("RINGBACK_SEED", "20261"))
FEW, MANY, PARTS = 1_000, 100_000, 5
# Ed25519, because its signatures are the same every time: a seed is a run.
SIGNERS = [CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32)) for at in range(1, 13)]
KINDS = ("root", "timestamp", "snapshot", "targets", "firmware")
PATHS = ("firmware/door/1.bin", "firmware/door", "model/face", "model/face/a.onnx", "spare/x", "x", "")
# What a mutation puts in the place of something else.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 5, -1, 2**53 - 1, 2**53, 2**64, 1.0, 1.5, "", "1", "0"),
    *([], {}, [[]], [""], {"": 0}),
    *("*", "?", "[a]", "*/*", "**", "firmware/*", "firmware/*/*", "../x", "root", "targets", "timestamp", "snapshot"),
    *("root.json", "targets.json", "sha256", "sha512", "md5", "00" * 32, "1.0", "1.0.0.0", "2.0.0", "1.x", "ed25519"),
    *("2026-06-01T00:00:00Z", "2026-06-01T00:00:01Z", "2027-02-29T00:00:00Z", "2027-1-1T0:0:0Z"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2027-01-01T00:00:60Z", "2027-01-01 00:00:00"),
    *("a\nb", 'a"b', "a\\b", "\\n", "\\\n", "é", "\x00", "\ud800"),
    *("ecdsa", "rsa", "rsassa-pss-sha256", "ecdsa-sha2-nistp256", "paths", "x" * 300),
)
NAMES = (
    *(value for value in VALUES if isinstance(value, str)),
    *("version", "expires", "_type", "keys", "roles", "meta", "length", "hashes", "keyids", "threshold", "terminating"),
    *("delegations", "succinct_roles", "path_hash_prefixes", "paths", "name", "consistent_snapshot", "spec_version"),
    *("keyval", "public", "scheme", "keytype", "signed", "signatures", "custom"),
)
TOKENS = (
    b"\\n",
    b"\\",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\n",
    b"\\u0041",
    b"\\\\",
    b"\x00",
    b"\xc3\xa9",
    b"1e3",
    b"0",
    b"-",
)


class Stage:
    """One repository at the moment before a file of one kind is handed over, for the kernel and for python-tuf."""

    def __init__(self, kind: str):
        self.kind = kind
        writer = Writer.simple(SIGNERS)
        writer.delegate("targets", DelegatedRole("spare", [], 1, False, ["spare/*", "*"]), SIGNERS[6])
        for role in writer.targets:
            writer.signed(role).version = 2
        writer.publish("spare", *KINDS[3:], "model")
        self._list_by_version_only(writer)
        writer.publish("snapshot", "timestamp")
        self._list_by_version_only(writer)
        old = dict(writer.files)
        writer.publish("targets", *KINDS[4:])
        self._list_by_version_only(writer)
        writer.publish("snapshot")
        self._list_by_version_only(writer)
        writer.publish("timestamp")
        self._list_by_version_only(writer)
        pinned = old["root"]
        if kind == "root":
            writer.rotate("root", SIGNERS[7])
            writer.signers["root"] = [SIGNERS[0], SIGNERS[7]]
            writer.publish("root")
        self.good, self.signers = writer.files[kind], writer.signers[kind]
        self.strict = self._kernel(pinned, roles.Policy(tuf_client.VERIFIERS, NOW_MS), old, writer.files)
        wide = roles.Policy(
            tuf_client.VERIFIERS,
            NOW_MS,
            keys=tuf_client.KEYS,
            hashes=tuf_client.HASHES,
            reader=(tuf_client.open_json, tuf_client.parse_canonical),
            limits=tuf_client.LIMITS,
        )
        self.wide = self._kernel(pinned, wide, old, writer.files)
        self.oracle = Oracle(pinned)
        for step, raw, *where in self._before(old, writer.files):
            self.oracle.accepts(step, raw, *where)

    def _list_by_version_only(self, writer: Writer) -> None:
        # With hashes in the listing nothing but the listed bytes would ever be looked into.
        writer.snapshot.meta = {name: MetaFile(meta.version) for name, meta in writer.snapshot.meta.items()}
        writer.timestamp.snapshot_meta = MetaFile(writer.timestamp.snapshot_meta.version)

    def _before(self, old: dict[str, bytes], new: dict[str, bytes]) -> list[tuple[str, ...]]:
        """Return what is handed over first: also older files, whose versions are floors."""
        steps: list[Any] = [("timestamp", old["timestamp"])]
        if self.kind in KINDS[2:]:
            steps += [("timestamp", new["timestamp"]), ("snapshot", old["snapshot"])]
        if self.kind in KINDS[3:]:
            steps += [("snapshot", new["snapshot"])]
        if self.kind in KINDS[4:]:
            steps += [("targets", new["targets"], "targets", "root")]
        return [] if self.kind == "root" else steps

    def _kernel(self, pinned: bytes, policy: roles.Policy, *files: dict[str, bytes]) -> roles.Repository:
        repository = roles.Repository(pinned, policy)
        for step, raw, *where in self._before(*files):
            if step == "snapshot":
                # An older one is remembered, and refused as the current one; python-tuf does the same.
                try:
                    repository.add_snapshot(raw, True)
                except KernelError:
                    continue
            else:
                hand_over(repository, step, raw, *where)
        return repository

    def verdicts(self, raw: bytes) -> tuple[bool, bool, bool]:
        """Return whether a device, the TUF client and python-tuf accept the file; all forget it afterwards."""
        role = ("targets", "root") if self.kind == "targets" else ("firmware", "targets")
        step = "targets" if self.kind == "firmware" else self.kind
        verdicts = []
        for repository in (self.strict, self.wide):
            fork = copy.copy(repository)
            fork.targets, fork._vouched = dict(repository.targets), list(repository._vouched)
            verdicts.append(accepts(lambda fork=fork: hand_over(fork, step, raw, *role)))
            if verdicts[-1] and step == "targets":
                document = fork.targets[role[0]]
        oracle = copy.copy(self.oracle)
        oracle.trusted = copy.copy(self.oracle.trusted)
        oracle.trusted._trusted_set = dict(self.oracle.trusted._trusted_set)
        oracle.trusted._trusted_delegations = set(self.oracle.trusted._trusted_delegations)
        expected = oracle.accepts(step, raw, *role)
        if expected and any(verdicts) and step == "targets":
            self._compare(document, oracle.trusted[role[0]])
        return verdicts[0], verdicts[1], expected

    def _compare(self, document: dict[str, Any], targets: Any) -> None:
        """Both accept: then both have to draw the same conclusions."""
        assert sorted(document["targets"]) == sorted(targets.targets)
        for path in PATHS if targets.delegations else ():
            assert documents.delegates(document, path) == list(targets.delegations.get_roles_for_target(path))


def hand_over(repository: roles.Repository, step: str, raw: bytes, *role: str) -> bool:
    if step == "root":
        repository.add_root(raw)
    elif step == "timestamp":
        return repository.add_timestamp(raw)
    elif step == "snapshot":
        repository.add_snapshot(raw)
    else:
        repository.add_targets(raw, *role)
    return True


def accepts(action: Callable[[], bool]) -> bool:
    """Anything but a KernelError is a bug of ours, and fails the test."""
    try:
        return action()
    except KernelError:
        return False


class Mutator:
    def __init__(self, dice: random.Random):
        self.dice = dice

    def document(self, stage: Stage) -> bytes:
        """Return a mutated file of the stage's kind."""
        way = self.dice.random()
        if way < 0.2:
            return self.bytes_of(stage.good)
        document = json.loads(stage.good)
        for _ in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3))):
            self.change(document["signed"])
        signed = self.written(document["signed"])
        if way < 0.4:
            # Signed as it stands, with the wire's line feeds: what a careless verifier would take.
            signed = self.bytes_of(signed)
            to_sign = signed.replace(b"\\n", b"\n") if self.dice.random() < 0.5 else signed
        else:
            try:
                to_sign = encode_canonical(document["signed"]).encode()
            except Exception:
                to_sign = signed
        signatures = [signer.sign(to_sign).to_dict() for signer in stage.signers]
        if self.dice.random() < 0.15:
            self.change(signatures)
        return b'{"signatures":' + self.written(signatures) + b',"signed":' + signed + b"}"

    def written(self, value: Any) -> bytes:
        way = self.dice.random()
        if way < 0.8:
            return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        if way < 0.9:
            return json.dumps(value).encode()
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")

    def bytes_of(self, raw: bytes) -> bytes:
        at, size = self.dice.randrange(len(raw)), self.dice.randrange(1, 9)
        token = self.dice.choice(TOKENS)
        return self.dice.choice((
            raw[:at] + bytes([raw[at] ^ 1 << self.dice.randrange(8)]) + raw[at + 1 :],
            raw[:at] + raw[at + size :],
            raw[:at] + raw[at : at + size] + raw[at:],
            raw[:at] + token + raw[at:],
            raw[:at] + token + raw[at + len(token) :],
            raw[:at],
            raw + token,
        ))  # fmt: skip

    def change(self, value: Any) -> None:
        """Change one place somewhere in an object or list."""
        inside = list(value.values() if isinstance(value, dict) else value)
        deeper = [child for child in inside if isinstance(child, dict | list) and child]
        if deeper and self.dice.random() < 0.75:
            return self.change(self.dice.choice(deeper))
        new = copy.deepcopy(self.dice.choice(VALUES))
        if isinstance(value, list):
            at = self.dice.randrange(len(value) + 1)
            if at < len(value) and self.dice.random() < 0.7:
                value[at : at + 1] = self.dice.choice(([], [new], [value[at], value[at]]))
            else:
                value.insert(at, copy.deepcopy(self.dice.choice(value)) if value else new)
        elif not value or self.dice.random() < 0.3:
            value[self.dice.choice(NAMES)] = (
                copy.deepcopy(self.dice.choice(inside)) if inside and self.dice.random() < 0.5 else new
            )
        else:
            name = self.dice.choice(list(value))
            old = value.pop(name)
            if self.dice.random() < 0.75:
                value[name] = old + self.dice.choice((-1, 1)) if type(old) is int and self.dice.random() < 0.5 else new
        return None


def compare(count: int, seed: int) -> Counter[tuple[str, str]]:
    """Judge `count` documents; returns how often each kind was accepted by whom."""
    print(f"seed {seed}: RINGBACK_SEED={seed} runs the same documents")
    mutator = Mutator(random.Random(seed))
    stages = [Stage(kind) for kind in KINDS]
    seen: Counter[tuple[str, str]] = Counter()
    for at in range(count):
        stage = stages[at % len(stages)]
        raw = mutator.document(stage)
        device, client, oracle = stage.verdicts(raw)
        assert oracle or not device, f"seed {seed}, document {at}: a device accepts {raw!r}"
        assert oracle or not client, f"seed {seed}, document {at}: the client accepts {raw!r}"
        seen[stage.kind, f"device {device}, client {client}, python-tuf {oracle}"] += 1
    return seen


def check_both_sides(seen: Counter[tuple[str, str]], share: int) -> None:
    """The comparison says something only if each kind is often accepted by all, and often refused."""
    total = sum(seen.values()) // len(KINDS)
    for kind in KINDS:
        for verdict in (True, False):
            count = seen[kind, f"device {verdict}, client {verdict}, python-tuf {verdict}"]
            assert count * share >= total, (kind, verdict, seen)


@pytest.mark.parametrize("kind", KINDS)
def test_document_without_a_mutation_is_accepted_by_all(kind: str) -> None:
    stage = Stage(kind)
    assert stage.verdicts(stage.good) == (True, True, True)


def test_nothing_is_accepted_that_python_tuf_refuses() -> None:
    check_both_sides(compare(FEW, SEED), share=20)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_of_many_documents_is_accepted_that_python_tuf_refuses(part: int) -> None:
    seen = compare(MANY // PARTS, SEED + 1 + part)
    for (kind, verdicts), count in sorted(seen.items()):
        print(f"{kind:10} {verdicts}: {count}")
    check_both_sides(seen, share=20)
