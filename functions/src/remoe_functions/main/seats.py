"""The places in a model where routed experts sit, and the check that we understand them.

transformers calls the function registered here at every MoE layer; it hands over to the
dispatcher, which knows where each expert runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import UnsupportedModelError
from remoe_functions.checkpoint.ffn import FfnForm
from remoe_functions.kernel.native_expert import ExpertTable
from remoe_functions.main.loading import experts_modules
from remoe_functions.main.torch_expert import middle

EXPERTS = "remoe"
PROBE_WIDTH = 64
PROBE_RANGE = 50.0  # beyond every published clamp
PROBE_TOLERANCE = 1e-5


class LayerRunner(Protocol):
    """What computes a layer's experts: the dispatcher."""

    def run(
        self, layer: int, hidden: torch.Tensor, index: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor: ...

    def run_routed(
        self,
        layer: int,
        rows: torch.Tensor,
        chosen: NDArray[np.integer[Any]],
        shares: NDArray[np.float32],
    ) -> torch.Tensor: ...

    def native_experts(self, layer: int) -> ExpertTable | None: ...

    def note(
        self, layers: Sequence[int], chosen: NDArray[np.integer[Any]], seconds: float
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """One layer's experts module, bound to what computes it."""

    layer: int
    runner: LayerRunner


def seat_experts(model: PreTrainedModel, checkpoint: Checkpoint, runner: LayerRunner) -> None:
    """Give every experts module its layer and runner, and make transformers call it.

    Raises:
        UnsupportedModelError: the model's experts are not behind the interface, not where the
            checkpoint says, or of another form.
    """
    modules = experts_modules(model)
    layers = {name: _layer_of(name) for name in modules}
    if sorted(layers.values()) != list(checkpoint.architecture.layers):
        raise UnsupportedModelError(
            f"{_name(model)}: experts in layers {sorted(layers.values())}, the checkpoint has them "
            f"in {list(checkpoint.architecture.layers)}"
        )
    for name, module in modules.items():
        _check_form(_name(model), module, checkpoint)
        module.__dict__["remoe_seat"] = Seat(layers[name], runner)
    ALL_EXPERTS_FUNCTIONS.register(EXPERTS, _run_seat)
    model.set_experts_implementation(EXPERTS)


def seat_of(module: nn.Module) -> Seat:
    """The seat that `seat_experts` gave to an experts module."""
    seat: Seat = module.__dict__["remoe_seat"]
    return seat


def _run_seat(
    module: nn.Module, hidden: torch.Tensor, index: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    seat = seat_of(module)
    return seat.runner.run(seat.layer, hidden, index, weights)


def _name(model: PreTrainedModel) -> str:
    return type(model).__name__


def _layer_of(name: str) -> int:
    numbers = re.findall(r"(?:^|\.)(\d+)(?=\.)", name)
    if len(numbers) != 1:
        raise UnsupportedModelError(f"cannot tell the layer of the experts at {name!r}")
    return int(numbers[0])


def _check_form(architecture: str, module: nn.Module, checkpoint: Checkpoint) -> None:
    form = checkpoint.form
    facts = {
        "num_experts": (module.num_experts, checkpoint.architecture.experts_per_layer),
        "gate": (bool(module.has_gate), form.gated),
        "post norm": (bool(module.has_post_expert_norm), False),
    }
    if form.fused:
        facts["transposed"] = (bool(module.is_transposed), form.transposed)
    for fact, (theirs, ours) in facts.items():
        if theirs != ours:
            raise UnsupportedModelError(
                f"{architecture}: its experts' {fact} is {theirs}, ours would be {ours}"
            )
    if not _same_middle(module, form):
        raise UnsupportedModelError(
            f"{architecture}: its experts' activation is not {form.activation}"
        )


@torch.no_grad()
def _same_middle(module: Any, form: FfnForm) -> bool:  # noqa: ANN401
    """Whether the module's activation and gate give our numbers on a probe.

    Compared by value: classes may override `_apply_gate`, and names of activations vary.
    """
    row = torch.linspace(-PROBE_RANGE, PROBE_RANGE, PROBE_WIDTH)
    if not form.gated:
        return _close(module.act_fn(row), middle(form, row, None))
    up = row.flip(0) * 0.7
    pair = torch.cat([row, up])[None]
    if not bool(module.is_concatenated):  # declared by GPT-OSS alone, which alternates
        pair = torch.stack([row, up], dim=-1).reshape(1, -1)
    return _close(module._apply_gate(pair)[0], middle(form, row, up))  # noqa: SLF001


def _close(theirs: torch.Tensor, ours: torch.Tensor) -> bool:
    return torch.allclose(theirs, ours, atol=PROBE_TOLERANCE, rtol=PROBE_TOLERANCE)
