"""The roles of TUF with keys and bytes as a device has them: pure Python, wire form. Runs on both interpreters."""

import binascii
import hashlib

from ringback_kernel import canonical, documents, ecdsa, ed25519, errors, roles
from ringback_kernel.errors import KernelError
from tests.kernel.both import curve_cases as c

VERIFIERS = {"ecdsa-sha2-nistp256": ecdsa.verify, "ed25519": ed25519.verify}
NOW_MS = 1780272000000  # 2026-06-01
SPKI = "3059301306072a8648ce3d020106082a8648ce3d030107034200"


_keys = {}


def key_of(secret):
    if secret not in _keys:
        _keys[secret] = make_key(secret)
    return _keys[secret]


def make_key(secret):
    """Even secrets are P-256 keys, odd ones Ed25519."""
    if secret % 2:
        public = binascii.hexlify(c.ed_key_of_scalar(secret)).decode()
        return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}
    der = binascii.unhexlify(SPKI) + c.p256_key(secret)
    pem = "-----BEGIN PUBLIC KEY-----\n" + binascii.b2a_base64(der).decode().strip() + "\n-----END PUBLIC KEY-----\n"
    return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}


def sign(document, *secrets):
    signed = canonical.encode(document)
    plain = signed.replace(b"\\n", b"\n")
    signatures = []
    for secret in secrets:
        if secret % 2:
            r, s = c.ed_sign(secret, plain)
            raw = r + s.to_bytes(32, "little")
        else:
            raw = c.der(*c.p256_sign(secret, plain))
        signatures.append({"keyid": "k%d" % secret, "sig": binascii.hexlify(raw).decode()})
    return b'{"signatures":' + canonical.encode(signatures) + b',"signed":' + signed + b"}"


def head(kind, version, expires="2026-12-01T00:00:00Z"):
    return {"_type": kind, "spec_version": "1.0.31", "version": version, "expires": expires}


def rule(*secrets, threshold=1):
    return {"keyids": ["k%d" % secret for secret in secrets], "threshold": threshold}


def root(version=1, secret=2):
    document = head("root", version)
    document["keys"] = {"k%d" % each: key_of(each) for each in (2, 3, 4, 5, 6)}
    document["roles"] = {"root": rule(secret), "timestamp": rule(3), "snapshot": rule(4), "targets": rule(5)}
    return document


def listed(version, raw):
    return {
        "version": version,
        "length": len(raw),
        "hashes": {"sha256": binascii.hexlify(hashlib.sha256(raw).digest()).decode()},
    }


def files(utc="2026-12-01T00:00:00Z"):
    """Return {role: bytes} of a repository in which targets delegates `model/*` to the key 8."""
    found = {"root": sign(root(), 2)}
    model = head("targets", 3)
    model["targets"] = {"model/face": {"length": 4, "hashes": {"sha256": "00" * 32}}}
    found["model"] = sign(model, 8)
    targets = head("targets", 2)
    delegation = rule(8)
    delegation.update({"name": "model", "terminating": True, "paths": ["model/*"]})
    targets["targets"] = {}
    targets["delegations"] = {"keys": {"k8": key_of(8)}, "roles": [delegation]}
    found["targets"] = sign(targets, 5)
    snapshot = head("snapshot", 7)
    snapshot["meta"] = {"model.json": listed(3, found["model"]), "targets.json": listed(2, found["targets"])}
    found["snapshot"] = sign(snapshot, 4)
    timestamp = head("timestamp", 9, utc)
    timestamp["meta"] = {"snapshot.json": listed(7, found["snapshot"])}
    found["timestamp"] = sign(timestamp, 3)
    return found


def repository(raw, utc_ms=NOW_MS):
    return roles.Repository(raw, roles.Policy(VERIFIERS, utc_ms))


def refusal(action, *arguments):
    try:
        action(*arguments)
    except KernelError as error:
        return error.code
    return None


def test_whole_repository_is_accepted_and_the_delegated_role_found():
    raw = files()
    trusted = repository(raw["root"])
    assert trusted.add_timestamp(raw["timestamp"])
    trusted.add_snapshot(raw["snapshot"])
    trusted.add_targets(raw["targets"])
    search = roles.Search(trusted, "model/face")
    visited = []
    while search.wanted() is not None:
        role, delegator = search.wanted()
        visited.append(role)
        if not trusted.is_vouched(role, delegator):
            trusted.add_targets(raw[role], role, delegator)
        search.visit()
    assert visited == ["targets", "model"] and search.found["length"] == 4


def test_root_chain_needs_both_thresholds():
    trusted = repository(files()["root"])
    successor = root(2, 6)
    assert refusal(trusted.add_root, sign(successor, 2)) == errors.VERIFY_SIGNATURE
    assert refusal(trusted.add_root, sign(successor, 6)) == errors.VERIFY_SIGNATURE
    assert refusal(trusted.add_root, sign(root(3, 6), 2, 6)) == errors.VERIFY_VERSION
    trusted.add_root(sign(successor, 2, 6))
    assert trusted.root["version"] == 2


def test_expired_timestamp_is_refused_and_its_version_remembered():
    raw = files("2026-05-31T23:59:59Z")
    trusted = repository(raw["root"])
    assert refusal(trusted.add_timestamp, raw["timestamp"]) == errors.VERIFY_EXPIRED
    assert refusal(trusted.add_snapshot, raw["snapshot"]) == errors.VERIFY_EXPIRED
    older = head("timestamp", 8)
    older["meta"] = {"snapshot.json": {"version": 7}}
    assert refusal(trusted.add_timestamp, sign(older, 3)) == errors.VERIFY_REPLAY
    assert repository(raw["root"], 0).add_timestamp(raw["timestamp"])


def test_turned_byte_and_foreign_key_are_refused():
    raw = files()
    trusted = repository(raw["root"])
    turned = raw["timestamp"].replace(b'"version":9', b'"version":8')
    assert refusal(trusted.add_timestamp, turned) == errors.VERIFY_SIGNATURE
    timestamp = head("timestamp", 9)
    timestamp["meta"] = {"snapshot.json": {"version": 7}}
    assert refusal(trusted.add_timestamp, sign(timestamp, 4)) == errors.VERIFY_SIGNATURE
    assert refusal(trusted.add_timestamp, raw["snapshot"]) == errors.VERIFY_SIGNATURE


def test_times_outside_the_calendar_are_refused():
    times = (
        "2026-02-29T00:00:00Z 2026-13-01T00:00:00Z 2026-12-01T24:00:00Z 2100-02-29T00:00:00Z "
        "2026-04-31T00:00:00Z 2026-12-01T00:60:00Z 2026-12-00T00:00:00Z 2026-12-01T00:00:61Z"
    )
    for text in times.split():
        assert refusal(documents.check_head, head("timestamp", 1, text), "timestamp") == errors.VERIFY_DOCUMENT, text
    documents.check_head(head("timestamp", 1, "2028-02-29T23:59:59Z"), "timestamp")


def check_root(document):
    documents.check_head(document, "root")
    documents.check_root(document, roles.DEVICE_KEYS)


def test_odd_shapes_are_refused_although_they_are_signed():
    def changed(field, value):
        document = root()
        document[field] = value
        return document

    assert refusal(repository, sign(changed("version", 0), 2)) == errors.VERIFY_DOCUMENT
    check_root(root())
    rules = root()["roles"]
    keys = root()["keys"]
    foreign = {"k9": {"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": {"public": ""}}}
    foreign.update(keys)
    for field, value, code in (
        ("version", 0, errors.VERIFY_DOCUMENT),
        ("version", True, errors.VERIFY_DOCUMENT),
        ("version", "1", errors.VERIFY_DOCUMENT),
        ("spec_version", "2.0.0", errors.VERIFY_DOCUMENT),
        ("spec_version", "1", errors.VERIFY_DOCUMENT),
        ("_type", "targets", errors.VERIFY_DOCUMENT),
        ("expires", "1969-12-31T23:59:59Z", errors.VERIFY_DOCUMENT),
        ("keys", [], errors.VERIFY_DOCUMENT),
        ("keys", foreign, errors.VERIFY_KEY),
        ("roles", {"root": rules["root"]}, errors.VERIFY_DOCUMENT),
        ("consistent_snapshot", "yes", errors.VERIFY_DOCUMENT),
    ):
        assert refusal(check_root, changed(field, value)) == code, (field, value)
    for broken in (rule(3, threshold=0), rule(3, threshold=-1), rule(3, threshold=True), rule(3, 3), []):
        timestamp = dict(rules)
        timestamp["timestamp"] = broken
        assert refusal(check_root, changed("roles", timestamp)) == errors.VERIFY_DOCUMENT
