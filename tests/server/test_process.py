"""The real program: a real process on a real socket, killed and started again."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec

from ringback.bench.load import Load, device_of, token_of
from ringback.ports.rows import DeviceRow
from ringback.server.app import seed

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
START = "from ringback.server.command import command; command()"


def start(data, *options):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "--data", str(data), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    line = process.stdout.readline()
    return process, line.removeprefix("ready ").strip()


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    talk = process.communicate(timeout=20)[1]
    return process.returncode, talk


def seeded(data, count):
    seed(
        data,
        (
            DeviceRow(
                tenant_id="default",
                device_id=device_of(number),
                serial=device_of(number),
                class_id="bench-box",
                labels=(),
                status="accepted",
                mode="normal",
                updates_paused=False,
                token_sha256=hashlib.sha256(token_of(number).encode()).digest(),
                enrolled_at_ms=0,
                generation=1,
            )
            for number in range(count)
        ),
    )


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(tmp_path):
    data, acks = tmp_path / "with space", tmp_path / "acks"
    seeded(data, 400)
    server, url = start(data, "--fold-ms", "50")
    load = Load(
        host="127.0.0.1",
        port=int(url.rsplit(":", 1)[1]),
        path="/d/1/checkin",
        connections=32,
        seconds=1.5,
        devices=400,
        boot=1,
        ack_file=str(acks),
    )
    sender = subprocess.Popen(
        [sys.executable, "-m", "ringback.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    sender.stdin.write(msgspec.json.encode(load) + b"\n")
    sender.stdin.flush()
    while not acks.exists() or acks.stat().st_size < 2_000:
        assert server.poll() is None
    stop(server, signal.SIGKILL)
    sender.kill()
    sender.communicate()

    server, url = start(data)
    acknowledged = {}
    for line in acks.read_bytes().splitlines()[:-1]:
        number, seq = map(int, line.split())
        acknowledged[number] = max(seq, acknowledged.get(number, 0))
    stop(server)
    kept = sqlite3.connect(data / "ringback.db").execute("SELECT device_id, document FROM device_now").fetchall()
    seqs = {device_id: msgspec.msgpack.decode(document)[4] for device_id, document in kept}

    assert len(acknowledged) >= 100
    assert {number for number, seq in acknowledged.items() if seqs.get(device_of(number), -1) < seq} == set()


def test_server_stops_in_order_and_leaves_nothing_in_the_journal(tmp_path):
    seeded(tmp_path, 3)
    server, url = start(tmp_path)
    headers = {"Authorization": f"Bearer {token_of(0)}"}
    report = {"v": 1, "device": device_of(0), "boot_id": "0123456789abcdef", "seq": 1, "up_ms": 1}
    answer = httpx.post(f"{url}/d/1/checkin", json=report, headers=headers)

    code, talk = stop(server)

    assert (answer.status_code, code) == (204, 0)
    assert "event=server_stopping" in talk
    kept = sqlite3.connect(tmp_path / "ringback.db").execute("SELECT device_id FROM device_now").fetchall()
    assert kept == [(device_of(0),)]


def test_second_server_on_the_same_folder_is_refused_with_a_hint(tmp_path):
    first, _url = start(tmp_path)
    second, line = start(tmp_path)
    code, talk = second.wait(timeout=20), second.stderr.read()
    stop(first)
    second.stdout.close()
    second.stderr.close()

    assert (line, code) == ("", 1)
    assert "RB-STORE-011" in talk
    assert "hint: stop that server" in talk


def test_taken_port_is_refused_before_anything_is_promised(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-c", START, "--data", str(tmp_path), "--port", str(taken.getsockname()[1])],
            capture_output=True,
            env=ENVIRONMENT,
            text=True,
            timeout=30,
        )

    assert (done.returncode, done.stdout) == (1, "")
    assert "RB-SERVER-004" in done.stderr


def test_server_that_would_show_itself_unprotected_is_refused_with_the_command_that_fixes_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", START, "--data", str(tmp_path), "--port", "0", "--host", "0.0.0.0"],
        capture_output=True,
        env=ENVIRONMENT,
        text=True,
        timeout=30,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "RB-SERVER-001" in done.stderr
    assert "hint: ringback server --host 0.0.0.0 --tls-cert" in done.stderr


def test_strange_bytes_on_the_socket_neither_stop_the_server_nor_fill_its_log(tmp_path):
    server, url = start(tmp_path)
    port = int(url.rsplit(":", 1)[1])
    for sent in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /d/1/checkin HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0" * 5000,
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(sent)
            connection.settimeout(2)
            with suppress(OSError):
                connection.recv(1000)
    healthy = httpx.get(f"{url}/v1/healthz").json()

    code, talk = stop(server)

    assert healthy["ok"] is True
    assert code == 0
    assert len(talk.splitlines()) <= 3


def test_pipelined_and_kept_connections_are_answered_in_order(tmp_path):
    seeded(tmp_path, 3)
    server, url = start(tmp_path)

    async def talk():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        for number in range(3):
            body = json.dumps(
                {"v": 1, "device": device_of(number), "boot_id": "0123456789abcdef", "seq": 1, "up_ms": 1}
            ).encode()
            writer.write(
                b"POST /d/1/checkin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                % (token_of(number).encode(), len(body), body)
            )
        writer.write(b"GET /v1/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    answer = asyncio.run(talk())
    stop(server)

    assert answer.count(b"HTTP/1.1 204") == 3
    assert answer.index(b"HTTP/1.1 200") > answer.rindex(b"HTTP/1.1 204")
