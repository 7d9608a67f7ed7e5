"""Is somebody speaking in these 32 ms? Silero VAD: what goes in and how its answer is read.

What it decides: the model's input for one window, and the state carried to the next.
What it never does: choose the threshold.

The app decides how many samples of the previous window go before each window. Silero's own wrapper puts 64 there
(`utils_vad.py`, `OnnxWrapper`); version 5 also works without, version 6.2 answers "silence" to everything.
Source: https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .faces import ModelUnfit, Session
from .shapes import FULL_PPM, RATE_HZ, WINDOW_SAMPLES

INPUTS = frozenset({"input", "state", "sr"})
PREPROCESS = "silero-16k-512"
STATE_SHAPE = (2, 1, 128)
DEFAULT_THRESHOLD_PPM = 500_000
# 16-bit samples to -1..1.
SAMPLE_SCALE = np.float32(32768)


def check(session: Session) -> None:
    """Raises ModelUnfit: the model does not take sound, state and sampling rate (as versions before 5 do not)."""
    found = sorted(spec.name for spec in session.get_inputs())
    if set(found) != INPUTS:
        raise ModelUnfit(f"a voice model takes the inputs {sorted(INPUTS)}; this one takes {found}")


class Listener:
    """One pass over a clip: feed windows in order, `restart` at the beginning of each clip."""

    def __init__(self, session: Session, context_samples: int) -> None:
        """Args: context_samples: 0..512, samples of the previous window put before each window."""
        self._session = session
        self._context_samples = context_samples
        self._rate: NDArray[Any] = np.array(RATE_HZ, np.int64)
        self.restart()

    def restart(self) -> None:
        """Forget what was heard."""
        self._state: NDArray[np.float32] = np.zeros(STATE_SHAPE, np.float32)
        self._context: NDArray[np.float32] = np.zeros(self._context_samples, np.float32)

    def hear(self, window: bytes) -> int:
        """How likely this window holds speech, in ppm. Args: window: 512 samples, 16 bit, mono, 16 kHz."""
        samples = np.frombuffer(window, "<i2").astype(np.float32) / SAMPLE_SCALE
        sound = np.concatenate([self._context, samples])
        probability, self._state = self._session.run(
            None, {"input": sound[None], "state": self._state, "sr": self._rate}
        )
        self._context = sound[WINDOW_SAMPLES:]
        return round(float(probability[0, 0]) * FULL_PPM)
