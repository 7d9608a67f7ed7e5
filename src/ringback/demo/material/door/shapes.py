"""Shapes and units that the camera, the models and the replay agree on. Imports nothing that costs a service time."""

from __future__ import annotations

from pathlib import Path

SIDE_PX = 128
FRAME_BYTES = SIDE_PX * SIDE_PX * 3
FULL_PPM = 1_000_000

# Tighter crops lose the forehead of the portraits, darker or brighter ones lose contrast: at these the fp32 model and
# every good variant decide all 45 frames right with room to spare, and each bad calibration still fails.
ZOOMS_PPM = (1_000_000, 920_000, 850_000)
BRIGHTNESSES_PPM = (700_000, 1_000_000, 1_300_000)
VIEWS = tuple((zoom, brightness) for zoom in ZOOMS_PPM for brightness in BRIGHTNESSES_PPM)

# Faces sit above the middle of a portrait, so 60 % of what a crop removes is taken below.
CROP_ABOVE_PPM = 300_000

RATE_HZ = 16_000
WINDOW_SAMPLES = 512
SAMPLE_BYTES = 2
WINDOW_BYTES = WINDOW_SAMPLES * SAMPLE_BYTES


def windows(path: Path) -> list[bytes]:
    """The whole windows of a 16 kHz, 16-bit, mono clip; what is left over at the end is dropped."""
    clip = path.read_bytes()
    return [clip[at : at + WINDOW_BYTES] for at in range(0, len(clip) - WINDOW_BYTES + 1, WINDOW_BYTES)]
