"""Ed25519 signature check in pure Python: the second scheme, for publishers whose key store has no P-256.

Verification only, so nothing here is secret and nothing has to be constant-time. Stricter than RFC 8032 asks, in the
three points where implementations differ, so that a signature has one form and means one thing everywhere:

- S is below the group order, or the signature is refused (else S + L is a second signature of the same bytes);
- a point has one encoding: y below p, and no "minus zero" for x;
- a key of small order is refused: with such a key, one signature fits many messages.

The equation is the one without cofactor, compared byte by byte with R, as OpenSSL and libsodium do.

MicroPython has no SHA-512, so there is one here; `hashlib`'s is used where it exists. An ESP32 pays about 36 million
instructions per kilobyte signed for that: the reason that P-256 is the default.

Source: RFC 8032, section 5.1; FIPS 180-4, section 6.4; twisted Edwards formulas after Hisil, Wong, Carter and Dawson
2008 ("Twisted Edwards Curves Revisited"), extended coordinates.
"""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
_SQRT_MINUS_1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752
# The base point: y is 4/5, x is even.
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960

# Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.
_ZERO = (0, 1, 1, 0)
_BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)
_ALL_BITS = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Say whether signature (64 bytes, R || S) over data is by public_key (32 bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    point = _decode(public_key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L or _is_small(point):
        return False
    k = int.from_bytes(_digest(signature[:32] + public_key + data), "little") % L
    x, y, z, t = point
    return _encode(_double_multiply(s, k, (P - x, y, z, P - t))) == signature[:32]


def _digest(data: bytes) -> bytes:
    native = getattr(hashlib, "sha512", None)
    return sha512(data) if native is None else native(data).digest()


def _decode(data: bytes):
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= _ALL_BITS
    if y >= P:
        return None
    # x^2 = (y^2 - 1) / (d y^2 + 1); one power gives the root of the fraction (RFC 8032, 5.1.3).
    u = (y * y - 1) % P
    v = (D * y * y + 1) % P
    x = u * v * v * v % P * pow(u * v * v * v * v * v * v * v % P, (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * _SQRT_MINUS_1 % P
    if (v * x * x - u) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _encode(point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x = point[0] * inverse % P
    y = point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _is_small(point) -> bool:
    eightfold = _double(_double(_double(point)))
    return bool(eightfold[0] == 0 and eightfold[1] == eightfold[2])


def _double_multiply(u1: int, u2: int, q):
    """Return u1*B + u2*Q, two bits of both scalars at a time (Straus)."""
    table = _straus_table(q)
    result = _ZERO
    shift = 252
    while shift >= 0:
        result = _double(_double(result))
        index = ((u1 >> shift) & 3) * 4 + ((u2 >> shift) & 3)
        if index:
            result = _add(result, table[index])
        shift -= 2
    return result


def _straus_table(q) -> list:
    b2 = _double(_BASE)
    q2 = _double(q)
    qs = (_ZERO, q, q2, _add(q2, q))
    table = []
    for base_multiple in (_ZERO, _BASE, b2, _add(b2, _BASE)):
        for q_multiple in qs:
            table.append(_add(base_multiple, q_multiple))
    return table


def _add(first, second):
    a = (first[1] - first[0]) * (second[1] - second[0]) % P
    b = (first[1] + first[0]) * (second[1] + second[0]) % P
    c = 2 * D * first[3] * second[3] % P
    d = 2 * first[2] * second[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _double(point):
    x, y, z, _ = point
    a = x * x % P
    b = y * y % P
    h = a + b
    e = h - (x + y) * (x + y) % P
    g = a - b
    f = 2 * z * z % P + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


# --- SHA-512 ----------------------------------------------------------------------------------------------------------

_WORD = 0xFFFFFFFFFFFFFFFF
_constants: list = []


def sha512(data: bytes) -> bytes:
    """Return the 64 bytes of SHA-512 of data."""
    if not _constants:
        # Made when first needed: 80 integers of 64 bits would double this module on a microcontroller.
        _constants.extend(_make_constants())
    starts, rounds = _constants
    state = starts
    padded = data[len(data) - len(data) % 128 :] + b"\x80"
    padded += bytes(-(len(padded) + 16) % 128) + (len(data) * 8).to_bytes(16, "big")
    for at in range(0, len(data) - len(data) % 128, 128):
        state = _compress(state, data[at : at + 128], rounds)
    for at in range(0, len(padded), 128):
        state = _compress(state, padded[at : at + 128], rounds)
    return b"".join([word.to_bytes(8, "big") for word in state])


def _make_constants() -> tuple:
    """Return the 8 start values and 80 round constants: fractions of square and cube roots of the first primes."""
    primes: list = []
    candidate = 2
    while len(primes) < 80:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    starts = [_root(prime << 128, 2) & _WORD for prime in primes[:8]]
    return starts, [_root(prime << 192, 3) & _WORD for prime in primes]


def _root(value: int, degree: int) -> int:
    """Return the integer part of the square or cube root, by Newton's method from above."""
    guess = 1 << 72
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def _compress(state: list, block: bytes, rounds: list) -> list:
    words = [int.from_bytes(block[at : at + 8], "big") for at in range(0, 128, 8)]
    for t in range(16, 80):
        w15 = words[t - 15]
        w2 = words[t - 2]
        sigma0 = (w15 >> 1 | w15 << 63) ^ (w15 >> 8 | w15 << 56) ^ w15 >> 7
        sigma1 = (w2 >> 19 | w2 << 45) ^ (w2 >> 61 | w2 << 3) ^ w2 >> 6
        words.append((words[t - 16] + (sigma0 & _WORD) + words[t - 7] + (sigma1 & _WORD)) & _WORD)
    a, b, c, d, e, f, g, h = state
    for t in range(80):
        sum1 = ((e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)) & _WORD
        first = h + sum1 + (e & f ^ (e ^ _WORD) & g) + rounds[t] + words[t]
        sum0 = ((a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)) & _WORD
        second = sum0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (first + second) & _WORD, a, b, c, (d + first) & _WORD, e, f, g
    new = (a, b, c, d, e, f, g, h)
    return [(state[at] + new[at]) & _WORD for at in range(8)]
