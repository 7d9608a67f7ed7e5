"""Decides whether a document is genuine and meant for this device, now. Never decides what to do about it.

The rules for a Director document, in this order, each with its own code: signed by the Director's targets keys; a
targets document without delegations; not older than the newest accepted; not expired; for this device and tenant;
every plane at most once. Equal generation with other bytes is an attack (or two servers), not a change.

- The curve is injected by the driver, one function per signature scheme; roles are found by name, so that the other
  roles and schemes of TUF fit in without a change here.
- Nothing here knows the time of day: the driver says what it believes, 0 for unknown.
- Expiry stops what is new. It never stops what runs.

Source: TUF specification 1.0, sections 4 and 5; Uptane standard 2.1, section 5.4.4.
"""

import binascii

from ringback_kernel import errors, wire
from ringback_kernel.errors import VerifyError

ECDSA_P256 = "ecdsa-sha2-nistp256"
# DER of SubjectPublicKeyInfo for an uncompressed P-256 point, up to the point (RFC 5480).
_SPKI_P256 = binascii.unhexlify(b"3059301306072a8648ce3d020106082a8648ce3d030107034200")
_POINT_BYTES = 65
MAX_KEYS = 16
MAX_SIGNATURE_HEX = 160
MS_PER_DAY = 86400000


class Trust:
    """The keys of a root document: whose signature counts for which role."""

    def __init__(self, root: bytes, verifiers: dict):
        """Read a root document and check it against its own root keys.

        Args:
            root: the file as the server's operator made it; trusted because it was pinned, not because it is here.
            verifiers: scheme name to callable(public_key, signature, data) -> bool.

        Raises WireError, or VerifyError RB-VERIFY-012 or RB-VERIFY-001.
        """
        self.verifiers = verifiers
        signatures, signed = wire.envelope(root)
        document = wire.parse(signed, wire.MAX_DOCUMENT_BYTES, True)
        if document.get("_type") != "root" or not isinstance(document.get("roles"), dict):
            raise VerifyError(errors.VERIFY_ROOT, "the pinned document is no TUF root")
        self.version = document.get("version")
        self.keys = _keys(document.get("keys"))
        self.roles = document["roles"]
        # The one place where wire and signed bytes differ: PEM keys hold line feeds, which canonical JSON keeps raw.
        self.check("root", signatures, signed.replace(b"\\n", b"\n"))

    def check(self, role: str, signatures: list, signed: bytes) -> None:
        """Return when enough different keys of the role signed these bytes. Raises VerifyError RB-VERIFY-001 or
        -012.
        """
        rule = self.roles.get(role)
        if not isinstance(rule, dict) or not isinstance(rule.get("keyids"), list):
            raise VerifyError(errors.VERIFY_ROOT, "the root names no keys for the role " + role)
        threshold = rule.get("threshold")
        if not isinstance(threshold, int) or threshold < 1:
            raise VerifyError(errors.VERIFY_ROOT, "the role " + role + " has no threshold of at least 1")
        good = []
        for signature in signatures:
            key = self.keys.get(signature["keyid"]) if signature["keyid"] in rule["keyids"] else None
            # A key counts once, under however many names.
            if key is not None and key not in good and self._is_valid(key, signature["sig"], signed):
                good.append(key)
        if len(good) < threshold:
            found = "%d of %d signatures of the role %s are valid" % (len(good), threshold, role)
            raise VerifyError(errors.VERIFY_SIGNATURE, found)

    def _is_valid(self, key: tuple, signature: str, data: bytes) -> bool:
        verifier = self.verifiers.get(key[0])
        if verifier is None or not 0 < len(signature) <= MAX_SIGNATURE_HEX:
            return False
        try:
            raw = binascii.unhexlify(signature)
        except ValueError:
            return False
        return bool(verifier(key[1], raw, data))


def _keys(found) -> dict:
    """Return {keyid: (scheme, public key bytes)} of those keys whose scheme we know."""
    if not isinstance(found, dict) or len(found) > MAX_KEYS:
        raise VerifyError(errors.VERIFY_ROOT, "a root has at most %d keys" % MAX_KEYS)
    keys = {}
    for keyid in found:
        key = found[keyid]
        value = key.get("keyval") if isinstance(key, dict) else None
        if isinstance(value, dict) and key.get("scheme") == ECDSA_P256 and isinstance(value.get("public"), str):
            point = point_of_pem(value["public"])
            if point is not None:
                keys[keyid] = (ECDSA_P256, point)
    return keys


def point_of_pem(pem: str):
    """Return the 65 bytes of an uncompressed P-256 point from a PEM public key, or None when it is something else."""
    lines = [line for line in pem.split("\n") if line]
    if len(lines) < 3 or lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----":
        return None
    try:
        der = binascii.a2b_base64("".join(lines[1:-1]))
    except ValueError:
        return None
    if len(der) != len(_SPKI_P256) + _POINT_BYTES or not der.startswith(_SPKI_P256):
        return None
    return der[len(_SPKI_P256) :]


class Expected:
    """What a desired state must match: who this device is, and what it has.

    Attributes:
        generation: of the newest accepted desired state; 0 for none.
        signed: its signed bytes; empty for none.
        utc_ms: the time of day as far as known, ms since 1970; 0 for unknown.
    """

    def __init__(self, device: str, tenant: str, *, generation: int, signed: bytes, utc_ms: int = 0):
        self.device = device
        self.tenant = tenant
        self.generation = generation
        self.signed = signed
        self.utc_ms = utc_ms


def director(raw: bytes, trust: Trust, expected: Expected, limit_bytes: int):
    """Return (signed bytes, parsed document) of a newer desired state, or None when it is the one this device has.

    Raises WireError, or VerifyError whose code names the attack class.
    """
    signatures, signed = wire.envelope(raw, limit_bytes)
    trust.check("targets", signatures, signed)
    document = wire.parse(signed, limit_bytes)
    generation = document.get("version")
    if document.get("_type") != "targets" or not _is_count(generation):
        raise VerifyError(errors.VERIFY_DOCUMENT, "a desired state is a targets document with a version of at least 1")
    if "delegations" in document:
        raise VerifyError(errors.VERIFY_DELEGATION, "a desired state delegates to nobody")
    if generation < expected.generation:
        found = "generation %d is older than %d, which this device has" % (generation, expected.generation)
        raise VerifyError(errors.VERIFY_REPLAY, found)
    if generation == expected.generation:
        if signed == expected.signed:
            return None
        raise VerifyError(errors.VERIFY_EQUIVOCATION, "generation %d came before with other bytes" % generation)
    _check_binding(document, expected)
    _check_planes(document)
    return signed, document


def _check_binding(document: dict, expected: Expected) -> None:
    ota = document.get("ota")
    if not isinstance(ota, dict):
        raise VerifyError(errors.VERIFY_DOCUMENT, "a desired state has the object ota")
    expires_ms = utc_ms_of(document.get("expires"))
    if expected.utc_ms >= expires_ms:
        late_s = (expected.utc_ms - expires_ms) // 1000
        found = "expired at %s, %d s ago by this device's clock" % (document["expires"], late_s)
        raise VerifyError(errors.VERIFY_EXPIRED, found)
    if ota.get("device") != expected.device:
        raise VerifyError(errors.VERIFY_DEVICE, "made for device " + wire.clean(ota.get("device"), 64))
    if ota.get("tenant") != expected.tenant:
        raise VerifyError(errors.VERIFY_TENANT, "made for tenant " + wire.clean(ota.get("tenant"), 64))


def _check_planes(document: dict) -> None:
    targets = document.get("targets")
    if not isinstance(targets, dict):
        raise VerifyError(errors.VERIFY_DOCUMENT, "a desired state has the object targets")
    seen = []
    for path in targets:
        custom = targets[path].get("custom") if isinstance(targets[path], dict) else None
        plane = custom.get("plane") if isinstance(custom, dict) else None
        if plane in seen:
            raise VerifyError(errors.VERIFY_PLANE, "the plane " + wire.clean(plane, 64) + " is named twice")
        seen.append(plane)


def _is_count(value) -> bool:
    return isinstance(value, int) and value is not True and value >= 1


def utc_ms_of(text) -> int:
    """Return ms since 1970 of a time like 2026-12-01T00:00:00Z. Raises VerifyError RB-VERIFY-011."""
    try:
        numbers = [int(text[at : at + size]) for at, size in ((0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2))]
    except (TypeError, ValueError):
        numbers = [0] * 6
    # Written again it must be the same text: no signs, no spaces, nothing behind.
    if text != "%04d-%02d-%02dT%02d:%02d:%02dZ" % tuple(numbers) or not _is_on_the_calendar(numbers):
        raise VerifyError(errors.VERIFY_DOCUMENT, "a time is written like 2026-12-01T00:00:00Z")
    year, month, day, hours, minutes, seconds = numbers
    # Days from civil: years that begin in March put the leap day last (H. Hinnant, chrono-compatible date algorithms).
    year -= 1 if month <= 2 else 0
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468
    return days * MS_PER_DAY + (hours * 3600 + minutes * 60 + seconds) * 1000


def _is_on_the_calendar(numbers: list):
    year, month, day, hours, minutes, seconds = numbers
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (0, 31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and 1 <= day <= lengths[month] and hours < 24 and minutes < 60 and seconds < 60
