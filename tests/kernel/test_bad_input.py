"""Bad input is refused by name before native code acts on it."""

from __future__ import annotations

import numpy as np
import pytest
from builders.expert_weights import expert, form, tensor

from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor
from remoe_functions.kernel.machine import (
    InstructionSet,
    available,
    instruction_set,
    native_available,
)
from remoe_functions.kernel.moe_layer import forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")


def call(**changes):
    arguments = {
        "experts": [NativeExpert.of(expert(form()))],
        "rows": np.zeros((3, 12), np.float32),
        "token_rows": np.zeros(2, np.uint32),
        "which": np.zeros(2, np.uint16),
        "weights": np.zeros(2, np.float32),
    } | changes
    return forward(**arguments)


def test_the_call_is_good_as_it_stands():
    assert call().shape == (3, 12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rows", np.zeros((3, 12))),
        ("rows", np.zeros((3, 11), np.float32)),
        ("rows", np.zeros(12, np.float32)),
        ("rows", np.zeros((3, 24), np.float32)[:, ::2]),
        ("token_rows", np.zeros(2, np.int64)),
        ("token_rows", np.array([0, 3], np.uint32)),
        ("token_rows", np.zeros(4, np.uint32)[::2]),
        ("which", np.zeros(2, np.int16)),
        ("which", np.zeros(3, np.uint16)),
        ("which", np.array([0, 1], np.uint16)),
        ("weights", np.zeros(2)),
        ("weights", np.zeros((2, 1), np.float32)),
        ("out", np.zeros((3, 12), np.float32)),
        ("out", np.zeros((2, 12))),
        ("out", np.zeros((3, 24))[:, ::2]),
        ("threads", 0),
        ("threads", 257),
    ],
)
def test_an_argument_that_does_not_fit_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field} "):
        call(**{field: value})


def test_a_read_only_out_is_refused():
    out = np.zeros((3, 12))
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"^out "):
        call(out=out)


def test_instructions_that_this_machine_lacks_are_refused():
    lacking = next(each for each in InstructionSet if each not in available())
    with pytest.raises(ValueError, match=r"^instructions must be one of .*plain"):
        call(instructions=lacking)
    with pytest.raises(ValueError, match=f"REMOE_INSTRUCTION_SET .*{lacking}"):
        instruction_set({"REMOE_INSTRUCTION_SET": lacking})


def test_the_environment_chooses_the_path():
    assert instruction_set({}) is available()[0]
    assert instruction_set({"REMOE_INSTRUCTION_SET": "plain"}) is InstructionSet.PLAIN
    with pytest.raises(ValueError, match="'sse9'"):
        instruction_set({"REMOE_INSTRUCTION_SET": "sse9"})


def test_a_table_of_no_experts_or_of_several_widths_is_refused():
    with pytest.raises(ValueError, match=r"^experts "):
        ExpertTable([])
    with pytest.raises(ValueError, match="one hidden size"):
        ExpertTable(NativeExpert.of(expert(form(), hidden=size)) for size in (4, 5))


def good_parts():
    weights = expert(form(gated=False), biased=True)
    return {
        "form": weights.form,
        "up": weights.up,
        "down": weights.down,
        "up_bias": weights.up_bias,
        "down_bias": weights.down_bias,
    }


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("up", "up", (tensor(np.zeros((10, 12))), tensor(np.zeros((10, 12))))),
        ("up", r"up\[0\]", (tensor(np.zeros((10, 13))),)),
        ("up", r"up\[0\]", (tensor(np.zeros(10)),)),
        ("down", r"up\[0\]", tensor(np.zeros((12, 11)))),
        ("down", "down", MappedTensor.of(np.zeros((12, 10), np.uint8), Dtype.UINT8)),
        ("up_bias", "up_bias", tensor(np.zeros(11))),
        ("down_bias", "down_bias", tensor(np.zeros(11))),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(part, name, value):
    NativeExpert.of(ExpertWeights(**good_parts()))
    with pytest.raises(ValueError, match=f"^{name}"):
        NativeExpert.of(ExpertWeights(**good_parts() | {part: value}))


def test_an_array_in_strides_is_no_tensor():
    with pytest.raises(ValueError, match="array must be contiguous, got strides"):
        MappedTensor.of(np.zeros((10, 12), np.float32).T, Dtype.FLOAT32)
