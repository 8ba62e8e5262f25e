"""What a gateway recorded of a model's use, as its /usage tells it, and the routing in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing

Counts = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """Recorded use of one model.

    Attributes:
        requests: recorded.
        prefill: [layers, experts], assignments of all prompt tokens.
        decode: the same of generated ones.
        samples: [n, layers, experts], counts of single requests, the newest.
        sample_tokens: [n], of each of them.
        prompt_tokens, output_tokens: means; None where nothing was recorded.
        max_prompt_tokens, max_output_tokens: the longest; None likewise.
    """

    requests: int
    prefill: Counts
    decode: Counts
    samples: Counts
    sample_tokens: Counts
    prompt_tokens: int | None
    output_tokens: int | None
    max_prompt_tokens: int | None
    max_output_tokens: int | None

    @classmethod
    def of(cls, body: Mapping[str, Any], architecture: Architecture) -> Self:
        """Read the gateway's answer.

        Raises:
            ValueError: a field is missing, or is not of this model's shape; says which.
        """
        shape = architecture.shape
        try:
            samples = _counts(body["samples"], "samples")
            samples = samples.reshape(len(samples), *shape)
            tokens = _counts(body["sample_tokens"], "sample_tokens").reshape(len(samples))
            return cls(
                requests=int(body["requests"]),
                prefill=_table(body["prefill"], "prefill", shape),
                decode=_table(body["decode"], "decode", shape),
                samples=samples,
                sample_tokens=tokens,
                prompt_tokens=_whole(body.get("prompt_tokens_mean")),
                output_tokens=_whole(body.get("output_tokens_mean")),
                max_prompt_tokens=_whole(body.get("max_prompt_tokens")),
                max_output_tokens=_whole(body.get("max_output_tokens")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"usage: {error!r}") from error

    @classmethod
    def none(cls) -> Self:
        """Nothing recorded, of no model."""
        empty = np.zeros((0, 0), np.uint32)
        return cls(
            requests=0,
            prefill=empty,
            decode=empty,
            samples=np.zeros((0, 0, 0), np.uint32),
            sample_tokens=np.zeros(0, np.uint32),
            prompt_tokens=None,
            output_tokens=None,
            max_prompt_tokens=None,
            max_output_tokens=None,
        )

    @property
    def utility(self) -> NDArray[np.float64]:
        """[layers, experts], recorded assignments, for a plan by use."""
        return self.prefill.astype(np.float64) + self.decode

    @property
    def routing(self) -> Routing:
        """How tokens spread over the experts, drawn towards even shares where little is known."""
        whole = self.utility
        both = np.maximum(whole, 1)
        prefill = self._rows(self.prefill, self.prefill / both)
        nobodys = np.zeros(len(prefill), np.uint32)
        known = Routing.of(
            ActivationHistory(
                vectors=np.zeros((len(prefill), 1), np.float32),
                prefill=prefill,
                decode=self._rows(self.decode, self.decode / both),
                prompt_tokens=nobodys,
                decode_tokens=nobodys,
            )
        )
        # Which experts are used together is for single requests to tell, not for the last row.
        return replace(known, samples=self.samples, sample_tokens=self.sample_tokens)

    def _rows(self, total: Counts, share: NDArray[np.float64]) -> Counts:
        """Requests one by one and, as a last row, all the others: together they are the total.

        Samples count a request's prompt and answer together; each phase gets its usual share.
        """
        single = np.minimum(np.rint(self.samples * share), total).astype(np.int64)
        rest = np.maximum(total.astype(np.int64) - single.sum(axis=0), 0)
        return np.concatenate([single, rest[None]]).astype(np.uint32)


def _table(values: Any, name: str, shape: tuple[int, int]) -> Counts:  # noqa: ANN401 (JSON)
    made = _counts(values, name)
    if made.shape != shape:
        raise ValueError(f"usage: {name} must be of shape {shape}, got {made.shape}")
    return made


def _counts(values: Any, name: str) -> Counts:  # noqa: ANN401 (JSON)
    try:
        made = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"usage: {name} must be a table of numbers") from error
    if not np.all(np.isfinite(made)) or np.any(made < 0) or np.any(made > np.iinfo(np.uint32).max):
        raise ValueError(f"usage: {name} must be finite and >= 0")
    return made.astype(np.uint32)


def _whole(value: float | None) -> int | None:
    return round(value) or None if value else None
