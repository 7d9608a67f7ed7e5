"""One method for each operation of the operator API. Synchronous: for the command line, scripts and tests.

Decides: paths, parameters, retries. Never: what an answer means.

- A change carries an Idempotency-Key, so a repeated request changes nothing twice. A request whose connection broke is
  sent once more under the same key; a server that does not answer is the caller's decision.
- Lists are read page by page up to a limit of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from ringback.client import models
from ringback.client.errors import BadAnswer, Unreachable
from ringback.errors import (
    BugError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    RetryLaterError,
    RingbackError,
)

Value = TypeVar("Value")
Item = TypeVar("Item")

TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 3.0
# Planning a fleet of 100,000 devices takes a second or two of CPU, more on a busy machine.
PLAN_TIMEOUT_S: Final = 120.0
PAGE_ITEMS: Final = 500
CHUNK_BYTES: Final = 256 * 1024
# The largest answer is a page of 500 devices with labels, a few hundred KiB; a server that sends more is none of ours.
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024

_BY_STATUS: Final[Mapping[int, type[InputError]]] = {
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
}


def nothing(_size_bytes: int) -> None:
    """Take note of bytes that went through: of none."""


class Client:
    """A connection to one server; close it, or use it as a context manager.

    Args:
        base_url: such as http://127.0.0.1:8400.
        token: an operator's token; None: a server on this machine takes the caller for its administrator.
        transport: how requests travel, for tests; None: over the network.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    # --- the server -----------------------------------------------------------------------------------------------

    def ready(self) -> models.Health:
        """Ask whether the server can take work; one that can't answers with what is wrong, not with an error."""
        answer = self._send("GET", "/v1/readyz")
        return self._decoded(models.Health, answer)

    def status(self) -> models.Status:
        """Return the whole at a glance."""
        return self._get(models.Status, "/v1/status")

    # --- devices --------------------------------------------------------------------------------------------------

    def devices(self, *, where: str = "", status: str = "", limit: int = PAGE_ITEMS) -> models.Page[models.DeviceBrief]:
        """List devices; `status` accepted ("" means that), pending, revoked or all."""
        return self._list(models.DeviceBrief, "/v1/devices", limit, where=where, status=status)

    def device(self, device_id: str) -> models.Device:
        """Return everything about a device."""
        return self._get(models.Device, f"/v1/devices/{_part(device_id)}")

    def accept_device(self, device_id: str) -> models.DeviceStatus:
        """Accept a device that enrolled."""
        return self._post(models.DeviceStatus, f"/v1/devices/{_part(device_id)}/accept")

    def revoke_device(self, device_id: str) -> models.DeviceStatus:
        """Refuse everything that a device's token asks from now on."""
        return self._post(models.DeviceStatus, f"/v1/devices/{_part(device_id)}/revoke")

    def send_command(self, device_id: str, kind: str, arg: str = "") -> models.Command:
        """Queue a command of the closed list: reboot, restart (arg: the service), bundle."""
        asked = models.CommandRequest(kind=kind, arg=arg)
        return self._post(models.Command, f"/v1/devices/{_part(device_id)}/commands", asked)

    def create_claim(self, *, uses: int = 1, ttl_ms: int = 86_400_000, auto_accept: bool | None = None) -> models.Claim:
        """Make a token that lets `uses` devices enrol within `ttl_ms`; `auto_accept` None: as the server is set up."""
        asked = models.ClaimRequest(uses=uses, ttl_ms=ttl_ms, auto_accept=auto_accept)
        return self._post(models.Claim, "/v1/claims", asked)

    def claims(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.Claim]:
        """List claims, without their tokens."""
        return self._list(models.Claim, "/v1/claims", limit)

    def push(self, artifact: str, device: str, *, reason: str = "", dry_run: bool = False) -> models.Push:
        """Bring one artifact (digest or reference) to one device."""
        asked = models.PushRequest(artifact=artifact, device=device, reason=reason, dry_run=dry_run)
        return self._post(models.Push, "/v1/push", asked)

    def pushes(self, *, device: str = "", limit: int = PAGE_ITEMS) -> models.Page[models.Push]:
        """List orders to single devices, oldest first."""
        return self._list(models.Push, "/v1/push", limit, device=device)

    def push_state(self, push_id: str) -> models.Push:
        """Return an order to a single device."""
        return self._get(models.Push, f"/v1/push/{_part(push_id)}")

    def push_back(self, push_id: str, *, reason: str = "", dry_run: bool = False) -> models.Push:
        """Bring a device back to what it ran before a push."""
        asked = models.PushBackRequest(reason=reason, dry_run=dry_run)
        return self._post(models.Push, f"/v1/push/{_part(push_id)}/rollback", asked)

    def recover(
        self, to: str, *, planes: Sequence[str] = (), where: str = "", reason: str = "", dry_run: bool = False
    ) -> models.Recovery:
        """Bring devices to stable (all planes, or these), into safe-mode, or back to normal."""
        asked = models.RecoverRequest(to=to, planes=list(planes), where=where, reason=reason, dry_run=dry_run)
        return self._post(models.Recovery, "/v1/recover", asked)

    # --- what is published ----------------------------------------------------------------------------------------

    def create_class(self, text: str) -> models.DeviceClass:
        """Register a version of a device class (YAML)."""
        return self._post(models.DeviceClass, "/v1/classes", models.TextRequest(yaml=text))

    def classes(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.DeviceClass]:
        """List device classes."""
        return self._list(models.DeviceClass, "/v1/classes", limit)

    def device_class(self, class_id: str) -> models.DeviceClass:
        """Return the newest version of a device class."""
        return self._get(models.DeviceClass, f"/v1/classes/{_part(class_id)}")

    def has_blob(self, sha256: str) -> bool:
        """Tell whether the server has these bytes (64 hexadecimal digits)."""
        answer = self._send("HEAD", f"/v1/blobs/sha256/{_part(sha256)}")
        if answer.status_code == 404:
            return False
        self._check(answer)
        return True

    def put_blob(self, sha256: str, file: Path, sent: Callable[[int], None] = nothing) -> models.Blob:
        """Upload a file; `sent` is told the size of each piece that has gone."""
        answer = self._send(
            "PUT",
            f"/v1/blobs/sha256/{_part(sha256)}",
            content=lambda: _pieces(file, sent),
            headers={"Content-Length": str(file.stat().st_size)},
        )
        self._check(answer)
        return self._decoded(models.Blob, answer)

    def get_blob(self, sha256: str, file: Path, received: Callable[[int], None] = nothing) -> None:
        """Download bytes of a published artifact into a file; the caller checks their hash."""
        try:
            with self._http.stream("GET", f"{self.base_url}/a/1/sha256/{_part(sha256)}") as answer:
                if answer.is_error:
                    answer.read()
                self._check(answer)
                with file.open("wb") as target:
                    for piece in answer.iter_bytes(CHUNK_BYTES):
                        target.write(piece)
                        received(len(piece))
        except httpx.TransportError as cause:
            raise self._unreachable(cause) from cause

    def publish(self, manifest: bytes) -> models.Artifact:
        """Publish an artifact by its manifest's exact bytes; its files are uploaded already."""
        answer = self._change("POST", "/v1/artifacts", manifest)
        return self._decoded(models.Artifact, answer)

    def artifacts(self, *, plane: str = "", name: str = "", limit: int = PAGE_ITEMS) -> models.Page[models.Artifact]:
        """List artifacts, by reference."""
        return self._list(models.Artifact, "/v1/artifacts", limit, plane=plane, name=name)

    def artifact(self, named: str) -> models.Artifact:
        """Return an artifact by digest or by `plane/name@version`, with its manifest."""
        return self._get(models.Artifact, f"/v1/artifacts/{quote(named, safe='/@:')}")

    def create_release(self, text: str) -> models.Release:
        """Register a release (YAML)."""
        return self._post(models.Release, "/v1/releases", models.TextRequest(yaml=text))

    def releases(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.Release]:
        """List releases."""
        return self._list(models.Release, "/v1/releases", limit)

    def release(self, release_id: str) -> models.Release:
        """Return a release with its text."""
        return self._get(models.Release, f"/v1/releases/{_part(release_id)}")

    # --- rollouts -------------------------------------------------------------------------------------------------

    def plan(self, *, text: str = "", release: str = "", reason: str = "") -> models.Plan:
        """Plan a release document (YAML) or a registered release; changes nothing. A refusal is an answer, no error."""
        answer = self._send(
            "POST",
            "/v1/plan",
            content=lambda: msgspec.json.encode(models.PlanRequest(yaml=text, release=release, reason=reason)),
            headers={"Content-Type": "application/json"},
            timeout_s=PLAN_TIMEOUT_S,
        )
        self._check(answer)
        return self._decoded(models.Plan, answer)

    def start_rollout(self, release: str, *, reason: str = "") -> models.RolloutBrief:
        """Start to roll out a registered release."""
        body = msgspec.json.encode(models.StartRequest(release=release, reason=reason))
        answer = self._change("POST", "/v1/rollouts", body, timeout_s=PLAN_TIMEOUT_S)
        return self._decoded(models.RolloutBrief, answer)

    def rollouts(self, *, state: str = "", limit: int = PAGE_ITEMS) -> models.Page[models.RolloutBrief]:
        """List rollouts, oldest first; `state` "active": those that are not over."""
        return self._list(models.RolloutBrief, "/v1/rollouts", limit, state=state)

    def rollout(self, rollout_id: str) -> models.Rollout:
        """Return everything about a rollout."""
        return self._get(models.Rollout, f"/v1/rollouts/{_part(rollout_id)}")

    def decisions(self, rollout_id: str, *, limit: int = PAGE_ITEMS) -> models.Page[models.Decision]:
        """List what was decided about a rollout, oldest first."""
        return self._list(models.Decision, f"/v1/rollouts/{_part(rollout_id)}/decisions", limit)

    def deployments(
        self, rollout_id: str, *, outcome: str = "", limit: int = PAGE_ITEMS
    ) -> models.Page[models.Deployment]:
        """List the devices of a rollout and what became of it there."""
        path = f"/v1/rollouts/{_part(rollout_id)}/deployments"
        return self._list(models.Deployment, path, limit, outcome=outcome)

    def order_rollout(
        self, rollout_id: str, verb: str, *, reason: str = "", planes: Sequence[str] = (), dry_run: bool = False
    ) -> models.RolloutBrief:
        """Give a rollout an order: pause, resume, approve, rollback (these planes, or all), cancel, close."""
        asked = models.RolloutCommand(reason=reason, planes=list(planes), dry_run=dry_run)
        return self._post(models.RolloutBrief, f"/v1/rollouts/{_part(rollout_id)}/{_part(verb)}", asked)

    # --- brakes ---------------------------------------------------------------------------------------------------

    def stop(self, where: str, *, reason: str = "", dry_run: bool = False) -> models.Stop:
        """Let nothing newly activate where a selector holds."""
        return self._post(models.Stop, "/v1/stops", models.StopRequest(where=where, reason=reason, dry_run=dry_run))

    def stops(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.Stop]:
        """List stops."""
        return self._list(models.Stop, "/v1/stops", limit)

    def lift_stop(self, stop_id: str) -> models.Stop:
        """Lift a stop."""
        return self._decoded(models.Stop, self._change("DELETE", f"/v1/stops/{_part(stop_id)}", b""))

    def freeze(self, artifact: str, *, reason: str = "", dry_run: bool = False) -> models.Freeze:
        """Let nobody newly activate an artifact (digest or reference)."""
        is_digest = artifact.startswith("sha256:")
        asked = models.FreezeRequest(
            artifact="" if is_digest else artifact,
            digest=artifact if is_digest else "",
            reason=reason,
            dry_run=dry_run,
        )
        return self._post(models.Freeze, "/v1/freezes", asked)

    def freezes(self, *, limit: int = PAGE_ITEMS) -> models.Page[models.Freeze]:
        """List freezes."""
        return self._list(models.Freeze, "/v1/freezes", limit)

    def lift_freeze(self, freeze_id: str) -> models.Freeze:
        """Lift a freeze."""
        return self._decoded(models.Freeze, self._change("DELETE", f"/v1/freezes/{_part(freeze_id)}", b""))

    # --- requests -------------------------------------------------------------------------------------------------

    def _get(self, kind: type[Value], path: str, **query: str) -> Value:
        answer = self._send("GET", path, query=query)
        self._check(answer)
        return self._decoded(kind, answer)

    def _post(self, kind: type[Value], path: str, body: models.Request | None = None) -> Value:
        return self._decoded(kind, self._change("POST", path, msgspec.json.encode(body) if body is not None else b""))

    def _change(self, method: str, path: str, body: bytes, *, timeout_s: float | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
        answer = self._send(method, path, content=lambda: body, headers=headers, timeout_s=timeout_s)
        self._check(answer)
        return answer

    def _list(self, kind: type[Item], path: str, limit: int, **query: str) -> models.Page[Item]:
        items: list[Item] = []
        cursor: str | None = None
        while True:
            asked = {**query, "limit": str(min(PAGE_ITEMS, limit - len(items)))}
            if cursor is not None:
                asked["cursor"] = cursor
            answer = self._send("GET", path, query=asked)
            self._check(answer)
            page: models.Page[Item] = self._decoded(models.Page[kind], answer)  # type: ignore[valid-type]
            items += page.items
            cursor = page.next
            if cursor is None or len(items) >= limit or not page.items:
                return models.Page(items=items, next=cursor)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: Callable[[], bytes | Iterator[bytes]] = lambda: b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        url, asked = f"{self.base_url}{path}", {name: value for name, value in (query or {}).items() if value}
        timeout = self._http.timeout if timeout_s is None else httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)

        def once() -> httpx.Response:
            sent = dict(headers or {})
            return self._http.request(method, url, params=asked, content=content(), headers=sent, timeout=timeout)

        try:
            try:
                return once()
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return once()  # the server closed a connection that was kept open, or was started anew
        except httpx.TransportError as cause:
            raise self._unreachable(cause) from cause

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_error:
            raise error_of(answer)

    def _decoded(self, kind: type[Value], answer: httpx.Response) -> Value:
        try:
            if len(answer.content) > ANSWER_BYTES_MAX:
                raise msgspec.ValidationError(f"{len(answer.content)} bytes")
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as cause:
            raise BadAnswer(
                "RB-CLIENT-002",
                f"{self.base_url} answered {answer.request.url.path} with something that is none of our API's: {cause}",
                hint="is this the right address? compare versions with: ringback doctor",
            ) from cause

    def _unreachable(self, cause: httpx.TransportError) -> Unreachable:
        said = str(cause) or type(cause).__name__
        return Unreachable(
            "RB-CLIENT-001",
            f"no answer from {self.base_url}: {said}",
            hint="start a server with: ringback server; or name yours with --server",
        )


def error_of(answer: httpx.Response) -> RingbackError:
    """Return the error that an answer carries, as the class it was at the server."""
    try:
        said = msgspec.json.decode(answer.content, type=models.ErrorBody)
    except msgspec.DecodeError:
        said = models.ErrorBody(
            "RB-CLIENT-003",
            f"{answer.request.url} answered with status {answer.status_code} and no reason",
            {},
            "is this the address of a Ringback server, and of nothing in front of it?",
        )
    status = answer.status_code
    if status in (429, 503, 507):
        wait = answer.headers.get("retry-after", "")
        after_s = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 1
        return RetryLaterError(said.code, said.message, hint=said.hint, retry_after_s=after_s)
    if status >= 500:
        return BugError(said.code, said.message, hint=said.hint, fields=said.fields)
    kind = _BY_STATUS.get(status, InputError)
    return kind(said.code, said.message, hint=said.hint, fields=said.fields)


def _part(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="@:")


def _pieces(file: Path, sent: Callable[[int], None]) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(CHUNK_BYTES):
            yield piece
            sent(len(piece))
