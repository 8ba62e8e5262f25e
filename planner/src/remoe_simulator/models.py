"""Published models as the planner sees them: bytes worked out from their configs, never loaded.

Every number stands in the model's own `config.json`, named as `source`; parameters add up to the
published totals. Weights are bfloat16 unless a model is published in less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from remoe_planner.architecture import Architecture

_BFLOAT16 = 2.0
_FP8_BLOCKS = 1 + 4 / 128**2
"""Eight bits, and a scale of four bytes for every block of 128 x 128."""
_MXFP4 = (4 + 8 / 32) / 8
"""Four bits, and a scale of eight for every 32 values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One layer's attention, its norms included.

    Attributes:
        parameters: of its projections, biases and norms.
        cached_values: kept for each token.
    """

    parameters: int
    cached_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """A model by its published shape.

    Attributes:
        name: as tables and options call it.
        source: where the shape is published, and in which precision the weights are.
        hidden_size: width of a token row.
        layers: decoder layers.
        dense_layers: of them, the first ones without routed experts.
        vocabulary: tokens known.
        attention: of every layer.
        experts: routed experts of a layer.
        top_k: of them, those that a token visits.
        expert_parameters: of one routed expert.
        gate_parameters: of a layer's gate.
        shared_parameters: of what every token visits in a layer with routed experts.
        dense_parameters: of the feed-forward network of a layer without routed experts.
        other_parameters: the last norm, and whatever else stands once in the model.
        tied: whether the head is the embedding.
        positions: rows of learned positions.
        expert_value_bytes: of one parameter of an expert, scales included.
        main_value_bytes: the same of attention, shared and dense networks; embedding, head and
            gates are bfloat16 always.
    """

    name: str
    source: str
    hidden_size: int
    layers: int
    vocabulary: int
    attention: Attention
    experts: int
    top_k: int
    expert_parameters: int
    gate_parameters: int
    dense_layers: int = 0
    shared_parameters: int = 0
    dense_parameters: int = 0
    other_parameters: int = 0
    tied: bool = False
    positions: int = 0
    expert_value_bytes: float = _BFLOAT16
    main_value_bytes: float = _BFLOAT16

    @property
    def moe_layers(self) -> int:
        return self.layers - self.dense_layers

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        experts = self.moe_layers * self.experts * self.expert_parameters
        return experts + self._compact_parameters + self._wide_parameters

    @property
    def active_parameters(self) -> int:
        """Those that one token goes through, the embedding's table left out."""
        experts = self.moe_layers * self.top_k * self.expert_parameters
        looked_up = self.gathered_bytes / _BFLOAT16
        return experts + self._compact_parameters + self._wide_parameters - round(looked_up)

    @property
    def gathered_bytes(self) -> int:
        """Tables of which a token reads one row: positions, and an embedding that is no head."""
        rows = self.positions + (0 if self.tied else self.vocabulary)
        return round(rows * self.hidden_size * _BFLOAT16)

    @property
    def main_bytes(self) -> int:
        """Of everything but routed experts."""
        compact = self._compact_parameters * self.main_value_bytes
        return round(compact + self._wide_parameters * _BFLOAT16)

    @property
    def main_parameters(self) -> int:
        return self._compact_parameters + self._wide_parameters

    @property
    def architecture(self) -> Architecture:
        """What the planner is told."""
        return Architecture(
            name=self.name,
            revision="published",
            layers=tuple(range(self.dense_layers, self.layers)),
            experts_per_layer=self.experts,
            top_k=self.top_k,
            hidden_size=self.hidden_size,
            expert_bytes=round(self.expert_parameters * self.expert_value_bytes),
            main_bytes=self.main_bytes,
            cache_bytes_per_token=round(self.layers * self.attention.cached_values * _BFLOAT16),
        )

    @property
    def _compact_parameters(self) -> int:
        """Of what is stored in as few bytes as the model allows beside its experts."""
        shared = self.moe_layers * self.shared_parameters
        dense = self.dense_layers * self.dense_parameters
        return self.layers * self.attention.parameters + shared + dense

    @property
    def _wide_parameters(self) -> int:
        tables = self.positions + self.vocabulary * (1 if self.tied else 2)
        gates = self.moe_layers * self.gate_parameters
        return tables * self.hidden_size + gates + self.other_parameters


def gated(hidden: int, width: int) -> int:
    """Parameters of a gated feed-forward network: three matrices without biases."""
    return 3 * hidden * width


def grouped_attention(hidden: int, *, heads: int, kept: int, size: int, more: int = 0) -> Attention:
    """Keys and values for `kept` heads, each of them shared by several queries.

    Args:
        hidden: width of a row.
        heads: of queries.
        kept: heads of keys and values.
        size: of a head.
        more: parameters of biases and norms.
    """
    matrices = 2 * hidden * heads * size + 2 * hidden * kept * size
    return Attention(parameters=matrices + more, cached_values=2 * kept * size)


def latent_attention(
    hidden: int, *, heads: int, query_rank: int | None, rank: int = 512
) -> Attention:
    """DeepSeek's: one compressed row for all heads, and the part that turns with the position.

    Heads have 128 values that do not turn, 64 that do, and 128 of value, in all of their models.
    """
    plain, turning, value = 128, 64, 128
    queries = heads * (plain + turning)
    if query_rank is None:
        asking = hidden * queries
    else:
        asking = hidden * query_rank + query_rank + query_rank * queries
    keeping = hidden * (rank + turning) + rank + rank * heads * (plain + value)
    parameters = asking + keeping + heads * value * hidden + 2 * hidden
    return Attention(parameters=parameters, cached_values=rank + turning)


GPT2_MOE = PublishedModel(
    name="gpt2-moe",
    source=(
        "openai-community/gpt2, every feed-forward network copied into 8 experts, top-2, as the "
        "paper converts it; bfloat16"
    ),
    hidden_size=768,
    layers=12,
    vocabulary=50_257,
    attention=grouped_attention(768, heads=12, kept=12, size=64, more=4 * 768 + 4 * 768),
    experts=8,
    top_k=2,
    expert_parameters=2 * 768 * 3072 + 3072 + 768,
    gate_parameters=768 * 8,
    other_parameters=2 * 768,
    tied=True,
    positions=1024,
)

DEEPSEEK_V2_LITE = PublishedModel(
    name="deepseek-v2-lite",
    source="deepseek-ai/DeepSeek-V2-Lite, bfloat16",
    hidden_size=2048,
    layers=27,
    dense_layers=1,
    vocabulary=102_400,
    attention=latent_attention(2048, heads=16, query_rank=None),
    experts=64,
    top_k=6,
    expert_parameters=gated(2048, 1408),
    gate_parameters=2048 * 64,
    shared_parameters=gated(2048, 2 * 1408),
    dense_parameters=gated(2048, 10_944),
    other_parameters=2048,
)

QWEN3_30B_A3B = PublishedModel(
    name="qwen3-30b-a3b",
    source="Qwen/Qwen3-30B-A3B, bfloat16",
    hidden_size=2048,
    layers=48,
    vocabulary=151_936,
    attention=grouped_attention(2048, heads=32, kept=4, size=128, more=2 * 128 + 2 * 2048),
    experts=128,
    top_k=8,
    expert_parameters=gated(2048, 768),
    gate_parameters=2048 * 128,
    other_parameters=2048,
)

MIXTRAL_8X7B = PublishedModel(
    name="mixtral-8x7b",
    source="mistralai/Mixtral-8x7B-v0.1, bfloat16",
    hidden_size=4096,
    layers=32,
    vocabulary=32_000,
    attention=grouped_attention(4096, heads=32, kept=8, size=128, more=2 * 4096),
    experts=8,
    top_k=2,
    expert_parameters=gated(4096, 14_336),
    gate_parameters=4096 * 8,
    other_parameters=4096,
)

DEEPSEEK_V3 = PublishedModel(
    name="deepseek-v3",
    source=(
        "deepseek-ai/DeepSeek-V3 without its module for predicting several tokens; 8 bits as "
        "published, embedding, head and gates bfloat16; keys and values bfloat16"
    ),
    hidden_size=7168,
    layers=61,
    dense_layers=3,
    vocabulary=129_280,
    attention=latent_attention(7168, heads=128, query_rank=1536),
    experts=256,
    top_k=8,
    expert_parameters=gated(7168, 2048),
    gate_parameters=7168 * 256 + 256,
    shared_parameters=gated(7168, 2048),
    dense_parameters=gated(7168, 18_432),
    other_parameters=7168,
    expert_value_bytes=_FP8_BLOCKS,
    main_value_bytes=_FP8_BLOCKS,
)

GPT_OSS_20B = PublishedModel(
    name="gpt-oss-20b",
    source="openai/gpt-oss-20b, experts in MXFP4 as published, the rest bfloat16",
    hidden_size=2880,
    layers=24,
    vocabulary=201_088,
    attention=grouped_attention(
        2880, heads=64, kept=8, size=64, more=4096 + 2 * 512 + 2880 + 64 + 2 * 2880
    ),
    experts=32,
    top_k=4,
    expert_parameters=gated(2880, 2880) + 3 * 2880,
    gate_parameters=2880 * 32 + 32,
    other_parameters=2880,
    expert_value_bytes=_MXFP4,
)

QWEN15_MOE = PublishedModel(
    name="qwen1.5-moe",
    source="Qwen/Qwen1.5-MoE-A2.7B, bfloat16",
    hidden_size=2048,
    layers=24,
    vocabulary=151_936,
    attention=grouped_attention(2048, heads=16, kept=16, size=128, more=3 * 2048 + 2 * 2048),
    experts=60,
    top_k=4,
    expert_parameters=gated(2048, 1408),
    gate_parameters=2048 * 60,
    shared_parameters=gated(2048, 5632) + 2048,
    other_parameters=2048,
)

PUBLISHED: Mapping[str, PublishedModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            GPT2_MOE,
            DEEPSEEK_V2_LITE,
            QWEN3_30B_A3B,
            MIXTRAL_8X7B,
            DEEPSEEK_V3,
            GPT_OSS_20B,
            QWEN15_MOE,
        )
    }
)
"""By the names that options and tables use."""

MODELS: Mapping[str, Architecture] = MappingProxyType(
    {name: model.architecture for name, model in PUBLISHED.items()}
)
"""The same as the planner is told of them."""
