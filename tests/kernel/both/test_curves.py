"""Both curves in pure Python: which signatures count. Runs on both interpreters."""

import binascii

from ringback_kernel import ecdsa, ed25519
from tests.kernel.both import curve_cases as c


def check(verify, cases):
    wrong = [name for name, key, signature, data, verdict in cases if verify(key, signature, data) is not verdict]
    assert wrong == [], wrong


def test_p256_verdicts_are_those_of_the_table():
    check(ecdsa.verify, c.p256_cases())


def test_ed25519_verdicts_are_those_of_the_table():
    check(ed25519.verify, c.ed_cases())


def test_p256_signatures_made_with_many_keys_are_accepted_and_no_bit_may_turn():
    for secret in (1, 2, 3, ecdsa.N - 1, ecdsa.N - 2, 1 << 128, 0xC9AFA9D845BA75166B5C215767B1D693):
        key, data = c.p256_key(secret), b"bytes " + str(secret).encode()
        signature = c.der(*c.p256_sign(secret, data, nonce=secret % 1000 + 2))
        assert ecdsa.verify(key, signature, data)
        bit = secret % (len(signature) * 8)
        turned = bytearray(signature)
        turned[bit // 8] ^= 1 << bit % 8
        assert not ecdsa.verify(key, bytes(turned), data)


def test_ed25519_signatures_made_with_many_keys_are_accepted_and_no_bit_may_turn():
    for secret in (1, 2, 8, ed25519.L - 1, 1 << 250, 0xC9AFA9D845BA75166B5C215767B1D693):
        key, data = c.ed_key_of_scalar(secret), b"bytes " + str(secret).encode()
        r, s = c.ed_sign(secret, data, nonce=secret % 1000 + 2)
        signature = r + s.to_bytes(32, "little")
        assert ed25519.verify(key, signature, data)
        bit = secret % 512
        turned = bytearray(signature)
        turned[bit // 8] ^= 1 << bit % 8
        assert not ed25519.verify(key, bytes(turned), data)


def test_sha512_is_that_of_the_standard_at_every_padding_boundary():
    # FIPS 180-4's examples; the lengths around one and two blocks were computed with another implementation.
    known = (
        (b"", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"),
        (b"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"),
        (b"a" * 111, "fa9121c7b32b9e01733d034cfc78cbf67f926c7ed83e82200ef8681819692176"),
        (b"a" * 112, "c01d080efd492776a1c43bd23dd99d0a2e626d481e16782e75d54c2503b5dc32"),
        (b"a" * 127, "828613968b501dc00a97e08c73b118aa8876c26b8aac93df128502ab360f91ba"),
        (b"a" * 128, "b73d1929aa615934e61a871596b3f3b33359f42b8175602e89f7e06e5f658a24"),
        (b"a" * 240, "4c296d90c61052a62ffb1dd196f1b7b09373b1f93e71836baebf89690546b759"),
    )
    for data, expected in known:
        assert binascii.hexlify(ed25519.sha512(data)).decode()[:64] == expected, len(data)
