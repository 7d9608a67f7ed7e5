"""Builds the check-in body: the whole state of the device, bounded, whatever happened to it.

Decides: what is said first when not everything fits. Never: what the state is. Never grows with uptime or history.

- Running digests are the truth; results are hints. The outcome of the last deployment stays in every report until the
  next one ends, so that no lost answer loses it.
- Texts are printable ASCII and capped; a device's report is hostile input for its reader all the same.
"""

from ringback_kernel import wire

VERSION = 1
MAX_READINGS = 128
MAX_COMMANDS = 8


def build(facts: dict, limit_bytes: int) -> bytes:
    """Return the body of a check-in.

    Args:
        facts: every field of the report as `core` collects it; "read" {name: int}, "trans" and "cmds" lists.
        limit_bytes: what does not fit is left out: readings first, then the older transitions, then commands.
    """
    body = wire.dumps(facts)
    for name in ("read", "bad", "trans", "cmds"):
        while len(body) > limit_bytes and facts.get(name):
            facts[name] = _half(facts[name])
            body = wire.dumps(facts)
    return body


def _half(found):
    """Return the later half of a list, or the first half of a dict's names."""
    if isinstance(found, dict):
        names = sorted(found)
        return {name: found[name] for name in names[: len(names) // 2]}
    return found[(len(found) + 1) // 2 :]


def readings(found: list) -> tuple:
    """Return ({"<probe>[/<arg>].<field>": int}, {"<probe>[/<arg>]": code}) of one round of readings, bounded."""
    values: dict = {}
    bad: dict = {}
    for reading in found:
        name = reading["probe"] + ("/" + reading["arg"] if reading["arg"] else "")
        if reading.get("code"):
            bad[wire.clean(name, 64)] = wire.clean(reading["code"], 32)
        for field in reading["values"]:
            value = reading["values"][field]
            if isinstance(value, int) and -wire.MAX_INT < value < wire.MAX_INT and len(values) < MAX_READINGS:
                values[wire.clean(name + "." + field, 96)] = value
    return values, bad
