"""Reading a model's signature without loading it; a file that is no model is refused, whatever its bytes."""

from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.demo.material import data, variants
from ringback.publisher import sniff
from ringback.publisher.errors import ModelUnreadable

MODEL = data.FACE_MODEL.file


def of_bytes(folder: Path, content: bytes) -> sniff.Signature:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return sniff.sniff(path)


@pytest.mark.parametrize("variant", variants.face_variants(), ids=lambda variant: variant.name)
def test_the_signature_is_what_the_onnx_package_says(variant: variants.Variant) -> None:
    found, model = sniff.sniff(variant.file()), onnx.load(variant.file())
    assert found.ir_version == model.ir_version
    assert found.opset == max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
    assert found.operators == len(model.graph.node)
    assert [port.name for port in found.inputs] == [value.name for value in model.graph.input]
    assert [port.name for port in found.outputs] == [value.name for value in model.graph.output]
    shape = tuple(str(dimension.dim_value) for dimension in model.graph.input[0].type.tensor_type.shape.dim)
    assert found.inputs[0] == sniff.Port("input:0", "float32", shape)


def test_quantised_operators_tell_an_int8_model_from_a_float_model() -> None:
    by_name = {variant.name: sniff.sniff(variant.file()).quantised for variant in variants.face_variants()}
    assert by_name["face-fp32"] == ()
    assert "DequantizeLinear" in by_name["face-int8"]
    assert "ConvInteger" in by_name["face-int8-dynamic"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x89PNG\r\n\x1a\n",
        b"{}",
        bytes(64),
        b"\xff" * 64,
        b"version https://git-lfs.github.com/spec/v1",
    ],
)
def test_a_file_that_is_no_model_is_refused_with_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelUnreadable) as refused:
        of_bytes(tmp_path, content)
    assert refused.value.code == "RB-PUB-001"
    assert "model.onnx" in str(refused.value)
    assert "Hint: give the .onnx file itself" in str(refused.value)


def test_a_folder_or_a_missing_file_is_refused_like_any_other(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.onnx"):
        with pytest.raises(ModelUnreadable):
            sniff.sniff(path)


def test_a_truncated_model_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = MODEL.read_bytes()
    for length in range(1, len(whole), len(whole) // 50):
        with pytest.raises(ModelUnreadable):
            of_bytes(tmp_path, whole[:length])


@given(st.binary(max_size=300))
def test_no_bytes_lead_to_anything_but_a_signature_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        of_bytes(folder, content)
    except ModelUnreadable as refused:
        assert refused.code == "RB-PUB-001"
