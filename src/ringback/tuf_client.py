"""The device's verifier as a client for any TUF repository: `ringback-tuf-client init|refresh|download`.

What devices trust is decided by `ringback_kernel.roles`. This program puts files, HTTP and a wider reader around it, so
that anyone can run the public conformance suite against that code (tests/conformance/README.md). It is no part of the
agent, and needs neither python-tuf nor the server's side.

Two things differ from a device, because foreign repositories need them: RSA keys and SHA-512 are known, and files may
be any JSON whose canonical form was signed. What a device reads is stricter in both.

- Nothing is stored under a trusted name before it was verified; every file is replaced in one step.
- Every read has a limit before its first byte.

Source: TUF specification 1.0.34, section 5; CLIENT-CLI.md of theupdateframework/tuf-conformance 2.4.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ringback_kernel import errors, roles
from ringback_kernel.errors import KernelError, VerifyError, WireError
from ringback_kernel.verify import ECDSA_P256

Json = dict[str, "Json"] | list["Json"] | str | int | bool | None
Verifier = Callable[[bytes, bytes, bytes], bool]
RsaVerifier = Callable[[str, bytes, bytes], bool]

LIMITS = {"root": 512_000, "timestamp": 16_384, "snapshot": 2_000_000, "targets": 5_000_000}
MAX_ROOT_ROTATIONS = 256
MAX_DEPTH = 64
TIMEOUT_S = 30
CHUNK_BYTES = 65_536
RSA_PSS = "rsassa-pss-sha256"
RSA_PKCS1 = "rsa-pkcs1v15-sha256"


class ClientError(Exception):
    """What ends a command with exit code 1, in a sentence for people."""


# --- signatures -------------------------------------------------------------------------------------------------------


def verify_p256(key: bytes, signature: bytes, data: bytes) -> bool:
    """Say whether the DER signature over data is by a P-256 key (65 bytes)."""
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(signature, data, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def verify_ed25519(key: bytes, signature: bytes, data: bytes) -> bool:
    """Say whether the signature (64 bytes) over data is by an Ed25519 key (32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (ValueError, InvalidSignature):
        return False
    return True


def rsa_verifier(scheme: padding.AsymmetricPadding) -> RsaVerifier:
    """Return a verifier of RSA signatures by a key in PEM."""

    def is_valid(key: str, signature: bytes, data: bytes) -> bool:
        try:
            public = load_pem_public_key(key.encode())
            if not isinstance(public, rsa.RSAPublicKey):
                return False
            public.verify(signature, data, scheme, SHA256())
        except (ValueError, InvalidSignature):
            return False
        return True

    return is_valid


def pem_itself(text: str) -> str:
    return text


KEYS = roles.DEVICE_KEYS | {RSA_PSS: ("rsa", pem_itself), RSA_PKCS1: ("rsa", pem_itself)}
VERIFIERS: dict[str, Verifier | RsaVerifier] = {
    ECDSA_P256: verify_p256,
    "ed25519": verify_ed25519,
    # The salt's length is the signer's choice, so it is read from the signature.
    RSA_PSS: rsa_verifier(padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO)),
    RSA_PKCS1: rsa_verifier(padding.PKCS1v15()),
}
HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


# --- any JSON whose canonical form was signed -------------------------------------------------------------------------


def read_json(raw: bytes) -> Json:
    """Return the value of JSON bytes. Raises WireError for anything that two readers could understand differently."""
    try:
        value: Json = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise WireError(errors.WIRE_SYNTAX, f"not the JSON this client reads: {error}") from error
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice in one object")
    return found


def _no_float(text: str) -> Json:
    raise ValueError(f"{text} is no integer")


def _check_depth(value: Json, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise WireError(errors.WIRE_DEPTH, f"at most {MAX_DEPTH} levels")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(child, depth + 1)


def canonical(value: Json) -> bytes:
    """Return the OLPC canonical JSON of a value: sorted, no spaces, and in texts only quote and backslash escaped."""
    try:
        return "".join(_canonical(value)).encode()
    except UnicodeEncodeError as error:
        raise WireError(errors.WIRE_TEXT, "a text with half a character") from error


def _canonical(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif isinstance(value, dict):
        mark = "{"
        for key in sorted(value):
            yield mark
            yield from _canonical(key)
            yield ":"
            yield from _canonical(value[key])
            mark = ","
        yield "}" if value else "{}"
    elif isinstance(value, list):
        mark = "["
        for item in value:
            yield mark
            yield from _canonical(item)
            mark = ","
        yield "]" if value else "[]"
    else:
        yield "null" if value is None else str(value).lower()


def open_json(raw: bytes, limit_bytes: int) -> tuple[list[dict[str, Json]], bytes]:
    """Return (signatures, the canonical bytes that were signed) of a TUF file in any JSON form. Raises WireError."""
    if len(raw) > limit_bytes:
        raise WireError(errors.WIRE_SIZE, f"{len(raw)} bytes, at most {limit_bytes} are read")
    value = read_json(raw)
    if not isinstance(value, dict) or not isinstance(value.get("signatures"), list) or "signed" not in value:
        raise WireError(errors.WIRE_ENVELOPE, "a signed file is an object with signatures and signed")
    signatures = []
    found = value["signatures"]
    for signature in found if isinstance(found, list) else []:
        if not isinstance(signature, dict) or not all(
            isinstance(signature.get(name), str) for name in ("keyid", "sig")
        ):
            raise WireError(errors.WIRE_ENVELOPE, "a signature has the texts keyid and sig")
        signatures.append(signature)
    return signatures, canonical(value["signed"])


def parse_canonical(signed: bytes, limit_bytes: int) -> Json:
    """Return the value of bytes that canonical() made; control characters stand in its texts as they are."""
    value: Json = json.loads(signed, strict=False)
    return value


def policy() -> roles.Policy:
    """Return the kernel's policy for foreign repositories, now."""
    return roles.Policy(
        VERIFIERS,
        int(time.time() * 1000),
        keys=KEYS,
        hashes=HASHES,
        reader=(open_json, parse_canonical),
        limits=LIMITS,
    )


# --- HTTP and files ---------------------------------------------------------------------------------------------------


def fetch(url: str, limit_bytes: int) -> bytes | None:
    """Return the body at a URL, or None if there is nothing (403, 404). Raises ClientError, also for a longer body."""
    if not url.startswith(("http://", "https://")):
        raise ClientError(f"{url} is no http or https address")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked above
            body: bytes = answer.read(limit_bytes + 1)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (403, 404):
            return None
        raise ClientError(f"{url} answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise ClientError(f"{url} cannot be fetched: {error}") from error
    if len(body) > limit_bytes:
        raise ClientError(f"{url} has more than {limit_bytes} bytes")
    return body


def replace(path: Path, data: bytes) -> None:
    """Put data under a name in one step, durably."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def quoted(name: str) -> str:
    """Return a role or path as one segment of a URL or one file name, whatever characters it has."""
    return urllib.parse.quote(name, "")


class Client:
    """One repository: its trusted files in a folder, and where newer ones are."""

    def __init__(self, folder: Path, metadata_url: str):
        self.folder = folder
        self.metadata_url = metadata_url.rstrip("/") + "/"
        self.repository = roles.Repository(self._stored("root") or b"", policy())

    def refresh(self) -> None:
        """Bring root, timestamp, snapshot and targets up to date. Raises ClientError or KernelError."""
        self._refresh_root()
        self._refresh_timestamp()
        self._refresh_snapshot()
        self.load("targets", "root")

    def find(self, path: str) -> dict[str, Json]:
        """Return the entry of a target path. Raises ClientError if nobody who may speak for it lists it."""
        search = roles.Search(self.repository, path)
        while (wanted := search.wanted()) is not None:
            self.load(*wanted)
            search.visit()
        if not search.found:
            raise ClientError(f"no role that may speak for {path} lists it")
        found: dict[str, Json] = search.found
        return found

    def load(self, role: str, delegator: str) -> None:
        """See that the repository has the targets document of a role, from the folder or from the server."""
        if self.repository.is_vouched(role, delegator):
            return
        stored = self._stored(role)
        if stored is not None and self._accepts(lambda: self.repository.add_targets(stored, role, delegator)):
            return
        listing = self.repository.listing(role)
        raw = self._fetched(role, listing["version"], listing.get("length", LIMITS["targets"]))
        self.repository.add_targets(raw, role, delegator)
        self._store(role, raw)

    def _refresh_root(self) -> None:
        for _ in range(MAX_ROOT_ROTATIONS):
            name = f"{self.repository.root['version'] + 1}.root.json"
            raw = fetch(self.metadata_url + name, LIMITS["root"])
            if raw is None:
                return
            self.repository.add_root(raw)
            self._store("root", raw)

    def _refresh_timestamp(self) -> None:
        stored = self._stored("timestamp")
        if stored is not None:
            self._accepts(lambda: self.repository.add_timestamp(stored))
        raw = fetch(self.metadata_url + "timestamp.json", LIMITS["timestamp"])
        if raw is None:
            raise ClientError("the repository has no timestamp")
        if self.repository.add_timestamp(raw):
            self._store("timestamp", raw)

    def _refresh_snapshot(self) -> None:
        stored = self._stored("snapshot")
        if stored is not None and self._accepts(lambda: self.repository.add_snapshot(stored, True)):
            return
        listing = self.repository.timestamp["meta"]["snapshot.json"]
        raw = self._fetched("snapshot", listing["version"], listing.get("length", LIMITS["snapshot"]))
        self.repository.add_snapshot(raw)
        self._store("snapshot", raw)

    def _accepts(self, add: Callable[[], object]) -> bool:
        """Say whether a stored file is still good; if not, the server's replaces it."""
        try:
            add()
        except KernelError as error:
            say(f"stored file not used: {error}")
            return False
        return True

    def _fetched(self, role: str, version: int, limit_bytes: int) -> bytes:
        name = f"{quoted(role)}.json"
        if self.repository.root.get("consistent_snapshot"):
            name = f"{version}.{name}"
        raw = fetch(self.metadata_url + name, limit_bytes)
        if raw is None:
            raise ClientError(f"the repository has no {name}, although it is listed")
        return raw

    def _stored(self, role: str) -> bytes | None:
        try:
            with (self.folder / f"{quoted(role)}.json").open("rb") as file:
                return file.read(max(LIMITS.values()) + 1)
        except FileNotFoundError:
            return None

    def _store(self, role: str, raw: bytes) -> None:
        replace(self.folder / f"{quoted(role)}.json", raw)


def download(client: Client, path: str, base_url: str, folder: Path) -> None:
    """Put a target into a folder under its quoted path, unless the right bytes are there already.

    Raises ClientError or KernelError.
    """
    entry = client.find(path)
    destination = folder / quoted(path)
    if is_good(client, destination, entry):
        return
    hashes = entry["hashes"]
    length = entry["length"]
    if not isinstance(hashes, dict) or not isinstance(length, int):
        raise ClientError(f"{path} is listed without length or hashes")
    parent, slash, name = path.rpartition("/")
    if client.repository.root.get("consistent_snapshot"):
        name = f"{next(iter(hashes.values()))}.{name}"
    raw = fetch(base_url.rstrip("/") + "/" + urllib.parse.quote(f"{parent}{slash}{name}"), length)
    if raw is None:
        raise ClientError(f"the repository has no {path}, although it is listed")
    client.repository.check_bytes(raw, entry, path)
    replace(destination, raw)


def is_good(client: Client, file: Path, entry: dict[str, Json]) -> bool:
    """Say whether a file is there and has the bytes of its entry."""
    if not file.is_file() or file.stat().st_size != entry["length"]:
        return False
    try:
        client.repository.check_bytes(file.read_bytes(), entry, file.name)
    except VerifyError:
        return False
    return True


# --- the command ------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    sys.stderr.write(f"ringback-tuf-client: {text}\n")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-tuf-client", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--metadata-dir", type=Path, required=True, help="where trusted files are kept")
    parser.add_argument("--metadata-url", default="", help="where the repository's metadata is")
    parser.add_argument("--target-name", action="append", default=[], help="what to download; may be repeated")
    parser.add_argument("--target-base-url", default="", help="where the repository's targets are")
    parser.add_argument("--target-dir", type=Path, default=Path(), help="where to put what was downloaded")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="start from a root that you trust").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh", help="bring the trusted files up to date")
    commands.add_parser("download", help="refresh, then download targets")
    return parser


def run(given: argparse.Namespace) -> None:
    """Do one command. Raises ClientError, KernelError or OSError."""
    folder: Path = given.metadata_dir
    if given.command == "init":
        raw = given.trusted_root.read_bytes()
        roles.Repository(raw, policy())
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / "root.json", raw)
        return
    client = Client(folder, given.metadata_url)
    client.refresh()
    for path in given.target_name if given.command == "download" else ():
        download(client, path, given.target_base_url, given.target_dir)


def main() -> int:
    """Run the command line; returns 0, or 1 with the reason on stderr."""
    given = arguments().parse_args()
    try:
        run(given)
    except (ClientError, KernelError, OSError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
