"""Decides what readings mean: PASS, FAIL or WAITING for one set of rules. Never measures, never remembers by itself.

- Only required rules decide. Of those: one that has failed `strikes` times in a row is FAIL; one without a passing
  reading that counts is WAITING; PASS is left when all have passed.
- No evidence is never a pass: a missing, stale or too small reading is WAITING, and so is an empty list of rules.
- A probe that failed (a reading with a code) is a failing reading, never a passing one.
- What must be remembered between two rounds is in `Memory`, which the caller keeps and hands in.
"""

from ringback_kernel.vocabulary import FAIL, PASS, REQUIRED, WAITING

# A reading older than this is no evidence about now; rounds are at most this long apart (the driver's probe timeouts).
MAX_AGE_MS = 60000


class Memory:
    """What one run of judgements remembers: failing readings in a row for each rule, and since when readings count.

    Attributes:
        since_ms: readings taken before this instant are about something else (the set that ran before).
        strikes: {rule id: failing readings in a row}.
    """

    def __init__(self, since_ms: int):
        self.since_ms = since_ms
        self.strikes: dict = {}

    def copy(self):
        other = Memory(self.since_ms)
        other.strikes.update(self.strikes)
        return other


def judge(rules: list, readings: list, now_ms: int, memory: Memory) -> tuple:
    """Return (verdict, rule, reading) for one round of readings, and count strikes in `memory`.

    Args:
        rules: as in a desired state; those to be judged now.
        readings: {"probe", "arg", "values": {field: int}, "at_ms", "code"}; one round, each probe and arg at most once.
        now_ms: monotonic, of the same clock as the readings' at_ms.

    The rule and reading are the first that failed, or else the first that is waited for (its reading may be None);
    (PASS, None, None) when every required rule passes.
    """
    failed = None
    waiting = None
    has_required = False
    for rule in rules:
        if rule["level"] != REQUIRED:
            continue
        has_required = True
        reading = find(rule, readings)
        verdict = _one(rule, reading, now_ms, memory)
        if verdict == FAIL and failed is None:
            failed = (FAIL, rule, reading)
        elif verdict == WAITING and waiting is None:
            waiting = (WAITING, rule, reading)
    if failed is not None:
        return failed
    if waiting is not None:
        return waiting
    return (PASS, None, None) if has_required else (WAITING, None, None)


def _one(rule: dict, reading, now_ms: int, memory: Memory) -> str:
    failing = is_failing(rule, reading, now_ms, memory.since_ms)
    if failing is None:
        return WAITING
    if not failing:
        memory.strikes.pop(rule["id"], None)
        return PASS
    strikes = memory.strikes.get(rule["id"], 0) + 1
    memory.strikes[rule["id"]] = strikes
    return FAIL if strikes >= rule["strikes"] else WAITING


def is_failing(rule: dict, reading, now_ms: int, since_ms: int):
    """Return whether this reading breaks the rule, or None when it is no evidence: absent, old, or of too few
    samples.
    """
    if reading is None:
        return None
    if reading.get("code"):
        return True
    if not since_ms <= reading["at_ms"] <= now_ms or now_ms - reading["at_ms"] > MAX_AGE_MS:
        return None
    found = value_of(rule, reading)
    if found is None:
        return None
    if rule["min_n"] and reading["values"].get("n", 0) < rule["min_n"]:
        return None
    return not holds(found, rule["op"], rule["limit"])


def holds(found: int, operator: str, limit: int) -> bool:
    """Say whether `found operator limit`."""
    if operator == "<=":
        return found <= limit
    if operator == ">=":
        return found >= limit
    return found == limit


def find(rule: dict, readings: list):
    """Return the reading this rule is about, or None."""
    for reading in readings:
        if reading["probe"] == rule["probe"] and reading["arg"] == rule["arg"]:
            return reading
    return None


def value_of(rule: dict, reading):
    """Return the integer the rule limits, or None when the reading is absent or lacks the field."""
    found = reading["values"].get(rule["field"]) if reading is not None else None
    return found if isinstance(found, int) else None


def at_stage(rules: list, stage: str) -> list:
    """Return the rules that are judged at `preflight` or `trial`, in their order."""
    return [rule for rule in rules if stage in rule["at"]]


def drilled(rule: dict, readings: list) -> list:
    """Return the readings with the one of this rule replaced by the nearest failing value.

    A reading that is absent or has a code stays as it is: a drill proves that the probe was read, so it needs one.
    """
    found = find(rule, readings)
    if value_of(rule, found) is None or found.get("code"):
        return readings
    values = {}
    values.update(found["values"])
    values[rule["field"]] = rule["limit"] + (-1 if rule["op"] == ">=" else 1)
    replaced = {}
    replaced.update(found)
    replaced["values"] = values
    return [replaced if reading is found else reading for reading in readings]


def named(rules: list, name: str):
    """Return the rule with this id, or None."""
    for rule in rules:
        if rule["id"] == name:
            return rule
    return None


def has_proof(rules: list) -> bool:
    """Say whether any required rule is judged in the trial: without one, nothing could confirm a deployment."""
    for rule in at_stage(rules, "trial"):
        if rule["level"] == REQUIRED:
            return True
    return False
