"""The committed real input: where each file lies, what it must hash to, under which licence it is, and what it shows.

What it never does: fetch anything. Sources and licences in words: `../data/LICENSES.md`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Source:
    """One committed file. `people` is the truth a picture shows (0 or 1), 0 for what is no picture."""

    path: str
    sha256: str
    licence: str
    people: int = 0

    @property
    def file(self) -> Path:
        """Where the file lies."""
        return DATA / self.path

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.file.name


FACE_MODEL: Final = Source(
    "models/blazeface-front-128.onnx",
    "d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51",
    "Apache-2.0",
)
# Three pictures with a face, two without: without negatives a model that sees faces everywhere would pass.
PICTURES: Final = (
    Source(
        "pictures/hopper.jpg",
        "b69de01f3e68739984d3106f76c977a441065db57535f3566d81d7ebd2fc25f4",
        "public domain (US Navy)",
        people=1,
    ),
    Source(
        "pictures/astronaut.jpg",
        "8dd9aad74f82eac603777bda6fbf0234dfeb8c35474f95acb6a3901dda0bfb68",
        "public domain (NASA)",
        people=1,
    ),
    Source(
        "pictures/camera.jpg",
        "60c98aa1157d223dd7bc5c3323050227c39229c262abb7eef00bbe22f77696d6",
        "CC0-1.0",
        people=1,
    ),
    Source("pictures/coffee.jpg", "b0ed8783832dcb3b73d600b4f32dfe38c860ec70f86647ce7818fa7d791247db", "CC0-1.0"),
    Source(
        "pictures/rocket.jpg",
        "c54b6e1f3c3c26ae9d581e540cdcd8902791a593dfd1b3d27d5ebc6919dbdc11",
        "public domain (SpaceX)",
    ),
)
CLIPS: Final = (
    Source("clips/goforward.raw", "f15c60ec54059d8b66e410d0064945a0b0a04ea56e1ddca1958e493c0cf70e71", "BSD-2-Clause"),
    Source("clips/numbers.raw", "45b5f6d3f88e36dd55b025cc9e8f1cae567583ea93f554ecdff6d09e6dd4577d", "BSD-2-Clause"),
)
ALL: Final = (FACE_MODEL, *PICTURES, *CLIPS)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
