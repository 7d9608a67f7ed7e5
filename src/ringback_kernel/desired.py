"""Reads a verified desired state into the object that everything else works with, or says which field makes no sense.

Decides: whether a genuine document can be acted on at all. Never: whether it is genuine (`verify`), nor whether this
device wants it now (`rest`).

- Every list is bounded, every field has one type, unknown fields are ignored, unknown health rules are not: a rule
  that is not understood would be a rule that is not kept.
- The order of activation and the ladder may only name planes of the document.
- `key` names the deployment: two documents with equal keys ask for the same thing, however often they are issued.

Source: docs/reference/kernel.md (fields); TUF specification 1.0, section 4.5.
"""

import binascii
import hashlib

from ringback_kernel import errors, wire
from ringback_kernel.errors import DesiredError, VerifyError
from ringback_kernel.vocabulary import OPERATORS, PROBES, REQUIRED, WANTED
from ringback_kernel.wanted import Desired

MAX_PLANES = 16
MAX_RULES = 64
MAX_RUNGS = 32
MAX_FROZEN = 256
MAX_COMMANDS = 16
MAX_STRIKES = 100
# Half a day: no trial is longer, and a device whose window never ends would never come back.
MAX_WINDOW_MS = 43200000
# Faster than this is a busy loop on any board.
MIN_EVERY_MS = 20


def parse(signed: bytes, device_class: str) -> Desired:
    """Return the desired state of signed bytes that were verified (or come from this device's own journal)."""
    return read(signed, wire.parse(signed), device_class)


def read(signed: bytes, document: dict, device_class: str) -> Desired:
    """Return the desired state of a parsed document.

    Raises DesiredError RB-DESIRED-001 to -006 naming the field; VerifyError RB-VERIFY-009 for an artifact that is not
    for this device's class.
    """
    ota = document["ota"]
    wanted = Desired(_int(document, "version", 1), signed)
    wanted.release = _text(ota, "release")
    wanted.rollout = _text(ota, "rollout")
    wanted.attempt = _int(ota, "attempt", 0)
    wanted.issued_ms = _int(ota, "issued_ms", 0)
    wanted.targets = _targets(document["targets"], device_class)
    rules = _object(ota, "rules")
    wanted.hold_ms = _int(rules, "hold_ms", 0)
    wanted.every_ms = max(MIN_EVERY_MS, _int(rules, "every_ms", 0))
    wanted.rules = [_rule(rule) for rule in _list(rules, "list", MAX_RULES)]
    wanted.trial_ms = _int(ota, "trial_ms", 1)
    wanted.uplink_ms = _int(ota, "uplink_ms", 0)
    for window_ms in (wanted.trial_ms, wanted.uplink_ms, wanted.hold_ms, wanted.every_ms):
        if window_ms > MAX_WINDOW_MS:
            raise DesiredError(errors.DESIRED_FIELD, "a window of %d ms, at most %d" % (window_ms, MAX_WINDOW_MS))
    wanted.order = _order(ota, wanted.targets)
    wanted.ladder = _ladder(ota, wanted.targets)
    wanted.first = _first(ota, wanted)
    wanted.drill_rule = _drill(ota, wanted.rules)
    wanted.frozen = [_frozen(pair) for pair in _list(ota, "frozen", MAX_FROZEN)]
    wanted.paused = _bool(ota, "updates_paused")
    wanted.safe_mode = _bool(ota, "safe_mode")
    wanted.commands = _commands(ota)
    wanted.key = _key(wanted, ota)
    return wanted


def check_floors(wanted: Desired, floors: dict) -> None:
    """Return when no target is below its plane's epoch floor. Raises VerifyError RB-VERIFY-010."""
    for plane in wanted.targets:
        epoch = wanted.targets[plane]["epoch"]
        if epoch < floors.get(plane, 0):
            found = "plane %s: epoch %d, floor %d" % (plane, epoch, floors[plane])
            raise VerifyError(errors.VERIFY_EPOCH, found)


def _bad(field: str, expected: str, code: str = errors.DESIRED_FIELD) -> DesiredError:
    return DesiredError(code, field + ": expected " + expected)


def _int(found: dict, key: str, least: int) -> int:
    value = found.get(key)
    if not isinstance(value, int) or value is True or value is False or value < least:
        raise _bad(key, "an integer of at least %d" % least)
    return value


def _text(found: dict, key: str, limit: int = 160) -> str:
    value = found.get(key)
    if not isinstance(value, str) or len(value) > limit:
        raise _bad(key, "a text of at most %d characters" % limit)
    return value


def _bool(found: dict, key: str) -> bool:
    value = found.get(key, False)
    if value is not True and value is not False:
        raise _bad(key, "true or false")
    return value


def _object(found: dict, key: str) -> dict:
    value = found.get(key)
    if not isinstance(value, dict):
        raise _bad(key, "an object")
    return value


def _list(found: dict, key: str, limit: int) -> list:
    value = found.get(key)
    if not isinstance(value, list):
        raise _bad(key, "a list")
    if len(value) > limit:
        raise _bad(key, "at most %d entries, found %d" % (limit, len(value)), errors.DESIRED_MANY)
    return value


def is_digest(value) -> bool:
    """Say whether a value is `sha256:` and 64 lower-case hex digits."""
    if not isinstance(value, str) or len(value) != 71 or not value.startswith("sha256:"):
        return False
    for char in value[7:]:
        if char not in "0123456789abcdef":
            return False
    return True


def is_plane(value) -> bool:
    """Say whether a value is a plane's name: `app` or `model/face`."""
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        return False
    parts = value.split("/")
    for part in parts:
        if not part:
            return False
        for char in part:
            if char not in "abcdefghijklmnopqrstuvwxyz0123456789-":
                return False
    return len(parts) <= 2


def _targets(found: dict, device_class: str) -> dict:
    if len(found) > MAX_PLANES:
        raise _bad("targets", "at most %d planes" % MAX_PLANES, errors.DESIRED_MANY)
    targets = {}
    for path, entry in found.items():
        target = _target(path, entry)
        if device_class not in entry["custom"]["hw"]:
            raise VerifyError(errors.VERIFY_HARDWARE, wire.clean(path) + " is not for class " + device_class)
        targets[target["plane"]] = target
    return targets


def _target(path: str, entry: dict) -> dict:
    custom = _object(entry, "custom")
    digest = "sha256:" + _text(_object(entry, "hashes"), "sha256")
    plane, version = _text(custom, "plane"), _text(custom, "version")
    requires = _object(custom, "requires")
    if not is_digest(digest) or not is_plane(plane):
        raise _bad("targets." + wire.clean(path), "a plane and a SHA-256")
    if not path.startswith(plane + "/") or not path.endswith("/" + version) or len(path) > 256:
        raise _bad("targets." + wire.clean(path), "the path <plane>/<name>/<version>")
    for subject in requires:
        _text(requires, subject)
    _list(custom, "hw", 64)
    return {
        "plane": plane,
        "name": path,
        "digest": digest,
        "length": _int(entry, "length", 1),
        "bytes": _int(custom, "bytes", 0),
        "version": version,
        "epoch": _int(custom, "epoch", 0),
        "kind": custom.get("kind"),
        "requires": requires,
    }


def _rule(found) -> dict:
    if not isinstance(found, dict):
        raise _bad("rules.list", "objects")
    rule = {
        "id": _text(found, "id"),
        "probe": _text(found, "probe"),
        "arg": _text({"arg": found.get("arg") or ""}, "arg"),
        "field": _text(found, "field"),
        "op": _text(found, "op"),
        "limit": found.get("limit"),
        "level": found.get("level", REQUIRED),
        "plane": found.get("plane"),
        "at": found.get("at", ["trial"]),
        "strikes": found.get("strikes", 1),
        "min_n": found.get("min_n", 0),
    }
    where = "rule " + wire.clean(rule["id"], 64)
    if rule["field"] not in PROBES.get(rule["probe"], ()) or rule["op"] not in OPERATORS:
        raise _bad(where, "a known probe, field and operator", errors.DESIRED_RULES)
    if rule["level"] not in (REQUIRED, WANTED) or not (rule["plane"] is None or is_plane(rule["plane"])):
        raise _bad(where, "a level and a plane or null", errors.DESIRED_RULES)
    for key, least, most in (
        ("limit", -wire.MAX_INT, wire.MAX_INT),
        ("strikes", 1, MAX_STRIKES),
        ("min_n", 0, 1000000),
    ):
        if not isinstance(rule[key], int) or not least <= rule[key] <= most:
            raise _bad(where + "." + key, "an integer from %d to %d" % (least, most), errors.DESIRED_RULES)
    if not isinstance(rule["at"], list) or not rule["at"]:
        raise _bad(where + ".at", "a list of stages", errors.DESIRED_RULES)
    for stage in rule["at"]:
        if stage not in ("preflight", "trial"):
            raise _bad(where + ".at", "preflight or trial", errors.DESIRED_RULES)
    return rule


def _order(ota: dict, targets: dict) -> list:
    seen = []
    for group in _list(ota, "order", MAX_PLANES):
        if not isinstance(group, list) or not group:
            raise _bad("order", "lists of planes", errors.DESIRED_ORDER)
        for plane in group:
            if plane not in targets or plane in seen:
                raise _bad(
                    "order", "each plane once and in targets, found " + wire.clean(plane, 64), errors.DESIRED_ORDER
                )
            seen.append(plane)
    return list(ota["order"])


def _ladder(ota: dict, targets: dict) -> list:
    rungs = []
    for rung in _list(ota, "ladder", MAX_RUNGS):
        planes = rung.get("planes") if isinstance(rung, dict) else None
        back = rung.get("set") if isinstance(rung, dict) else None
        if not isinstance(planes, list) or not planes or not isinstance(back, dict):
            raise _bad("ladder", "rungs with planes and set", errors.DESIRED_LADDER)
        found = {}
        for plane in planes:
            # An absent, null or empty digest: the plane was empty before and is emptied again.
            found[plane] = back.get(plane) or ""
            if plane not in targets or not (found[plane] == "" or is_digest(found[plane])):
                raise _bad("ladder", "planes of targets with digests", errors.DESIRED_LADDER)
        rungs.append((tuple(planes), found))
    return rungs


def _first(ota: dict, wanted: Desired) -> dict:
    first = ota.get("first")
    if not isinstance(first, dict):
        raise _bad("first", "an object", errors.DESIRED_LADDER)
    for plane in first:
        index = first[plane]
        if not isinstance(index, int) or not 0 <= index < len(wanted.ladder) or plane not in wanted.ladder[index][0]:
            raise _bad("first", "for each plane a rung that takes it back", errors.DESIRED_LADDER)
    return first


def _drill(ota: dict, rules: list) -> str:
    drill = ota.get("drill")
    if drill is None:
        return ""
    name = drill.get("rule") if isinstance(drill, dict) else None
    for rule in rules:
        if rule["id"] == name and rule["level"] == REQUIRED and "trial" in rule["at"]:
            return str(name)
    raise _bad("drill", "a required rule of the trial", errors.DESIRED_DRILL)


def _frozen(pair) -> tuple:
    if not isinstance(pair, list) or len(pair) != 2 or not is_plane(pair[0]) or not is_digest(pair[1]):
        raise _bad("frozen", "pairs of plane and digest")
    return (pair[0], pair[1])


def _commands(ota: dict) -> list:
    commands = []
    for found in _list(ota, "commands", MAX_COMMANDS):
        if not isinstance(found, dict):
            raise _bad("commands", "objects")
        commands.append((_int(found, "id", 1), _text(found, "kind", 32), _text({"arg": found.get("arg") or ""}, "arg")))
    return sorted(commands)


def _key(wanted: Desired, ota: dict) -> str:
    """Name what is asked for. The drill is not part of it: a passed drill does not make another deployment."""
    digests = {}
    for plane in wanted.targets:
        digests[plane] = wanted.targets[plane]["digest"]
    asked = [digests, wanted.release, wanted.rollout, wanted.attempt]
    for name in ("order", "ladder", "first", "rules", "trial_ms", "uplink_ms"):
        asked.append(ota.get(name))
    return binascii.hexlify(hashlib.sha256(_flat(asked).encode()).digest()[:8]).decode()


def _flat(value) -> str:
    """Return one text for one value, whatever order its dicts are kept in."""
    if isinstance(value, dict):
        return "{" + ",".join([key + ":" + _flat(value[key]) for key in sorted(value)]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_flat(each) for each in value]) + "]"
    return repr(value)
