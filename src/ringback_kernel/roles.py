"""Decides which files of a TUF repository are genuine, current and consistent. Never fetches or stores one: no I/O.

The driver hands over one file after the other, in the order of the client workflow: root (as often as there is a newer
one), timestamp, snapshot, targets, delegated roles. What is accepted vouches for what comes next; a file is to be
stored only after it was accepted here.

- A role counts as signed when enough different keys signed it: a key counts once, under however many names.
- Root N+1 is signed by the thresholds of root N and of itself. Versions of a role never go down; a role whose keys
  were replaced in root starts anew, because its stored file no longer verifies (recovery from a fast-forward).
- Length and hashes, where the signed listing names them, are checked before the bytes are read.
- Every refusal here is one of python-tuf as well; where the two differ, this one refuses more: keys of schemes it does
  not know, `[` in path patterns, hash bins (TAP 15).
- The clock is asked once, at the start; 0 is "unknown", and then nothing is expired.

Source: TUF specification 1.0.34, sections 4 and 5.
"""

import binascii
import hashlib

from ringback_kernel import documents, errors, verify, wire
from ringback_kernel.errors import VerifyError

# How many delegated roles one search may visit; the same as python-tuf's limit.
MAX_VISITED = 32


def ed25519_of_hex(text: str):
    """Return the 32 bytes of an Ed25519 public key from its hex, or None when it is something else."""
    try:
        raw = binascii.unhexlify(text)
    except ValueError:
        return None
    return raw if len(raw) == 32 else None


# Scheme to (key type, how to read the public part of the key). None as key: known and unusable, so it never counts.
DEVICE_KEYS = {
    verify.ECDSA_P256: ("ecdsa", verify.point_of_pem),
    "ed25519": ("ed25519", ed25519_of_hex),
}
DEVICE_HASHES = {"sha256": hashlib.sha256}
DEVICE_LIMITS = {"root": 65536, "timestamp": 16384, "snapshot": 65536, "targets": 65536}


def open_wire(raw: bytes, limit_bytes: int) -> tuple:
    """Return (signatures, the bytes that were signed) of a file that follows the wire rule.

    The wire differs from what was signed in one thing: line feeds, which PEM keys hold, are written `\\n`. Any other
    escape is refused, so a file has one form.

    Raises WireError.
    """
    signatures, signed = wire.envelope(raw, limit_bytes)
    if b"\n" in signed or b"\\" in signed.replace(b"\\n", b""):
        raise errors.WireError(errors.WIRE_TEXT, "signed bytes with an escape other than that of a line feed")
    return signatures, signed.replace(b"\\n", b"\n")


def parse_wire(signed: bytes, limit_bytes: int):
    """Return the document of signed bytes that open_wire returned. Raises WireError."""
    # A line feed is one byte in the signed bytes and two on the wire.
    return wire.parse(signed.replace(b"\n", b"\\n"), 2 * limit_bytes, True)


class Policy:
    """What a verifier is given by its driver.

    Attributes:
        verifiers: scheme to callable(public key, signature, data) -> bool.
        utc_ms: the time of day, ms since 1970; 0 for unknown.
        keys: scheme to (key type, reader of the public part).
        hashes: algorithm to constructor; a listing that names another algorithm is refused.
        reader: (open, parse), as open_wire and parse_wire.
        limits: role to bytes; "targets" also stands for delegated roles.
    """

    def __init__(
        self, verifiers: dict, utc_ms: int, *, keys=None, hashes=None, reader=(open_wire, parse_wire), limits=None
    ):
        self.verifiers = verifiers
        self.utc_ms = utc_ms
        self.keys = keys or DEVICE_KEYS
        self.hashes = hashes or DEVICE_HASHES
        self.open = reader[0]
        self.parse = reader[1]
        self.limits = limits or DEVICE_LIMITS


class Repository:
    """The trusted files of one repository, as far as they were handed over.

    Attributes:
        root: the newest accepted root document.
        timestamp, snapshot: the newest accepted one; empty before.
        targets: role name to the newest accepted document.
    """

    def __init__(self, root: bytes, policy: Policy):
        """Start from a root that is trusted because it was pinned. Raises WireError or VerifyError."""
        self.policy = policy
        signatures, signed, self.root = self._read(root, "root")
        documents.check_root(self.root, policy.keys)
        self._check_signed(self.root, "root", signatures, signed)
        self.timestamp: dict = {}
        self.snapshot: dict = {}
        self.targets: dict = {}
        self._vouched: list = []

    def add_root(self, raw: bytes) -> None:
        """Accept the next root: version exactly one higher, signed by the old root's keys and its own.

        Raises WireError or VerifyError.
        """
        if self.timestamp:
            raise _order("a root before the timestamp")
        signatures, signed, document = self._read(raw, "root", self.root)
        documents.check_root(document, self.policy.keys)
        if document["version"] != self.root["version"] + 1:
            found = "root version %d, expected %d" % (document["version"], self.root["version"] + 1)
            raise VerifyError(errors.VERIFY_VERSION, found)
        self._check_signed(document, "root", signatures, signed)
        self.root = document

    def add_timestamp(self, raw: bytes) -> bool:
        """Accept a timestamp; returns False when it is the version that is here already, which is kept.

        An expired one is refused, but remembered: nothing older is accepted later.
        Raises WireError or VerifyError.
        """
        if self.snapshot:
            raise _order("a timestamp before the snapshot")
        self._check_fresh(self.root, "root")
        document = self._read(raw, "timestamp", self.root)[2]
        documents.check_timestamp(document)
        listing = document["meta"]["snapshot.json"]
        if self.timestamp:
            if document["version"] == self.timestamp["version"]:
                return False
            _check_not_older("timestamp", document, self.timestamp)
            _check_not_older("snapshot", listing, self.timestamp["meta"]["snapshot.json"])
        self.timestamp = document
        self._check_fresh(document, "timestamp")
        return True

    def add_snapshot(self, raw: bytes, is_stored: bool = False) -> None:
        """Accept the snapshot that the timestamp names.

        Args:
            raw: the file.
            is_stored: whether it was accepted before: then it may be older than the timestamp, and is remembered, so
                that what it lists can't go down, but refused as the current one.

        Raises WireError or VerifyError.
        """
        if not self.timestamp or self.targets:
            raise _order("a snapshot between timestamp and targets")
        self._check_fresh(self.timestamp, "timestamp")
        if not is_stored:
            self.check_bytes(raw, self.timestamp["meta"]["snapshot.json"], "snapshot")
        document = self._read(raw, "snapshot", self.root)[2]
        meta = documents.object_in(document, "meta")
        for name in meta:
            documents.check_listing(meta[name])
        if self.snapshot:
            for name in self.snapshot["meta"]:
                if name not in meta:
                    raise VerifyError(errors.VERIFY_LISTING, "the new snapshot no longer lists " + wire.clean(name, 64))
                _check_not_older(name, meta[name], self.snapshot["meta"][name])
        self.snapshot = document
        self._check_snapshot_final()

    def add_targets(self, raw: bytes, role: str = "targets", delegator: str = "root"):
        """Accept and return the targets document of a role that an accepted document delegates to.

        Raises WireError or VerifyError.
        """
        if not self.snapshot:
            raise _order("targets after the snapshot")
        self._check_snapshot_final()
        by = self.root if delegator == "root" else self.targets.get(delegator)
        if by is None:
            raise _order("a delegated role after its delegator")
        listing = self.listing(role)
        self.check_bytes(raw, listing, role)
        document = self._read(raw, "targets", by, role)[2]
        documents.check_targets(document, self.policy.keys)
        if document["version"] != listing["version"]:
            found = "%s version %d, the snapshot names %d" % (
                wire.clean(role, 64),
                document["version"],
                listing["version"],
            )
            raise VerifyError(errors.VERIFY_VERSION, found)
        self._check_fresh(document, role)
        self.targets[role] = document
        self._vouched.append((delegator, role))
        return document

    def is_vouched(self, role: str, delegator: str) -> bool:
        """Say whether the role is here and was checked against the keys this delegator names for it."""
        return (delegator, role) in self._vouched

    def listing(self, role: str):
        """Return what the snapshot says about a role: {"version", "length"?, "hashes"?}. Raises VerifyError."""
        found = self.snapshot["meta"].get(role + ".json") if self.snapshot else None
        if found is None:
            raise VerifyError(errors.VERIFY_LISTING, "the snapshot does not list the role " + wire.clean(role, 64))
        return found

    def check_bytes(self, raw: bytes, listing: dict, name: str) -> None:
        """Return when the bytes have the length and all hashes of the listing, as far as it names them.

        Raises VerifyError RB-VERIFY-014.
        """
        name = wire.clean(name, 64)
        if "length" in listing and len(raw) != listing["length"]:
            found = "%s has %d bytes, the signed listing says %d" % (name, len(raw), listing["length"])
            raise VerifyError(errors.VERIFY_HASH, found)
        for algorithm in listing.get("hashes", {}):
            hasher = self.policy.hashes.get(algorithm)
            if hasher is None:
                raise VerifyError(errors.VERIFY_HASH, "no way here to compute " + wire.clean(algorithm, 32))
            found = binascii.hexlify(hasher(raw).digest()).decode()
            if found != listing["hashes"][algorithm]:
                raise VerifyError(errors.VERIFY_HASH, name + " is not the file that the signed listing names")

    def _read(self, raw: bytes, kind: str, by=None, role: str = "") -> tuple:
        """Return (signatures, signed bytes, document), the signatures checked by the delegator if there is one."""
        limit = self.policy.limits[kind]
        signatures, signed = self.policy.open(raw, limit)
        if by is not None:
            self._check_signed(by, role or kind, signatures, signed)
        document = self.policy.parse(signed, limit)
        documents.check_head(document, kind)
        return signatures, signed, document

    def _check_signed(self, by: dict, role: str, signatures: list, signed: bytes) -> None:
        """Return when enough different keys of the role signed these bytes. Raises VerifyError RB-VERIFY-001."""
        keys, rule = _rule_of(by, role)
        seen = []
        good: list = []
        for signature in signatures:
            keyid = signature["keyid"]
            if keyid in seen:
                raise VerifyError(errors.VERIFY_SIGNATURE, "two signatures under one key id")
            seen.append(keyid)
            if keyid not in rule["keyids"] or keyid not in keys:
                continue
            scheme = keys[keyid]["scheme"]
            key = self.policy.keys[scheme][1](keys[keyid]["keyval"]["public"])
            verifier = self.policy.verifiers.get(scheme)
            if key is None or verifier is None or (scheme, key) in good:
                continue
            try:
                raw = binascii.unhexlify(signature["sig"])
            except ValueError:
                continue
            if verifier(key, raw, signed):
                good.append((scheme, key))
        if len(good) < rule["threshold"]:
            found = "%d of %d signatures of the role %s are valid"
            raise VerifyError(errors.VERIFY_SIGNATURE, found % (len(good), rule["threshold"], wire.clean(role, 64)))

    def _check_fresh(self, document: dict, role: str) -> None:
        if self.policy.utc_ms >= verify.utc_ms_of(document["expires"]) and self.policy.utc_ms:
            raise VerifyError(errors.VERIFY_EXPIRED, wire.clean(role, 64) + " expired at " + document["expires"])

    def _check_snapshot_final(self) -> None:
        self._check_fresh(self.snapshot, "snapshot")
        named = self.timestamp["meta"]["snapshot.json"]["version"]
        if self.snapshot["version"] != named:
            found = "snapshot version %d, the timestamp names %d" % (self.snapshot["version"], named)
            raise VerifyError(errors.VERIFY_VERSION, found)


class Search:
    """Finds which role speaks for a path: depth first, in the order of the delegations, ended by a terminating one.

    Use: while `wanted()` names a role, see that the repository has it (`add_targets`), then call `visit()`. Then
    `found` is the entry of the path, or empty: nobody who may speak for the path lists it.
    """

    def __init__(self, repository: Repository, path: str):
        self.repository = repository
        self.path = path
        self.found: dict = {}
        self._ahead = [("targets", "root")]
        self._visited: list = []

    def wanted(self):
        """Return (role, delegator) that is to be visited next, or None when the search is over."""
        while self._ahead and self._ahead[-1][0] in self._visited:
            self._ahead.pop()
        if self.found or not self._ahead or len(self._visited) > MAX_VISITED:
            return None
        return self._ahead[-1]

    def visit(self) -> None:
        """Look into the role that wanted() named. Raises VerifyError when the repository does not have it."""
        role, delegator = self._ahead[-1]
        if not self.repository.is_vouched(role, delegator):
            raise _order("a search after the roles it visits")
        self._ahead.pop()
        document = self.repository.targets[role]
        self._visited.append(role)
        self.found = document["targets"].get(self.path, {})
        children = []
        for name, is_terminating in documents.delegates(document, self.path):
            children.append((name, role))
            if is_terminating:
                self._ahead = []
                break
        self._ahead.extend(reversed(children))


def _order(expected: str) -> VerifyError:
    return VerifyError(errors.VERIFY_ORDER, "roles are checked in order: " + expected)


def _check_not_older(name: str, new, old) -> None:
    if new["version"] < old["version"]:
        found = "%s version %d, this device has seen %d" % (wire.clean(name, 64), new["version"], old["version"])
        raise VerifyError(errors.VERIFY_REPLAY, found)


def _rule_of(by: dict, role: str) -> tuple:
    """Return (keys, rule) that a root or targets document gives for a role. Raises VerifyError RB-VERIFY-008."""
    if by["_type"] == "root":
        if role in by["roles"]:
            return by["keys"], by["roles"][role]
    else:
        for rule in by.get("delegations", {}).get("roles", []):
            if rule["name"] == role:
                return by["delegations"]["keys"], rule
    raise VerifyError(errors.VERIFY_DELEGATION, "nobody delegates to the role " + wire.clean(role, 64))
