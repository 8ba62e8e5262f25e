"""Which files of a repository serving needs: configuration, tokenizer, template, safetensors."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

WANTED = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
    "model*.safetensors",
    "model.safetensors.index.json",
)
UNWANTED = ("*/*",)  # original/, metal/, onnx/: the same weights in other forms


def is_wanted(name: str) -> bool:
    """Whether a file of the repository is among them."""
    if any(fnmatchcase(name, pattern) for pattern in UNWANTED):
        return False
    return any(fnmatchcase(name, pattern) for pattern in WANTED)


def can_be_served(names: Collection[str]) -> bool:
    """Whether files of these names may be a model; what is in them is not looked at."""
    return "config.json" in names and any(name.endswith(".safetensors") for name in names)
