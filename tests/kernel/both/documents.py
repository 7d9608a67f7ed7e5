"""The documents of the tests: a root, manifests, and releases as desired states, under a toy signature that both
interpreters make.

The toy verifier is handed to the core where a driver hands it a curve; the real curve has its own tests.
"""

import binascii
import hashlib

from ringback_kernel.canonical import encode

CLASS = "door"
DEVICE = "box-1"
TENANT = "acme"
# A SubjectPublicKeyInfo with the generator of P-256 as its point; the tests' verifier is a hash, so any point does.
POINT = binascii.unhexlify(
    b"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
SPKI = binascii.unhexlify(b"3059301306072a8648ce3d020106082a8648ce3d030107034200") + POINT
PEM = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"


def toy_signature(data):
    return hashlib.sha256(POINT + data).digest()


def toy_verifier(public_key, signature, data):
    return public_key == POINT and signature == toy_signature(data)


def sealed(document, key="k1"):
    """Return the file of a document under the toy signature."""
    signed = encode(document)
    return envelope(signed, signed, key)


def envelope(signed, checked, key="k1"):
    signature = binascii.hexlify(toy_signature(checked)).decode()
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (key.encode(), signature.encode(), signed)


def root():
    pem = PEM % binascii.b2a_base64(SPKI).decode().replace("\n", "")
    role = {"keyids": ["k1"], "threshold": 1}
    document = {
        "_type": "root",
        "version": 1,
        "keys": {"k1": {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}},
        "roles": {"root": role, "targets": role},
    }
    signed = encode(document)
    return envelope(signed, signed.replace(b"\\n", b"\n"))


def manifest(plane, version, requires=None, epoch=0, classes=(CLASS,)):
    kind = "config" if plane == "config" else "model" if plane.startswith("model") else "firmware"
    name = plane.replace("/", "-")
    return {
        "v": 1, "plane": plane, "kind": kind, "name": name, "version": version, "classes": list(classes), "epoch":
        epoch, "requires": requires or {}, "files": [{"path": "f", "role": "asset", "size_bytes": 10, "sha256": "00" *
        32}], "meta": {},
    }  # fmt: skip


def digest_of(found):
    return "sha256:" + binascii.hexlify(hashlib.sha256(encode(found)).digest()).decode()


def rule(plane=None, **fields):
    """A rule on the telemetry of one plane: 1 is healthy, 0 is not."""
    name = (plane or "any").replace("/", "-")
    found = {
        "id": "ok-" + name, "probe": "service_up", "arg": name, "field": "up", "op": ">=", "limit": 1, "level":
        "required", "plane": plane, "at": ["trial"], "strikes": 1, "min_n": 0,
    }  # fmt: skip
    found.update(fields)
    return found


RULES = [rule("app"), rule("model/face"), rule("config")]
TRIAL_MS = 20000


def release(generation, old, new, **ota_fields):
    """Return a desired state that leads from one set of manifests to another.

    Args:
        old, new: {plane: manifest}; `old` is what runs.
        ota_fields: what differs from a release of one group, singles first on the ladder.
    """
    changed = [plane for plane in ("config", "model/face", "app") if plane in new and new.get(plane) != old.get(plane)]
    changed += [plane for plane in sorted(new) if plane not in changed and new[plane] != old.get(plane)]
    back = {plane: digest_of(old[plane]) if plane in old else "" for plane in changed}
    rungs = [[plane] for plane in changed]
    if len(changed) > 1:
        rungs += [changed[:size] for size in range(2, len(changed) + 1)]
    ota = {
        "v": 1, "device": DEVICE, "tenant": TENANT, "release": f"rel-{generation}", "rollout": f"roll-{generation}",
        "attempt": 1, "issued_ms": 1000 * generation, "order": [[plane] for plane in reversed(changed)],
        "rules": {"hold_ms": 1000, "every_ms": 500, "list": RULES}, "trial_ms": TRIAL_MS, "uplink_ms": 0,
        "ladder": [{"planes": planes, "set": {plane: back[plane] for plane in planes}} for planes in rungs],
        "first": {plane: index for index, plane in enumerate(changed)},
        "drill": None, "frozen": [], "updates_paused": False, "safe_mode": False, "commands": [],
    }  # fmt: skip
    ota.update(ota_fields)
    targets = {}
    for plane, found in new.items():
        targets[f"{plane}/{found['name']}/{found['version']}"] = {
            "length": len(encode(found)),
            "hashes": {"sha256": digest_of(found)[7:]},
            "custom": {
                "plane": plane, "kind": found["kind"], "version": found["version"], "epoch": found["epoch"],
                "hw": found["classes"], "requires": found["requires"], "bytes": 10,
            },
        }  # fmt: skip
    return {
        "_type": "targets", "spec_version": "1.0.31", "version": generation, "expires": "2026-12-01T00:00:00Z",
        "targets": targets, "ota": ota,
    }  # fmt: skip


APP1 = manifest("app", "1.0.0")
APP2 = manifest("app", "1.1.0")
FACE1 = manifest("model/face", "1.0.0", {"app": ">=1.0"})
FACE2 = manifest("model/face", "1.1.0", {"app": ">=1.0"})
CONF1 = manifest("config", "1.0.0")
CONF2 = manifest("config", "2.0.0")
OLD = {"app": APP1, "model/face": FACE1, "config": CONF1}
NEW = {"app": APP2, "model/face": FACE2, "config": CONF2}


def changed(**planes):
    """Return the old set with some planes replaced: changed(config=CONF2), changed(face=FACE2)."""
    found = dict(OLD)
    for name, each in planes.items():
        found["model/" + name if name in ("face", "voice") else name] = each
    return found
