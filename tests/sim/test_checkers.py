"""Each checker finds the bug it is for, and says nothing about the same story without the bug."""

import json
from collections.abc import Sequence
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ringback.sim.checkers import Jury, every_checker
from ringback.sim.checkers.constraints import is_satisfied
from ringback.sim.facts import (
    Activated,
    Booted,
    Confirmed,
    Fact,
    Frozen,
    Heard,
    PoweredOff,
    Published,
    RingOpened,
    RolloutBegan,
    Settled,
    SlotsChanged,
    Stopped,
)

OLD, NEW, APP = "sha256:" + "0" * 64, "sha256:" + "1" * 64, "sha256:" + "a" * 64
FACE = "model/face"
BOX = "box-1"


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0x1234567, ec.SECP256R1())


def public(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def document(*digests: str, device: str = BOX, forged: bool = False) -> bytes:
    """A desired state that puts the first digest on the face plane, with the way back to OLD."""
    signed = {
        "version": 7,
        "targets": {f"{FACE}/m/{n}": {"hashes": {"sha256": d.removeprefix("sha256:")}} for n, d in enumerate(digests)},
        "ota": {
            "device": device,
            "order": [[FACE]],
            "trial_ms": 5000,
            "ladder": [{"planes": [FACE], "set": {FACE: OLD}}],
        },
    }
    data = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    signer = ec.derive_private_key(0x7654321, ec.SECP256R1()) if forged else key()
    signature = signer.sign(data, ec.ECDSA(SHA256())).hex()
    return json.dumps({"signatures": [{"keyid": "k", "sig": signature}], "signed": signed}).encode()


def publish(digest: str, plane: str, version: str, **requires: str) -> Published:
    return Published(0, "", digest, plane, version, {plane.replace("_", "/"): text for plane, text in requires.items()})


BASELINE: list[Fact] = [
    publish(OLD, FACE, "1.0.0"),
    publish(NEW, FACE, "1.1.0", app=">=1.0"),
    publish(APP, "app", "1.0.0"),
    Heard(1, BOX, document(OLD, APP)),
    SlotsChanged(2, BOX, {OLD: True, APP: True}),
    Activated(3, BOX, {FACE: OLD, "app": APP}, {FACE: OLD, "app": APP}),
    Confirmed(4, BOX, {FACE: OLD, "app": APP}),
]
RUNNING_OLD, RUNNING_NEW = {FACE: OLD, "app": APP}, {FACE: NEW, "app": APP}
UPDATE: list[Fact] = [Heard(10, BOX, document(NEW, APP)), SlotsChanged(11, BOX, {OLD: True, NEW: True, APP: True})]
BEGAN = RolloutBegan(9, "", "r", frozenset({NEW}), budget_devices=2, horizon_ms=1000)


def elsewhere(device: str) -> list[Fact]:
    """The same update on another device, signed for it."""
    heard = Heard(10, device, document(NEW, APP, device=device))
    slots = SlotsChanged(11, device, {OLD: True, NEW: True, APP: True})
    return [heard, slots, Activated(12, device, {FACE: NEW}, RUNNING_NEW)]


FORWARD = Activated(12, BOX, {FACE: NEW}, RUNNING_NEW)
BACK = Activated(20, BOX, {FACE: OLD}, RUNNING_OLD, back=True)


def found(facts: Sequence[Fact], now_ms: int = 0) -> set[str]:
    """The invariants that a story breaks."""
    jury = Jury(every_checker([public(key())]))
    for fact in [*BASELINE, *facts]:
        jury.see(fact)
    jury.adjourn(now_ms or facts[-1].at_ms)
    return {violation.invariant for violation in jury.violations}


@pytest.mark.parametrize(
    "facts",
    [
        [*UPDATE, FORWARD, Confirmed(13, BOX, RUNNING_NEW), SlotsChanged(14, BOX, {OLD: True, NEW: True, APP: True})],
        [*UPDATE, FORWARD, BACK, Settled(21, BOX, "reverted")],
        [*UPDATE, FORWARD, PoweredOff(13, BOX), Booted(900_000, BOX, RUNNING_NEW), Settled(900_010, BOX, "reverted")],
        [Frozen(9, "", NEW), Frozen(10, "", NEW, thawed=True), *UPDATE, FORWARD, Confirmed(13, BOX, RUNNING_NEW)],
        [*UPDATE, Stopped(11, "", "s1", frozenset({BOX})), FORWARD, Confirmed(13, BOX, RUNNING_NEW)],
        [
            BEGAN,
            RingOpened(10, "", "r", 0),
            *UPDATE,
            FORWARD,
            Confirmed(13, BOX, RUNNING_NEW),
            RingOpened(14, "", "r", 1),
        ],
    ],
    ids=["confirmed", "reverted", "long without power", "thawed", "stopped unheard", "ring earned"],
)
def test_a_good_story_breaks_nothing(facts: list[Fact]) -> None:
    assert found(facts) == set()


@pytest.mark.parametrize(
    ("invariant", "facts"),
    [
        ("I1", [Booted(10, BOX, RUNNING_NEW)]),
        ("I1", [SlotsChanged(9, BOX, {OLD: False, APP: True}), Booted(10, BOX, RUNNING_OLD)]),
        ("I2", [UPDATE[0], SlotsChanged(11, BOX, {OLD: True, NEW: False, APP: True}), FORWARD]),
        ("I2", [UPDATE[1], FORWARD]),
        ("I2", [Heard(10, BOX, document(NEW, APP, forged=True)), UPDATE[1], FORWARD]),
        ("I2", [Heard(10, BOX, document(NEW, APP, device="box-2")), UPDATE[1], FORWARD]),
        ("I3", [Activated(12, BOX, {"app": ""}, {FACE: NEW})]),
        ("I3", [publish(NEW, FACE, "1.1.0", app=">=1.1"), *UPDATE, FORWARD]),
        ("I4", [*UPDATE, FORWARD, Confirmed(300_000, BOX, RUNNING_NEW)]),
        ("I5", [*UPDATE, FORWARD, Activated(20, BOX, {"app": ""}, {FACE: NEW}, back=True)]),
        ("I5", [*UPDATE, FORWARD, Activated(20, BOX, {FACE: ""}, {"app": APP}, back=True)]),
        ("I6", [SlotsChanged(10, BOX, {APP: True})]),
        ("I7", [Frozen(9, "", NEW), *UPDATE, FORWARD]),
        ("I9", [Stopped(9, "", "s1", frozenset({BOX})), *UPDATE, FORWARD]),
        ("I9", [BEGAN, RingOpened(10, "", "r", 1)]),
        ("I9", [BEGAN, *UPDATE, FORWARD, *elsewhere("box-2"), *elsewhere("box-3")]),
    ],
)
def test_each_checker_finds_its_bug(invariant: str, facts: list[Fact]) -> None:
    assert invariant in found(facts)


def test_the_set_before_the_confirmed_one_must_stay_bootable() -> None:
    story = [*UPDATE, FORWARD, Confirmed(13, BOX, RUNNING_NEW), SlotsChanged(14, BOX, {NEW: True, APP: True})]

    assert found(story) == {"I6"}


def test_a_trial_that_never_ends_is_found_at_the_end_of_the_run() -> None:
    assert found([*UPDATE, FORWARD], now_ms=500_000) == {"I4"}


@pytest.mark.parametrize(
    ("constraint", "version", "holds"),
    [
        (">=1.1", "1.1.0", True),
        (">=1.1", "1.0.9", False),
        (">=1.1", "1.1.0-rc.1", False),
        (">=1.0,<2", "1.9.9", True),
        (">=1.0,<2", "2.0.0", False),
        ("!=1.2.0", "1.2.0", False),
        ("==1.2", "1.2.0", True),
        (">1.2.0-rc.2", "1.2.0-rc.10", True),
        (">=0", "", False),
    ],
)
def test_the_oracle_compares_versions_as_semver_does(constraint: str, version: str, holds: bool) -> None:
    assert is_satisfied(constraint, version) is holds
