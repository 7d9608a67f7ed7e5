"""Who this box is: the file it keeps, and how it gets one by enrolling with a claim.

Invariants:

- The file is readable by its owner only; the token is shown nowhere else.
- A box that has an identity never enrols again by itself, whatever flags it is started with.
- Enrolment is repeated until the server answers; the server makes the same claim and serial the same device.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback.agent.errors import PortError, SetupError
from ringback.agent.files import Disk
from ringback.agent.ports import Json
from ringback.agent.transport import HttpTransport

IDENTITY_FILE = "identity.json"
ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
TOKEN = re.compile(r"[0-9a-f]{64}")
BACKOFF_FIRST_S = 1
BACKOFF_LAST_S = 60
ROOT_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """What a box knows of itself. `director_root` is the TUF root that its desired states are signed under."""

    device: str
    tenant: str
    token: str
    device_class: str
    server: str
    director_root: bytes


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a box says when it enrols."""

    server: str
    claim: str
    serial: str
    device_class: str
    labels: Mapping[str, str]
    agent_version: str


def load(state: Path) -> Identity | None:
    """Returns the identity in a state folder, None when there is none. Raises SetupError when it is damaged."""
    path = state / IDENTITY_FILE
    try:
        obj = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SetupError("RB-AGENT-003", f"{path} cannot be read: {error}", hint="remove it and enrol again") from error
    identity = _from_obj(obj if isinstance(obj, dict) else {}, obj.get("class", "") if isinstance(obj, dict) else "")
    if identity is None:
        raise SetupError("RB-AGENT-003", f"{path} is not an identity", hint="remove it and enrol again")
    return identity


def save(state: Path, identity: Identity, disk: Disk) -> None:
    """Keeps an identity durably. Raises OSError."""
    obj = {
        "device": identity.device,
        "tenant": identity.tenant,
        "token": identity.token,
        "class": identity.device_class,
        "server": identity.server,
        "director_root": base64.b64encode(identity.director_root).decode("ascii"),
    }
    disk.write(state / IDENTITY_FILE, json.dumps(obj, indent=1).encode(), mode=0o600)


def enrol(transport: HttpTransport, request: Enrolment, *, pause: Callable[[float], bool]) -> Identity:
    """Asks for an identity until the server answers.

    Args:
        transport: a way to the server without a token.
        request: what to say.
        pause: waits for so many seconds, or returns True when the agent is to end.

    Raises:
        SetupError: RB-AGENT-004 the server refuses; RB-AGENT-003 the agent was ended before it had an answer.
    """
    body: dict[str, Json] = {
        "claim": request.claim,
        "serial": request.serial,
        "class": request.device_class,
        "labels": dict(request.labels),
        "agent": request.agent_version,
    }
    wait_s = BACKOFF_FIRST_S
    while True:
        try:
            status, answer = transport.enrol(body)
        except PortError as error:
            status, answer = 0, {"message": error.message}
        if status in {200, 201}:
            identity = _from_obj({**answer, "server": request.server}, request.device_class)
            if identity is not None:
                return identity
        if 400 <= status < 500 and status not in {408, 429}:
            text = f"{answer.get('code', f'HTTP {status}')}: {answer.get('message', 'no reason given')}"
            raise SetupError("RB-AGENT-004", f"{request.server} refused: {text}", hint=str(answer.get("hint") or ""))
        if pause(wait_s):
            raise SetupError("RB-AGENT-003", f"ended before {request.server} answered: {answer.get('message', status)}")
        wait_s = min(wait_s * 2, BACKOFF_LAST_S)


def _from_obj(obj: Mapping[str, Json], device_class: Json) -> Identity | None:
    texts = {key: obj.get(key) for key in ("device", "tenant", "token", "server", "director_root")}
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(device_class, str):
        return None
    device, tenant, token, server, root = (str(texts[key]) for key in texts)
    try:
        director_root = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not ID.fullmatch(device) or not ID.fullmatch(tenant) or not TOKEN.fullmatch(token):
        return None
    if len(director_root) > ROOT_LIMIT_BYTES:
        return None
    return Identity(device, tenant, token, device_class, server, director_root)
