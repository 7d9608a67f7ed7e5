"""Is there a face in this frame? BlazeFace, front camera, 128 x 128: what goes in and how its answer is read.

What it decides: the tensor of a frame, the best box, and whether it is a face.
What it never does: choose the threshold, or suppress overlapping boxes: "is anyone there" needs the best box only.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv:1907.05047; the
anchor grid (16 x 16 cells of 2 anchors, 8 x 8 of 6, centres only) is MediaPipe's.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .shapes import FULL_PPM, SIDE_PX

INPUT = "input:0"
INPUT_SHAPE = [1, SIDE_PX, SIDE_PX, 3]
PREPROCESS = "blazeface-128"
# (cells per row, anchors per cell) of the two feature maps, in the order of the model's outputs.
GRIDS = ((16, 2), (8, 6))
DEFAULT_THRESHOLD_PPM = 600_000


class Session(Protocol):
    """The part of onnxruntime.InferenceSession that is used here."""

    def run(self, output_names: None, input_feed: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]: ...

    def get_inputs(self) -> list[Any]: ...


class Sighting(NamedTuple):
    """The best box of one frame: score 0..1,000,000 ppm; left, top, right, bottom in ppm of the frame's side."""

    score_ppm: int
    box_ppm: tuple[int, int, int, int]

    def is_face(self, threshold_ppm: int) -> bool:
        """Whether the score is above the threshold."""
        return self.score_ppm > threshold_ppm


class ModelUnfit(ValueError):
    """The model in this slot does not take what the app feeds. The next action is to fix the release."""


def _anchors() -> NDArray[np.float32]:
    centres = [
        ((column + 0.5) / cells, (row + 0.5) / cells)
        for cells, anchors_per_cell in GRIDS
        for row in range(cells)
        for column in range(cells)
        for _ in range(anchors_per_cell)
    ]
    return np.array(centres, np.float32)


ANCHORS = _anchors()


def check(session: Session) -> None:
    """Raises ModelUnfit: the model's input is not one 128 x 128 RGB picture."""
    found = {spec.name: list(spec.shape) for spec in session.get_inputs()}
    if found != {INPUT: INPUT_SHAPE}:
        raise ModelUnfit(f"a face model takes {INPUT} of shape {INPUT_SHAPE}; this one takes {found}")


def tensor(frame: bytes) -> NDArray[np.float32]:
    """The model's input for one frame: (1, 128, 128, 3), float32, -1..1."""
    pixels = np.frombuffer(frame, np.uint8).reshape(INPUT_SHAPE)
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def look(session: Session, frame_tensor: NDArray[np.float32]) -> Sighting:
    """Run the model on one frame and keep the best box."""
    fine_scores, coarse_scores, fine_boxes, coarse_boxes = session.run(None, {INPUT: frame_tensor})
    logits = np.concatenate([fine_scores[0, :, 0], coarse_scores[0, :, 0]])
    best = int(logits.argmax())
    boxes = np.concatenate([fine_boxes[0], coarse_boxes[0]])
    centre = ANCHORS[best] + boxes[best, :2] / SIDE_PX
    half = boxes[best, 2:4] / (2 * SIDE_PX)
    corners = np.concatenate([centre - half, centre + half])
    left, top, right, bottom = (_ppm(float(corner)) for corner in corners)
    score = 1 / (1 + np.exp(-np.clip(float(logits[best]), -80, 80)))
    return Sighting(_ppm(float(score)), (left, top, right, bottom))


def overlap_ppm(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    """Intersection over union of two boxes (left, top, right, bottom), in ppm."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    both = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both
    return both * FULL_PPM // union


def _ppm(value: float) -> int:
    return round(value * FULL_PPM)
