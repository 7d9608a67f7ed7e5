"""Who may call what: every route, with a wrong token, from elsewhere, through a proxy, from a web page."""

from ringback.server.api.routes import OPERATIONS
from tests.server.inside import enrolled, with_server

OPEN = {"/v1/healthz", "/v1/readyz", "/openapi.json"}

ROUTES = sorted(
    {(each.method, each.path) for each in OPERATIONS}
    | {
        ("GET", "/openapi.json"),
        ("HEAD", "/v1/blobs/sha256/{sha256}"),
        ("PUT", "/v1/blobs/sha256/{sha256}"),
        ("GET", "/a/1/sha256/{sha256}"),
        ("HEAD", "/a/1/sha256/{sha256}"),
        ("POST", "/d/1/checkin"),
    }
)


def filled(path):
    return (
        path.replace("{sha256}", "0" * 64).replace("{digest:path}", "app/door@1.0.0").replace("{", "").replace("}", "")
    )


async def ask(http, method, path, **headers):
    body = b"{}" if method in ("POST", "PUT") else b""
    return await http.request(
        method, filled(path), content=body, headers={"Content-Type": "application/json", **headers}
    )


def test_every_route_refuses_a_wrong_token_even_from_this_machine(tmp_path):
    async def walk(http, _app):
        return {
            (method, path): (await ask(http, method, path, Authorization="Bearer wrong")).status_code
            for method, path in ROUTES
        }

    statuses = with_server(tmp_path, walk)

    assert {route: status for route, status in statuses.items() if status != 401 and route[1] not in OPEN} == {}
    assert {statuses[route] for route in statuses if route[1] in OPEN} == {200}


STRANGERS = (
    {"X-Forwarded-For": "203.0.113.9"},
    {"Forwarded": "for=203.0.113.9"},
    {"Origin": "http://evil.example"},
    {"Host": "evil.example"},
)


def test_every_route_refuses_whoever_comes_through_a_proxy_or_a_web_page_without_a_token(tmp_path):
    async def walk(http, _app):
        return {
            (method, path, *headers): (await ask(http, method, path, **headers)).status_code
            for method, path in ROUTES
            for headers in STRANGERS
        }

    statuses = with_server(tmp_path, walk)

    assert {route: status for route, status in statuses.items() if status != 401 and route[1] not in OPEN} == {}


def test_every_route_refuses_another_machine_without_a_token(tmp_path):
    async def walk(http, _app):
        return {(method, path): (await ask(http, method, path)).status_code for method, path in ROUTES}

    statuses = with_server(tmp_path, walk, client=("203.0.113.9", 1))

    assert {route: status for route, status in statuses.items() if status != 401 and route[1] not in OPEN} == {}


def test_required_token_is_the_one_in_the_data_folder_and_nothing_less(tmp_path):
    async def walk(http, _app):
        token = (tmp_path / "admin.token").read_text().strip()
        without = await http.get("/v1/status")
        with_it = await http.get("/v1/status", headers={"Authorization": f"Bearer {token}"})
        return without, with_it

    without, with_it = with_server(tmp_path, walk, require_token=True)

    assert (without.status_code, with_it.status_code) == (401, 200)
    assert "admin.token" in without.json()["hint"]
    assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600


def test_device_token_opens_no_operator_route_and_an_operator_token_no_check_in(tmp_path):
    async def walk(http, _app):
        device = await enrolled(http)
        token = (tmp_path / "admin.token").read_text().strip()
        as_operator = {
            path: (await ask(http, method, path, **device)).status_code
            for method, path in ROUTES
            if path.startswith("/v1") and path not in OPEN
        }
        as_device = await http.post("/d/1/checkin", json={}, headers={"Authorization": f"Bearer {token}"})
        return as_operator, as_device.status_code

    as_operator, as_device = with_server(tmp_path, walk)

    assert set(as_operator.values()) == {401}
    assert as_device == 401


def test_pending_and_revoked_devices_are_told_so_and_get_nothing(tmp_path):
    async def walk(http, _app):
        claim = (await http.post("/v1/claims", json={"auto_accept": False})).json()
        body = {"claim": claim["token"], "serial": "box-9", "class": "door"}
        joined = (await http.post("/d/1/enrol", json=body)).json()
        headers = {"Authorization": f"Bearer {joined['token']}"}
        report = {"v": 1, "device": "box-9", "boot_id": "0123456789abcdef", "seq": 1, "up_ms": 1}
        pending = await http.post("/d/1/checkin", json=report, headers=headers)
        await http.post("/v1/devices/box-9/accept")
        accepted = await http.post("/d/1/checkin", json=report, headers=headers)
        await http.post("/v1/devices/box-9/revoke")
        revoked = await http.post("/d/1/checkin", json=report, headers=headers)
        blob = await http.get("/a/1/sha256/" + "0" * 64, headers=headers)
        return joined, pending, accepted, revoked, blob

    joined, pending, accepted, revoked, blob = with_server(tmp_path, walk)

    assert joined["accepted"] is False
    assert (pending.status_code, pending.json()["code"]) == (403, "RB-ENROL-002")
    assert accepted.status_code == 204
    assert (revoked.status_code, revoked.json()["code"]) == (403, "RB-ENROL-003")
    assert blob.status_code == 403


def test_claim_is_good_for_its_uses_and_its_time_and_wrong_ones_are_slowed_down(tmp_path):
    async def walk(http, _app):
        claim = (await http.post("/v1/claims", json={"uses": 1})).json()
        body = {"claim": claim["token"], "serial": "box-1", "class": "door"}
        first = await http.post("/d/1/enrol", json=body)
        second = await http.post("/d/1/enrol", json={**body, "serial": "box-2"})
        wrong = [(await http.post("/d/1/enrol", json={**body, "claim": "x"})).status_code for _ in range(70)]
        return first.status_code, second.json()["code"], wrong

    first, second, wrong = with_server(tmp_path, walk)

    assert (first, second) == (201, "RB-ENROL-004")
    assert wrong[0] == 403
    assert wrong[-1] == 429


def test_token_is_shown_once_and_never_kept(tmp_path):
    async def walk(http, _app):
        claim = (await http.post("/v1/claims", json={"uses": 1})).json()
        listed = (await http.get("/v1/claims")).json()
        headers = await enrolled(http, "box-2")
        return claim["token"], listed["items"][0]["token"], headers["Authorization"].split()[1]

    claim, listed, device = with_server(tmp_path, walk)

    assert listed == ""
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert claim.encode() not in kept
    assert device.encode() not in kept


def test_serial_that_joined_already_is_refused_until_it_is_revoked_and_then_keeps_its_id(tmp_path):
    async def walk(http, _app):
        await enrolled(http, "box-1")
        claim = (await http.post("/v1/claims", json={"uses": 5})).json()
        body = {"claim": claim["token"], "serial": "box-1", "class": "door"}
        refused = await http.post("/d/1/enrol", json=body)
        await http.post("/v1/devices/box-1/revoke")
        again = await http.post("/d/1/enrol", json=body)
        return refused.json()["code"], again.json()["device"]

    assert with_server(tmp_path, walk) == ("RB-ENROL-006", "box-1")
