"""The model types whose experts are understood, and what is known of each.

A type stands here only if its experts were compared with transformers' own: `act(gate) * up` is
not true of every Mixture-of-Experts, and a wrong guess would answer fluently and falsely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.checkpoint.ffn import Activation, FfnForm
from remoe_functions.checkpoint.layouts import (
    GPT_OSS,
    GPT_OSS_MXFP4,
    GRANITE,
    Layout,
    per_expert,
    plain_per_expert,
    stacked,
)

ACTIVATIONS: Mapping[str, Activation] = {
    "silu": Activation.SILU,
    "swish": Activation.SILU,
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "gelu_tanh": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "relu2": Activation.RELU2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Model types that keep and use their experts alike.

    Attributes:
        layouts: the layouts its checkpoints come in, the published one first.
        intermediate_field: config field with the experts' intermediate size.
        activation_field: config field with the activation's name.
        default_activation: the activation where the config names none.
        clamped: experts use GPT-OSS's clamped SwiGLU, whatever the activation field says.
        every_layer: all decoder layers have experts, whatever fields on dense layers say.
        refused_fields: config fields that, when set, change the experts in a way not served.
        mxfp4_layouts: layouts of its checkpoints whose experts are MXFP4, if there are such.
    """

    layouts: tuple[Layout, ...]
    intermediate_field: str = "moe_intermediate_size"
    activation_field: str = "hidden_act"
    default_activation: str = "silu"
    clamped: bool = False
    every_layer: bool = False
    refused_fields: tuple[str, ...] = ()
    mxfp4_layouts: tuple[Layout, ...] = ()

    def layouts_for(self, config: Mapping[str, Any]) -> tuple[Layout, ...]:
        """The layouts that a checkpoint with this config may have."""
        return self.layouts if quantization_method(config) is None else self.mxfp4_layouts

    def form(self, config: Mapping[str, Any], layout: Layout) -> FfnForm:
        """How the experts compute, by the config.

        Raises:
            UnsupportedModelError: the activation is not served.
            CheckpointError: a number of the config is not one.
        """
        shape = {
            "gated": layout.gated,
            "fused": layout.fused,
            "interleaved": layout.interleaved,
            "transposed": layout.transposed,
        }
        if not self.clamped:
            return FfnForm(activation=self._activation(config), **shape)
        return FfnForm(
            activation=Activation.CLAMPED_SWIGLU,
            alpha=_positive(config, "swiglu_alpha", 1.702),
            limit=_positive(config, "swiglu_limit", 7.0),
            **shape,
        )

    def _activation(self, config: Mapping[str, Any]) -> Activation:
        name = config.get(self.activation_field, self.default_activation)
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise UnsupportedModelError(
                f"config.json: {self.activation_field} {name!r} is not served; "
                f"served are {', '.join(ACTIVATIONS)}"
            )
        return ACTIVATIONS[name]


def _positive(config: Mapping[str, Any], field: str, default: float) -> float:
    value = config.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise CheckpointError(f"config.json: {field} must be a number > 0, got {value!r}")
    return float(value)


_W123 = per_expert("block_sparse_moe", "w1", "w3", "w2")
_PROJ = per_expert("mlp", "gate_proj", "up_proj", "down_proj")
_STACKED = stacked("mlp")

_MIXTRAL = Family(
    layouts=(_W123, _STACKED), intermediate_field="intermediate_size", every_layer=True
)
_QWEN = Family(layouts=(_PROJ, _STACKED))
_SOLAR = Family(layouts=(_PROJ, _STACKED), every_layer=True)
_COHERE = Family(layouts=(_PROJ, _STACKED), intermediate_field="intermediate_size")
_OLMOE = Family(layouts=(_PROJ, _STACKED), intermediate_field="intermediate_size", every_layer=True)
_GRANITE = Family(
    layouts=(GRANITE, stacked("block_sparse_moe")),
    intermediate_field="intermediate_size",
    every_layer=True,
)
_GPT_OSS = Family(
    layouts=(GPT_OSS,),
    intermediate_field="intermediate_size",
    clamped=True,
    every_layer=True,
    mxfp4_layouts=(GPT_OSS_MXFP4,),
)
_LFM = Family(
    layouts=(per_expert("feed_forward", "w1", "w3", "w2"), stacked("feed_forward")),
    activation_field="",  # its experts are SiLU by definition
)
_JAMBA = Family(
    layouts=(
        per_expert("feed_forward", "gate_proj", "up_proj", "down_proj"),
        stacked("feed_forward"),
    ),
    intermediate_field="intermediate_size",
)
_NEMOTRON = Family(
    layouts=(
        plain_per_expert("backbone.layers"),
        plain_per_expert("model.layers"),
        stacked("mixer", up="up_proj", gated=False),
    ),
    activation_field="mlp_hidden_act",
    default_activation="relu2",
    refused_fields=("moe_latent_size",),
)

FAMILIES: Mapping[str, Family] = {
    "mixtral": _MIXTRAL,
    "phimoe": _MIXTRAL,
    "minimax": _MIXTRAL,
    "minimax_m2": _MIXTRAL,
    "qwen2_moe": _QWEN,
    "qwen3_moe": _QWEN,
    "qwen3_next": _QWEN,
    "qwen3_5_moe_text": _QWEN,
    "deepseek_v2": _QWEN,
    "deepseek_v3": _QWEN,
    "deepseek_v32": _QWEN,
    "dots1": _QWEN,
    "ernie4_5_moe": _QWEN,
    "exaone_moe": _QWEN,
    "glm4_moe": _QWEN,
    "glm4_moe_lite": _QWEN,
    "glm_moe_dsa": _QWEN,
    "mellum": _QWEN,
    "solar_open": _SOLAR,
    "afmoe": _QWEN,
    "olmoe": _OLMOE,
    "flex_olmo": _OLMOE,
    "hunyuan_v1_moe": _OLMOE,
    "cohere2_moe": _COHERE,
    "granitemoe": _GRANITE,
    "granitemoeshared": _GRANITE,
    "granitemoehybrid": _GRANITE,
    "gpt_oss": _GPT_OSS,
    "lfm2_moe": _LFM,
    "jamba": _JAMBA,
    "nemotron_h": _NEMOTRON,
}


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a model, by its config.

    Raises:
        UnsupportedModelError: dense, quantized, not a causal language model, or of a type whose
            experts are not understood; says which.
    """
    model_type = config.get("model_type")
    title = _title(config)
    method = quantization_method(config)
    if method is not None and not _is_served_mxfp4(model_type, method):
        raise UnsupportedModelError(
            f"{title} is quantized ({method}); served are plain weights, and GPT-OSS in mxfp4"
        )
    if not any("expert" in field for field in config):
        raise UnsupportedModelError(f"{title} is a dense model: it has no routed experts")
    if not isinstance(model_type, str) or model_type not in FAMILIES or not _is_causal(config):
        raise UnsupportedModelError(
            f"{title} is not served: its experts are not understood; "
            f"served are causal language models of type {', '.join(sorted(FAMILIES))}"
        )
    family = FAMILIES[model_type]
    for field in family.refused_fields:
        if config.get(field) is not None:
            raise UnsupportedModelError(f"{title} with {field} {config[field]!r} is not served")
    return family


def quantization_method(config: Mapping[str, Any]) -> str | None:
    """How the config says that the weights are quantized; None where they are not."""
    quantization = config.get("quantization_config")
    if quantization is None:
        return None
    return str(quantization.get("quant_method") if isinstance(quantization, dict) else quantization)


def _is_served_mxfp4(model_type: object, method: str) -> bool:
    known = isinstance(model_type, str) and model_type in FAMILIES
    return known and method == BlockFormat.MXFP4 and bool(FAMILIES[str(model_type)].mxfp4_layouts)


def _title(config: Mapping[str, Any]) -> str:
    names = config.get("architectures") or ["a model without architectures"]
    name = names[0] if isinstance(names, list) else names
    return f"{name} (model_type {config.get('model_type')!r})"


def _is_causal(config: Mapping[str, Any]) -> bool:
    names = config.get("architectures")
    if not names:
        return True
    return isinstance(names, list) and str(names[0]).endswith(("ForCausalLM", "LMHeadModel"))
