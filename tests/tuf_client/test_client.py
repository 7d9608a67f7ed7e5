"""The TUF client against a repository of python-tuf on loopback: what it stores, what it refuses, what it asks for."""

import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from securesystemslib.formats import encode_canonical

from ringback import tuf_client
from ringback_kernel import errors
from ringback_kernel.errors import WireError
from tests.kernel.tuf_writer import Writer


class Site:
    """Serves {path: bytes}, and remembers what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                body = site.pages.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, writer: Writer) -> None:
        for role, raw in writer.files.items():
            name = urllib.parse.quote(role, "")
            self.pages[
                "/m/timestamp.json" if role == "timestamp" else f"/m/{writer.signed(role).version}.{name}.json"
            ] = raw

    def add_file(self, writer: Writer, path: str, data: bytes, role: str = "targets") -> None:
        writer.add_target(role, path, data)
        folder, slash, name = path.rpartition("/")
        digest = writer.targets[role].targets[path].hashes["sha256"]
        self.pages[f"/t/{folder}{slash}{digest}.{name}"] = data


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    from tests.kernel import tuf_writer

    monkeypatch.setattr(tuf_client.time, "time", lambda: tuf_writer.NOW_MS / 1000)
    return Writer.simple()


def client(site: Site, folder: Path, *arguments: str) -> int:
    given = ["--metadata-dir", str(folder / "m"), "--metadata-url", f"{site.url}/m", "--target-dir", str(folder)]
    try:
        tuf_client.run(tuf_client.arguments().parse_args([*given, "--target-base-url", f"{site.url}/t", *arguments]))
    except (tuf_client.ClientError, tuf_client.KernelError):
        return 1
    return 0


def init(site: Site, folder: Path, root: bytes) -> int:
    (folder / "first.json").write_bytes(root)
    return client(site, folder, "init", str(folder / "first.json"))


def stored(folder: Path, role: str) -> bytes:
    return (folder / "m" / f"{role}.json").read_bytes()


def test_refresh_stores_the_bytes_it_verified_and_asks_in_the_order_of_the_specification(
    site, writer, tmp_path
) -> None:
    site.publish(writer)
    assert init(site, tmp_path, writer.files["root"]) == 0 and site.asked == []
    assert client(site, tmp_path, "refresh") == 0
    assert site.asked == ["/m/2.root.json", "/m/timestamp.json", "/m/1.snapshot.json", "/m/1.targets.json"]
    for role in ("root", "timestamp", "snapshot", "targets"):
        assert stored(tmp_path, role) == writer.files[role]


def test_second_refresh_without_news_asks_for_root_and_timestamp_only(site, writer, tmp_path) -> None:
    site.publish(writer)
    init(site, tmp_path, writer.files["root"])
    client(site, tmp_path, "refresh")
    site.asked.clear()
    assert client(site, tmp_path, "refresh") == 0
    assert site.asked == ["/m/2.root.json", "/m/timestamp.json"]


def test_download_puts_the_target_under_a_name_without_slashes_and_keeps_a_good_one(site, writer, tmp_path) -> None:
    site.add_file(writer, "../../evil", b"tame")
    writer.publish("targets", "snapshot", "timestamp")
    site.publish(writer)
    init(site, tmp_path, writer.files["root"])
    for _ in range(2):
        assert client(site, tmp_path, "--target-name", "../../evil", "download") == 0
    assert (tmp_path / "..%2F..%2Fevil").read_bytes() == b"tame"
    assert len([path for path in site.asked if path.startswith("/t/")]) == 1


def test_target_with_other_bytes_is_not_stored(site, writer, tmp_path) -> None:
    site.add_file(writer, "file", b"right")
    writer.publish("targets", "snapshot", "timestamp")
    site.publish(writer)
    init(site, tmp_path, writer.files["root"])
    for body in (b"wrong", b"right and more", b"righ"):
        for path in [path for path in site.pages if path.startswith("/t/")]:
            site.pages[path] = body
        assert client(site, tmp_path, "--target-name", "file", "download") == 1
        assert not (tmp_path / "file").exists()


def test_refused_file_never_replaces_the_trusted_one(site, writer, tmp_path) -> None:
    site.publish(writer)
    init(site, tmp_path, writer.files["root"])
    client(site, tmp_path, "refresh")
    good = stored(tmp_path, "timestamp")
    site.pages["/m/timestamp.json"] = good.replace(b'"version":1', b'"version":2')
    assert client(site, tmp_path, "refresh") == 1
    assert stored(tmp_path, "timestamp") == good
    site.pages["/m/timestamp.json"] = b" " * 20_000
    assert client(site, tmp_path, "refresh") == 1
    assert stored(tmp_path, "timestamp") == good


def test_init_refuses_a_root_that_is_not_signed_and_refresh_needs_a_root(site, writer, tmp_path) -> None:
    assert init(site, tmp_path, writer.files["root"].replace(b"2026", b"2027")) == 1
    assert not (tmp_path / "m").exists()
    assert client(site, tmp_path, "refresh") == 1 and site.asked == []


def test_address_that_is_not_http_is_refused(tmp_path) -> None:
    with pytest.raises(tuf_client.ClientError):
        tuf_client.fetch(f"file://{tmp_path}", 10)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a":1,"a":1}', errors.WIRE_SYNTAX),
        (b'{"a":1.0}', errors.WIRE_SYNTAX),
        (b'{"a":NaN}', errors.WIRE_SYNTAX),
        (b'{"a":1e400}', errors.WIRE_SYNTAX),
        (b"[" * 100 + b"]" * 100, errors.WIRE_DEPTH),
        (b"[" * 100_000, errors.WIRE_SYNTAX),
        (b"\xff", errors.WIRE_SYNTAX),
        (b"", errors.WIRE_SYNTAX),
    ],
)
def test_json_that_two_readers_could_understand_differently_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(WireError) as caught:
        tuf_client.read_json(raw)
    assert caught.value.code == code


def test_canonical_form_is_that_of_securesystemslib() -> None:
    value = {
        "b": [],
        "a": {},
        "é\u2028": ["\\", '"', "\n", "\x00", "/", True, False, None, -3, 2**70],
        "": [{"z": 1, "y": [0]}],
    }
    assert tuf_client.canonical(value) == encode_canonical(value).encode()
    assert tuf_client.parse_canonical(tuf_client.canonical(value), 0) == value
    with pytest.raises(WireError):
        tuf_client.canonical(json.loads('"\\ud800"'))
