"""Check-in and enrolment over a real HTTP server: what counts as an answer, what is tried again, what is never sent."""

import contextlib
import socket
import threading

import pytest

from ringback.agent import identity, transport
from ringback.agent.errors import PortError, SetupError
from ringback.agent.files import Disk
from ringback.agent.identity import Enrolment
from ringback.agent.transport import HttpTransport, Server
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.director import OneBoxServer

REPORT = artifacts.canonical({"device": "box-1", "have": 0})


@pytest.fixture
def server(tmp_path):
    with OneBoxServer(tmp_path / "keys") as running:
        yield running


@pytest.fixture
def line(server):
    made = HttpTransport(Server.parse(server.url), server.token, now_ms=lambda: 1234, utc_ms=lambda: 0)
    yield made
    made.close()


def test_answer_is_the_exact_bytes_and_the_wait(server, line):
    server.desire(artifacts.config())
    server.next_s = 0.25

    answer = line.checkin(REPORT)

    assert (answer.status, answer.body, answer.next_ms) == (200, server.document, 250)


def test_nothing_newer_is_an_answer_without_a_body(server, line):
    answer = line.checkin(REPORT)

    assert (answer.status, answer.body) == (204, b"")
    assert line.uplink() == (True, 1234)


def test_refusal_is_an_answer_not_a_failure(server):
    stranger = HttpTransport(Server.parse(server.url), "b" * 64, now_ms=lambda: 1, utc_ms=lambda: 0)

    assert stranger.checkin(REPORT).status == 401
    stranger.close()


def test_connection_is_kept_for_the_next_check_in(server, line):
    line.checkin(REPORT)
    first = line._checkins._live.sock.getsockname()

    line.checkin(REPORT)

    assert line._checkins._live.sock.getsockname() == first


def test_connection_that_the_server_closed_is_opened_anew(server, line):
    line.checkin(REPORT)
    line._checkins._live.sock.shutdown(socket.SHUT_RDWR)

    assert line.checkin(REPORT).status == 204
    assert len(server.reports) == 2


def test_unreachable_server_fails_with_retry_and_is_known_as_no_uplink():
    line = HttpTransport(Server.parse("http://127.0.0.1:9"), "a" * 64, now_ms=lambda: 7, utc_ms=lambda: 0)

    with pytest.raises(PortError) as caught:
        line.checkin(REPORT)

    assert (caught.value.code, caught.value.retry) == ("RB-AGENT-010", True)
    assert line.uplink() == (False, 7)
    assert "a" * 64 not in str(caught.value)


def test_server_in_trouble_answers_but_is_no_uplink(server, line):
    server.status = 503

    assert line.checkin(REPORT).status == 503
    assert line.uplink()[0] is False


class RawServer:
    """Sends fixed bytes to whoever connects: what a broken or hostile server does."""

    def __init__(self, data):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, args=(data,), daemon=True)
        self.thread.start()

    def serve(self, data):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                with contextlib.suppress(OSError):
                    peer.sendall(data)
                    # Closing with a part of the request unread would reset the connection under the answer.
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "RB-AGENT-010"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "RB-AGENT-010"),
        (b"", "RB-AGENT-010"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (transport.ANSWER_LIMIT_BYTES + 1), "RB-AGENT-011"),
    ],
)
def test_answer_that_is_none_or_too_large_is_a_failure(data, code):
    raw = RawServer(data)
    line = HttpTransport(Server.parse(raw.url), "", now_ms=lambda: 1, utc_ms=lambda: 0)

    with pytest.raises(PortError) as caught:
        line.checkin(REPORT)
    line.close()
    raw.close()

    assert caught.value.code == code


@pytest.mark.parametrize(("text", "wait_ms"), [("0.5", 500), ("-3", 0), ("soon", 0), ("nan", 0), ("1e99", None)])
def test_wait_that_the_server_asks_for_is_bounded(server, line, text, wait_ms):
    server.next_s = text

    assert line.checkin(REPORT).next_ms == (transport.NEXT_LIMIT_MS if wait_ms is None else wait_ms)


@pytest.mark.parametrize("url", ["", "ringback.example", "ftp://x", "http://", "http://x:port", "file:///etc"])
def test_address_that_is_none_is_told(url):
    with pytest.raises(PortError) as caught:
        Server.parse(url)

    assert "expected http(s)://host[:port]" in caught.value.message


def request(server, claim="claim"):
    return Enrolment(server.url, claim, "serial-1", "test-door", {"region": "eu"}, "0.1.0")


def test_enrolment_gives_an_identity_that_only_its_owner_can_read(server, line, tmp_path):
    known = identity.enrol(line, request(server), pause=lambda _: True)
    identity.save(tmp_path, known, Disk())

    assert identity.load(tmp_path) == known
    assert known.director_root == server.keys.root
    assert (tmp_path / identity.IDENTITY_FILE).stat().st_mode & 0o777 == 0o600
    assert server.enrolments[0]["labels"] == {"region": "eu"}


def test_refused_enrolment_ends_with_the_reason_of_the_server(server, line):
    with pytest.raises(SetupError) as caught:
        identity.enrol(line, request(server, claim="stolen"), pause=lambda _: False)

    assert caught.value.code == "RB-AGENT-004"
    assert "RB-ENROL-004: no such claim" in caught.value.message


def test_enrolment_is_repeated_with_growing_pauses_until_the_server_answers(server):
    unreachable = HttpTransport(Server.parse("http://127.0.0.1:9"), "", now_ms=lambda: 1, utc_ms=lambda: 0)
    pauses = []

    def pause(wait_s):
        pauses.append(wait_s)
        return len(pauses) == 8

    with pytest.raises(SetupError) as caught:
        identity.enrol(unreachable, request(server), pause=pause)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert caught.value.code == "RB-AGENT-003"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"device": "../x"}'])
def test_damaged_identity_is_told_not_replaced(tmp_path, text):
    (tmp_path / identity.IDENTITY_FILE).write_text(text)

    with pytest.raises(SetupError) as caught:
        identity.load(tmp_path)

    assert caught.value.code == "RB-AGENT-003"
