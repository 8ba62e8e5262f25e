"""The structures of `native/remoe.h`, as they are packed, and the numbers of its enumerations."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.ffn import Activation
from remoe_functions.checkpoint.tensors import Dtype

MATRIX = Struct("QQqqii")  # data, scales, row_bytes, scale_row_bytes, format, transposed
BIAS = Struct("Qii")  # data, format, reserved
# intermediate, activation, gated, fused, interleaved, alpha, limit, reserved
FORM = Struct("iiiiiffi")
EXPERT = Struct(f"{3 * MATRIX.size}s{2 * BIAS.size}s{FORM.size}s")
# experts, rows, token_rows, which, weights, out, row_count, pair_count, expert_count, hidden,
# rows_bfloat16, threads, instruction_set, fast
CALL = Struct("QQQQQQqqiiiiii")
# experts, places, rows, token_rows, which, weights, out, row_count, pair_count, place_count,
# expert_count, hidden, dtype, answer_dtype, threads, instruction_set, reserved
ANSWER = Struct("QQQQQQQqqiiiiiiii")
NORM = Struct("Qfi")  # weight, epsilon, reserved
# weights, bias, norm, rows, out, row_count, inputs, outputs, format, wide, threads, instruction_set
LINEAR = Struct(f"QQ{NORM.size}sQQqiiiiii")
# query, key, value, output, router; their biases but the router's; norm, query, key and next norm;
# hidden, heads, key_heads, size, norms_whole, format, window, experts, top_k, shares_sum_to_one,
# scaling, clip
ATTENTION = Struct(f"{5 * MATRIX.size}s4Q{4 * NORM.size}s10iff")
# layer, rows, normed, keys, values, positions, cosines, sines, chosen, shares, room, row_count,
# threads, instruction_set
STEP = Struct("10Qqqii")
BLOCK = Struct("5Q")  # attention, experts, keys, values, chosen
# step, blocks, block_count, answers, token_rows, expert_seconds
STRETCH = Struct(f"{STEP.size}sQqQQQ")


class Format(IntEnum):
    """How weights are written, in the order of `native/formats.def`."""

    F32 = 0
    BF16 = 1
    F16 = 2
    Q8 = 3
    Q4 = 4
    MXFP4 = 5


PLAIN_FORMATS = {Dtype.FLOAT32: Format.F32, Dtype.BFLOAT16: Format.BF16, Dtype.FLOAT16: Format.F16}
BLOCK_FORMATS = {
    BlockFormat.Q8: Format.Q8,
    BlockFormat.Q4: Format.Q4,
    BlockFormat.MXFP4: Format.MXFP4,
}
ACTIVATIONS = {
    Activation.SILU: 0,
    Activation.GELU: 1,
    Activation.GELU_TANH: 2,
    Activation.RELU: 3,
    Activation.RELU2: 4,
    Activation.CLAMPED_SWIGLU: 5,
}
