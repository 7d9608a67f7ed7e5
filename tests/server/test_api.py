"""The operator API: bodies, errors, paging, keys, generations; and its description."""

import hashlib
import json
from pathlib import Path

from ringback.server.api.openapi import describe
from ringback.server.api.routes import DESCRIBED
from tests.server.inside import enrolled, report, with_server
from tests.server.test_checkin import baseline, publish
from tests.usecases.world import BASELINE, CLASS

ROOT = Path(__file__).parents[2]


def test_description_is_the_committed_one():
    committed = (ROOT / "docs/reference/openapi.json").read_bytes()

    hint = "the API changed: python -m ringback.server.api.routes > docs/reference/openapi.json"
    assert describe(DESCRIBED) == committed, hint


def test_description_names_every_route_and_every_answer_has_a_schema():
    document = json.loads(describe(DESCRIBED))

    for operation in DESCRIBED:
        path = operation.path.replace(":path", "")
        described = document["paths"][path][operation.method.lower()]
        assert described["responses"][str(operation.status)]["content"]["application/json"]["schema"]
    assert "/v1/blobs/sha256/{sha256}" in document["paths"]


BAD_REQUESTS = [
    ("GET", "/v1/nothing", {}, 404, "RB-API-003"),
    ("PATCH", "/v1/claims", {}, 405, "RB-API-004"),
    ("POST", "/v1/claims", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "RB-API-005"),
    ("POST", "/v1/claims", {"json": {"usess": 3}}, 400, "RB-API-005"),
    ("POST", "/v1/claims", {"json": {"uses": 0}}, 400, "RB-ENROL-010"),
    ("POST", "/v1/claims", {"json": {"ttl_ms": -1}}, 400, "RB-ENROL-010"),
    ("POST", "/v1/claims", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "RB-API-007"),
    ("POST", "/v1/releases", {"json": {"yaml": "x" * 600_000}}, 413, "RB-API-006"),
    ("GET", "/v1/devices?limit=0", {}, 400, "RB-API-005"),
    ("GET", "/v1/devices?limit=x", {}, 400, "RB-API-005"),
    ("GET", "/v1/devices?cursor=%ff", {}, 400, "RB-API-005"),
    ("GET", "/v1/devices?where=region in (eu", {}, 400, "RB-SPEC-013"),
    ("GET", "/v1/devices/box-404", {}, 404, "RB-DEVICE-001"),
    ("POST", "/v1/devices/box-404/accept", {}, 404, "RB-DEVICE-001"),
    ("POST", "/v1/devices/box-404/commands", {"json": {"kind": "reboot"}}, 404, "RB-DEVICE-001"),
    ("GET", "/v1/classes/nope", {}, 404, "RB-CLASS-001"),
    ("POST", "/v1/classes", {"json": {"yaml": "class: [1"}}, 400, "RB-SPEC-001"),
    ("GET", "/v1/artifacts/app/door@9.9.9", {}, 404, "RB-ARTIFACT-001"),
    (
        "POST",
        "/v1/artifacts",
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
        400,
        "RB-SPEC-005",
    ),
    ("GET", "/v1/releases/nope", {}, 404, "RB-RELEASE-001"),
    ("POST", "/v1/releases", {"json": {"yaml": "release: x\nfoo: 1\n"}}, 400, "RB-SPEC-005"),
    ("POST", "/v1/plan", {"json": {}}, 400, "RB-API-005"),
    ("POST", "/v1/rollouts", {"json": {"release": "nope"}}, 404, "RB-RELEASE-001"),
    ("GET", "/v1/rollouts/nope", {}, 404, "RB-ROLLOUT-001"),
    ("GET", "/v1/rollouts/nope/decisions", {}, 404, "RB-ROLLOUT-001"),
    ("GET", "/v1/rollouts/nope/deployments", {}, 404, "RB-ROLLOUT-001"),
    ("POST", "/v1/rollouts/nope/pause", {"json": {}}, 404, "RB-ROLLOUT-001"),
    ("POST", "/v1/stops", {"json": {"where": "region=eu"}}, 400, "RB-CONTROL-003"),
    ("POST", "/v1/stops", {"json": {"where": "((", "reason": "x"}}, 400, "RB-SPEC-013"),
    ("DELETE", "/v1/stops/nope", {}, 404, "RB-STOP-001"),
    ("POST", "/v1/freezes", {"json": {"artifact": "app/door@9.9.9", "reason": "x"}}, 404, "RB-ARTIFACT-001"),
    ("POST", "/v1/freezes", {"json": {"reason": "x"}}, 400, "RB-API-005"),
    ("DELETE", "/v1/freezes/nope", {}, 404, "RB-FREEZE-001"),
    ("POST", "/v1/recover", {"json": {"to": "moon"}}, 400, "RB-RECOVER-001"),
    ("POST", "/v1/recover", {"json": {"to": "normal", "planes": ["app"]}}, 400, "RB-RECOVER-002"),
    ("POST", "/v1/push", {"json": {"artifact": "app/door@9.9.9", "device": "box-1"}}, 404, "RB-ARTIFACT-001"),
    ("GET", "/v1/push/nope", {}, 404, "RB-PUSH-001"),
    ("POST", "/v1/push/nope/rollback", {"json": {}}, 404, "RB-PUSH-001"),
    ("PUT", "/v1/blobs/sha256/nope", {"content": b"x"}, 400, "RB-API-005"),
    ("HEAD", "/v1/blobs/sha256/" + "0" * 64, {}, 404, None),
]


def test_bad_request_gets_its_status_and_the_one_error_shape(tmp_path):
    async def deed(http, app):
        return [await http.request(method, path, **options) for method, path, options, _, _ in BAD_REQUESTS]

    answers = with_server(tmp_path, deed)

    for answer, (method, path, _options, status, code) in zip(answers, BAD_REQUESTS, strict=True):
        assert answer.status_code == status, (method, path, answer.text)
        if code is not None:
            assert answer.json()["code"] == code, (method, path)
            assert set(answer.json()) == {"code", "message", "fields", "hint"}
            assert answer.json()["message"]


def test_list_comes_in_pages_that_together_hold_everything_once(tmp_path):
    async def deed(http, app):
        for number in range(7):
            await enrolled(http, f"box-{number}")
        pages, cursor = [], ""
        while cursor is not None:
            page = (
                await http.get("/v1/devices", params={"limit": "3", **({"cursor": cursor} if cursor else {})})
            ).json()
            pages.append([item["id"] for item in page["items"]])
            cursor = page["next"]
        return pages

    assert with_server(tmp_path, deed) == [
        ["box-0", "box-1", "box-2"],
        ["box-3", "box-4", "box-5"],
        ["box-6"],
    ]


def test_devices_are_found_by_labels_class_and_id(tmp_path):
    async def deed(http, app):
        await enrolled(http, "box-1", region="eu", customer="acme")
        await enrolled(http, "box-2", region="us")
        await enrolled(http, "esp-1", device_class="esp32", region="eu")
        found = {}
        for where in ("region=eu", "region in (eu,us),class=door", "!customer", "device=box-2", "family=esp32"):
            items = (await http.get("/v1/devices", params={"where": where})).json()["items"]
            found[where] = [item["id"] for item in items]
        return found

    assert with_server(tmp_path, deed) == {
        "region=eu": ["box-1", "esp-1"],
        "region in (eu,us),class=door": ["box-1", "box-2"],
        "!customer": ["box-2", "esp-1"],
        "device=box-2": ["box-2"],
        "family=esp32": ["esp-1"],
    }


def test_request_repeated_under_its_key_changes_nothing_and_gets_the_first_answer(tmp_path):
    async def deed(http, app):
        key = {"Idempotency-Key": "abc"}
        first = await http.post("/v1/claims", json={"uses": 2}, headers=key)
        second = await http.post("/v1/claims", json={"uses": 2}, headers=key)
        other = await http.post("/v1/claims", json={"uses": 3}, headers=key)
        listed = (await http.get("/v1/claims")).json()["items"]
        return first, second, other, listed

    first, second, other, listed = with_server(tmp_path, deed)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert (other.status_code, other.json()["code"]) == (409, "RB-API-010")
    assert len(listed) == 1


def test_same_key_still_holds_after_a_restart(tmp_path):
    def ask():
        return with_server(
            tmp_path,
            lambda http, app: http.post("/v1/claims", json={"uses": 2}, headers={"Idempotency-Key": "abc"}),
        )

    first, second = ask(), ask()

    assert first.content == second.content


def test_change_decided_on_an_old_generation_is_refused(tmp_path):
    async def deed(http, app):
        await enrolled(http)
        rollout_id = await baseline(http, app)
        stale = await http.post(f"/v1/rollouts/{rollout_id}/cancel", json={"reason": "x"}, headers={"If-Match": '"7"'})
        fresh = await http.post(f"/v1/rollouts/{rollout_id}/cancel", json={"reason": "x"}, headers={"If-Match": '"1"'})
        return stale, fresh

    stale, fresh = with_server(tmp_path, deed)

    assert (stale.status_code, stale.json()["code"]) == (412, "RB-STORE-002")
    assert (fresh.status_code, fresh.json()["state"]) == (200, "closed")


def test_upload_that_is_cut_or_changed_is_refused_and_nothing_is_kept(tmp_path):
    content = b"model bytes"
    sha256 = hashlib.sha256(content).hexdigest()
    path = f"/v1/blobs/sha256/{sha256}"

    async def deed(http, app):
        cut = await http.put(path, content=content[:-1])
        lied = await http.put(path, content=content[:-1], headers={"Content-Length": str(len(content))})
        too_long = await http.put(path, content=b"x" * 2_000)
        before = await http.head(path)
        whole = await http.put(path, content=content)
        again = await http.put(path, content=content)
        after = await http.head(path)
        return cut, lied, too_long, before, whole, again, after

    cut, lied, too_long, before, whole, again, after = with_server(tmp_path, deed, max_blob_bytes=1_000)

    assert (cut.status_code, cut.json()["code"]) == (400, "RB-BLOB-004")
    assert (lied.status_code, lied.json()["code"]) == (400, "RB-BLOB-003")
    assert (too_long.status_code, too_long.json()["code"]) == (413, "RB-BLOB-002")
    assert before.status_code == 404
    assert (whole.status_code, again.status_code) == (201, 200)
    assert (after.status_code, after.headers["content-length"]) == (200, str(len(content)))
    assert list((tmp_path / "blobs/uploads").iterdir()) == []


def test_published_name_keeps_its_bytes_for_ever(tmp_path):
    async def deed(http, app):
        await http.post("/v1/classes", json={"yaml": CLASS})
        first = await publish(http, "app", "1.0.0")
        again = await publish(http, "app", "1.0.0")
        changed = await publish(http, "app", "1.0.0", requires={"cap:ram_mb": ">=1"})
        shown = (await http.get("/v1/artifacts/app/door@1.0.0")).json()
        return first, again, changed, shown

    first, again, changed, shown = with_server(tmp_path, deed)

    assert again.json()["digest"] == first.json()["digest"] == shown["digest"]
    assert (changed.status_code, changed.json()["code"]) == (409, "RB-ARTIFACT-002")


def test_artifact_whose_files_are_not_uploaded_is_refused_and_names_the_file(tmp_path):
    async def deed(http, app):
        await http.post("/v1/classes", json={"yaml": CLASS})
        from tests.usecases.world import manifest

        data = manifest("app", "firmware", "door", "1.0.0")
        return await http.post("/v1/artifacts", content=data, headers={"Content-Type": "application/json"})

    answer = with_server(tmp_path, deed)

    assert (answer.status_code, answer.json()["code"]) == (400, "RB-ARTIFACT-004")
    assert "content" in answer.json()["message"]


def test_artifact_for_a_class_or_plane_that_is_not_there_is_refused_with_a_hint(tmp_path):
    async def deed(http, app):
        await http.post("/v1/classes", json={"yaml": CLASS})
        no_class = await publish(http, "app", "1.0.0", classes=["dooor"])
        no_plane = await publish(http, "model/voice", "1.0.0")
        return no_class, no_plane

    no_class, no_plane = with_server(tmp_path, deed)

    assert (no_class.status_code, no_class.json()["code"]) == (400, "RB-ARTIFACT-003")
    assert "door" in no_class.json()["hint"]
    assert (no_plane.status_code, no_plane.json()["code"]) == (400, "RB-ARTIFACT-003")


def test_release_that_targets_nobody_is_refused_with_the_reason(tmp_path):
    async def deed(http, app):
        await enrolled(http, region="eu")
        await http.post("/v1/classes", json={"yaml": CLASS})
        for plane in ("app", "model/face", "config"):
            await publish(http, plane, "1.0.0")
        text = BASELINE.replace("{classes: [door]}", '{classes: [door], where: "region=mars"}')
        await http.post("/v1/releases", json={"yaml": text})
        plan = await http.post("/v1/plan", json={"release": "baseline"})
        start = await http.post("/v1/rollouts", json={"release": "baseline"})
        return plan, start

    plan, start = with_server(tmp_path, deed)

    assert (plan.status_code, plan.json()["refused"]) == (200, True)
    assert "mars" in plan.json()["causes"][0]["text"]
    assert (start.status_code, start.json()["code"]) == (400, "RB-PLAN-001")


def test_rollout_is_shown_with_rings_planes_verdict_and_reasons(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        await http.post("/d/1/checkin", json=report(), headers=headers)
        rollout_id = await baseline(http, app)
        await app.controller.tick()
        await http.post("/d/1/checkin", json=report(seq=2), headers=headers)
        return (
            (await http.get(f"/v1/rollouts/{rollout_id}")).json(),
            (await http.get(f"/v1/rollouts/{rollout_id}/decisions")).json(),
            (await http.get(f"/v1/rollouts/{rollout_id}/deployments")).json(),
            (await http.get("/v1/status")).json(),
            (await http.get("/v1/devices/box-1")).json(),
        )

    rollout, decisions, deployments, status, device = with_server(tmp_path, deed)

    assert rollout["state"] == "full"
    assert [plane["artifact"] for plane in rollout["planes"]] == [
        "config/door@1.0.0",
        "model/face/blaze@1.0.0",
        "app/door@1.0.0",
    ]
    assert rollout["rings"][0]["offered"] == 1
    assert rollout["verdict"]["kind"] == "waiting"
    assert rollout["verdict"]["still_needed"] > 0
    assert rollout["plan"]["devices"]["going"] == 1
    assert decisions["items"][0]["after"] == "full"
    assert decisions["items"][0]["effects"] == ["open_ring 0"]
    assert deployments["items"][0]["outcome"] == "offered"
    assert [each["id"] for each in status["rollouts"]] == [rollout["id"]]
    assert device["rollout"] == rollout["id"]
    assert device["planes"][0]["desired"] == "app/door@1.0.0"


def test_what_operators_did_is_on_record_with_who_and_why(tmp_path):
    async def deed(http, app):
        await enrolled(http)
        await http.post("/v1/stops", json={"where": "region=eu", "reason": "smoke on site"})
        return (await http.get("/v1/audit")).json()["items"]

    items = with_server(tmp_path, deed)

    assert [(item["actor"], item["action"]) for item in items] == [
        ("loopback", "POST /v1/claims"),
        ("loopback", "POST /v1/stops"),
    ]
    assert "smoke on site" in items[1]["reason"]


def test_bug_of_ours_is_answered_in_the_one_shape_and_logged_with_its_trace(tmp_path, capsys):
    async def walk(http, app):
        app.context.fleet.rollout_rows = None  # what no code of ours does
        http._transport.raise_app_exceptions = False
        return await http.get("/v1/rollouts")

    answer = with_server(tmp_path, walk)

    assert answer.status_code == 500
    assert answer.json()["code"] == "RB-API-011"
    assert answer.json()["hint"] == "report it with the trace that the server has logged"
