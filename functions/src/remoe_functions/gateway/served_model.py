"""A served model as the gateway knows it: its tokens, its context, its plan. Never its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from remoe_functions.gateway.config import ConfigError, ModelConfig
from remoe_functions.gateway.errors import ContextTooLong, InvalidRequest
from remoe_functions.gateway.tokenizer import Tokenizer, read_json, special_tokens
from remoe_planner.plan import Plan

# Main's own rules, so that a request it would refuse is refused before it is woken.
DEFAULT_MAX_CONTEXT = 8192
_LENGTH_DEPENDENT_ROPES = ("dynamic", "longrope")
_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One model.

    Attributes:
        name: what clients call it.
        context: tokens of prompt and answer together.
        vocabulary: token ids are below this.
        eos_token_ids: tokens that end an answer.
        created: when its files were made, in seconds since the epoch.
    """

    name: str
    tokenizer: Tokenizer
    plan: Plan
    context: int
    vocabulary: int
    eos_token_ids: tuple[int, ...]
    created: int

    @classmethod
    def open(cls, model: ModelConfig) -> Self:
        """Read what the configuration points at.

        Raises:
            ConfigError: a file is missing or not what it should be; names it.
        """
        config = read_json(model.directory / "config.json")
        if not config:
            raise ConfigError(f"{model.directory / 'config.json'} is missing")
        tokenizer = Tokenizer.open(model.directory)
        return cls(
            name=model.name,
            tokenizer=tokenizer,
            plan=_plan(model.plan),
            context=_context(config, model),
            vocabulary=int(_field(config, "vocab_size") or tokenizer.vocabulary_size),
            eos_token_ids=_eos_token_ids(model.directory, config, tokenizer),
            created=int((model.directory / "config.json").stat().st_mtime),
        )

    def chat_prompt(
        self, messages: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = True
    ) -> tuple[int, ...]:
        """The tokens of a conversation.

        Raises:
            InvalidRequest: the model has no chat template, or its template refuses.
        """
        template = self.tokenizer.template
        if template is None:
            raise InvalidRequest(
                f"the model {self.name!r} has no chat template; use /v1/completions",
                param="messages",
            )
        text = template.render(messages, add_generation_prompt=add_generation_prompt)
        # The template wrote the special tokens itself.
        return self._checked(self.tokenizer.encode(text, add_special_tokens=False), "messages")

    def text_prompt(
        self, prompt: str | tuple[int, ...], *, add_special_tokens: bool = True
    ) -> tuple[int, ...]:
        """The tokens of a text, or token ids checked.

        Raises:
            InvalidRequest: an id is not in the vocabulary, or there are no tokens.
        """
        if isinstance(prompt, str):
            prompt = tuple(self.tokenizer.encode(prompt, add_special_tokens=add_special_tokens))
        return self._checked(prompt, "prompt")

    def answer_tokens(
        self, prompt_tokens: int, wanted: int | None, default: int | None, *, param: str
    ) -> int:
        """Tokens the answer may have: as wanted, or the default, or what fits.

        Raises:
            ContextTooLong: prompt and wanted answer do not fit; says all the numbers.
        """
        room = self.context - prompt_tokens
        if room < 1 or (wanted or 1) > room:
            asked = f" and {wanted} for the answer" if wanted else ""
            raise ContextTooLong(
                f"this model's maximum context length is {self.context} tokens, but the request "
                f"has {prompt_tokens} in the prompt{asked}",
                param=param if room < 1 else "max_tokens",
            )
        return wanted or min(room, default or room)

    def _checked(self, tokens: Sequence[int], param: str) -> tuple[int, ...]:
        if not tokens:
            raise InvalidRequest(f"{param}: no tokens in it", param=param, code="invalid_value")
        if max(tokens) >= self.vocabulary:
            raise InvalidRequest(
                f"{param}: token ids must be below {self.vocabulary}, got {max(tokens)}",
                param=param,
                code="invalid_value",
            )
        return tuple(tokens)


def _plan(path: Path) -> Plan:
    try:
        return Plan.from_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the plan {path}: {error}") from error


def _field(config: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - config.json is any JSON
    """A field of config.json, at the top or in the text model's own section."""
    inner = config.get("text_config")
    own = config.get(name)
    return inner.get(name) if own is None and isinstance(inner, Mapping) else own


def _context(config: Mapping[str, Any], model: ModelConfig) -> int:
    stated = (_field(config, name) for name in _CONTEXT_FIELDS)
    positions = next((value for value in stated if isinstance(value, int) and value > 0), None)
    wanted = model.max_context or (positions and DEFAULT_MAX_CONTEXT)
    bounds = [b for b in (positions, wanted, _unstretched(config)) if isinstance(b, int)]
    if not bounds:
        raise ConfigError(
            f"{model.directory / 'config.json'} does not say how long a context may be: "
            "set max_context"
        )
    return min(bounds)


def _unstretched(config: Mapping[str, Any]) -> int | None:
    """Main's bound where longer contexts would change the embedding of shorter ones."""
    rope = _field(config, "rope_parameters") or _field(config, "rope_scaling") or {}
    if rope.get("rope_type", rope.get("type")) not in _LENGTH_DEPENDENT_ROPES:
        return None
    name = "original_max_position_embeddings"
    original = rope.get(name) or _field(config, name)
    return original if isinstance(original, int) else None


def _eos_token_ids(
    directory: Path, config: Mapping[str, Any], tokenizer: Tokenizer
) -> tuple[int, ...]:
    generation = read_json(directory / "generation_config.json")
    name = special_tokens(read_json(directory / "tokenizer_config.json")).get("eos_token")
    named = None if name is None else tokenizer.id_of(name)
    found: set[int] = set() if named is None else {named}
    for value in (generation.get("eos_token_id"), _field(config, "eos_token_id")):
        found.update(v for v in (value if isinstance(value, list) else [value]) if v is not None)
    return tuple(sorted(found))
