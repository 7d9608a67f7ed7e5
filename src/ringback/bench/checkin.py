"""Durable check-ins per second and core, beside the bare server in the same run.

- Rounds alternate between the bare server and ours, so that a neighbour's load hits both; medians are reported.
- Ours is charged with everything: HTTP, the decision, the journal's sync, and the fold of every report into the store,
  for which it gets time after each round.
- Latency is measured in an open loop at a fixed rate, from the instant a request was due.
"""

from __future__ import annotations

import datetime
import statistics
import tempfile
import time
from pathlib import Path

import click
import msgspec

from ringback.bench.fleet import make
from ringback.bench.load import Load
from ringback.bench.machine import Machine, machine
from ringback.bench.programs import BARE, Program, drive, program, server

DEVICES = 100_000
ROUNDS = 5
ROUND_S = 5.0
FOLD_S = 4.0
RATE_PER_S = 10_000


class CheckinFigures(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        per_core_per_s: durable check-ins per second of server CPU, the fold charged.
        seen_per_s: check-ins per second really answered, closed loop.
        ratio_to_bare: CPU of the bare server per request over ours.
        p50_ms, p99_ms: at `rate_per_s`, open loop.
        memory_mb: resident memory of the server after all of it.
        tls_connections_per_s: new TLS connections with one check-in each, per second of server CPU.
    """

    machine: Machine
    devices: int
    per_core_per_s: int
    seen_per_s: int
    bare_per_core_per_s: int
    ratio_to_bare: float
    rate_per_s: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    memory_mb: float
    tls_connections_per_s: int


class _Round(msgspec.Struct, frozen=True):
    cpu_us: float
    per_s: float


def measure(*, devices: int = DEVICES, rounds: int = ROUNDS, seconds: float = ROUND_S) -> CheckinFigures:
    """Measure. Takes about two minutes with the defaults."""
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        folder = Path(name)
        seen = machine(folder)
        make(folder / "data", devices)
        boots = iter(range(1, 1_000))
        with server(folder / "data") as ours, program(*BARE) as bare:
            pairs = [
                (
                    _round(bare, devices, seconds=seconds, boot=next(boots), fold_s=0.0),
                    _round(ours, devices, seconds=seconds, boot=next(boots), fold_s=FOLD_S),
                )
                for _ in range(rounds)
            ]
            late = drive(_load(ours, devices, seconds=2 * seconds, boot=next(boots), rate_per_s=RATE_PER_S))
            memory_mb = ours.memory_mb()
        tls = _tls(folder, devices, boot=next(boots), seconds=seconds)
    bare_us = statistics.median(each.cpu_us for each, _ in pairs)
    ours_us = statistics.median(each.cpu_us for _, each in pairs)
    return CheckinFigures(
        machine=seen,
        devices=devices,
        per_core_per_s=int(1e6 / ours_us),
        seen_per_s=int(statistics.median(each.per_s for _, each in pairs)),
        bare_per_core_per_s=int(1e6 / bare_us),
        ratio_to_bare=round(statistics.median(bare.cpu_us / ours.cpu_us for bare, ours in pairs), 3),
        rate_per_s=RATE_PER_S,
        p50_ms=round(late.p50_ms, 2),
        p99_ms=round(late.p99_ms, 2),
        max_ms=round(late.max_ms, 1),
        memory_mb=round(memory_mb, 1),
        tls_connections_per_s=tls,
    )


def _load(served: Program, devices: int, *, seconds: float, boot: int, rate_per_s: int = 0) -> Load:
    return Load(
        host="127.0.0.1",
        port=served.port,
        path="/d/1/checkin",
        connections=256 if rate_per_s else 64,
        seconds=seconds,
        devices=devices,
        boot=boot,
        rate_per_s=rate_per_s,
    )


def _round(served: Program, devices: int, *, seconds: float, boot: int, fold_s: float) -> _Round:
    before_s = served.cpu_s()
    came = drive(_load(served, devices, seconds=seconds, boot=boot))
    time.sleep(fold_s)
    refused = came.requests - came.by_status.get("204", 0) - came.by_status.get("200", 0)
    if refused:
        raise click.ClickException(f"{refused} of {came.requests} check-ins were refused: {came.by_status}")
    return _Round((served.cpu_s() - before_s) / came.requests * 1e6, came.requests / came.seconds)


def _tls(folder: Path, devices: int, *, boot: int, seconds: float) -> int:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    self_signed(certificate, key)
    with server(folder / "data", "--tls-cert", str(certificate), "--tls-key", str(key)) as served:
        before_s = served.cpu_s()
        load = _load(served, devices, seconds=seconds, boot=boot)
        came = drive(msgspec.structs.replace(load, reconnect=True, connections=16, ca_file=str(certificate)))
        return int(came.requests / (served.cpu_s() - before_s))


def self_signed(certificate: Path, key: Path) -> None:
    """Write a P-256 certificate for 127.0.0.1 and its key."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ringback bench")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@click.command("checkin")
@click.option("--devices", default=DEVICES, show_default=True, help="Devices in the fleet.")
@click.option("--rounds", default=ROUNDS, show_default=True, help="Rounds of both servers.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else on stdout.")
def command(*, devices: int, rounds: int, as_json: bool) -> None:
    """Measure durable check-ins per second and core, beside the bare server."""
    found = measure(devices=devices, rounds=rounds)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    click.echo("\n".join(lines(found)))


def lines(found: CheckinFigures) -> list[str]:
    """Return the figures as rows of a table."""
    return [
        f"| durable check-ins per second and core, fold charged | {found.per_core_per_s:,} | at least 12,000 |",
        f"| of the bare server's rate, same run | {found.ratio_to_bare:.0%} | at least 40 % |",
        f"| latency at {found.rate_per_s:,}/s, p99 (p50) | {found.p99_ms} ms ({found.p50_ms} ms) | at most 25 ms |",
        f"| memory with {found.devices:,} devices | {found.memory_mb} MB | at most 250 MB |",
        f"| new TLS connections per second and core | {found.tls_connections_per_s:,} | - |",
        f"| bare server, requests per second and core | {found.bare_per_core_per_s:,} | - |",
    ]
