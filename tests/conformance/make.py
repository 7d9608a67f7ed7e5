"""Writes the conformance vectors of this folder from the kernel as it is. Run: PYTHONPATH=src:. python -m
tests.conformance.make

A change of these files is a change of what devices do, and is to be looked at line by line.
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ringback_kernel import constraints, desired, ecdsa, replay, verify
from ringback_kernel.canonical import encode
from ringback_kernel.core import Core
from ringback_kernel.errors import KernelError
from tests.kernel.both import documents, stories
from tests.kernel.both import world as w

FOLDER = Path(__file__).parent
KEY = ec.derive_private_key(1, ec.SECP256R1())
NOW_MS = 1_795_564_800_000


def sign(data: bytes) -> bytes:
    return KEY.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def vectors() -> dict[str, object]:
    """Return {file name: content}."""
    toy, documents.toy_signature = documents.toy_signature, sign
    try:
        return {
            "director.json": director(),
            "desired.json": desired_states(),
            "constraints.json": constraint_cases(),
            "golden.json": golden_cases(),
            "reports.json": reports(),
            "traces.json": [trace(name) for name in ("good_config", "bad_config", "drill", "refused")],
        }
    finally:
        documents.toy_signature = toy


def document(generation: int = 5, **changes: object) -> dict:
    found = w.release(generation, w.OLD, w.NEW)
    for path, value in changes.items():
        place = found
        *folders, name = path.split("__")
        for folder in folders:
            place = place[folder]
        if value is DROP:
            del place[name]
        else:
            place[name] = value
    return found


DROP = object()


def director() -> dict:
    twice = document()
    twice["targets"]["app/app/1.2.0"] = dict(twice["targets"]["app/app/1.1.0"])
    cases = [
        ("genuine", w.sealed(document()), {}),
        (
            "newer than what the device has",
            w.sealed(document(6)),
            {"have": 5, "signed": encode(document(5)).decode()},
        ),
        ("the same again", w.sealed(document(5)), {"have": 5, "signed": encode(document(5)).decode()}),
        ("same generation, other bytes", w.sealed(document(5, ota__attempt=2)), {"have": 5, "signed": "{}"}),
        ("older generation", w.sealed(document(5)), {"have": 6}),
        ("expired", w.sealed(document(expires="2026-11-24T23:59:59Z")), {}),
        ("expired, time unknown", w.sealed(document(expires="2026-11-24T23:59:59Z")), {"utc_ms": 0}),
        ("another device", w.sealed(document(ota__device="box-2")), {}),
        ("another tenant", w.sealed(document(ota__tenant="evil")), {}),
        ("a plane twice", w.sealed(twice), {}),
        ("delegations", w.sealed(document(delegations={"keys": {}, "roles": []})), {}),
        ("another role", w.sealed(document(_type="snapshot")), {}),
        ("unknown key", w.sealed(document(), "k2"), {}),
        ("flipped byte", w.sealed(document()).replace(b'"attempt":1', b'"attempt":2'), {}),
        ("space behind", w.sealed(document()) + b" ", {}),
        ("line feed behind", w.sealed(document()) + b"\n", {}),
        ("brace behind", w.sealed(document()) + b"}", {}),
        ("no signatures", b'{"signatures":[],"signed":%s}' % encode(document()), {}),
        ("unsorted", b'{"signed":{},"signatures":[]}', {}),
        ("not json", b"\x00\x01", {}),
        ("empty", b"", {}),
    ]
    found = []
    for name, raw, situation in cases:
        case = {"name": name, "file": raw.decode("latin-1"), "have": 0, "signed": "", "utc_ms": NOW_MS}
        case.update(situation)
        found.append({**case, "code": verdict(case)})
    return {"root": w.root().decode(), "device": w.DEVICE, "tenant": w.TENANT, "cases": found}


def verdict(case: dict) -> str:
    trust = verify.Trust(w.root(), {verify.ECDSA_P256: ecdsa.verify})
    expected = verify.Expected(
        w.DEVICE, w.TENANT, generation=case["have"], signed=case["signed"].encode(), utc_ms=case["utc_ms"]
    )
    try:
        return "" if verify.director(case["file"].encode("latin-1"), trust, expected, 65536) else "unchanged"
    except KernelError as error:
        return error.code


def desired_states() -> list[dict]:
    rule = w.rule("config")
    rules = {"hold_ms": 1000, "every_ms": 500, "list": [rule]}
    changes: list[tuple[str, dict]] = [
        ("release of three planes", {}),
        ("a set at rest", {"ota__order": [], "ota__ladder": [], "ota__first": {}, "ota__rollout": "",
        "ota__release": ""}),
        ("drill", {"ota__drill": {"rule": "ok-config"}}),
        ("paused, with a freeze and a command", {
            "ota__updates_paused": True, "ota__frozen": [["app", w.digest_of(w.APP2)]],
            "ota__commands": [{"id": 3, "kind": "restart", "arg": "camera"}],
        }),
        ("unknown field outside the rules", {"ota__later": {"x": 1}}),
        ("hardware it is not for", {"targets__app/app/1.1.0__custom__hw": ["toaster"]}),
        ("order names nothing", {"ota__order": [["nothing"]]}),
        ("order names a plane twice", {"ota__order": [["app"], ["app"]]}),
        ("ladder without planes", {"ota__ladder": [{"planes": [], "set": {}}]}),
        ("first rung out of range", {"ota__first": {"app": 99}}),
        ("unknown probe", {"ota__rules": {**rules, "list": [{**rule, "probe": "shell"}]}}),
        ("unknown operator", {"ota__rules": {**rules, "list": [{**rule, "op": "!="}]}}),
        ("drill of nothing", {"ota__drill": {"rule": "nothing"}}),
        ("too many rules", {"ota__rules": {**rules, "list": [{**rule, "id": f"r{n}"} for n in range(65)]}}),
        ("no trial window", {"ota__trial_ms": 0}),
        ("attempt missing", {"ota__attempt": DROP}),
        ("path of another plane", {"targets__app/app/1.1.0__custom__plane": "config"}),
        ("hash that is none", {"targets__app/app/1.1.0__hashes__sha256": "../../etc"}),
    ]  # fmt: skip
    return [reading(name, encode(document(**change)).decode()) for name, change in changes]


def reading(name: str, signed: str) -> dict:
    """What a desired state is read to, or the code it is refused with."""
    case = {"name": name, "signed": signed, "class": w.CLASS, "code": "", "summary": {}}
    try:
        case["summary"] = summary(desired.parse(signed.encode(), w.CLASS))
    except KernelError as error:
        case["code"] = error.code
    return case


def summary(wanted) -> dict:
    return {
        "gen": wanted.gen, "key": wanted.key, "planes": sorted(wanted.targets), "order": wanted.order,
        "rungs": [list(planes) for planes, _ in wanted.ladder], "rules": [each["id"] for each in wanted.rules],
        "drill": wanted.drill_rule, "paused": wanted.paused, "safe_mode": wanted.safe_mode,
        "frozen": [list(pair) for pair in wanted.frozen], "commands": [list(each) for each in wanted.commands],
    }  # fmt: skip


def constraint_cases() -> list[dict]:
    texts = (
        ">=1.0",
        ">1.0.0,<2",
        "==1.1",
        "!=1.1.0",
        "<=1.1.0-rc.1",
        "<1.0",
        ">=256",
        "==512",
        "rk3566|rk3568",
        ">=",
        "~1",
        "",
    )
    values = ("1.0", "1.0.0-alpha", "1.1.0", "1.1.0-rc.1", "2.0.0", 256, 512, "rk3566", None)
    found = []
    for text in texts:
        for value in values:
            case = {"constraint": text, "value": value, "holds": False, "code": ""}
            try:
                case["holds"] = constraints.satisfies(text, value)
            except KernelError as error:
                case["code"] = error.code
            found.append(case)
    return found


def golden_cases() -> list[dict]:
    fidelity = {"decisions": [1, 0, 1, 1], "values": [[900000], [0], [800000], [700000]], "min_agree_ppm": 900000,
    "max_mean_abs_ppm": 50000}  # fmt: skip
    golden = {"v": 1, "fidelity": fidelity, "quality": {"decisions": [1, 0, 1, 0], "min_agree_ppm": 700000}}
    outputs = [
        {"decisions": [1, 0, 1, 1], "values": fidelity["values"]},
        {"decisions": [1, 0, 1, 0], "values": fidelity["values"]},
        {"decisions": [1, 0, 1, 1], "values": [[600000], [0], [800000], [700000]]},
        {"decisions": [1, 0], "values": []},
        {"decisions": [], "values": []},
        {},
    ]
    return [{"golden": golden, "output": output, "agreement": replay.compare(golden, output)} for output in outputs]


def reports() -> list[dict]:
    """One report of each phase that is met in the stories, as a device sends it."""
    found: dict[str, dict] = {}
    for story, _ in stories.ALL.values():
        world = story()
        world.run(120_000)
        for report in world.server.reports:
            outcome = (report["outcome"] or {}).get("kind", "")
            found.setdefault(f"{report['state']} {outcome}".strip(), report)
    return [{"name": name, "report": found[name]} for name in sorted(found)]


class Recorder(Core):
    """The core, and everything that goes in and comes out of it."""

    steps: list[dict]

    def boot(self, boot_id, running, now_ms):
        return self._keep(
            ["boot", {"boot_id": boot_id, "running": running}], now_ms, super().boot(boot_id, running, now_ms)
        )

    def handle(self, event, now_ms):
        kind, obj = event
        shown = json.loads(json.dumps({**obj, "body": obj["body"].decode()} if "body" in obj else obj))
        return self._keep([kind, shown], now_ms, super().handle(event, now_ms))

    def _keep(self, event, now_ms, effects):
        asked = []
        for kind, obj in effects:
            if kind == "checkin":
                said = json.loads(obj["body"])
                asked.append(
                    [kind, {"op": obj["op"], "state": said["state"], "have": said["have"], "outcome": said["outcome"]}]
                )
            elif kind != "log":
                asked.append([kind, json.loads(json.dumps(obj))])
        self.steps.append({"event": event, "at_ms": now_ms, "effects": asked, "phase": self.tx.phase})
        return effects


def trace(name: str) -> dict:
    """Return one story as it went: identity, events with their times, effects, and phases."""
    steps: list[dict] = []

    class Recording(Recorder):
        pass

    Recording.steps = steps
    plain, verifier = w.Core, w.toy_verifier
    w.Core, w.toy_verifier = Recording, ecdsa.verify
    try:
        world = stories.ALL[name][0]()
        world.run(20_000,
        until=lambda now: now.core.tx.outcome is not None and now.core.tx.acked and not now.core.tx.is_busy
                  and now.core.tx.done_key != "" and now.core.tx.step == "")  # fmt: skip
    finally:
        w.Core, w.toy_verifier = plain, verifier
    who = {key: value for key, value in w.identity().items() if key != "root"}
    return {"name": name, "identity": who, "steps": steps}


def text_of(content: object) -> str:
    """One case per line: a change shows as the cases it concerns."""
    if isinstance(content, list):
        return "[\n" + ",\n".join(json.dumps(each, sort_keys=True) for each in content) + "\n]\n"
    assert isinstance(content, dict)
    head = {key: value for key, value in content.items() if key != "cases"}
    cases = ",\n".join(json.dumps(each, sort_keys=True) for each in content["cases"])
    return json.dumps(head, sort_keys=True)[:-1] + ', "cases": [\n' + cases + "\n]}\n"


if __name__ == "__main__":
    for file_name, content in vectors().items():
        (FOLDER / file_name).write_text(text_of(content))
