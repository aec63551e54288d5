"""The byte budget: the same bytes for the same model, never twice, within the budget, of everything that matters."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hub.tensor_info import DTYPE_BITS, TensorInfo
from hf_crosssight.tokens.byte_budget import (
    BUDGETS,
    EXPERTS_A_LAYER,
    MAX_RANGES,
    BytePlan,
    block_bytes,
    parse_bytes,
    plan_blocks,
)

MIB = 1 << 20


def headers(shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> list[TensorInfo]:
    """Tensors one behind the other in one file."""
    tensors, start = [], 8
    for name, shape in shapes.items():
        stop = start + math.prod(shape) * DTYPE_BITS[dtype] // 8
        tensors.append(TensorInfo(name, dtype, shape, "model.safetensors", start, stop))
        start = stop
    return tensors


def language_model(layers: int = 28, width: int = 3072) -> list[TensorInfo]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (32000, width)}
    for i in range(layers):
        name = f"model.layers.{i}."
        shapes[name + "input_layernorm.weight"] = (width,)
        shapes[name + "mlp.down_proj.weight"] = (width, 4 * width)
        shapes[name + "mlp.up_proj.weight"] = (4 * width, width)
        shapes[name + "self_attn.k_proj.weight"] = (width // 4, width)
        shapes[name + "self_attn.o_proj.weight"] = (width, width)
        shapes[name + "self_attn.q_proj.weight"] = (width, width)
    return headers(shapes | {"lm_head.weight": (32000, width)})


def ranges(plan: BytePlan) -> int:
    """Contiguous runs of bytes."""
    ends = {(block.tensor.file, block.span[1]) for block in plan.blocks}
    return sum((block.tensor.file, block.span[0]) not in ends for block in plan.blocks)


def runs(*plans: BytePlan) -> dict[str, list[tuple[int, int]]]:
    """The runs of elements of each tensor, in order; no element may be in two."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for block in sorted((b for plan in plans for b in plan.blocks), key=lambda b: (b.tensor.name, b.start)):
        assert 0 <= block.start < block.stop <= block.tensor.numel
        before = found[block.tensor.name]
        assert not before or before[-1][1] <= block.start, f"{block.tensor.name} is read twice"
        before.append((block.start, block.stop))
    return found


def elements(*plans: BytePlan) -> dict[str, int]:
    """How many elements of each tensor are read."""
    return {name: sum(stop - start for start, stop in spans) for name, spans in runs(*plans).items()}


@pytest.mark.parametrize("width", [3072, 8192])  # rows of 6 and 16 KiB
@pytest.mark.parametrize("budget", BUDGETS.values(), ids=BUDGETS)
def test_a_large_model_takes_the_budget_in_few_ranges(budget, width):
    plan = plan_blocks(language_model(width=width), key="a" * 40, budget=budget)
    assert abs(plan.bytes - budget) <= 0.01 * budget + 2 * width  # and a row
    assert plan.bytes == sum(block.nbytes for block in plan.blocks)
    assert ranges(plan) <= MAX_RANGES
    kinds = {block.tensor.name.split(".")[-2] for block in plan.blocks}
    assert kinds >= {"embed_tokens", "lm_head", "down_proj", "up_proj", "k_proj", "o_proj", "q_proj"}
    depths = {int(block.tensor.name.split(".")[2]) // 7 for block in plan.blocks if "layers" in block.tensor.name}
    assert depths == {0, 1, 2, 3}


def test_blocks_are_whole_rows():
    plan = plan_blocks(language_model(), key="a" * 40)
    matrices = [block for block in plan.blocks if len(block.tensor.shape) == 2]
    assert matrices
    for block in matrices:
        row = block.tensor.shape[1]
        assert block.start % row == block.stop % row == 0


def test_same_bytes_whatever_the_order_and_others_for_another_revision():
    tensors = language_model()
    shuffled = [tensors[i] for i in np.random.default_rng(0).permutation(len(tensors))]
    plan = plan_blocks(tensors, key="a" * 40)
    assert plan_blocks(shuffled, key="a" * 40) == plan
    assert plan_blocks(tensors, key="b" * 40).blocks != plan.blocks


def test_vectors_are_read_whole_up_to_an_eighth():
    shapes: dict[str, tuple[int, ...]] = {f"norms.{i}.weight": (512,) for i in range(40)}
    tensors = headers(shapes | {"big.weight": (4096, 4096)})
    plan = plan_blocks(tensors, key="k", budget=MIB)
    whole = elements(plan)
    assert all(whole[name] == 512 for name in shapes)
    many = headers({f"norms.{i}.weight": (16384,) for i in range(40)} | {"big.weight": (4096, 4096)})
    taken = plan_blocks(many, key="k", budget=MIB)
    vectors = sum(block.nbytes for block in taken.blocks if block.tensor.name != "big.weight")
    assert 0.5 * MIB / 8 < vectors <= MIB / 8
    assert ("outside the byte budget") in {reason for _, reason in taken.skipped}


def test_a_small_model_is_read_whole():
    tensors = headers({"a.weight": (64, 32), "a.bias": (64,), "scale": ()}, "F32")
    plan = plan_blocks(tensors, key="k")
    assert elements(plan) == {"a.weight": 2048, "a.bias": 64, "scale": 1}
    assert plan.skipped == ()


@pytest.mark.parametrize("budget", [MIB // 4, MIB, 64 * MIB])
def test_parts_share_no_byte(budget):
    shapes = {"conv.weight": (96, 48, 3, 3), "conv.bias": (96,), "norm.weight": (96,), "fc.weight": (1000, 700)}
    tensors = headers(shapes, "F16")
    first, second = (plan_blocks(tensors, key="k", budget=budget, part=(i, 2)) for i in range(2))
    assert set(elements(first)) == set(elements(second)) == set(shapes)
    together = elements(first, second)
    if budget > 2 * MIB:
        assert together == {name: math.prod(shape) for name, shape in shapes.items()}


def test_experts_are_sampled_and_the_router_is_whole():
    shapes = {}
    for layer in range(3):
        shapes[f"layers.{layer}.gate.weight"] = (64, 512)
        for expert in range(64):
            shapes[f"layers.{layer}.experts.{expert}.up_proj.weight"] = (2048, 512)
    plan = plan_blocks(headers(shapes), key="k", budget=64 * MIB)
    chosen = defaultdict(set)
    for block in plan.blocks:
        if "experts" in block.tensor.name:
            _, layer, _, expert, *_ = block.tensor.name.split(".")
            chosen[layer].add(expert)
    assert {len(ids) for ids in chosen.values()} == {EXPERTS_A_LAYER}
    assert len({frozenset(ids) for ids in chosen.values()}) == 3, "each layer has its own sample"
    found = elements(plan)
    assert all(found[f"layers.{layer}.gate.weight"] == 64 * 512 for layer in range(3))
    assert len(plan.skipped) == 3 * (64 - EXPERTS_A_LAYER)


def test_what_has_no_meaning_is_skipped_with_a_reason():
    tensors = [TensorInfo("steps", "I64", (1,), "f", 8, 16), TensorInfo("none", "F32", (0, 3), "f", 16, 16)]
    plan = plan_blocks(tensors, key="k")
    assert plan.blocks == ()
    assert [name for name, _ in plan.skipped] == ["none", "steps"]
    assert all(reason for _, reason in plan.skipped)


def test_any_model_gives_sound_blocks():
    """Random headers: blocks lie at whole bytes inside their tensors, never overlap, parts are disjoint."""
    rng = np.random.default_rng(0)
    names = ("conv.weight", "bias", "running_var", "experts.3.w.weight", "kernel", "pos_embed", "x", "0.weight")
    for case in range(150):
        shapes = {}
        for i in range(int(rng.integers(1, 30))):
            rank = int(rng.integers(0, 5))
            shapes[f"b{i}.{names[rng.integers(len(names))]}"] = tuple(int(s) for s in rng.integers(0, 40, rank))
        dtype = str(rng.choice(["F32", "BF16", "F8_E4M3", "I8", "F64"]))
        tensors = headers(shapes, dtype)
        total = sum(tensor.nbytes for tensor in tensors)
        budget = int(rng.integers(1, max(2 * total, 2)))
        parts = int(rng.integers(1, 4))
        plans = [plan_blocks(tensors, key=str(case), budget=budget, part=(i, parts)) for i in range(parts)]
        runs(*plans)
        for plan in plans:
            assert plan.bytes == sum(block_bytes(block) for block in plan.blocks)
            assert all(block.tensor.start <= block.span[0] < block.span[1] for block in plan.blocks)
        if parts == 1 and total <= budget:
            assert plans[0].bytes == total


def test_four_bit_blocks_begin_and_end_at_whole_bytes():
    plan = plan_blocks(headers({"w.weight": (1001, 1002), "v.weight": (64, 2048)}, "F4"), key="k", budget=MIB // 8)
    assert plan.blocks
    assert all(block.span[1] > block.span[0] for block in plan.blocks)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1MiB", MIB), ("32MB", 32_000_000), ("8M", 8 * MIB), ("2 GiB", 2 << 30), ("1048576", MIB), (4096, 4096)],
)
def test_sizes(text, value):
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "0", "-3MB", "eight", "8TB", "1.5.2MB"])
def test_what_is_no_size(text):
    with pytest.raises(UserError, match="no size"):
        parse_bytes(text)


@pytest.mark.parametrize(("budget", "part"), [(0, (0, 1)), (-1, (0, 1)), (MIB, (1, 1)), (MIB, (-1, 2))])
def test_impossible_samples_are_refused(budget, part):
    with pytest.raises(ValueError, match="no sample"):
        plan_blocks(language_model(1), key="k", budget=budget, part=part)
