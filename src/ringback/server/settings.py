"""The server's settings: one table, from which the command line, the environment and the reference page are made.

Every setting is an option `--name` and an environment variable `RINGBACK_NAME`; the option wins. A setting that is not
in docs/reference/settings.md fails a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.errors import InputError

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one server is told. Instants and durations in ms, sizes in bytes."""

    data: Path = Path("ringback-data")
    host: str = "127.0.0.1"
    port: int = 8400
    tls_cert: str = ""
    tls_key: str = ""
    demo: bool = False
    auto_accept: bool = False
    require_token: bool = False
    poll_ms: int = 60_000
    tick_ms: int = 1_000
    fold_ms: int = 1_000
    lease_ms: int = 10_000
    keep_days: int = 90
    max_blob_bytes: int = 2048 * MIB
    max_pending: int = 20_000
    log_level: str = "info"

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can connect."""
        return self.host in LOOPBACK

    @property
    def url(self) -> str:
        """Return the base address, as far as it is known before binding."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"


MEANINGS: Final[dict[str, str]] = {
    "data": "Folder of database, journal, blobs and keys; made if absent.",
    "host": "Address to listen on. Anything but loopback needs TLS and keys of your own.",
    "port": "Port to listen on; 0 takes a free one and says which.",
    "tls_cert": "Certificate chain (PEM) for built-in TLS.",
    "tls_key": "Private key (PEM) of `tls_cert`.",
    "demo": "Make keys marked as demo keys (30 days, loopback only) and accept devices by claim.",
    "auto_accept": "Accept devices with a valid claim without asking an operator.",
    "require_token": "Ask for an operator token on loopback, too.",
    "poll_ms": "Time between check-ins of a device whose class does not say otherwise.",
    "tick_ms": "Time between two looks of the controller at every active rollout.",
    "fold_ms": "Time between two folds of the journal into the database.",
    "lease_ms": "How long a controller may act on a rollout without renewing its lease.",
    "keep_days": "Days for which deployments of finished rollouts and ended orders are kept one by one.",
    "max_blob_bytes": "Largest file that may be uploaded.",
    "max_pending": "Check-ins on their way to the disk at once; more are asked to come back.",
    "log_level": "debug, info, warning or error.",
}
"""One sentence about each setting, for the help text and the reference page."""


def check(settings: Settings, *, keys_are_demo: bool) -> None:
    """Refuse a server that would show itself unprotected.

    Raises:
        InputError: another address than loopback without TLS (RB-SERVER-001) or with demo keys (RB-SERVER-002); half
            of a TLS pair (RB-SERVER-003).
    """
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise InputError(
            "RB-SERVER-003",
            "TLS needs both a certificate and its key",
            hint="ringback server --tls-cert server.pem --tls-key server.key",
        )
    if settings.is_loopback:
        return
    if not settings.tls_cert:
        raise InputError(
            "RB-SERVER-001",
            f"listening on {settings.host} without TLS would show device tokens to the network",
            hint=f"ringback server --host {settings.host} --tls-cert server.pem --tls-key server.key, "
            "or listen on 127.0.0.1 behind a proxy that ends TLS",
        )
    if settings.demo or keys_are_demo:
        raise InputError(
            "RB-SERVER-002",
            f"listening on {settings.host} with demo keys: anyone who copied them could steer your devices",
            hint=f"ringback server --host {settings.host} --data another-folder (without --demo, which makes keys of "
            "its own), and enrol the devices there",
        )
