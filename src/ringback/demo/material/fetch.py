"""Fetches the speech models at set-up: Silero VAD 5.1.2 and 6.2.0 (MIT), pinned, digest-checked, cached.

What it decides: which client of a package index gets them; nothing is downloaded but the pinned package files.
What it never does: name an index (the machine's own settings decide), install into the running environment, or fail
the demo: without the models it returns why, and the acts that need them say so.

Invariants:
- a model is used only when its SHA-256 is the one written here; the package is checked as well, by the client or here;
- once cached, no network is used.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.demo.material import cache
from ringback.demo.material.data import sha256_of

# Six megabytes at 50 KB/s take two minutes; beyond that the demo should rather run without the second model.
FETCH_TIMEOUT_S: Final = 180
ERROR_TEXT_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Package:
    """One file of one pinned package. `member` is the path inside; `sha256` is that of the package file."""

    name: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model and where it can come from."""

    name: str
    sha256: str
    wheel: Package
    tarball: Package | None

    @property
    def cached(self) -> Path:
        """Where the model is kept."""
        return cache.folder() / "models" / self.sha256[:16] / f"{self.name}.onnx"


@dataclass(frozen=True, slots=True)
class VoiceModels:
    """Both speech models, ready to use."""

    v5: Path
    v62: Path


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why there are no speech models. `reason` is one line for people."""

    code: str
    reason: str
    hint: str


class FetchFailed(RuntimeError):
    """One client could not get one package; the next is tried."""


NPM_TARBALL_SHA256: Final = "d1a211cf1a2ed26297da52cc08de79e75d79838a274bfc6de546feb1f828c940"
V5: Final = Wanted(
    "silero-vad-5",
    "2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f",
    Package(
        "silero-vad",
        "5.1.2",
        "93b41953d7774b165407fda6b533c119c5803864e367d5034dc626c82cfdf661",
        "silero_vad/data/silero_vad.onnx",
    ),
    Package("@ricky0123/vad-web", "0.0.31", NPM_TARBALL_SHA256, "package/dist/silero_vad_v5.onnx"),
)
V62: Final = Wanted(
    "silero-vad-6.2",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    Package(
        "silero-vad",
        "6.2.0",
        "8a31f1e58e73cdc20820d842f757e678e0ae1b0ee1cb7b8aa50f20f8fd7f7638",
        "silero_vad/data/silero_vad.onnx",
    ),
    Package("@ricky0123/vad-web", "0.0.31", NPM_TARBALL_SHA256, "package/dist/silero_vad_v6.onnx"),
)


def voice_models() -> VoiceModels | Unavailable:
    """Both speech models, from the cache or, the first time, from a package index."""
    reasons: list[str] = []
    for wanted in (V5, V62):
        if not is_cached(wanted) and not _fetch(wanted, reasons):
            return Unavailable(
                "RB-DEMO-001",
                f"{wanted.name} could not be fetched: {'; '.join(reasons)}",
                "the first set-up needs a Python (or npm) package index; everything but the voice acts runs without it",
            )
    return VoiceModels(V5.cached, V62.cached)


def is_cached(wanted: Wanted) -> bool:
    """Whether the model is kept and undamaged."""
    return wanted.cached.is_file() and sha256_of(wanted.cached) == wanted.sha256


def _fetch(wanted: Wanted, reasons: list[str]) -> bool:
    for client, get in clients(wanted):
        try:
            with _progress(f"fetching {wanted.name} with {client}"), tempfile.TemporaryDirectory() as folder:
                store(wanted, get(Path(folder)))
        except FetchFailed as failure:
            reasons.append(f"{client}: {failure}")
        else:
            return True
    if not reasons:
        reasons.append("neither uv, pip nor npm is here")
    return False


def store(wanted: Wanted, model: Path) -> None:
    """Put a fetched model into the cache. Raises FetchFailed: these are other bytes."""
    found = sha256_of(model)
    if found != wanted.sha256:
        raise FetchFailed(f"the model has SHA-256 {found}, expected {wanted.sha256}")
    cache.put(wanted.cached, model.read_bytes())


def clients(wanted: Wanted) -> Iterator[tuple[str, Callable[[Path], Path]]]:
    """The clients this machine has, best first, each with a function that gets the model into a folder."""
    wheel, tarball = wanted.wheel, wanted.tarball
    for client in ("uv", "pip"):
        if importlib.util.find_spec(client) is not None:
            yield client, functools.partial(by_wheel, client, wheel)
    if tarball is not None and shutil.which("npm") is not None:
        yield "npm", functools.partial(by_tarball, tarball)


def by_wheel(client: str, package: Package, folder: Path) -> Path:
    """Unpack a wheel from the Python package index into `folder`, beside the environment and not into it.

    Its dependencies are left out: torch and torchaudio are not needed to run an ONNX file.
    Raises FetchFailed: not found, or the wheel's digest is not the pinned one.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", *(["uv", "pip"] if client == "uv" else ["pip"])]
    command += ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(folder / "wheel")]
    command += ["--python", sys.executable] if client == "uv" else ["--no-compile", "--disable-pip-version-check"]
    _run([*command, "--requirement", str(requirements)], folder)
    return _existing(folder / "wheel" / package.member)


def by_tarball(package: Package, folder: Path) -> Path:
    """Get a package from the npm index into `folder`. Raises FetchFailed: not found, or other bytes than pinned."""
    _run(
        ["npm", "pack", "--loglevel=error", "--pack-destination", str(folder), f"{package.name}@{package.version}"],
        folder,
    )
    tarball = next(iter(folder.glob("*.tgz")), None)
    if tarball is None:
        raise FetchFailed("npm pack left no file")
    found = sha256_of(tarball)
    if found != package.sha256:
        raise FetchFailed(f"the package has SHA-256 {found}, expected {package.sha256}")
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(package.member)
        if member is None:
            raise FetchFailed(f"the package has no {package.member}")
        model = folder / "model.onnx"
        model.write_bytes(member.read())
    return model


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FetchFailed(f"the package has no {path.name}")
    return path


def _run(command: list[str], folder: Path) -> None:
    unwanted = {"PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_PREFIX"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as cause:
        raise FetchFailed(f"no answer within {FETCH_TIMEOUT_S} s") from cause
    except subprocess.CalledProcessError as cause:
        raise FetchFailed(
            " ".join(cause.stderr.split())[:ERROR_TEXT_LIMIT] or f"exit code {cause.returncode}"
        ) from cause
    except OSError as cause:
        raise FetchFailed(str(cause)) from cause


@contextlib.contextmanager
def _progress(text: str) -> Iterator[None]:
    """A moving bar on stderr; the packages' clients do not say how far they are, so it shows only that they work."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(text, total=None)
        yield


def main() -> int:
    """`python -m ringback.demo.material.fetch`: 0 with the models, 1 without, and why on stderr."""
    began_s = time.monotonic()
    found = voice_models()
    if isinstance(found, Unavailable):
        sys.stderr.write(f"{found.code}: {found.reason}\nhint: {found.hint}\n")
        return 1
    sys.stderr.write(f"speech models ready in {time.monotonic() - began_s:.1f} s\n")
    sys.stdout.write(f"{found.v5}\n{found.v62}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
