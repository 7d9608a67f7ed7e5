"""Check-in, artifacts and enrolment over HTTP: what is answered, and that hostile input is refused with a reason."""

import asyncio
import hashlib
import json

from ringback.ports.store import NoRoomError
from tests.server.inside import enrolled, report, with_server
from tests.usecases.world import BASELINE, CLASS, manifest


async def publish(http, plane, version, **more):
    kind = {"app": "firmware", "config": "config"}.get(plane, "model")
    data = manifest(plane, kind, "blaze" if kind == "model" else "door", version, **more)
    for file in json.loads(data)["files"]:
        await http.put(f"/v1/blobs/sha256/{file['sha256']}", content=f"{plane} {version}".encode())
    return await http.post("/v1/artifacts", content=data, headers={"Content-Type": "application/json"})


async def baseline(http, app):
    """Register the class, publish one version of each plane, and start the baseline rollout on enrolled devices."""
    await http.post("/v1/classes", json={"yaml": CLASS})
    for plane in ("app", "model/face", "config"):
        assert (await publish(http, plane, "1.0.0")).status_code == 201
    await http.post("/v1/releases", json={"yaml": BASELINE})
    answer = await http.post("/v1/rollouts", json={"release": "baseline"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_device_gets_its_signed_desired_state_until_it_says_that_it_has_it(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        await http.post("/d/1/checkin", json=report(), headers=headers)
        await baseline(http, app)
        await app.controller.tick()
        offered = await http.post("/d/1/checkin", json=report(seq=2), headers=headers)
        again = await http.post("/d/1/checkin", json=report(seq=3), headers=headers)
        held = await http.post("/d/1/checkin", json=report(seq=4, have=1), headers=headers)
        return offered, again, held

    offered, again, held = with_server(tmp_path, deed)

    assert offered.status_code == 200
    assert offered.content.startswith(b'{"signatures":[{"keyid":"')
    document = json.loads(offered.content)["signed"]
    assert (document["version"], document["ota"]["device"], document["ota"]["tenant"]) == (1, "box-1", "default")
    assert set(document["targets"]) == {"app/door/1.0.0", "config/door/1.0.0", "model/face/blaze/1.0.0"}
    assert again.content == offered.content
    assert (held.status_code, held.content) == (204, b"")
    assert 0.45 <= float(held.headers["ringback-next-s"]) <= 0.55


HOSTILE = [
    (b"", 400, "RB-REPORT-002"),
    (b'{"v":1', 400, "RB-REPORT-002"),
    (b"\xff\xfe", 400, "RB-REPORT-002"),
    (b"[" * 50_000, 400, "RB-REPORT-002"),
    (b'{"v":1,"device":"box-1","boot_id":"0","seq":-1,"up_ms":1}', 400, "RB-REPORT-002"),
    (b'{"v":1,"device":"box-1","boot_id":"0","seq":1e3,"up_ms":1.5}', 400, "RB-REPORT-002"),
    (b'{"v":1,"device":"box-1","boot_id":"0","seq":99999999999999999999,"up_ms":1}', 400, "RB-REPORT-002"),
    (b'{"v":1,"device":"../../etc","boot_id":"0","seq":1,"up_ms":1}', 400, "RB-REPORT-002"),
    (b'{"v":9,"device":"box-1","boot_id":"0","seq":1,"up_ms":1}', 400, "RB-REPORT-004"),
    (b'{"v":1,"device":"box-2","boot_id":"0","seq":1,"up_ms":1}', 403, "RB-REPORT-005"),
    (
        b'{"v":1,"device":"box-1","boot_id":"0","seq":1,"up_ms":1,"planes":{"app":["nonsense","1"]}}',
        400,
        "RB-REPORT-003",
    ),
    (
        b'{"v":1,"device":"box-1","boot_id":"0","seq":1,"up_ms":1,"planes":{"../x":["sha256:00","1"]}}',
        400,
        "RB-REPORT-003",
    ),
    (b'{"v":1,"device":"box-1","boot_id":"0","seq":1,"up_ms":1,"planes":7}', 400, "RB-REPORT-003"),
    (b'{"v":1,"pad":"' + b"x" * 70_000 + b'"}', 413, "RB-REPORT-001"),
]


def test_hostile_report_is_refused_with_a_code_and_nothing_is_kept(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        answers = [await http.post("/d/1/checkin", content=body, headers=headers) for body, _, _ in HOSTILE]
        return answers, app.context.fleet.applied_no

    answers, applied_no = with_server(tmp_path, deed)

    for answer, (body, status, code) in zip(answers, HOSTILE, strict=True):
        assert (answer.status_code, answer.json()["code"]) == (status, code), body[:100]
        assert set(answer.json()) == {"code", "message", "fields", "hint"}
    assert applied_no == -1


def test_versions_that_nobody_published_are_recorded_and_flagged_and_never_trusted(tmp_path):
    digest = "sha256:" + "e" * 64

    async def deed(http, app):
        headers = await enrolled(http)
        await http.post("/v1/classes", json={"yaml": CLASS})
        planes = {"app": [digest, "6.6.6"]}
        await http.post("/d/1/checkin", json=report(planes=planes, confirmed={"app": digest}), headers=headers)
        await publish(http, "model/face", "1.0.0")
        text = BASELINE.replace("app: door@1.0.0, ", "").replace(", config: door@1.0.0", "")
        await http.post("/v1/releases", json={"yaml": text})
        return (await http.get("/v1/devices/box-1")).json(), (
            await http.post("/v1/plan", json={"release": "baseline"})
        ).json()

    device, plan = with_server(tmp_path, deed)

    assert device["unknown_digests"] == [digest]
    assert [plane["is_unknown"] for plane in device["planes"]] == [True, False, False]
    assert plan["refused"] is True
    assert plan["causes"][0]["code"] == "RB-PLAN-011"


def test_full_disk_acknowledges_nothing_and_recovers_when_there_is_room(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        journal = app.context.committer._journal
        append = journal.append

        def full(first_no, batch):
            raise NoRoomError("RB-STORE-001", "the server's disk is full", retry_after_s=10)

        journal.append = full
        refused = await http.post("/d/1/checkin", json=report(), headers=headers)
        unseen = app.context.fleet.devices["box-1"].seen_at_ms
        journal.append = append
        accepted = await http.post("/d/1/checkin", json=report(), headers=headers)
        return refused, unseen, accepted

    refused, unseen, accepted = with_server(tmp_path, deed)

    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (507, "10", "RB-STORE-001")
    assert unseen == 0
    assert accepted.status_code == 204


def test_broken_journal_stops_the_answers_and_readiness_says_so(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        app.context.committer._journal.close()
        first = await http.post("/d/1/checkin", json=report(), headers=headers)
        second = await http.post("/d/1/checkin", json=report(), headers=headers)
        ready = await http.get("/v1/readyz")
        return first, second, ready

    first, second, ready = with_server(tmp_path, deed)

    assert (first.status_code, first.json()["code"]) == (500, "RB-STORE-012")
    assert second.status_code == 500
    assert (ready.status_code, ready.json()["ok"]) == (503, False)


def test_check_ins_that_arrive_together_share_one_commit(tmp_path):
    async def deed(http, app):
        devices = [await enrolled(http, f"box-{number}") for number in range(20)]
        journal, batches = app.context.committer._journal, []
        append = journal.append
        journal.append = lambda first_no, batch: (batches.append(first_no), append(first_no, batch))
        answers = await asyncio.gather(
            *(
                http.post("/d/1/checkin", json=report(f"box-{number}"), headers=headers)
                for number, headers in enumerate(devices)
            )
        )
        return [answer.status_code for answer in answers], len(batches)

    statuses, batches = with_server(tmp_path, deed)

    assert statuses == [204] * 20
    assert batches <= 4


def test_second_check_in_of_a_device_waits_for_the_first_to_be_on_disk(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        both = await asyncio.gather(
            http.post("/d/1/checkin", json=report(seq=1), headers=headers),
            http.post("/d/1/checkin", json=report(seq=2), headers=headers),
        )
        return sorted(answer.status_code for answer in both)

    assert with_server(tmp_path, deed) == [204, 429]


SHA256 = hashlib.sha256(b"app 1.0.0").hexdigest()


PARTS = [
    ({}, 200, b"app 1.0.0", None),
    ({"Range": "bytes=0-2"}, 206, b"app", "bytes 0-2/9"),
    ({"Range": "bytes=4-"}, 206, b"1.0.0", "bytes 4-8/9"),
    ({"Range": "bytes=-3"}, 206, b"0.0", "bytes 6-8/9"),
    ({"Range": "bytes=0-999"}, 206, b"app 1.0.0", "bytes 0-8/9"),
    ({"Range": "bytes=9-"}, 416, None, "bytes */9"),
    ({"Range": "bytes=100-200"}, 416, None, "bytes */9"),
    ({"Range": "bytes=0-1,3-4"}, 200, b"app 1.0.0", None),
    ({"Range": "bytes=5-2"}, 200, b"app 1.0.0", None),
    ({"Range": "lines=1-2"}, 200, b"app 1.0.0", None),
    ({"Range": "bytes=0-2", "If-Range": f'"{SHA256}"'}, 206, b"app", "bytes 0-2/9"),
    ({"Range": "bytes=0-2", "If-Range": '"other"'}, 200, b"app 1.0.0", None),
    ({"If-None-Match": f'"{SHA256}"'}, 304, b"", None),
]


def test_artifact_is_served_whole_or_in_part_under_its_hash(tmp_path):
    path = f"/a/1/sha256/{SHA256}"

    async def deed(http, app):
        headers = await enrolled(http)
        await http.post("/v1/classes", json={"yaml": CLASS})
        unpublished = await http.get(path, headers=headers)
        await publish(http, "app", "1.0.0")
        return unpublished.status_code, [await http.get(path, headers={**headers, **asked}) for asked, *_ in PARTS]

    unpublished, answers = with_server(tmp_path, deed)

    assert unpublished == 404
    for answer, (asked, status, body, content_range) in zip(answers, PARTS, strict=True):
        assert answer.status_code == status, asked
        assert body is None or answer.content == body, asked
        assert answer.headers.get("content-range") == content_range, asked
        assert status == 416 or answer.headers["etag"] == f'"{SHA256}"'


def test_manifest_itself_is_served_by_the_digest_of_the_artifact(tmp_path):
    async def deed(http, app):
        headers = await enrolled(http)
        await http.post("/v1/classes", json={"yaml": CLASS})
        artifact = (await publish(http, "app", "1.0.0")).json()
        return artifact, await http.get(f"/a/1/{artifact['digest'].replace(':', '/')}", headers=headers)

    artifact, answer = with_server(tmp_path, deed)

    assert answer.status_code == 200
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == artifact["digest"]
