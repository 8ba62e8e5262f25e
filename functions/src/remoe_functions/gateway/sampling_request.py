"""The parameters that chat and text completions share."""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import Field, model_validator

from remoe_functions.gateway.config import LimitsConfig
from remoe_functions.gateway.errors import InvalidRequest
from remoe_functions.gateway.job import Sampling
from remoe_functions.gateway.parameters import RequestBody

Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
StopString = Annotated[str, Field(min_length=1, max_length=1024)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]

_SEED_BITS = 63


class StreamOptions(RequestBody):
    """What a stream carries beside text; `include_obfuscation` is accepted and unused."""

    include_usage: bool = False
    include_obfuscation: bool = False


class SamplingRequest(RequestBody):
    """Model, sampling, stops and streaming. `top_k`, `ignore_eos` and `stop_token_ids` are vLLM's.

    Attributes:
        top_k: 0 and -1 mean all tokens, as for vLLM.
    """

    model: Annotated[str, Field(min_length=1, max_length=512)]
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] = 0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1)] = 1
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: StopString | list[StopString] | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=64)] = Field(default_factory=list)
    ignore_eos: bool = False
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: object) -> object:
        options = body.get("stream_options") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(options, dict):
            return body
        return body | {"stream_options": {k: v for k, v in options.items() if v is not None}}

    @property
    def stops(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def wanted_tokens(self) -> int | None:
        """The answer's length asked for; None: as long as fits."""
        return self.max_tokens

    @property
    def wanted_logprobs(self) -> int | None:
        """Alternatives to report with each token; None for no report."""
        return None

    def check(self, limits: LimitsConfig, *, prompts: int = 1) -> None:
        """Check what depends on this gateway's limits.

        Raises:
            InvalidRequest: names the parameter and the limit.
        """
        self._check_at_most("n", self.n * prompts, limits.max_n)
        self._check_at_most("stop", len(self.stops), limits.max_stops)
        self._check_at_most("top_logprobs", self.wanted_logprobs or 0, limits.max_top_logprobs)
        if self.stream_options is not None and not self.stream:
            raise InvalidRequest(
                "stream_options is only allowed when stream is true", param="stream_options"
            )

    def sampling(self) -> Sampling:
        """How each choice is sampled; without a seed one is drawn, so that it can be resumed."""
        seed = secrets.randbits(_SEED_BITS) if self.seed is None else self.seed
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k if self.top_k > 0 else None,
            seed=seed & (2**_SEED_BITS - 1),
            logprobs=self.wanted_logprobs,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            ignore_eos=self.ignore_eos,
        )

    @staticmethod
    def _check_at_most(param: str, value: int, most: int) -> None:
        if value > most:
            raise InvalidRequest(
                f"{param}: at most {most} allowed, got {value}", param=param, code="invalid_value"
            )
