"""How long a context a model can be served with."""

from __future__ import annotations

from transformers import PreTrainedConfig

DEFAULT_MAX_CONTEXT = 8192
# These rotary embeddings change for every token once a sequence grows beyond its original length:
# in a batch, a long request would change the answers of short ones.
_LENGTH_DEPENDENT_ROPES = frozenset({"dynamic", "longrope"})


def max_context(config: PreTrainedConfig, wanted: int | None) -> int:
    """The context to serve: what is wanted, or the model's own up to DEFAULT_MAX_CONTEXT.

    Raises:
        ValueError: more is wanted than the model can be served with.
    """
    limit = _limit(config)
    if wanted is None:
        return min(limit, DEFAULT_MAX_CONTEXT)
    if not 2 <= wanted <= limit:
        raise ValueError(f"max_context must be in 2..{limit} for this model, got {wanted}")
    return wanted


def _limit(config: PreTrainedConfig) -> int:
    limit = int(getattr(config, "max_position_embeddings", None) or DEFAULT_MAX_CONTEXT)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in _LENGTH_DEPENDENT_ROPES:
        limit = min(limit, int(rope.get("original_max_position_embeddings") or limit))
    return limit
