"""The client against a real server, and against answers that no server of ours gives."""

import httpx
import pytest

from ringback.client import Client, models
from ringback.client.client import error_of
from ringback.client.errors import BadAnswer, Unreachable
from ringback.errors import BugError, ConflictError, InputError, NotAllowedError, NotFoundError, RetryLaterError


@pytest.fixture
def client(address):
    with Client(address) as opened:
        yield opened


def answering(*answers):
    """Returns a client whose requests get these answers in turn (an exception is raised), and the list of requests."""
    asked, left = [], list(answers)

    def handle(request):
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://server", "secret", transport=httpx.MockTransport(handle)), asked


def page(*items, following=None):
    return httpx.Response(200, json={"items": list(items), "next": following})


CLAIM = {"id": "claim-1", "uses_left": 1, "expires_at_ms": 1, "auto_accept": True, "created_at_ms": 1}


def test_a_running_server_is_ready(client):
    assert client.ready().ok


def test_a_claim_is_made_and_listed_without_its_token(client):
    made = client.create_claim(uses=3, ttl_ms=60_000, auto_accept=False)
    listed = {each.id: each for each in client.claims().items}[made.id]
    assert made.token
    assert (listed.uses_left, listed.auto_accept, listed.token) == (3, False, "")


def test_an_error_of_the_server_comes_back_with_its_code_and_hint(client):
    with pytest.raises(InputError) as refusal:
        client.create_claim(uses=0)
    assert (refusal.value.code, refusal.value.message) == ("RB-ENROL-010", "0 uses wanted, 1 to 1000000 are possible")


def test_a_wrong_token_is_not_allowed_even_on_this_machine(address):
    with Client(address, "wrong") as client, pytest.raises(NotAllowedError) as refusal:
        client.claims()
    assert refusal.value.code == "RB-API-001"


def test_lists_are_read_page_by_page(client):
    made = {client.create_claim().id for _ in range(3)}
    assert made <= {each.id for each in client.claims(limit=1000).items}
    first = client.claims(limit=2)
    assert len(first.items) == 2
    assert first.next is not None


def test_pages_are_asked_for_until_the_limit_and_no_further():
    client, asked = answering(page(CLAIM, following="a"), page(CLAIM, following="b"))
    assert client.claims(limit=2) == models.Page(items=[_claim(), _claim()], next="b")
    assert [request.url.params.get("cursor") for request in asked] == [None, "a"]
    assert [request.url.params["limit"] for request in asked] == ["2", "1"]


def _claim():
    return models.Claim(**CLAIM)


def test_a_server_that_gives_empty_pages_for_ever_is_not_asked_for_ever():
    client, asked = answering(page(following="a"), page(following="a"))
    assert client.claims().items == []
    assert len(asked) == 1


def test_a_token_goes_along_with_every_request():
    client, asked = answering(page())
    client.claims()
    assert asked[0].headers["authorization"] == "Bearer secret"


def test_a_change_whose_connection_broke_is_sent_once_more_under_the_same_key():
    client, asked = answering(httpx.RemoteProtocolError("gone"), httpx.Response(201, json=CLAIM))
    client.create_claim()
    keys = {request.headers["idempotency-key"] for request in asked}
    assert len(asked) == 2
    assert len(keys) == 1


def test_a_connection_that_breaks_twice_is_the_callers_decision():
    client, asked = answering(httpx.ReadError("gone"), httpx.ReadError("gone"), httpx.Response(500))
    with pytest.raises(Unreachable):
        client.claims()
    assert len(asked) == 2


def test_no_answer_names_the_address_and_what_to_do():
    client, _ = answering(httpx.ConnectError("Connection refused"))
    with pytest.raises(Unreachable) as refusal:
        client.claims()
    assert refusal.value.code == "RB-CLIENT-001"
    assert refusal.value.message == "no answer from http://server: Connection refused"
    assert refusal.value.hint == "start a server with: ringback server; or name yours with --server"


def test_a_change_that_gets_no_answer_in_time_is_not_sent_twice():
    client, asked = answering(httpx.ReadTimeout("timed out"))
    with pytest.raises(Unreachable):
        client.create_claim()
    assert len(asked) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"items": 3}'])
def test_an_answer_that_is_none_of_ours_is_told_from_a_good_one(body):
    client, _ = answering(httpx.Response(200, content=body))
    with pytest.raises(BadAnswer) as refusal:
        client.claims()
    assert refusal.value.code == "RB-CLIENT-002"
    assert refusal.value.hint == "is this the right address? compare versions with: ringback doctor"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InputError),
        (401, NotAllowedError),
        (403, NotAllowedError),
        (404, NotFoundError),
        (409, ConflictError),
        (412, ConflictError),
        (413, InputError),
        (429, RetryLaterError),
        (500, BugError),
        (503, RetryLaterError),
        (507, RetryLaterError),
    ],
)
def test_an_error_is_of_the_class_that_its_status_says(status, kind):
    body = {"code": "RB-X-1", "message": "found a", "fields": {}, "hint": "write b"}
    error = error_of(httpx.Response(status, json=body))
    assert type(error) is kind
    assert (error.code, error.message, error.hint) == ("RB-X-1", "found a", "write b")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("soon", 1), ("", 1), ("9" * 30, 1)])
def test_a_busy_server_says_when_to_come_back(header, seconds):
    body = {"code": "RB-X-1", "message": "", "fields": {}, "hint": ""}
    error = error_of(httpx.Response(503, json=body, headers={"retry-after": header}))
    assert error.retry_after_s == seconds


def test_an_error_page_of_something_in_front_is_told_from_an_error_of_ours():
    answer = httpx.Response(502, content=b"<html>", request=httpx.Request("GET", "http://proxy/v1/claims"))
    error = error_of(answer)
    assert (error.code, error.message) == (
        "RB-CLIENT-003",
        "http://proxy/v1/claims answered with status 502 and no reason",
    )


def test_the_server_can_use_the_values_without_importing_http():
    import subprocess
    import sys

    code = "import sys, ringback.client.models; print('httpx' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
