"""A checkpoint folder as the rest of Remoe sees it: tensors by name, experts by identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from remoe_functions.checkpoint.config import read_config
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.checkpoint.experts import ExpertTable
from remoe_functions.checkpoint.families import family_of
from remoe_functions.checkpoint.ffn import ExpertWeights, FfnForm
from remoe_functions.checkpoint.shards import Shards
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId


class Checkpoint:
    """A mapped Hugging Face checkpoint of a Mixture-of-Experts model.

    Attributes:
        directory: the folder.
        config: its `config.json`.
        form: what every expert of it computes.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], shards: Shards) -> None:
        self.directory = directory
        self.config = config
        self._shards = shards
        self._table = ExpertTable.find(config, family_of(config), shards)
        self.form: FfnForm = self._table.form
        self._weights: dict[ExpertId, ExpertWeights] = {}

    @classmethod
    def open(cls, directory: Path) -> Checkpoint:
        """Map a folder and check that it holds what its config says.

        Raises:
            UnsupportedModelError: not a model whose experts are understood.
            CheckpointError: missing, truncated, corrupt, or contradicting its config.
        """
        config = read_config(directory)
        family_of(config)
        shards = Shards(directory)
        try:
            return cls(directory, config, shards)
        except CheckpointError as error:
            shards.close()
            raise type(error)(f"{directory}: {error}") from error

    @cached_property
    def architecture(self) -> Architecture:
        """The model's shape; `revision` tells its weights from others of the same shape."""
        return Architecture(
            name=self.directory.resolve().name,
            revision=self._revision(),
            layers=self._table.layers,
            experts_per_layer=self._table.experts_per_layer,
            top_k=self._table.top_k,
            hidden_size=self._table.hidden_size,
            expert_bytes=self.expert(ExpertId(self._table.layers[0], 0)).nbytes,
            main_bytes=self._main_bytes(),
        )

    def _revision(self) -> str:
        config = json.dumps(self.config, sort_keys=True)
        return hashlib.sha256(f"{config}{self._shards.digest()}".encode()).hexdigest()[:16]

    def _main_bytes(self) -> int:
        places = (self._shards.place(name) for name in self.names if self._table.is_main(name))
        return sum(place.end - place.begin for place in places)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, sorted."""
        return self._shards.names

    def tensor(self, name: str) -> MappedTensor:
        """The tensor of that name, as a read-only view on the file.

        Raises:
            CheckpointError: there is none of that name.
        """
        return self._shards.tensor(name)

    def is_expert_tensor(self, name: str) -> bool:
        """Whether a tensor belongs to a routed expert, so that the main model need not hold it."""
        return self._table.is_expert_tensor(name)

    def expert(self, expert: ExpertId) -> ExpertWeights:
        """An expert's weights, as read-only views on the file.

        Raises:
            CheckpointError: the model has no such expert.
        """
        if expert not in self._weights:
            self._weights[expert] = self._table.weights(expert, self._shards)
        return self._weights[expert]

    def touch(self, expert: ExpertId) -> None:
        """Bring an expert's weights into memory.

        Raises:
            CheckpointError: the model has no such expert.
        """
        for name, part in self._pieces(expert):
            self._shards.touch(name, part)

    def release(self, expert: ExpertId) -> None:
        """Let an expert's whole pages leave the resident set; they come back when next read.

        Raises:
            CheckpointError: the model has no such expert.
        """
        for name, part in self._pieces(expert):
            self._shards.release(name, part)

    def _pieces(self, expert: ExpertId) -> Iterable[tuple[str, int | None]]:
        return self._table.pieces(expert)

    def close(self) -> None:
        """Unmap the files; a file whose tensors are still referenced goes with the last of them."""
        self._weights.clear()
        self._shards.close()
