"""The conformance vectors, held against the kernel. Runs on both interpreters."""

import json

from ringback_kernel import constraints, desired, ecdsa, replay, verify
from ringback_kernel.core import Core
from ringback_kernel.errors import KernelError
from tests.kernel.both import world as w

FOLDER = "tests/conformance/"


def load(name):
    with open(FOLDER + name) as file:
        return json.load(file)


def latin(text):
    return bytes([ord(char) for char in text])


def test_director_documents_are_accepted_or_refused_by_code():
    given = load("director.json")
    trust = verify.Trust(given["root"].encode(), {verify.ECDSA_P256: ecdsa.verify})
    for case in given["cases"]:
        expected = verify.Expected(
            given["device"],
            given["tenant"],
            generation=case["have"],
            signed=case["signed"].encode(),
            utc_ms=case["utc_ms"],
        )
        try:
            code = "" if verify.director(latin(case["file"]), trust, expected, 65536) else "unchanged"
        except KernelError as error:
            code = error.code
        assert code == case["code"], (case["name"], code, case["code"])


def test_desired_states_are_read_the_same():
    for case in load("desired.json"):
        try:
            found = desired.parse(case["signed"].encode(), case["class"])
        except KernelError as error:
            assert error.code == case["code"], case["name"]
            continue
        wanted = case["summary"]
        assert case["code"] == "", case["name"]
        assert (found.gen, found.key, sorted(found.targets)) == (wanted["gen"], wanted["key"], wanted["planes"])
        assert found.order == wanted["order"] and [list(planes) for planes, _ in found.ladder] == wanted["rungs"]
        assert [each["id"] for each in found.rules] == wanted["rules"] and found.drill_rule == wanted["drill"]
        assert (found.paused, found.safe_mode) == (wanted["paused"], wanted["safe_mode"])
        assert [list(pair) for pair in found.frozen] == wanted["frozen"]
        assert [list(each) for each in found.commands] == wanted["commands"]


def test_constraints_hold_the_same():
    for case in load("constraints.json"):
        try:
            holds, code = constraints.satisfies(case["constraint"], case["value"]), ""
        except KernelError as error:
            holds, code = False, error.code
        assert (holds, code) == (case["holds"], case["code"]), case


def test_golden_outputs_agree_the_same():
    for case in load("golden.json"):
        assert replay.compare(case["golden"], case["output"]) == case["agreement"], case["output"]


def same(one, other):
    """Equal as JSON: lists and tuples are one thing."""
    return json.loads(json.dumps(one)) == json.loads(json.dumps(other))


def shown(effect, fields):
    """An effect as the vectors keep it: of a check-in what it says, not every reading."""
    if effect != "checkin":
        return [effect, fields]
    said = json.loads(fields["body"])
    return [effect, {"op": fields["op"], "state": said["state"], "have": said["have"], "outcome": said["outcome"]}]


def test_whole_lives_go_the_same_way():
    given = load("director.json")
    for life in load("traces.json"):
        who = dict(life["identity"])
        who["root"] = given["root"].encode()
        core = Core(w.Disk(lambda _: None), who, ecdsa.verify)
        for number, step in enumerate(life["steps"]):
            kind, obj = step["event"]
            if kind == "boot":
                effects = core.boot(obj["boot_id"], obj["running"], step["at_ms"])
            else:
                if "body" in obj:
                    obj["body"] = obj["body"].encode()
                effects = core.handle((kind, obj), step["at_ms"])
            asked = [shown(effect, fields) for effect, fields in effects if effect != "log"]
            assert same(asked, step["effects"]), (life["name"], number, kind, asked)
            assert core.tx.phase == step["phase"], (life["name"], number, kind)
