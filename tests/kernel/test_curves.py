"""The two implementations of each curve, pure Python and OpenSSL's, agree: on the table, and on random signatures."""

import hashlib
import random

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from ringback_kernel import ecdsa, ed25519
from tests.kernel.both import curve_cases

SEED = 20250


def openssl_p256(key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(signature, data, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def openssl_ed25519(key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (ValueError, InvalidSignature):
        return False
    return True


def test_openssl_gives_the_same_p256_verdicts_but_for_the_one_that_is_stricter_here() -> None:
    wrong = [name for name, *given, verdict in curve_cases.p256_cases() if openssl_p256(*given) is not verdict]
    assert wrong == curve_cases.P256_STRICTER


def test_openssl_gives_the_same_ed25519_verdicts_but_for_those_that_are_stricter_here() -> None:
    wrong = [name for name, *given, verdict in curve_cases.ed_cases() if openssl_ed25519(*given) is not verdict]
    assert sorted(wrong) == curve_cases.ED_STRICTER


def test_random_p256_signatures_of_openssl_are_judged_alike() -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    for _ in range(60):
        private = ec.derive_private_key(dice.randrange(1, ecdsa.N), ec.SECP256R1())
        numbers = private.public_key().public_numbers()
        key = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        data = dice.randbytes(dice.randrange(200))
        signature = private.sign(data, ec.ECDSA(SHA256()))
        assert ecdsa.verify(key, signature, data)
        turned = bytearray(signature)
        turned[dice.randrange(len(turned))] ^= 1 << dice.randrange(8)
        assert ecdsa.verify(key, bytes(turned), data) is openssl_p256(key, bytes(turned), data) is False


def test_random_ed25519_signatures_of_openssl_are_judged_alike() -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    for _ in range(60):
        private = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        key = private.public_key().public_bytes_raw()
        data = dice.randbytes(dice.randrange(400))
        signature = private.sign(data)
        assert ed25519.sha512(data) == hashlib.sha512(data).digest()
        assert ed25519.verify(key, signature, data)
        turned = bytearray(signature)
        turned[dice.randrange(64)] ^= 1 << dice.randrange(8)
        assert ed25519.verify(key, bytes(turned), data) is openssl_ed25519(key, bytes(turned), data) is False
