"""The manifest of an artifact: one immutable payload for one plane, named by the digest of its canonical bytes.

Decides: what a manifest must say, and that its bytes are the canonical ones. Never: reads the files it lists.

- Digest = SHA-256 of the exact bytes. The same description gives the same bytes anywhere, so a second spelling of the
  same manifest is refused rather than becoming a second name.
- ``requires`` constrains other planes (by version) and capabilities of the hardware (``cap:``). A constraint on the
  artifact's own plane is a stepping stone: the version it replaces must satisfy it.
- Command lines live only in here, signed by the publisher, with a closed list of placeholders; the server sends none.
- ``epoch`` never falls on a device (security counter); raising it closes the way back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ringback.spec import names, nodes, read
from ringback.spec.canonical import Json, digest, encode
from ringback.spec.codes import (
    BAD_CONSTRAINT,
    BAD_NAME,
    BAD_VERSION,
    CONTRADICTION,
    NOT_CANONICAL,
    OUT_OF_RANGE,
    UNKNOWN_WORD,
)
from ringback.spec.nodes import Mapping, Node
from ringback.spec.problem import Place, SpecError, refuse, shown
from ringback.spec.versions import BadVersion, Constraint, Version, parse_constraint, parse_version

FORMAT: Final = 1
MANIFEST_BYTES_MAX: Final = 64 * 1024
"""What any agent reads. Classes with small memory state less (`DeviceClass.policy.manifest_bytes_max`)."""
FILES_MAX: Final = 500
FILE_BYTES_MAX: Final = 2**40
EPOCH_MAX: Final = 2**31 - 1
CLASSES_MAX: Final = 64
"""Device classes of one artifact; a device reads the list in every desired state."""
ROLES: Final = ("model", "labels", "golden", "input", "code", "schema", "config", "asset")
PLACEHOLDERS: Final = ("python", "dir", "model_dir", "golden")
"""What a command line of an app may leave to the device."""
READY_MS_MAX: Final = 600_000
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an artifact needs: ``subject`` is a plane or ``cap:`` and a capability."""

    subject: str
    constraint: Constraint

    @property
    def is_capability(self) -> bool:
        """Whether it is about the hardware and not about another plane."""
        return self.subject.startswith(names.CAPABILITY_PREFIX)

    @property
    def capability(self) -> str:
        """The capability's name, without its prefix."""
        return self.subject.removeprefix(names.CAPABILITY_PREFIX)

    def __str__(self) -> str:
        return f"{self.subject} {self.constraint}"


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file: relative ``path``, ``role``, size, and SHA-256 as 64 hex digits."""

    path: str
    role: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Service:
    """One process of an app, started in the order of the list; ``after`` names services that must be ready first."""

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...]
    ready_ms: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """A published artifact.

    Attributes:
        digest: ``sha256:`` and 64 hex digits of ``manifest``.
        manifest: the exact canonical bytes.
        services: the app's processes in start order; empty for other planes.
        config_schema: path of the JSON Schema for the config this app reads, or "".
        meta: what the kind adds, as canonical JSON text.
    """

    plane: str
    kind: str
    name: str
    version: Version
    classes: tuple[str, ...]
    epoch: int
    requires: tuple[Requirement, ...]
    files: tuple[ArtifactFile, ...]
    digest: str
    manifest: bytes
    services: tuple[Service, ...] = ()
    config_schema: str = ""
    meta: str = "{}"

    @property
    def ref(self) -> str:
        """``plane/name@version``, as people write it."""
        return f"{self.plane}/{self.name}@{self.version}"

    @property
    def target_path(self) -> str:
        """Its name in a signed targets document: ``plane/name/version``."""
        return f"{self.plane}/{self.name}/{self.version}"

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.size_bytes for file in self.files)

    def file(self, path: str) -> ArtifactFile | None:
        """Return one of its files, or None."""
        return next((file for file in self.files if file.path == path), None)

    def __str__(self) -> str:
        return self.ref


def encode_manifest(body: Json) -> bytes:
    """Return the canonical bytes of a manifest, checked. Raises SpecError."""
    data = encode(body)
    parse_manifest(data)
    return data


def parse_manifest(data: bytes, source: str = "manifest") -> Artifact:
    """Return the artifact that a manifest describes.

    Args:
        data: its exact bytes, at most MANIFEST_BYTES_MAX.
        source: its name for messages.

    Raises SpecError: not canonical, too big, an unknown key, or a value outside its grammar.
    """
    root = nodes.from_json(data, source, bytes_max=MANIFEST_BYTES_MAX)
    required = ["v", "plane", "kind", "name", "version", "classes", "epoch", "requires", "files", "meta"]
    top = read.keys(root, "", required=required, optional=[])
    if encode(nodes.plain(root)) != data:  # type: ignore[arg-type]  # plain() returns what Json lists
        raise refuse(NOT_CANONICAL, Place(source), "", found="other bytes", expected="sorted keys, no spaces, ASCII")
    read.integer(read.need(top, "v"), "v", least=FORMAT, most=FORMAT)
    plane = read.plane(read.need(top, "plane"), "plane")
    kind = read.word(read.need(top, "kind"), "kind", names.KINDS)
    requires = parse_requirements(read.need(top, "requires"), "requires")
    files = _files(read.need(top, "files"), "files")
    meta = read.mapping(read.need(top, "meta"), "meta")
    version = _version(read.need(top, "version"), "version")
    _check_stepping_stone(requires, plane, version, source)
    return Artifact(
        plane=plane,
        kind=kind,
        name=read.ident(read.need(top, "name"), "name", "an artifact"),
        version=version,
        classes=_classes(read.need(top, "classes"), "classes"),
        epoch=read.integer(read.need(top, "epoch"), "epoch", most=EPOCH_MAX),
        requires=requires,
        files=files,
        digest=digest(data),
        manifest=data,
        services=_services(meta, "meta", kind),
        config_schema=_schema_path(meta, files),
        meta=encode(nodes.plain(meta)).decode("ascii"),  # type: ignore[arg-type]
    )


def _version(node: Node, path: str) -> Version:
    text = read.text(node, path)
    try:
        return parse_version(text)
    except BadVersion as error:
        raise refuse(BAD_VERSION, node.place, path, found=shown(text), expected=str(error)) from error


def _classes(node: Node, path: str) -> tuple[str, ...]:
    found = tuple(read.ident(item, where, "a device class") for item, where in read.items(node, path, least=1))
    if len(found) > CLASSES_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found=f"{len(found)} classes", expected=f"at most {CLASSES_MAX}")
    return found


def _requirement(subject: str, node: Node, path: str) -> Requirement:
    is_capability = subject.startswith(names.CAPABILITY_PREFIX)
    text = read.text(node, path)
    if is_capability:
        if not re.fullmatch(r"[a-z0-9_]{1,63}", subject.removeprefix(names.CAPABILITY_PREFIX)):
            raise refuse(BAD_NAME, node.place, path, found=shown(subject), expected="cap: and a name such as ram_mb")
    else:
        read.check_plane(subject, node.place, path)
    try:
        return Requirement(subject, parse_constraint(text, on_capability=is_capability))
    except BadVersion as error:
        raise refuse(BAD_CONSTRAINT, node.place, path, found=shown(text), expected=str(error)) from error


def parse_requirements(node: Node, path: str) -> tuple[Requirement, ...]:
    """Return the requirements of a mapping ``{plane or cap:name: constraint}``, or refuse with every problem."""
    problems = read.Problems()
    found: list[Requirement] = []
    for key, value, where, _ in read.pairs(node, path):
        with problems.kept():
            found.append(_requirement(key, value, where))
    problems.raise_any()
    return tuple(found)


def _check_stepping_stone(requires: tuple[Requirement, ...], plane: str, version: Version, source: str) -> None:
    """Refuse a constraint on the own plane that the artifact itself breaks: every device would find the set invalid."""
    for need in requires:
        if need.subject == plane and not need.constraint.allows(version):
            raise refuse(
                CONTRADICTION,
                Place(source),
                f"requires.{plane}",
                found=f"{need.constraint}, which {version} itself breaks",
                expected="a lower bound for the version that this one may replace",
            )


def _files(node: Node, path: str) -> tuple[ArtifactFile, ...]:
    found: list[ArtifactFile] = []
    for item, where in read.items(node, path, least=1):
        keys = read.keys(item, where, required=["path", "role", "size_bytes", "sha256"], optional=[])
        name = read.text(read.need(keys, "path"), f"{where}.path", most=names.PATH_CHARS_MAX)
        if not names.is_safe_path(name):
            expected = "a relative path of letters, digits, . _ - and /, without .."
            raise refuse(BAD_NAME, item.place, f"{where}.path", found=shown(name), expected=expected)
        if any(file.path == name for file in found):
            raise refuse(CONTRADICTION, item.place, f"{where}.path", found=f"{name} again", expected="every path once")
        sha256 = read.text(read.need(keys, "sha256"), f"{where}.sha256")
        if not names.HEX.fullmatch(sha256):
            raise refuse(
                BAD_NAME, item.place, f"{where}.sha256", found=shown(sha256), expected="64 lower-case hex digits"
            )
        role = read.word(read.need(keys, "role"), f"{where}.role", ROLES)
        size_bytes = read.integer(read.need(keys, "size_bytes"), f"{where}.size_bytes", most=FILE_BYTES_MAX)
        found.append(ArtifactFile(name, role, size_bytes, sha256))
    return tuple(found)


def _schema_path(meta: Mapping, files: tuple[ArtifactFile, ...]) -> str:
    node = meta.get("config_schema")
    if node is None:
        return ""
    path = read.text(node, "meta.config_schema")
    if not any(file.path == path and file.role == "schema" for file in files):
        expected = "the path of one of its files with the role schema"
        raise refuse(CONTRADICTION, node.place, "meta.config_schema", found=shown(path), expected=expected)
    return path


def _services(meta: Mapping, path: str, kind: str) -> tuple[Service, ...]:
    replay = meta.get("replay")
    if replay is not None:
        keys = read.keys(replay, f"{path}.replay", required=["argv"], optional=["timeout_ms"])
        _argv(read.need(keys, "argv"), f"{path}.replay.argv")
    node = meta.get("services")
    if node is None:
        return ()
    where = f"{path}.services"
    if kind != "firmware":
        raise refuse(CONTRADICTION, node.place, where, found=f"services in a {kind}", expected="them only in firmware")
    found: list[Service] = []
    for item, place in read.items(node, where, least=1):
        found.append(_service(item, place, [service.name for service in found]))
    return tuple(found)


def _service(node: Node, path: str, before: list[str]) -> Service:
    keys = read.keys(node, path, required=["name", "argv"], optional=["after", "ready_ms"])
    name = read.ident(read.need(keys, "name"), f"{path}.name", "a service")
    if name in before:
        raise refuse(CONTRADICTION, node.place, f"{path}.name", found=f"{name} again", expected="every service once")
    argv = _argv(read.need(keys, "argv"), f"{path}.argv")
    after = keys.get("after")
    needs: list[str] = []
    for item, where in read.items(after, f"{path}.after") if after is not None else []:
        other = read.text(item, where)
        if other not in before:
            expected = "a service that stands before it in the list"
            raise refuse(UNKNOWN_WORD, item.place, where, found=shown(other), expected=expected)
        needs.append(other)
    ready = keys.get("ready_ms")
    ready_ms = 10_000 if ready is None else read.integer(ready, f"{path}.ready_ms", least=1, most=READY_MS_MAX)
    return Service(name, argv, tuple(needs), ready_ms)


def _argv(node: Node, path: str) -> tuple[str, ...]:
    found: list[str] = []
    for item, where in read.items(node, path, least=1):
        text = read.text(item, where)
        for name in PLACEHOLDER.findall(text):
            if name not in PLACEHOLDERS:
                expected = "one of " + " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                raise refuse(UNKNOWN_WORD, item.place, where, found=shown(f"{{{name}}}"), expected=expected)
        found.append(text)
    if sum(len(text) for text in found) > read.TEXT_CHARS_MAX:
        raise refuse(OUT_OF_RANGE, node.place, path, found="a longer command line", expected="at most 1000 characters")
    return tuple(found)


__all__ = [
    "Artifact",
    "ArtifactFile",
    "Requirement",
    "Service",
    "SpecError",
    "encode_manifest",
    "parse_manifest",
    "parse_requirements",
]
