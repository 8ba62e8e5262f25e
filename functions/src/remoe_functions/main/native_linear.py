"""Dense projections (attention, shared experts, the head) by the native kernel, in decode.

A step's few rows make these products a matter of reading weights, which the native kernel does two
to five times as fast as torch in bfloat16, for up to 16 rows. More rows, other types and other
devices stay torch's.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from remoe_functions.kernel.linear import Linear
from remoe_functions.kernel.machine import instruction_set, native_available

FEW_ROWS = 16
# Below this the second thread wakes later than the first is done.
SHARED_BYTES = 1 << 20
Forward = Callable[[torch.Tensor], torch.Tensor]


def use_native_linears(model: nn.Module) -> int:
    """Give a model's linear layers the native product where it fits; how many got it.

    Weights must stay where they are from now on.

    Raises:
        ValueError: the environment names an instruction set that this machine has not.
    """
    if not native_available().available:
        return 0
    fitting = [module for module in model.modules() if _fits(module)]
    for module in fitting:
        module.forward = _forward_of(module)
    return len(fitting)


def _fits(module: nn.Module) -> bool:
    return type(module) is nn.Linear and all(
        parameter.dtype == torch.bfloat16
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()
        for parameter in module.parameters(recurse=False)
    )


def _forward_of(module: nn.Module) -> Forward:
    weight, bias = module.get_parameter("weight"), getattr(module, "bias", None)
    outputs, inputs = weight.shape
    wide_bias = None if bias is None else bias.float()
    native = Linear(
        weights=weight.data_ptr(),
        bias=0 if wide_bias is None else wide_bias.data_ptr(),
        inputs=inputs,
        outputs=outputs,
        threads=torch.get_num_threads() if weight.nbytes >= SHARED_BYTES else 1,
        instructions=instruction_set(os.environ),
    )

    def forward(rows: torch.Tensor) -> torch.Tensor:
        count = rows.numel() // inputs
        if not 0 < count <= FEW_ROWS or rows.dtype != torch.bfloat16:
            return functional.linear(rows, weight, bias)
        rows = rows.contiguous()
        out = rows.new_empty((*rows.shape[:-1], outputs))
        native.forward(rows.data_ptr(), count, out.data_ptr())
        return out

    # Native code reads it for as long as the layer can be called.
    forward.wide_bias = wide_bias  # type: ignore[attr-defined]

    return forward
