"""The artifact manifest as the agent reads it: which files, in which roles, and how an app's services are started.

It decides only whether the document is well-formed and safe to put on a disk; whether it is the right one is proven by
its digest before. Nothing from the network becomes a path without passing `safe_path`.

Invariants:

- Paths are relative, plain, at most 128 characters, without `.` and `..` parts, and no path is a folder of another.
- Command lines come from here and hold only the known placeholders.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ringback.agent.errors import PortError
from ringback.agent.ports import Json

MANIFEST_LIMIT_BYTES = 64 * 1024
FILES_LIMIT = 512
"""Files of one artifact; a manifest of 64 KiB holds about this many."""
SERVICES_LIMIT = 32
ARGV_LIMIT = 64
MANIFEST_NAME = "manifest.json"
"""The manifest lies in the slot under this name, so an artifact may not bring a file that is called so."""

READY_LIMIT_MS = 120_000
PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
HEX64 = re.compile(r"[0-9a-f]{64}")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS = frozenset({"python", "dir", "model_dir", "golden"})


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an artifact."""

    path: str
    role: str
    size_bytes: int
    sha256_hex: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service of an app: how it starts, how long it may take, and which kinds of planes it reads."""

    name: str
    argv: tuple[str, ...]
    ready_ms: int
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A well-formed manifest."""

    digest: str
    plane: str
    kind: str
    name: str
    version: str
    requires: Mapping[str, str]
    files: tuple[FileEntry, ...]
    services: tuple[Service, ...] = ()
    replay_argv: tuple[str, ...] = ()
    config_schema: str = ""
    interface: int = 0
    obj: Mapping[str, Json] = field(default_factory=dict)

    def file_of_role(self, role: str) -> FileEntry | None:
        """Returns the first file of a role, or None."""
        return next((entry for entry in self.files if entry.role == role), None)

    @property
    def payload_bytes(self) -> int:
        """Size of all files together."""
        return sum(entry.size_bytes for entry in self.files)


def digest_of(data: bytes) -> str:
    """Returns the digest of bytes in the form `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def hex_of(digest: str) -> str:
    """Returns the 64 hex digits of a digest. Raises PortError when it is none: it would become a file name."""
    prefix, _, digits = digest.partition(":")
    if prefix != "sha256" or not HEX64.fullmatch(digits):
        raise PortError("RB-AGENT-023", f"{digest[:80]!r} is not a digest; expected sha256: and 64 hex digits")
    return digits


def safe_path(text: Json) -> str:
    """Returns a path that may be created below a slot. Raises PortError for any other."""
    if isinstance(text, str) and len(text) <= 128 and PATH.fullmatch(text):
        parts = text.split("/")
        if not {".", ".."} & set(parts) and parts[0] != MANIFEST_NAME:
            return text
    raise PortError(
        "RB-AGENT-023", f"the manifest has the path {str(text)[:80]!r}; expected letters, digits, . _ - and /"
    )


def parse(data: bytes) -> Manifest:
    """Returns the manifest in these bytes. Raises PortError RB-AGENT-023, naming what is wrong."""
    if len(data) > MANIFEST_LIMIT_BYTES:
        raise PortError("RB-AGENT-023", f"the manifest has {len(data)} bytes, at most {MANIFEST_LIMIT_BYTES}")
    try:
        obj = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PortError("RB-AGENT-023", f"the manifest is not JSON: {error}") from error
    if not isinstance(obj, dict) or obj.get("v") != 1:
        raise PortError("RB-AGENT-023", "the manifest is not an object with v = 1")
    meta = _object(obj, "meta")
    return Manifest(
        digest=digest_of(data),
        plane=_text(obj, "plane"),
        kind=_text(obj, "kind"),
        name=_text(obj, "name"),
        version=_text(obj, "version"),
        requires={key: _text(_object(obj, "requires"), key) for key in _object(obj, "requires")},
        files=_files(obj.get("files")),
        services=_services(meta.get("services", [])),
        replay_argv=_argv(_object(meta, "replay").get("argv", []), "replay"),
        config_schema=safe_path(meta["config_schema"]) if meta.get("config_schema") else "",
        interface=_number(meta, "interface", 1 << 31),
        obj=obj,
    )


def _object(obj: Mapping[str, Json], key: str) -> dict[str, Json]:
    value = obj.get(key, {})
    if not isinstance(value, dict):
        raise PortError("RB-AGENT-023", f"the manifest's {key} is not an object")
    return value


def _text(obj: Mapping[str, Json], key: str) -> str:
    value = obj.get(key)
    if not isinstance(value, str) or len(value) > 256:
        raise PortError("RB-AGENT-023", f"the manifest's {key} is not a text of at most 256 characters")
    return value


def _number(obj: Mapping[str, Json], key: str, limit: int) -> int:
    value = obj.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise PortError("RB-AGENT-023", f"the manifest's {key} is not an integer below {limit}")
    return value


def _list(value: Json, what: str, limit: int) -> list[Json]:
    if not isinstance(value, list) or len(value) > limit:
        raise PortError("RB-AGENT-023", f"the manifest's {what} is not a list of at most {limit}")
    return value


def _files(value: Json) -> tuple[FileEntry, ...]:
    entries = []
    for item in _list(value, "files", FILES_LIMIT):
        if not isinstance(item, dict) or not HEX64.fullmatch(_text(item, "sha256")):
            raise PortError("RB-AGENT-023", "a file of the manifest has no SHA-256 of 64 hex digits")
        size_bytes = _number(item, "size_bytes", 1 << 53)
        entries.append(FileEntry(safe_path(item.get("path")), _text(item, "role"), size_bytes, _text(item, "sha256")))
    paths = [entry.path for entry in entries]
    folders = {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}
    clash = [path for path in paths if path in folders or paths.count(path) > 1]
    if clash:
        raise PortError("RB-AGENT-023", f"the manifest names {clash[0]!r} twice, or as a file and as a folder")
    return tuple(entries)


def _services(value: Json) -> tuple[Service, ...]:
    services = []
    for item in _list(value, "services", SERVICES_LIMIT):
        if not isinstance(item, dict) or not SERVICE_NAME.fullmatch(_text(item, "name")):
            raise PortError("RB-AGENT-023", "a service of the manifest has no name of a-z, 0-9 and -")
        name = _text(item, "name")
        # Who names no kinds reads the config; the inference service also reads the models.
        default: list[Json] = ["config", "model"] if name == "inference" else ["config"]
        reads = frozenset(str(kind) for kind in _list(item.get("reads", default), "reads", 8))
        ready_ms = _number(item, "ready_ms", READY_LIMIT_MS) or READY_LIMIT_MS
        services.append(Service(name, _argv(item.get("argv"), name), ready_ms, reads))
    if len({service.name for service in services}) != len(services):
        raise PortError("RB-AGENT-023", "the manifest names a service twice")
    return tuple(services)


def _argv(value: Json, what: str) -> tuple[str, ...]:
    argv = []
    for item in _list(value, f"argv of {what}", ARGV_LIMIT):
        if not isinstance(item, str) or "\0" in item or not set(PLACEHOLDER.findall(item)) <= PLACEHOLDERS:
            known = " ".join(sorted(f"{{{name}}}" for name in PLACEHOLDERS))
            raise PortError("RB-AGENT-023", f"the argv of {what} has {str(item)[:80]!r}; known placeholders: {known}")
        argv.append(item)
    return tuple(argv)


def fill(argv: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    """Returns a command line with its placeholders filled in; one pass, so that values are never expanded again."""
    return [PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), item) for item in argv]
