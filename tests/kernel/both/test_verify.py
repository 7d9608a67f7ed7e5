"""The Director rules one by one, each with its attack class, and what the core does with a refused document. Both
interpreters.
"""

from ringback_kernel import desired, verify
from ringback_kernel.canonical import encode
from ringback_kernel.errors import KernelError
from tests.kernel.both import world as w

NOV = 1795564800000  # 2026-11-25T00:00:00Z


def trust():
    return verify.Trust(w.root(), {verify.ECDSA_P256: w.toy_verifier})


def expected(**fields):
    given = {"generation": 0, "signed": b"", "utc_ms": NOV}
    given.update(fields)
    return verify.Expected(w.DEVICE, w.TENANT, **given)


def refused(code, raw, **fields):
    try:
        verify.director(raw, trust(), expected(**fields), 65536)
    except KernelError as error:
        assert error.code == code, (error.code, error.text)
        return error.text
    raise AssertionError("accepted what " + code + " refuses")


def document(generation=5, **fields):
    found = w.release(generation, w.OLD, w.NEW)
    found.update(fields)
    return found


def test_genuine_document_is_taken():
    signed, parsed = verify.director(w.sealed(document()), trust(), expected(), 65536)
    assert parsed["version"] == 5 and signed == encode(document())


def test_each_flipped_byte_is_refused():
    raw = w.sealed(document())
    for at in range(0, len(raw), 7):
        bad = bytearray(raw)
        bad[at] ^= 1
        try:
            verify.director(bytes(bad), trust(), expected(), 65536)
        except KernelError:
            continue
        raise AssertionError("accepted a document with byte %d flipped" % at)


def test_signature_by_another_key_is_arbitrary_software():
    assert "0 of 1" in refused("RB-VERIFY-001", w.sealed(document(), "k2"))
    signed = encode(document())
    refused("RB-VERIFY-001", w.envelope(signed, signed + b" "))
    refused("RB-VERIFY-001", b'{"signatures":[{"keyid":"k1","sig":"zz"}],"signed":%s}' % signed)
    refused("RB-VERIFY-001", b'{"signatures":[{"keyid":"k1","sig":""}],"signed":%s}' % signed)
    refused("RB-VERIFY-001", b'{"signatures":[{"keyid":"k1","sig":"%s"}],"signed":%s}' % (b"00" * 90, signed))


def test_one_key_counts_once_for_a_threshold():
    found = trust()
    found.roles["targets"] = {"keyids": ["k1", "k2"], "threshold": 2}
    found.keys["k2"] = found.keys["k1"]
    signed = encode(document())
    one = {"keyid": "k1", "sig": w.binascii.hexlify(w.toy_signature(signed)).decode()}
    for second in ("k1", "k2"):
        try:
            found.check("targets", [one, {"keyid": second, "sig": one["sig"]}], signed)
        except KernelError as error:
            assert error.code == "RB-VERIFY-001" and "1 of 2" in error.text
            continue
        raise AssertionError("counted one key twice")


def test_older_generation_is_a_replay():
    assert "generation 5 is older than 6" in refused("RB-VERIFY-002", w.sealed(document(5)), generation=6)


def test_same_generation_with_the_same_bytes_is_no_change():
    signed = encode(document(5))
    assert verify.director(w.sealed(document(5)), trust(), expected(generation=5, signed=signed), 65536) is None


def test_same_generation_with_other_bytes_is_refused():
    refused("RB-VERIFY-003", w.sealed(document(5)), generation=5, signed=b"{}")


def test_expired_document_is_refused_and_unknown_time_is_not_late():
    late = w.sealed(document(expires="2026-11-24T23:59:59Z"))
    assert "expired at 2026-11-24T23:59:59Z, 1 s ago" in refused("RB-VERIFY-004", late)
    assert verify.director(late, trust(), expected(utc_ms=0), 65536)


def test_document_for_somebody_else_is_refused():
    other = document()
    other["ota"]["device"] = "box-2"
    refused("RB-VERIFY-005", w.sealed(other))
    other = document()
    other["ota"]["tenant"] = "evil"
    refused("RB-VERIFY-006", w.sealed(other))


def test_plane_named_twice_is_refused():
    other = document()
    entry = dict(other["targets"]["app/app/1.1.0"])
    other["targets"]["app/app/1.2.0"] = entry
    refused("RB-VERIFY-007", w.sealed(other))


def test_delegations_are_refused():
    refused("RB-VERIFY-008", w.sealed(document(delegations={"keys": {}, "roles": []})))


def test_documents_of_another_role_or_shape_are_refused():
    refused("RB-VERIFY-011", w.sealed(document(_type="root")))
    for version in (0, -1, True, "5", None):
        refused("RB-VERIFY-011", w.sealed(document(version=version)))
    refused("RB-VERIFY-011", w.sealed(document(ota=[])))
    refused("RB-VERIFY-011", w.sealed(document(targets=[])))
    for late in (
        "2026-12-01", "2026-12-01 00:00:00Z", 5, None, "2026-12-01T00:00:0xZ", "2026-12-01T00:00:00+00:00",
        "2026-12-01T00:00:00Zx",
    ):  # fmt: skip
        refused("RB-VERIFY-011", w.sealed(document(expires=late)))


def test_long_document_is_endless_data():
    try:
        verify.director(w.sealed(document()), trust(), expected(), 1000)
    except KernelError as error:
        assert error.code == "RB-WIRE-003"
        return
    raise AssertionError("read more than its limit")


def test_times_are_read_as_utc():
    assert verify.utc_ms_of("1970-01-01T00:00:00Z") == 0
    assert verify.utc_ms_of("2000-02-29T12:34:56Z") == 951827696000
    assert verify.utc_ms_of("2026-11-25T00:00:00Z") == NOV
    assert verify.utc_ms_of("2038-01-19T03:14:08Z") == 2147483648000
    assert verify.utc_ms_of("2100-03-01T00:00:00Z") == 4107542400000


def test_pinned_root_without_usable_keys_is_refused():
    for change in ("type", "roles", "keys", "signature"):
        raw = w.root()
        if change == "type":
            raw = raw.replace(b'"_type":"root"', b'"_type":"toor"')
        if change == "roles":
            raw = raw.replace(b'"roles":', b'"solor":')
        if change == "keys":
            raw = raw.replace(b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp257")
        if change == "signature":
            raw = raw.replace(b'"version":1', b'"version":2')
        try:
            verify.Trust(raw, {verify.ECDSA_P256: w.toy_verifier})
        except KernelError:
            continue
        raise AssertionError("took a root with bad " + change)


def test_key_in_pem_is_a_point_on_p256_or_nothing():
    good = w.PEM % w.binascii.b2a_base64(w.SPKI).decode().replace("\n", "")
    assert verify.point_of_pem(good) == w.POINT
    for bad in (
        "",
        good[:40],
        good.replace("PUBLIC", "PRIVATE"),
        w.PEM % "AAAA",
        w.PEM % "!",
        good.replace("MFkw", "MFkx"),
    ):
        assert verify.point_of_pem(bad) is None, bad


# --- what the core makes of it ----------------------------------------------------------------------------------------


def rejected(raw, world=None):
    """Hand a document to a device at rest; returns what its next report says about it."""
    world = world or w.world()
    world.run(3000)
    world.server.document = raw
    world.server.generation = 1 << 40
    world.run(3000)
    return world.server.reports[-1]


def test_refused_document_changes_nothing_and_is_reported():
    world = w.world()
    world.server.offer(w.release(7, w.OLD, w.changed(config=w.CONF2)))
    assert world.run(until="confirmed")
    report = rejected(w.sealed(w.release(6, w.OLD, w.NEW)), world)
    assert report["rejected"]["code"] == "RB-VERIFY-002" and report["have"] == 7 and report["state"] == "confirmed"
    other = w.release(7, w.OLD, w.NEW)
    assert rejected(w.sealed(other), world)["rejected"]["code"] == "RB-VERIFY-003"
    assert world.core.tx.gen == 7 and world.active["app"] == w.digest_of(w.APP1)
    world.server.offer(w.release(8, w.changed(config=w.CONF2), w.NEW))
    assert world.run(until=lambda now: now.core.tx.outcome["gen"] == 8)
    world.run(2000)
    assert world.server.reports[-1]["rejected"] is None


def test_document_signed_by_a_stranger_is_reported_as_such():
    assert rejected(w.sealed(document(), "k9"))["rejected"]["code"] == "RB-VERIFY-001"
    assert rejected(b"garbage")["rejected"]["code"] == "RB-WIRE-001"


def test_artifact_for_other_hardware_is_refused_with_the_document():
    other = w.changed(config=w.manifest("config", "3.0.0", classes=("toaster",)))
    assert rejected(w.sealed(w.release(3, w.OLD, other)))["rejected"]["code"] == "RB-VERIFY-009"


def test_epoch_floor_rises_only_when_confirmed_and_then_holds():
    secure = w.manifest("config", "3.0.0", epoch=2)
    new = w.changed(config=secure)
    world = w.world()
    world.publish(secure)
    world.missing.add("ok-config")
    world.server.offer(w.release(1, w.OLD, new))
    assert world.run(until="trial") and world.core.tx.floors.get("config", 0) == 0
    world.missing.clear()
    assert world.run(until="confirmed") and world.core.tx.floors["config"] == 2
    report = rejected(w.sealed(w.release(2, new, w.OLD)), world)
    assert report["rejected"]["code"] == "RB-VERIFY-010" and "epoch 0, floor 2" in report["rejected"]["text"]


def test_reverted_epoch_leaves_the_floor_where_it_was():
    secure = w.manifest("config", "3.0.0", epoch=2)
    world = w.world()
    world.publish(secure)
    world.unhealthy.add(w.digest_of(secure))
    world.server.offer(w.release(1, w.OLD, w.changed(config=secure)))
    assert world.run(until="reverted") and world.core.tx.floors.get("config", 0) == 0


def test_wrong_clock_of_the_device_is_not_followed_when_it_jumps():
    world = w.world()
    plain = world.server.answer
    world.utc_ms = NOV

    def answer(body):
        found = plain(body)
        found["utc_ms"] = world.utc_ms + world.now_ms
        return found

    world.server.answer = answer
    world.server.offer(w.release(1, w.OLD, w.OLD))
    world.run(5000)
    for jump_ms in (31536000000, -31536000000):
        world.utc_ms = NOV + jump_ms
        world.server.offer(w.release(world.server.generation + 1, w.OLD, w.OLD))
        world.run(5000)
        assert world.core.tx.gen == world.server.generation and world.core.rejected is None
        assert "clock_jump" in world.server.reports[-1]["flags"]


# --- desired states that make no sense --------------------------------------------------------------------------------


def senseless(code, change):
    found = document()
    change(found["ota"], found)
    try:
        desired.parse(encode(found), w.CLASS)
    except KernelError as error:
        assert error.code == code, (error.code, error.text)
        return
    raise AssertionError("accepted what " + code + " refuses")


def put(name, value):
    def change(ota, _):
        ota[name] = value

    return change


def rule(**fields):
    found = w.rule("config")
    found.update(fields)
    return put("rules", {"hold_ms": 0, "every_ms": 100, "list": [found]})


def test_fields_of_the_wrong_kind_are_named():
    for name, value in (
        ("release", 5), ("rollout", None), ("attempt", -1), ("attempt", True), ("issued_ms", "x"), ("trial_ms", 0),
        ("rules", []),
        ("uplink_ms", -1), ("updates_paused", 1), ("safe_mode", "no"), ("order", {}), ("ladder", {}), ("frozen", {}),
        ("commands", 5),
        ("trial_ms", 43200001), ("commands", [5]), ("frozen", [["app"]]), ("frozen", [["app", "sha256:1"]]),
        ("commands", [{"id": 0}]),
    ):  # fmt: skip
        senseless("RB-DESIRED-001", put(name, value))


def test_orders_that_name_planes_wrongly_are_refused():
    for value in ([["nothing"]], [["app"], ["app"]], [[]], ["app"], [["app", "app"]]):
        senseless("RB-DESIRED-002", put("order", value))


def test_ladders_that_lead_nowhere_are_refused():
    for value in (
        [{}],
        [{"planes": [], "set": {}}],
        [{"planes": ["x"], "set": {}}],
        [{"planes": ["app"], "set": {"app": "x"}}],
        [5],
    ):
        senseless("RB-DESIRED-003", put("ladder", value))
    for value in ({"app": 99}, {"app": -1}, {"app": 0}, {"x": 0}, [], None, {"app": "0"}):
        senseless("RB-DESIRED-003", put("first", value))


def test_rules_that_can_not_be_judged_are_refused():
    for fields in (
        {"probe": "shell"}, {"field": "down"}, {"op": "!="}, {"limit": "1"}, {"limit": None}, {"level": "maybe"},
        {"plane": "../x"},
        {"at": []}, {"at": ["night"]}, {"at": "trial"}, {"strikes": 0}, {"strikes": 101}, {"min_n": -1}, {"min_n": "2"},
    ):  # fmt: skip
        senseless("RB-DESIRED-004", rule(**fields))
    senseless("RB-DESIRED-001", put("rules", {"hold_ms": 0, "every_ms": 1, "list": ["x"]}))


def test_drills_of_no_required_trial_rule_are_refused():
    for value in ({"rule": "nothing"}, {}, 5):
        senseless("RB-DESIRED-005", put("drill", value))


def test_lists_longer_than_a_device_accepts_are_refused():
    many = [w.rule("config", id="r%d" % number) for number in range(65)]
    senseless("RB-DESIRED-006", put("rules", {"hold_ms": 0, "every_ms": 100, "list": many}))
    senseless("RB-DESIRED-006", put("frozen", [["app", w.digest_of(w.APP1)]] * 257))
    senseless("RB-DESIRED-006", put("commands", [{"id": 1, "kind": "restart", "arg": ""}] * 17))


def test_targets_that_contradict_themselves_are_refused():
    def change_path(_ota, found):
        found["targets"]["app/../evil"] = found["targets"].pop("app/app/1.1.0")

    def change_hash(_ota, found):
        found["targets"]["app/app/1.1.0"]["hashes"]["sha256"] = "../../etc"

    def change_length(_ota, found):
        found["targets"]["app/app/1.1.0"]["length"] = 0

    for change in (change_path, change_hash, change_length):
        senseless("RB-DESIRED-001", change)


def test_key_names_what_is_asked_for_and_nothing_else():
    one = desired.parse(encode(document(5)), w.CLASS)
    same = document(6)
    same["ota"].update(
        {"release": "rel-5", "rollout": "roll-5", "issued_ms": 77, "commands": [], "drill": {"rule": "ok-app"}}
    )
    assert desired.parse(encode(same), w.CLASS).key == one.key
    for name, value in (("attempt", 2), ("rollout", "x"), ("trial_ms", 7)):
        other = document(6)
        other["ota"].update({"release": "rel-5", "rollout": "roll-5", name: value})
        assert desired.parse(encode(other), w.CLASS).key != one.key, name
