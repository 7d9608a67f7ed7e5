"""ECDSA P-256 against published vectors and the edges of the standards. Runs on both interpreters.

Source: RFC 6979, A.2.5 (key, messages and signatures); SEC 1, 4.1.4; X.690 for what DER allows.
"""

from binascii import unhexlify

from ringback_kernel import ecdsa

KEY = unhexlify(
    b"0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    b"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
SAMPLE_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
TEST_R = 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367
TEST_S = 0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083


def integer(value):
    raw = value.to_bytes(34, "big")
    while len(raw) > 1 and raw[0] == 0 and not raw[1] & 0x80:
        raw = raw[1:]
    return b"\x02" + bytes([len(raw)]) + raw


def der(r, s):
    body = integer(r) + integer(s)
    return b"\x30" + bytes([len(body)]) + body


GOOD = der(SAMPLE_R, SAMPLE_S)


def test_published_signatures_are_genuine():
    assert ecdsa.verify(KEY, GOOD, b"sample")
    assert ecdsa.verify(KEY, der(TEST_R, TEST_S), b"test")


def test_other_data_key_or_numbers_are_not():
    assert not ecdsa.verify(KEY, GOOD, b"sampl")
    assert not ecdsa.verify(KEY, GOOD, b"test")
    assert not ecdsa.verify(KEY, der(SAMPLE_R, TEST_S), b"sample")
    assert not ecdsa.verify(KEY, der(SAMPLE_S, SAMPLE_R), b"sample")
    generator = b"\x04" + ecdsa.GX.to_bytes(32, "big") + ecdsa.GY.to_bytes(32, "big")
    assert not ecdsa.verify(generator, GOOD, b"sample")


def test_high_s_is_the_same_signature():
    assert ecdsa.verify(KEY, der(SAMPLE_R, ecdsa.N - SAMPLE_S), b"sample")


def test_numbers_outside_their_range_are_refused():
    for r, s in (
        (0, SAMPLE_S), (SAMPLE_R, 0), (0, 0), (ecdsa.N, SAMPLE_S), (SAMPLE_R, ecdsa.N), (SAMPLE_R + ecdsa.N, SAMPLE_S),
        (SAMPLE_R, SAMPLE_S + ecdsa.N), (ecdsa.N - 1, ecdsa.N - 1), (1, 1),
    ):  # fmt: skip
        assert not ecdsa.verify(KEY, der(r, s), b"sample"), (r, s)


def test_keys_that_are_no_points_are_refused():
    for key in (
        b"", KEY[:-1], KEY + b"\0", b"\x02" + KEY[1:33], b"\x00" * 65, b"\x04" + b"\0" * 64, KEY[:-1] + b"\x98",
        b"\x05" + KEY[1:], b"\x04" + (ecdsa.P + 1).to_bytes(32, "big") + KEY[33:], b"\x04" + b"\xff" * 64,
    ):  # fmt: skip
        assert not ecdsa.verify(key, GOOD, b"sample"), key


def test_signatures_that_are_no_der_are_refused():
    r, s = integer(SAMPLE_R), integer(SAMPLE_S)
    body = r + s
    for bad in (
        b"", b"\x30", GOOD[:-1], GOOD + b"\0", b"\x31" + GOOD[1:], b"\x30\x81" + GOOD[1:], b"\x30\x80" + body + b"\0\0",
        b"\x30" + bytes([len(body) + 1]) + body, b"\x30" + bytes([len(body) + 1]) + body + b"\0",
        b"\x30" + bytes([len(body) + 1]) + b"\x02" + bytes([r[1] + 1]) + b"\0" + r[2:] + s,
        b"\x30" + bytes([len(body) - 1]) + b"\x02" + bytes([r[1] - 1]) + r[3:] + s,
        b"\x30" + bytes([len(r)]) + r, b"\x30\x04\x02\x00\x02\x00", b"\x30\x06\x02\x01\x80\x02\x01\x01",
        b"\x30" + bytes([len(body)]) + b"\x03" + r[1:] + s, b"\x30" + bytes([len(body) + 2]) + body + b"\x05\0",
        b"\x02" * 200, b"\x30\x44\x02\x7f" + b"\1" * 66,
    ):  # fmt: skip
        assert not ecdsa.verify(KEY, bad, b"sample"), bad


def test_every_flipped_bit_of_a_signature_is_noticed():
    for at in range(0, len(GOOD)):
        bad = bytearray(GOOD)
        bad[at] ^= 1 << (at % 8)
        assert not ecdsa.verify(KEY, bytes(bad), b"sample"), at


def test_inverse_is_an_inverse():
    for value in (1, 2, 3, ecdsa.N - 1, SAMPLE_S, 1 << 255):
        assert ecdsa._inverse(value, ecdsa.N) * value % ecdsa.N == 1
