"""Decides whether an ECDSA P-256 signature over SHA-256 is genuine, in plain integers (FIPS 186-5, SEC 1 section
4.1.4).

Slow and small on purpose: about a millisecond on a PC, and the one curve that MicroPython can check with its native
SHA-256. Timing leaks nothing here: only public values are handled.
Refused: a signature that is not strict DER, r or s outside 1..n-1, a key that is not on the curve.
"""

import hashlib

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

# Jacobian coordinates; None is the point at infinity.
_G = (GX, GY, 1)


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Say whether signature (DER) over data is by public_key (65 bytes, 0x04 || X || Y)."""
    point = _key_point(public_key)
    pair = _parse_der(signature)
    if point is None or pair is None:
        return False
    r, s = pair
    if not (0 < r < N and 0 < s < N):
        return False
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    w = _inverse(s, N)
    result = _double_multiply(digest * w % N, r * w % N, point)
    if result is None:
        return False
    x, _, z = result
    inverse = _inverse(z, P)
    return bool(x * inverse * inverse % P % N == r)


def _key_point(public_key: bytes):
    if len(public_key) != 65 or public_key[0] != 4:
        return None
    x = int.from_bytes(public_key[1:33], "big")
    y = int.from_bytes(public_key[33:], "big")
    if x >= P or y >= P or (y * y - (x * x * x - 3 * x + B)) % P:
        return None
    return (x, y, 1)


def _parse_der(signature: bytes):
    if len(signature) < 8 or len(signature) > 72 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return None
    first = _parse_der_int(signature, 2)
    if first is None:
        return None
    second = _parse_der_int(signature, first[1])
    if second is None or second[1] != len(signature):
        return None
    return first[0], second[0]


def _parse_der_int(data: bytes, at: int):
    if at + 2 > len(data) or data[at] != 2:
        return None
    size = data[at + 1]
    end = at + 2 + size
    if not 0 < size <= 33 or end > len(data):
        return None
    # Strict DER: no negative numbers, no superfluous leading zero.
    if data[at + 2] & 0x80 or (size > 1 and data[at + 2] == 0 and not data[at + 3] & 0x80):
        return None
    return int.from_bytes(data[at + 2 : end], "big"), end


def _inverse(value: int, modulus: int) -> int:
    # Extended Euclid: MicroPython's pow(x, -1, m) answers 0 in silence.
    a, b = value % modulus, modulus
    x, y = 1, 0
    while a > 1:
        quotient = b // a
        a, b = b - quotient * a, a
        x, y = y - quotient * x, x
    return x % modulus


def _double_multiply(u1: int, u2: int, q):
    """Return u1*G + u2*Q, two bits of both scalars at a time (Straus)."""
    table = _straus_table(q)
    result = None
    shift = 254
    while shift >= 0:
        result = _double(_double(result))
        index = ((u1 >> shift) & 3) * 4 + ((u2 >> shift) & 3)
        if index:
            result = _add(result, table[index])
        shift -= 2
    return result


def _straus_table(q) -> list:
    g2 = _double(_G)
    q2 = _double(q)
    gs = [None, _G, g2, _add(g2, _G)]
    qs = [None, q, q2, _add(q2, q)]
    table = []
    for g_point in gs:
        for q_point in qs:
            table.append(_add(g_point, q_point))
    return table


def _double(point):
    if point is None or point[1] == 0:
        return None
    x, y, z = point
    zz = z * z % P
    yy = y * y % P
    beta = x * yy % P
    alpha = 3 * (x - zz) * (x + zz) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = ((y + z) * (y + z) - yy - zz) % P
    y3 = (alpha * (4 * beta - x3) - 8 * yy * yy) % P
    return (x3, y3, z3)


def _add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    zz1 = a[2] * a[2] % P
    zz2 = b[2] * b[2] % P
    u1 = a[0] * zz2 % P
    u2 = b[0] * zz1 % P
    s1 = a[1] * b[2] * zz2 % P
    s2 = b[1] * a[2] * zz1 % P
    if u1 == u2:
        return _double(a) if s1 == s2 else None
    h = u2 - u1
    r = s2 - s1
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    y3 = (r * (v - x3) - s1 * hhh) % P
    return (x3, y3, h * a[2] * b[2] % P)
