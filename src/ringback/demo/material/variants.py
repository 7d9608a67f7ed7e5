"""Makes the demo's models, good and bad, from the real ones with ONNX Runtime's own quantiser.

What it decides: the recipe of each variant, and when a cached result may be used again.
What it never does: touch a weight by hand. A bad variant comes from a mistake people make: calibrating on the wrong
pictures, or taking the quantiser's default.

The same source, recipe and ONNX Runtime give the same bytes on the same machine; results are cached under their key.
`python -m ringback.demo.material.measure` says what each variant does.
Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ringback.demo.material import cache, data
from ringback.demo.material.door import faces, frames, shapes

Feed = dict[str, NDArray[Any]]

# Per-channel int8 weights in QDQ format need DequantizeLinear with an axis, which came with opset 13; the model has 12.
FACE_OPSET: Final = 13
# Every second view calibrates; the other half is unseen by the quantiser.
CALIBRATION_STEP: Final = 2
# A covered lens is not exactly black: the sensor turns its gain up and adds noise. In a hurry one records 16 frames.
COVERED_FRAMES: Final = 16
COVERED_NOISE_LEVELS: Final = 6.0
COVERED_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Variant:
    """One model to make: its name, the slot it is for, the file it comes from, and in words how."""

    name: str
    slot: str
    source: Path
    story: str
    make: Callable[[Path, Path], None]

    def file(self) -> Path:
        """The model file; made the first time, then cached (under a second each)."""
        if self.make is _as_it_is:
            return self.source
        made = cache.folder() / "models" / self._key() / f"{self.name}.onnx"
        if not made.is_file():
            with tempfile.TemporaryDirectory() as folder:
                fresh = Path(folder) / "model.onnx"
                self.make(self.source, fresh)
                cache.put(made, fresh.read_bytes())
        return made

    def _key(self) -> str:
        import onnx
        import onnxruntime

        parts = [self.name, onnxruntime.__version__, onnx.__version__]
        # The recipes are this file: whoever changes one gets new bytes and not the cached ones.
        parts += [data.sha256_of(Path(__file__)), data.sha256_of(self.source)]
        parts += [picture.sha256 for picture in data.PICTURES] + [clip.sha256 for clip in data.CLIPS]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def face_variants() -> tuple[Variant, ...]:
    """The face models of the demo, in the order of its acts."""
    source = data.FACE_MODEL.file
    return (
        Variant("face-fp32", "face", source, "BlazeFace front-128 as published", _as_it_is),
        Variant("face-int8", "face", source, "static int8, calibrated on the scenes it will see", _face_int8),
        Variant("face-int8-lens-cap", "face", source, "the same, calibrated with the lens cap on", _face_int8_covered),
        Variant("face-int8-dynamic", "face", source, "quantize_dynamic with its defaults", _dynamic),
    )


def voice_variants(v5: Path, v62: Path) -> tuple[Variant, ...]:
    """The voice models of the demo, from the two files `fetch.voice_models` returns."""
    return (
        Variant("voice-5", "voice", v5, "Silero VAD 5.1.2 as published", _as_it_is),
        Variant("voice-6.2", "voice", v62, "Silero VAD 6.2.0 as published", _as_it_is),
    )


def _as_it_is(source: Path, target: Path) -> None:
    raise AssertionError(f"{source} is used as it is; nothing is made at {target}")


def _face_int8(source: Path, target: Path) -> None:
    views = [frame for picture in data.PICTURES for frame in frames.views(picture.file)]
    _face_static(source, target, [{faces.INPUT: faces.tensor(frame)} for frame in views[::CALIBRATION_STEP]])


def _face_int8_covered(source: Path, target: Path) -> None:
    noise = np.random.default_rng(COVERED_SEED)
    shape = (COVERED_FRAMES, shapes.FRAME_BYTES)
    levels = np.rint(np.abs(noise.normal(0, COVERED_NOISE_LEVELS, shape))).astype(np.uint8)
    _face_static(source, target, [{faces.INPUT: faces.tensor(frame.tobytes())} for frame in levels])


def _face_static(source: Path, target: Path, feeds: list[Feed]) -> None:
    """Static int8: activations uint8, weights int8 per channel.

    reduce_range keeps weights to 7 bits: on x86 without VNNI, 8 bits saturate the 16-bit sums and the decisions would
    depend on the machine.
    """
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    _quiet()
    raised = target.with_name("opset.onnx")
    onnx.save(version_converter.convert_version(onnx.load(source), FACE_OPSET), raised)
    quantize_static(
        str(raised),
        str(target),
        _reader(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _dynamic(source: Path, target: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    _quiet()
    quantize_dynamic(str(source), str(target))


def _reader(feeds: list[Feed]) -> Any:
    """The feeds as the quantiser wants them: one after the other, then None."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[Feed] = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self._feeds, None)

    return Reader()


def _quiet() -> None:
    """The quantiser advises to preprocess and the loader warns of unused constants: neither changes these models."""
    import logging

    import onnxruntime

    logging.getLogger().addFilter(lambda record: "pre-processing before quantization" not in record.getMessage())
    onnxruntime.set_default_logger_severity(3)
