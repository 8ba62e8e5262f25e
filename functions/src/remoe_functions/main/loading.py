"""A transformers model on the bytes of a mapped checkpoint, without its routed experts.

Names and layouts are converted by transformers' own tables. Nothing is guessed: a tensor that is
missing, unused or of another shape, and experts of a form that is not understood, are refused by
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import convert_and_load_state_dict_in_model
from transformers.initialization import no_init_weights
from transformers.modeling_utils import LoadStateDictConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging as transformers_logging

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.main.attention import use_ragged_attention
from remoe_functions.main.native_linear import use_native_linears
from remoe_functions.main.slot_cache import unserved_states
from remoe_functions.main.tensors import from_mapped

_OWN_CACHES = frozenset({"minimax"})  # linear attention that its config does not declare


def load_config(directory: Path) -> PreTrainedConfig:
    """The model's configuration.

    Raises:
        UnsupportedModelError: transformers knows no such model.
    """
    try:
        return AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UnsupportedModelError(f"{directory}: {error}") from error


def load_model(
    checkpoint: Checkpoint,
    config: PreTrainedConfig,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> PreTrainedModel:
    """The model in evaluation mode; its experts modules have no weights.

    Raises:
        UnsupportedModelError: not a causal language model that transformers knows.
        CheckpointError: tensors are missing, unused or of another shape.
    """
    _check_states(config)
    model = _skeleton(config, dtype)
    for module in experts_modules(model).values():
        for name in list(module._parameters):  # noqa: SLF001
            del module._parameters[name]  # noqa: SLF001
    _fill(model, checkpoint, dtype, device)
    _restore_buffers(model, device)
    model.tie_weights()
    _check_whole(model)
    use_ragged_attention(model)
    model.eval().requires_grad_(False)
    use_native_linears(model)
    return model


def experts_modules(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Every module behind transformers' experts interface, by its name in the model."""
    return {
        name: module for name, module in model.named_modules() if hasattr(module, "is_transposed")
    }


def _check_states(config: PreTrainedConfig) -> None:
    name = (config.architectures or [config.model_type])[0]
    if config.model_type in _OWN_CACHES:
        raise UnsupportedModelError(f"{name} needs a cache of its own")
    if kinds := unserved_states(config):
        raise UnsupportedModelError(
            f"{name} keeps more than keys and values between tokens ({', '.join(kinds)})"
        )


def _skeleton(config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The model without memory for its weights."""
    try:
        model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    except KeyError:
        raise UnsupportedModelError(
            f"model type {config.model_type!r} is not a causal language model"
        ) from None
    config.dtype = dtype
    with ExitStack() as contexts:
        for context in model_class.get_init_context(dtype, False, False, False):
            contexts.enter_context(context)
        contexts.enter_context(no_init_weights())
        contexts.enter_context(_RealPositions())
        return model_class(config)


class _RealPositions(TorchFunctionMode):
    """What models count, they count for real: arithmetic without memory takes seconds to import."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        given = kwargs or {}
        if func is torch.arange and given.get("device") is None:
            given = given | {"device": torch.device("cpu")}
        return func(*args, **given)


def _fill(
    model: PreTrainedModel, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device
) -> None:
    tensors = {
        name: from_mapped(checkpoint.tensor(name))
        for name in checkpoint.names
        if not checkpoint.is_expert_tensor(name) and not _beyond(name, model.config)
    }
    transformers_logging.disable_progress_bar()
    found, _ = convert_and_load_state_dict_in_model(
        model,
        tensors,
        LoadStateDictConfig(
            device_map={"": device},
            dtype=dtype,
            dtype_plan=model._get_dtype_plan(dtype),  # noqa: SLF001
            weight_mapping=get_model_conversion_mapping(model),
        ),
    )
    missing = found.missing_keys - model.all_tied_weights_keys.keys()
    for fault, names in (
        ("missing", missing),
        ("not used by the model", found.unexpected_keys - _ignored(model, found.unexpected_keys)),
        ("of another shape", {name for name, *_ in found.mismatched_keys}),
        ("not convertible", set(found.conversion_errors)),
    ):
        if names:
            raise CheckpointError(
                f"{checkpoint.directory}: tensors {fault}: {', '.join(sorted(names)[:5])}"
                + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            )


def _beyond(name: str, config: PreTrainedConfig) -> bool:
    """Whether a tensor belongs to a layer after the last: heads that predict further tokens."""
    match = re.search(r"\.layers\.(\d+)\.", name)
    return match is not None and int(match[1]) >= config.num_hidden_layers


def _ignored(model: PreTrainedModel, names: set[str]) -> set[str]:
    """Unused tensors that the architecture itself declares harmless (old buffers, MTP heads)."""
    patterns = model._keys_to_ignore_on_load_unexpected or ()  # noqa: SLF001
    return {name for name in names if any(re.search(pattern, name) for pattern in patterns)}


def _restore_buffers(model: PreTrainedModel, device: torch.device) -> None:
    """Compute the buffers that no checkpoint holds (rotary frequencies)."""
    for module in model.modules():
        own = module._non_persistent_buffers_set  # noqa: SLF001
        buffers = {n: b for n, b in module._buffers.items() if b is not None}  # noqa: SLF001
        empty = [name for name, buffer in buffers.items() if buffer.is_meta or name in own]
        for name in empty:
            module._buffers[name] = torch.full_like(buffers[name], torch.nan, device=device)  # noqa: SLF001
        if empty:
            model._init_weights(module)  # noqa: SLF001


def _check_whole(model: PreTrainedModel) -> None:
    names = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    names += [
        name
        for name, tensor in model.named_buffers()
        if tensor.is_meta or (tensor.is_floating_point() and bool(tensor.isnan().any()))
    ]
    if names:
        raise CheckpointError(f"the checkpoint leaves tensors empty: {', '.join(names[:5])}")
