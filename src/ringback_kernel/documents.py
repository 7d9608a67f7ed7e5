"""Decides whether a TUF document has the shape of its role, and for which paths a targets document lets others speak.

Nothing here knows of signatures, order or time. Shapes are those that python-tuf accepts, or fewer: a path pattern
with `[`, hash bins (TAP 15) and keys of unknown schemes make a document invalid.

Source: TUF specification 1.0.34, section 4.
"""

import binascii
import hashlib

from ringback_kernel import errors, verify, wire
from ringback_kernel.errors import VerifyError

TOP_LEVEL = ("root", "snapshot", "targets", "timestamp")
MAX_KEYS = 64
MAX_DELEGATIONS = 1024


def _shape(expected: str) -> VerifyError:
    return VerifyError(errors.VERIFY_DOCUMENT, expected)


def check_head(document, kind: str) -> None:
    """Return when the document is of this kind, with version, expiry and spec_version. Raises VerifyError."""
    if not isinstance(document, dict) or document.get("_type") != kind:
        raise _shape("the file is no %s document" % kind)
    _check_count(document.get("version"), "a version")
    if verify.utc_ms_of(document.get("expires")) < 0:
        raise _shape("an expiry lies after 1970")
    spec = document.get("spec_version")
    numbers = spec.split(".") if isinstance(spec, str) else []
    if len(numbers) not in (2, 3) or numbers[0] != "1" or not all(_is_number(number) for number in numbers):
        raise _shape("spec_version is one of 1.x")


def _is_number(text: str) -> bool:
    return bool(text) and all("0" <= char <= "9" for char in text)


def _check_count(value, what: str, least: int = 1) -> None:
    if not isinstance(value, int) or value is True or value is False or value < least:
        raise _shape("%s is an integer of at least %d" % (what, least))


def object_in(document: dict, field: str) -> dict:
    """Return the object in a field. Raises VerifyError RB-VERIFY-011."""
    found = document.get(field)
    if not isinstance(found, dict):
        raise _shape("%s is an object" % field)
    return found


def _texts(value, what: str) -> list:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _shape(what + " is a list of texts")
    return value


def check_timestamp(document: dict) -> None:
    """Return when a timestamp lists the snapshot and nothing else. Raises VerifyError RB-VERIFY-011."""
    meta = object_in(document, "meta")
    if list(meta) != ["snapshot.json"]:
        raise _shape("a timestamp lists snapshot.json and nothing else")
    check_listing(meta["snapshot.json"])


def check_listing(listing) -> None:
    """Return when this is a file as a snapshot or timestamp lists it. Raises VerifyError RB-VERIFY-011."""
    if not isinstance(listing, dict):
        raise _shape("a listed file is an object with a version")
    _check_count(listing.get("version"), "a version")
    if "length" in listing:
        _check_count(listing["length"], "a length", 0)
    if "hashes" in listing:
        _check_hashes(listing["hashes"])


def _check_hashes(hashes) -> None:
    if not isinstance(hashes, dict) or not hashes or not all(isinstance(hashes[name], str) for name in hashes):
        raise _shape("hashes is an object with at least one hash, in hex")


def _check_keys(keys: dict, schemes: dict) -> None:
    if len(keys) > MAX_KEYS:
        raise _shape("at most %d keys" % MAX_KEYS)
    for key in keys.values():
        if not isinstance(key, dict) or not isinstance(key.get("scheme"), str):
            raise _shape("a key has a scheme")
        known = schemes.get(key["scheme"])
        if known is None or key.get("keytype") != known[0]:
            raise VerifyError(errors.VERIFY_KEY, "a key of the unknown scheme " + wire.clean(key["scheme"], 40))
        if not isinstance(object_in(key, "keyval").get("public"), str):
            raise _shape("a key has a public part")


def _check_rule(rule) -> None:
    if not isinstance(rule, dict):
        raise _shape("a role is an object with keyids and threshold")
    keyids = _texts(rule.get("keyids"), "keyids")
    if len(set(keyids)) != len(keyids):
        raise _shape("a key id is named once per role")
    _check_count(rule.get("threshold"), "a threshold")


def check_root(document: dict, schemes: dict) -> None:
    """Return when keys and roles are those of a root. Raises VerifyError RB-VERIFY-011 or -017.

    Args:
        document: already checked by check_head.
        schemes: scheme to (key type, reader), as roles.DEVICE_KEYS.
    """
    _check_keys(object_in(document, "keys"), schemes)
    roles = object_in(document, "roles")
    if sorted(roles) != list(TOP_LEVEL):
        raise _shape("a root names the roles " + ", ".join(TOP_LEVEL))
    for role in roles:
        _check_rule(roles[role])
    if document.get("consistent_snapshot", False) not in (True, False):
        raise _shape("consistent_snapshot is true or false")


def check_targets(document: dict, schemes: dict) -> None:
    """Return when entries and delegations are those of a targets role. Raises VerifyError RB-VERIFY-011 or -017."""
    targets = object_in(document, "targets")
    for path in targets:
        entry = object_in(targets, path)
        _check_count(entry.get("length"), "a length", 0)
        _check_hashes(entry.get("hashes"))
    if "delegations" not in document:
        return
    delegations = object_in(document, "delegations")
    _check_keys(object_in(delegations, "keys"), schemes)
    rules = delegations.get("roles")
    if not isinstance(rules, list) or len(rules) > MAX_DELEGATIONS or "succinct_roles" in delegations:
        raise _shape("delegations has a list of at most %d roles, and no hash bins" % MAX_DELEGATIONS)
    names = []
    for rule in rules:
        _check_rule(rule)
        name = rule.get("name")
        if not isinstance(name, str) or not name or name in TOP_LEVEL or name in names:
            raise _shape("a delegated role has a name of its own")
        names.append(name)
        if rule.get("terminating") is not True and rule.get("terminating") is not False:
            raise _shape("terminating is true or false")
        _check_paths(rule)


def _check_paths(rule: dict) -> None:
    if ("paths" in rule) == ("path_hash_prefixes" in rule):
        raise _shape("a delegated role has either paths or path_hash_prefixes")
    for pattern in _texts(rule.get("paths", rule.get("path_hash_prefixes")), "paths"):
        if "[" in pattern:
            raise _shape("in a path pattern, only * and ? are special; found " + wire.clean(pattern, 64))


def delegates(document: dict, path: str) -> list:
    """Return [(role, is it terminating)] of those roles that a targets document lets speak for a path, in order."""
    found = []
    for rule in document.get("delegations", {}).get("roles", []):
        if "paths" in rule:
            is_match = any(path_matches(path, pattern) for pattern in rule["paths"])
        else:
            digest = binascii.hexlify(hashlib.sha256(path.encode()).digest()).decode()
            is_match = any(digest.startswith(prefix) for prefix in rule["path_hash_prefixes"])
        if is_match:
            found.append((rule["name"], rule["terminating"]))
    return found


def path_matches(path: str, pattern: str) -> bool:
    """Say whether a path matches a pattern in which `*` and `?` stand for characters other than the slash."""
    parts = path.split("/")
    patterns = pattern.split("/")
    if len(parts) != len(patterns):
        return False
    return all(_part_matches(parts[at], patterns[at]) for at in range(len(parts)))


def _part_matches(part: str, pattern: str) -> bool:
    # Linear in practice: only the last star is ever taken back.
    at = in_pattern = 0
    star = taken = -1
    while at < len(part):
        mark = pattern[in_pattern : in_pattern + 1]
        if mark == "*":
            star, taken = in_pattern, at
            in_pattern += 1
        elif mark == "?" or mark == part[at]:
            at += 1
            in_pattern += 1
        elif star >= 0:
            taken += 1
            at, in_pattern = taken, star + 1
        else:
            return False
    return all(mark == "*" for mark in pattern[in_pattern:])
