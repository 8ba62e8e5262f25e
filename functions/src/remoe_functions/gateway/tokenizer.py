"""Text to tokens and back, from the checkpoint's tokenizer files. No weights, no transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from remoe_functions.gateway.byte_alphabet import BYTE_OF_CHARACTER
from remoe_functions.gateway.chat_template import ChatTemplate
from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.detokenizer import Detokenizer

_SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")


class Tokenizer:
    """A model's tokenizer and chat template. Immutable, so threads may share it."""

    def __init__(self, backend: Backend, *, template: ChatTemplate | None = None) -> None:
        self._backend = backend
        self.template = template
        self._byte_level = '"ByteLevel"' in _decoder_json(backend)

    @classmethod
    def open(cls, directory: Path) -> Tokenizer:
        """Read tokenizer.json, tokenizer_config.json and chat_template.jinja of a checkpoint.

        Raises:
            ConfigError: tokenizer.json is missing or broken, or the template is.
        """
        path = directory / "tokenizer.json"
        if not path.is_file():
            raise ConfigError(f"{path} is missing: the gateway needs a fast tokenizer")
        try:
            backend = Backend.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ConfigError(f"{path} is not a tokenizer: {error}") from error
        # A saved tokenizer may cut or pad; a prompt must be neither.
        backend.no_truncation()
        backend.no_padding()
        settings = read_json(directory / "tokenizer_config.json")
        return cls(backend, template=_template(directory, settings))

    @property
    def vocabulary_size(self) -> int:
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The text's token ids."""
        return list(self._backend.encode(text, add_special_tokens=add_special_tokens).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """The tokens' text, special tokens left out."""
        return str(self._backend.decode(list(tokens), skip_special_tokens=True))

    def decode_all(self, tokens: Sequence[int]) -> str:
        """The tokens' text, special tokens included."""
        return str(self._backend.decode(list(tokens), skip_special_tokens=False))

    def detokenizer(self) -> Detokenizer:
        """One answer's incremental decoder."""
        return Detokenizer(self.decode)

    def id_of(self, token: str) -> int | None:
        found = self._backend.token_to_id(token)
        return None if found is None else int(found)

    def spellings(self, size: int) -> list[str]:
        """How the tokens 0 to size - 1 are written; a token without a spelling is like no other."""
        found = (self._backend.id_to_token(token) for token in range(size))
        return [f"\0{i}" if form is None else str(form) for i, form in enumerate(found)]

    def bytes_of(self, token: int) -> bytes:
        """The bytes one token stands for, as logprobs show them; empty for an unknown id."""
        form = self._backend.id_to_token(token)
        if form is None:
            return b""
        if self._byte_level and all(c in BYTE_OF_CHARACTER for c in form):
            return bytes(BYTE_OF_CHARACTER[c] for c in form)
        if len(form) == len("<0x00>") and form.startswith("<0x"):
            return bytes.fromhex(form[3:5])
        return str(form).replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode()


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a file; empty where there is no such file.

    Raises:
        ConfigError: the file is there but is no JSON object.
    """
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(body, dict):
        raise ConfigError(f"{path} must be a JSON object")
    return body


def special_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    """The named special tokens of a tokenizer_config.json, plain or as added-token objects."""
    named = {name: settings.get(name) for name in _SPECIAL_NAMES}
    forms = {n: t.get("content") if isinstance(t, Mapping) else t for n, t in named.items()}
    return {name: form for name, form in forms.items() if isinstance(form, str)}


def _template(directory: Path, settings: Mapping[str, Any]) -> ChatTemplate | None:
    source = _template_source(directory, settings)
    try:
        return None if source is None else ChatTemplate(source, special_tokens(settings))
    except ValueError as error:
        raise ConfigError(f"{directory}: {error}") from error


def _template_source(directory: Path, settings: Mapping[str, Any]) -> str | None:
    """The template file's text, or the settings' own: one string, or a list of named ones."""
    path = directory / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    source = settings.get("chat_template")
    if isinstance(source, list):
        source = {entry["name"]: entry["template"] for entry in source}.get("default")
    return source if isinstance(source, str) else None


def _decoder_json(backend: Backend) -> str:
    return json.dumps(json.loads(backend.to_str())["decoder"])
