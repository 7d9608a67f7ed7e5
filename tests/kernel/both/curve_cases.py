"""Signatures with a known verdict, for both curves and every implementation of them; and the signers that made them.

The published vectors are from RFC 6979, A.2.5 and RFC 8032, 7.1. The others are made here, from what the standards
forbid. A signer with fixed nonces is right for tests only.
"""

import binascii
import hashlib

from ringback_kernel import ecdsa, ed25519


def unhex(text):
    return binascii.unhexlify(text)


def der(r, s):
    body = _der_int(r) + _der_int(s)
    return b"\x30" + bytes([len(body)]) + body


def _der_int(value):
    raw = value.to_bytes(33, "big")
    while len(raw) > 1 and raw[0] == 0 and raw[1] < 128:
        raw = raw[1:]
    return b"\x02" + bytes([len(raw)]) + raw


def p256_multiple(scalar):
    x, y, z = ecdsa._double_multiply(scalar, 0, ecdsa._G)
    inverse = ecdsa._inverse(z, ecdsa.P)
    return x * inverse * inverse % ecdsa.P, y * inverse * inverse * inverse % ecdsa.P


def p256_key(secret):
    x, y = p256_multiple(secret)
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def p256_sign(secret, data, nonce=7):
    """Return (r, s)."""
    r = p256_multiple(nonce)[0] % ecdsa.N
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    return r, ecdsa._inverse(nonce, ecdsa.N) * (digest + r * secret) % ecdsa.N


def ed_key_of_scalar(secret):
    return ed25519._encode(ed25519._double_multiply(secret, 0, ed25519._ZERO))


def ed_sign(secret, data, nonce=7):
    """Return (R, S as an integer) by the secret scalar itself (RFC 8032 derives it from a seed)."""
    r = ed_key_of_scalar(nonce)
    k = int.from_bytes(ed25519.sha512(r + ed_key_of_scalar(secret) + data), "little") % ed25519.L
    return r, (nonce + k * secret) % ed25519.L


# A compressed key names the same point; we have one form per key.
P256_STRICTER = ["key in compressed form"]


def p256_cases():
    """Return [(name, key, signature, data, verdict)]."""
    key = unhex(
        "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
        "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    )
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    n, p, data = ecdsa.N, ecdsa.P, b"sample"
    good = der(r, s)
    long_zero = b"\x30" + bytes([good[1] + 1]) + b"\x02\x22\x00" + good[4:]
    shifted = key[:33] + ((int.from_bytes(key[33:], "big") + 1) % p).to_bytes(32, "big")
    minus_r = b"\x30" + bytes([good[1] - 1]) + b"\x02\x20" + good[5:]
    return [
        # The standard's own example has a high s; key stores produce both halves, so both count.
        ("high s", key, good, data, True),
        ("low s", key, der(r, n - s), data, True),
        ("other data", key, good, b"simple", False),
        ("r zero", key, der(0, s), data, False),
        ("s zero", key, der(r, 0), data, False),
        ("both zero", key, der(0, 0), data, False),
        ("r of the group order", key, der(n, s), data, False),
        ("s of the group order", key, der(r, n), data, False),
        ("r plus the group order", key, der(r + n, s), data, False),
        ("s plus the group order", key, der(r, s + n), data, False),
        ("r and s exchanged", key, der(s, r), data, False),
        ("r one, s one", key, der(1, 1), data, False),
        ("key off the curve", shifted, good, data, False),
        ("key with another first byte", b"\x05" + key[1:], good, data, False),
        ("key in compressed form", b"\x03" + key[1:33], good, data, False),
        ("key at infinity", b"\x00", good, data, False),
        ("key of zeros", b"\x04" + bytes(64), good, data, False),
        ("key with x above p", b"\x04" + (p + 5).to_bytes(32, "big") + key[33:], good, data, False),
        ("empty", key, b"", data, False),
        ("plain r and s", key, r.to_bytes(32, "big") + s.to_bytes(32, "big"), data, False),
        ("superfluous zero in r", key, long_zero, data, False),
        ("negative r", key, minus_r, data, False),
        ("length in two bytes", key, b"\x30\x81" + good[1:], data, False),
        ("length of no end", key, b"\x30\x80" + good[2:] + b"\x00\x00", data, False),
        ("byte behind", key, good + b"\x00", data, False),
        ("byte behind, inside", key, b"\x30" + bytes([good[1] + 1]) + good[2:] + b"\x00", data, False),
        ("one byte short", key, good[:-1], data, False),
        ("set instead of sequence", key, b"\x31" + good[1:], data, False),
        ("octets instead of an integer", key, good[:2] + b"\x04" + good[3:], data, False),
        ("third integer", key, b"\x30" + bytes([good[1] + 3]) + good[2:] + b"\x02\x01\x01", data, False),
        ("empty integer", key, b"\x30\x04\x02\x00\x02\x00", data, False),
    ]


# Encodings that RFC 8032 does not allow, or keys with which one signature fits many messages. OpenSSL accepts some.
ED_STRICTER = ["key of order one", "key of small order", "key y above p"]


def ed_published():
    return [
        ("RFC 8032 test 1",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         ("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
         "d25bf5f0595bbe24655141438e7a100b")),
        ("RFC 8032 test 2",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         ("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
         "387b2eaeb4302aeeb00d291612bb0c00")),
        ("RFC 8032 test 3",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         ("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
         "4a7c15e9716ed28dc027beceea1ec40a")),
        ("RFC 8032 test SHA(abc)",
         "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
         ("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
         "454d4423643ce80e2a9ac94fa54ca49f"),
         ("dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
         "3dca179c138ac17ad9bef1177331a704")),
    ]  # fmt: skip


def ed_cases():
    """Return [(name, key, signature, data, verdict)]."""
    cases = []
    for name, key_hex, data_hex, signature_hex in ed_published():
        cases.append((name, unhex(key_hex), unhex(signature_hex), unhex(data_hex), True))
    _, key, good, data, _ = cases[1]
    order = ed25519.L
    s = int.from_bytes(good[32:], "little")
    p = ed25519.P
    zero_key = (1).to_bytes(32, "little")
    # y = -1: order two. With S = r, R = r*B passes for each message whose k is even.
    two_key = (p - 1).to_bytes(32, "little")
    b_seven = ed_key_of_scalar(7)
    even = 0
    while int.from_bytes(ed25519.sha512(b_seven + two_key + bytes([even])), "little") % order % 2:
        even += 1
    seven = (7).to_bytes(32, "little")
    return cases + [
        ("other data", key, good, data + b"x", False),
        ("other key", cases[0][1], good, data, False),
        ("S plus the group order", key, good[:32] + (s + order).to_bytes(32, "little"), data, False),
        ("S plus twice the group order", key, good[:32] + (s + 2 * order).to_bytes(32, "little"), data, False),
        ("S of the group order", key, good[:32] + order.to_bytes(32, "little"), data, False),
        ("S zero", key, good[:32] + bytes(32), data, False),
        ("S of all ones", key, good[:32] + b"\xff" * 32, data, False),
        ("sign of R turned", key, good[:31] + bytes([good[31] ^ 128]) + good[32:], data, False),
        ("R of zeros", key, bytes(32) + good[32:], data, False),
        ("all zeros", key, bytes(64), data, False),
        ("key off the curve", (2).to_bytes(32, "little"), good, data, False),
        ("key y of p", p.to_bytes(32, "little"), good, data, False),
        ("key y above p", (p + 1).to_bytes(32, "little"), b_seven + seven, data, False),
        ("key with minus zero", (1 | 1 << 255).to_bytes(32, "little"), good, data, False),
        ("key of order one", zero_key, b_seven + seven, data, False),
        ("key of small order", two_key, b_seven + seven, bytes([even]), False),
        ("key one byte short", key[:31], good, data, False),
        ("key one byte long", key + b"\x00", good, data, False),
        ("signature one byte short", key, good[:63], data, False),
        ("signature one byte long", key, good + b"\x00", data, False),
        ("empty", key, b"", data, False),
    ]
