"""Pictures as the camera delivers them: nine views of each.

What it decides: how a picture becomes a 128 x 128 frame.
What it never does: know what is on a picture. Needs Pillow only, so that the camera service starts quickly.

Invariants: the same file, zoom and brightness give the same bytes; every picture has 3 zooms x 3 brightnesses.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .shapes import CROP_ABOVE_PPM, FULL_PPM, SIDE_PX, VIEWS


def views(path: Path) -> list[bytes]:
    """All nine frames of one picture, in the order of VIEWS. The file is decoded once."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    return [_view(picture, zoom, brightness) for zoom, brightness in VIEWS]


def view(path: Path, zoom_ppm: int, brightness_ppm: int) -> bytes:
    """One frame: RGB, row by row, SIDE_PX * SIDE_PX * 3 bytes."""
    with Image.open(path) as file:
        return _view(file.convert("RGB"), zoom_ppm, brightness_ppm)


def _view(picture: Image.Image, zoom_ppm: int, brightness_ppm: int) -> bytes:
    width, height = picture.width * zoom_ppm / FULL_PPM, picture.height * zoom_ppm / FULL_PPM
    left = (picture.width - width) / 2
    top = (picture.height - height) * CROP_ABOVE_PPM / FULL_PPM
    frame = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    levels = [min(255, level * brightness_ppm // FULL_PPM) for level in range(256)]
    return frame.point(levels * 3).tobytes()
