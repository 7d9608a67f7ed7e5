"""Reads what an ONNX file says about itself: inputs, outputs, opset, quantised operators. Needs no ONNX package.

What it decides: whether the file is a model, and its signature, which goes into the manifest.
What it never does: run the model, or load its weights; the bytes are skipped, not parsed.

The format is Protocol Buffers: each field is a tag (number << 3 | wire type) and a value. Only the few fields named
below are read. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ringback.publisher.errors import ModelUnreadable

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
# Field numbers of onnx.proto, by message.
MODEL_IR_VERSION, MODEL_PRODUCER, MODEL_GRAPH, MODEL_OPSET = 1, 2, 7, 8
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
NODE_OP_TYPE = 4
TENSOR_NAME = 8
VALUE_NAME, VALUE_TYPE = 1, 2
TYPE_TENSOR, TENSOR_ELEMENT, TENSOR_SHAPE = 1, 1, 2
SHAPE_DIMENSION, DIMENSION_VALUE, DIMENSION_NAME = 1, 1, 2

ELEMENTS = {
    1: "float32",
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
QUANTISED_OPERATORS = frozenset(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger".split()
)
# A real graph has thousands of nodes, not millions; a file with more is broken or hostile.
NODE_LIMIT = 1_000_000

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output. A dimension is its size in digits, its name, or "?" where the model leaves it open."""

    name: str
    element: str
    shape: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model says about itself."""

    ir_version: int
    opset: int
    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: int
    quantised: tuple[str, ...]


def sniff(path: Path) -> Signature:
    """The signature of the ONNX file at `path`.

    Raises ModelUnreadable: empty, unreadable, or no ONNX model; the message says what was found instead.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content, path.name).model()
    except (OSError, ValueError) as cause:
        raise ModelUnreadable(f"{path.name} can't be read as a model: {cause}", "give the .onnx file itself") from cause


class _Reader:
    def __init__(self, content: mmap.mmap, name: str) -> None:
        self._content = content
        self._name = name

    def model(self) -> Signature:
        whole = (0, len(self._content))
        try:
            fields = list(self._fields(whole))
            graphs = [span for number, _, span in fields if number == MODEL_GRAPH]
            opsets = [self._opset(span) for number, _, span in fields if number == MODEL_OPSET]
            ir_version = next((value for number, value, _ in fields if number == MODEL_IR_VERSION), 0)
            producer = next((self._text(span) for number, _, span in fields if number == MODEL_PRODUCER), "")
            if len(graphs) != 1 or not opsets or not 1 <= ir_version <= 100:
                raise ValueError("no graph, no opset or no IR version")
            return self._graph(graphs[0], ir_version=ir_version, opset=max(opsets), producer=producer)
        except (ValueError, IndexError) as cause:
            start = bytes(self._content[:16])
            raise ModelUnreadable(
                f"{self._name} is no ONNX model ({cause}); it begins with {start!r}", "give the .onnx file itself"
            ) from cause

    def _graph(self, span: Span, *, ir_version: int, opset: int, producer: str) -> Signature:
        operators: Counter[str] = Counter()
        inputs, outputs, weights = [], [], set()
        for number, _, part in self._fields(span):
            if number == GRAPH_NODE:
                operators[self._first_text(part, NODE_OP_TYPE)] += 1
            elif number == GRAPH_INPUT:
                inputs.append(self._port(part))
            elif number == GRAPH_OUTPUT:
                outputs.append(self._port(part))
            elif number == GRAPH_INITIALIZER:
                weights.add(self._first_text(part, TENSOR_NAME))
        if not operators or not outputs:
            raise ValueError("its graph computes nothing")
        return Signature(
            ir_version=ir_version,
            opset=opset,
            producer=producer,
            inputs=tuple(port for port in inputs if port.name not in weights),
            outputs=tuple(outputs),
            operators=operators.total(),
            quantised=tuple(sorted(QUANTISED_OPERATORS & set(operators))),
        )

    def _opset(self, span: Span) -> int:
        """The version of the standard operators; 0 for another domain."""
        version = 0
        for number, value, part in self._fields(span):
            if number == OPSET_DOMAIN and self._text(part) not in ("", "ai.onnx"):
                return 0
            if number == OPSET_VERSION:
                version = value
        return version

    def _port(self, span: Span) -> Port:
        element, shape = "?", []
        for number, _, part in self._fields(span):
            if number != VALUE_TYPE:
                continue
            for tensor in self._all(part, TYPE_TENSOR):
                for field, value, inner in self._fields(tensor):
                    if field == TENSOR_ELEMENT:
                        element = ELEMENTS.get(value, f"type-{value}")
                    elif field == TENSOR_SHAPE:
                        shape = [self._dimension(dimension) for dimension in self._all(inner, SHAPE_DIMENSION)]
        return Port(self._first_text(span, VALUE_NAME), element, tuple(shape))

    def _dimension(self, span: Span) -> str:
        for number, value, part in self._fields(span):
            if number == DIMENSION_VALUE:
                return str(value)
            if number == DIMENSION_NAME:
                return self._text(part) or "?"
        return "?"

    def _all(self, span: Span, wanted: int) -> list[Span]:
        return [part for number, _, part in self._fields(span) if number == wanted]

    def _first_text(self, span: Span, wanted: int) -> str:
        return next((self._text(part) for part in self._all(span, wanted)), "")

    def _text(self, span: Span) -> str:
        return self._content[span[0] : span[1]].decode()

    def _fields(self, span: Span) -> Iterator[tuple[int, int, Span]]:
        """Each field of a message: number, value (0 unless a varint), and where its bytes lie."""
        at, end = span
        for _ in range(NODE_LIMIT):
            if at == end:
                return
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            value, start = 0, at
            if wire == VARINT:
                value, at = self._varint(at, end)
            elif wire == LENGTH:
                length, start = self._varint(at, end)
                at = start + length
            elif wire in (FIXED64, FIXED32):
                at += 8 if wire == FIXED64 else 4
            else:
                raise ValueError(f"byte {at - 1} is no field of a message")
            if at > end or number == 0:
                raise ValueError(f"a field at byte {start} ends after its message: the file is cut off or no model")
            yield number, value, (start, at)
        raise ValueError(f"more than {NODE_LIMIT} fields in one message")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise ValueError("the file is cut off")
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise ValueError("a number is longer than 64 bits")
