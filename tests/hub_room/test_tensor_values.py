"""Numbers of every dtype, against PyTorch's own or the formats' printed tables; and tensors that hold none."""

import numpy as np
import pytest
import torch

from hf_crosssight.hub.tensor_info import DTYPE_BITS, TensorInfo
from hf_crosssight.hub.tensor_values import decode, meaningless

TORCH = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I16": torch.int16,
    "U16": torch.uint16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "I64": torch.int64,
    "U64": torch.uint64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
}


@pytest.mark.parametrize("dtype", TORCH)
def test_every_code_is_the_number_that_torch_reads(dtype):
    data = bytes(range(256)) + np.random.default_rng(0).bytes(800)
    tensor = torch.frombuffer(bytearray(data), dtype=TORCH[dtype])
    with np.errstate(over="ignore"):
        expected = tensor.to(torch.float32).numpy()
    found = decode(data, dtype)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(decode(memoryview(data), dtype), expected)


def test_booleans_and_complex_numbers():
    np.testing.assert_array_equal(decode(b"\0\1\1", "BOOL"), [0, 1, 1])
    pairs = np.array([1 + 2j, -3 - 4j], np.complex64)
    np.testing.assert_array_equal(decode(pairs.tobytes(), "C64"), [1, -3])


def test_four_bits_are_the_table_of_the_microscaling_specification():
    # E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; the first element is the low half of a byte.
    np.testing.assert_array_equal(
        decode(bytes([0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]), "F4"),
        [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6],
    )


@pytest.mark.parametrize(
    ("dtype", "codes", "expected"),
    [
        ("F6_E2M3", [0b000001, 0b001000, 0b011111, 0b111111], [0.125, 1, 7.5, -7.5]),
        ("F6_E3M2", [0b000001, 0b001100, 0b011111, 0b100001], [0.0625, 1, 28, -0.0625]),
    ],
)
def test_six_bits_are_four_elements_in_three_bytes(dtype, codes, expected):
    packed = sum(code << 6 * index for index, code in enumerate(codes)).to_bytes(3, "little")
    np.testing.assert_array_equal(decode(packed, dtype), expected)


def test_every_dtype_of_the_format_is_read_and_nothing_is_read_of_nothing():
    for dtype, bits in DTYPE_BITS.items():
        assert decode(bytes(24), dtype).shape == (24 * 8 // bits,)
        assert decode(b"", dtype).shape == (0,)


def test_numbers_that_are_not_finite_stay_so_and_large_ones_become_infinite():
    found = decode(np.array([np.nan, -np.inf, 1e300]).tobytes(), "F64")
    np.testing.assert_array_equal(found, [np.nan, -np.inf, np.inf])


@pytest.mark.parametrize(
    ("name", "dtype", "beside", "expected"),
    [
        ("model.layers.0.q.qweight", "I32", ["model.layers.0.q.scales"], "packed integers of GPTQ or AWQ"),
        ("model.layers.0.q.qzeros", "I32", ["model.layers.0.q.scales"], "packed zero points of GPTQ or AWQ"),
        ("model.layers.0.q.g_idx", "I32", ["model.layers.0.q.scales"], "index table of GPTQ"),
        ("model.layers.0.q.scales", "F16", ["model.layers.0.q.qweight"], None),
        ("q.weight", "U8", ["q.weight.absmax", "q.weight.quant_map"], "4-bit numbers of bitsandbytes"),
        ("q.weight.absmax", "F32", ["q.weight"], "state of bitsandbytes"),
        ("q.weight.quant_map", "F32", ["q.weight"], "state of bitsandbytes"),
        ("q.weight.quant_state.bitsandbytes__nf4", "U8", ["q.weight"], "state of bitsandbytes"),
        ("q.weight_packed", "I32", ["q.weight_scale"], "compressed-tensors"),
        ("experts.gate_up_proj_blocks", "U8", ["experts.gate_up_proj_scales"], "MXFP4"),
        ("experts.gate_up_proj_scales", "U8", ["experts.gate_up_proj_blocks"], "MXFP4"),
        ("bn.num_batches_tracked", "I64", [], "counter"),
        ("relative_position_index", "I64", [], "indices"),
        ("attention.mask", "BOOL", [], "mask"),
        ("q.weight", "I8", ["q.SCB"], None),
        ("q.weight", "U8", [], None),
        ("q.weight", "F8_E4M3", ["q.weight_scale"], None),
        ("q.weight", "BF16", [], None),
    ],
)
def test_what_means_nothing_is_named_with_its_reason(name, dtype, beside, expected):
    reason = meaningless(TensorInfo(name, dtype, (4, 4)), {name, *beside})
    assert reason == expected if expected is None else expected in reason


def test_an_empty_tensor_means_nothing():
    assert meaningless(TensorInfo("a", "F32", (0, 3)), {"a"}) == "it is empty"
