"""Who may call the operator API.

Decides: who a request comes from, and whether the role is enough.

- A token, if there is one, must be good: a wrong one is refused even from this machine.
- Without a token, a direct connection from this machine is its administrator, as with a database on a socket. Not so
  when a proxy forwarded it, or when a web page may have sent it: then the address says nothing about who asks.
- Stopping takes less right than starting: roles are ordered viewer < operator < releaser < admin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ringback.errors import NotAllowedError
from ringback.server.context import Context
from ringback.server.device.http import Scope, bearer, header

ROLES: Final = ("viewer", "operator", "releaser", "admin")
LOOPBACK_PEERS: Final = ("127.0.0.1", "::1")
LOOPBACK_HOSTS: Final = (b"127.0.0.1", b"localhost", b"[::1]")
FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks. `name` is what the audit log says."""

    name: str
    role: str


def operator_of(context: Context, scope: Scope) -> Operator:
    """Return who a request comes from.

    Raises:
        NotAllowedError: no token where one is needed, or a wrong one (RB-API-001).
    """
    token = bearer(scope["headers"])
    if token:
        row = context.fleet.operator_tokens.get(hashlib.sha256(token).digest())
        if row is not None and (row.expires_at_ms is None or row.expires_at_ms > context.clock.now_ms()):
            return Operator(f"token {row.token_id}", row.role)
        raise NotAllowedError("RB-API-001", "the token is unknown or has expired", hint="check RINGBACK_TOKEN")
    if not context.settings.require_token and is_from_this_machine(scope):
        return Operator("loopback", "admin")
    raise NotAllowedError(
        "RB-API-001",
        "this needs an operator's token",
        hint="send `Authorization: Bearer <token>`; the server's first token is in <data>/admin.token",
    )


def is_from_this_machine(scope: Scope) -> bool:
    """Say whether a request comes straight from a program on this machine, and from no web page."""
    headers = scope["headers"]
    client = scope.get("client")
    host = header(headers, b"host").lower()
    name = host if host.endswith(b"]") else host.rsplit(b":", 1)[0]
    return (
        client is not None
        and client[0] in LOOPBACK_PEERS
        and name in LOOPBACK_HOSTS
        and not any(header(headers, forwarded) for forwarded in FORWARDED)
        and not header(headers, b"origin")
    )


def check_role(operator: Operator, least: str) -> None:
    """Refuse an operator whose role is not enough.

    Raises:
        NotAllowedError: it is not (RB-API-002).
    """
    if ROLES.index(operator.role) < ROLES.index(least):
        raise NotAllowedError(
            "RB-API-002",
            f"this needs the role {least}, {operator.name} is {operator.role}",
            hint="ask someone with that role, or for a token of that role",
        )
